/*
 * symmetric.c - what the Fréchet distance needs of linear algebra
 *
 * Golub and Van Loan, Matrix Computations: 4.2.7 (factors of a matrix that is not of full rank), 8.3.1 (reflections to a
 * tridiagonal matrix), 8.3.3 (QR steps with shifts, here as QL).
 */
#include "symmetric.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <string.h>

void symmetric_add4(double *c, const double *x, size_t n)
{
	const double *x0 = x, *x1 = x + n, *x2 = x + 2 * n, *x3 = x + 3 * n;
	for (size_t i = 0; i < n; i++) {
		double a0 = x0[i], a1 = x1[i], a2 = x2[i], a3 = x3[i], *row = c + i * n;
		for (size_t j = i; j < n; j++)
			row[j] += a0 * x0[j] + a1 * x1[j] + a2 * x2[j] + a3 * x3[j];
	}
}

static double dot(const double *a, const double *b, size_t n)
{
	double s[4] = { 0 };
	size_t i = 0;
	for (; i + 4 <= n; i += 4)
		for (int k = 0; k < 4; k++)
			s[k] += a[i + k] * b[i + k];
	for (; i < n; i++)
		s[0] += a[i] * b[i];
	return s[0] + s[1] + (s[2] + s[3]);
}

void symmetric_root(double *a, size_t n)
{
	double most = 0;
	for (size_t i = 0; i < n; i++)
		most = fmax(most, a[i * n + i]);
	for (size_t j = 0; j < n; j++) {
		double d = a[j * n + j] - dot(a + j * n, a + j * n, j);
		/* What is left is rounding: this direction depends on those before. */
		bool there = d > most * (double)n * DBL_EPSILON;
		double root = there ? sqrt(d) : 0;
		a[j * n + j] = root;
		for (size_t i = j + 1; i < n; i++) {
			double v = a[i * n + j] - dot(a + i * n, a + j * n, j);
			a[i * n + j] = there ? v / root : 0;
		}
	}
	for (size_t i = 0; i < n; i++)
		memset(a + i * n + i + 1, 0, (n - i - 1) * sizeof(*a));
}

/* H A H with H = I - 2 v v^T for the rows and columns from k + 1 on: A - v w^T - w v^T, w = 2 (A v - v (v, A v)). */
static void reflect(double *a, size_t n, size_t k, const double *v, double *w)
{
	size_t m = n - k - 1;
	double *sub = a + (k + 1) * n + k + 1;
	for (size_t i = 0; i < m; i++)
		w[i] = dot(sub + i * n, v, m);
	double along = dot(v, w, m);
	for (size_t i = 0; i < m; i++)
		w[i] = 2 * (w[i] - along * v[i]);
	for (size_t i = 0; i < m; i++) {
		double vi = v[i], wi = w[i], *row = sub + i * n;
		for (size_t j = 0; j < m; j++)
			row[j] -= vi * w[j] + wi * v[j];
	}
}

/* d: the diagonal, e[i]: between i and i + 1. */
static void tridiagonal(double *a, size_t n, double *d, double *e)
{
	double *v = DS_NEW(double, 2 * n + 1), *w = v + n;
	for (size_t k = 0; k < n; k++) {
		size_t m = n - k - 1;
		d[k] = a[k * n + k];
		e[k] = m ? a[(k + 1) * n + k] : 0;
		if (m < 2)
			continue;
		double norm = 0;
		for (size_t i = 0; i < m; i++) {
			v[i] = a[(k + 1 + i) * n + k];
			norm = hypot(norm, v[i]);
		}
		double to = v[0] > 0 ? -norm : norm;
		v[0] -= to;
		double length = sqrt(dot(v, v, m));
		e[k] = to;
		if (length == 0)
			continue;
		for (size_t i = 0; i < m; i++)
			v[i] /= length;
		reflect(a, n, k, v, w);
	}
	ds_mem_free(v);
}

/* One step of QL with a shift on the block from l to m. */
static void step(double *d, double *e, size_t l, size_t m)
{
	double g = (d[l + 1] - d[l]) / (2 * e[l]), s = 1, c = 1, shift = 0;
	g = d[m] - d[l] + e[l] / (g + copysign(hypot(g, 1), g));
	for (size_t i = m; i-- > l;) {
		double f = s * e[i], b = c * e[i], r = hypot(f, g);
		e[i + 1] = r;
		if (r == 0) {
			d[i + 1] -= shift;
			e[m] = 0;
			return;
		}
		s = f / r;
		c = g / r;
		g = d[i + 1] - shift;
		r = (d[i] - g) * s + 2 * c * b;
		shift = s * r;
		d[i + 1] = g + shift;
		g = c * r - b;
	}
	d[l] -= shift;
	e[l] = g;
	e[m] = 0;
}

void symmetric_values(double *a, size_t n, double *d)
{
	enum { MOST = 60 }; /* steps for one value: it takes two or three */
	double *e = DS_NEW(double, n + 1);
	tridiagonal(a, n, d, e);
	for (size_t l = 0; l < n; l++)
		for (int tries = 0; tries < MOST; tries++) {
			size_t m = l;
			while (m + 1 < n &&
				fabs(e[m]) > DBL_EPSILON * (fabs(d[m]) + fabs(d[m + 1])))
				m++;
			if (m == l)
				break;
			step(d, e, l, m);
		}
	ds_mem_free(e);
}
