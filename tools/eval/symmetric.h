/*
 * symmetric.h - square matrices of doubles, row-major, whole
 */
#ifndef DS_EVAL_SYMMETRIC_H
#define DS_EVAL_SYMMETRIC_H

#include <stdbool.h>
#include <stddef.h>

/* Upper triangle of c += the sum of x^T x over rows x[0 … 4)[n]; fast for large n. */
void symmetric_add4(double *c, const double *x, size_t n);
/* a = L L^T of a matrix without negative eigenvalues; a becomes L, its upper triangle zero. */
void symmetric_root(double *a, size_t n);
/* Eigenvalues of a, which is destroyed, in no order. */
void symmetric_values(double *a, size_t n, double *values);

#endif
