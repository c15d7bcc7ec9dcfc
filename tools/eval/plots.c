/*
 * plots.c - a confusion matrix, ROC curves and a reliability diagram
 *
 * One field of 400 by 400 in a margin; the same input gives the same bytes.
 */
#include "plots.h"

#include "base/io.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { LEFT = 90, TOP = 40, SIDE = 400, WIDTH = 620, HEIGHT = 520 };
enum { MOST_CURVES = 10, MOST_CLASSES = 40, BINS = 10, MOST_POINTS = 1000 };

static const char *const colours[MOST_CURVES] = { "#1f5fa8", "#c8501e", "#2e7d4f", "#7a4fa3",
	"#a8871f", "#1f97a8", "#a81f5f", "#555555", "#6b8e23", "#8b4513" };

static void text(ds_buf *o, double x, double y, const char *more, ds_str s)
{
	ds_buf shown = { 0 };
	ds_buf_add_shown(&shown, s);
	ds_buf_fmt(o, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, more);
	for (size_t i = 0; i < shown.n; i++) {
		char c = shown.at[i];
		if (c == '<' || c == '&')
			ds_buf_add_c(o, c == '<' ? "&lt;" : "&amp;");
		else
			ds_buf_add_byte(o, c);
	}
	ds_buf_add_c(o, "</text>\n");
	ds_buf_free(&shown);
}

static void begin(ds_buf *o, const char *title, const char *across, const char *up)
{
	const int middle = LEFT + SIDE / 2;
	ds_buf_fmt(o,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT);
	text(o, middle, 24, " text-anchor=\"middle\" font-size=\"15\"", ds_str_of(title));
	text(o, middle, HEIGHT - 14, " text-anchor=\"middle\"", ds_str_of(across));
	ds_buf_fmt(o, "<g transform=\"translate(16 %d) rotate(-90)\">", TOP + SIDE / 2);
	text(o, 0, 0, " text-anchor=\"middle\"", ds_str_of(up));
	ds_buf_add_c(o, "</g>\n");
}

/* A square from 0 to 1 both ways, with its diagonal. */
static void axes(ds_buf *o)
{
	ds_buf_fmt(o,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" "
		"stroke=\"#888\"/>\n",
		LEFT, TOP, SIDE, SIDE);
	ds_buf_fmt(o, "<path d=\"M%d %d L%d %d\" stroke=\"#aaa\" stroke-dasharray=\"4 4\"/>\n",
		LEFT, TOP + SIDE, LEFT + SIDE, TOP);
	for (int i = 0; i <= 5; i++) {
		char number[8];
		ds_str s = { number, (size_t)snprintf(number, sizeof(number), "%.1f", i / 5.0) };
		text(o, LEFT + SIDE * i / 5.0, TOP + SIDE + 18, " text-anchor=\"middle\"", s);
		text(o, LEFT - 8, TOP + SIDE - SIDE * i / 5.0 + 4, " text-anchor=\"end\"", s);
	}
}

static ds_rc end(ds_buf *o, const char *dir, const char *name, ds_err *e)
{
	ds_buf path = { 0 };
	ds_buf_add_c(o, "</svg>\n");
	ds_buf_fmt(&path, "%s/%s.svg", dir, name);
	ds_rc rc = ds_file_deliver(ds_buf_text(&path), ds_buf_view(o), e);
	ds_buf_free(&path);
	ds_buf_clear(o);
	return rc;
}

/* ---- confusion ---- */

static ds_str short_name(ds_str s)
{
	size_t n = 0;
	for (size_t i = 0, letters = 0; i < s.n; i++) {
		letters += ((uint8_t)s.at[i] & 0xC0) != 0x80;
		if (letters > 12)
			break;
		n = i + 1;
	}
	return (ds_str){ s.at, n };
}

static ds_rc confusion(const char *dir, const metric_table *t, ds_buf *o, ds_err *e)
{
	uint32_t n = t->n_classes;
	if (n > MOST_CLASSES)
		return ds_fail(e, DS_BAD, "%u classes are too many to draw, the limit is %d", n,
			MOST_CLASSES);
	double side = (double)SIDE / n;
	begin(o, "Confusion", "predicted", "label");
	for (uint32_t i = 0; i < n; i++) {
		text(o, LEFT - 6, TOP + side * (i + 0.5) + 4, " text-anchor=\"end\"",
			short_name(t->classes[i]));
		text(o, LEFT + side * (i + 0.5), TOP + SIDE + 18, " text-anchor=\"middle\"",
			short_name(t->classes[i]));
	}
	for (uint32_t i = 0; i < t->n_cells; i++) {
		const tally_cell *c = &t->cells[i];
		char count[24];
		double share = (double)c->n / (double)t->support[c->label];
		if (!c->n || !t->support[c->label])
			continue;
		ds_buf_fmt(o,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
			"fill=\"#1f5fa8\" "
			"fill-opacity=\"%.3f\"/>\n",
			LEFT + side * c->pred, TOP + side * c->label, side, side,
			0.08 + 0.92 * share);
		int len = snprintf(count, sizeof(count), "%llu", (unsigned long long)c->n);
		if (n <= 20)
			text(o, LEFT + side * (c->pred + 0.5), TOP + side * (c->label + 0.5) + 4,
				share > 0.5 ? " text-anchor=\"middle\" fill=\"white\""
					    : " text-anchor=\"middle\"",
				(ds_str){ count, (size_t)len });
	}
	ds_buf_fmt(o,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" "
		"stroke=\"#888\"/>\n",
		LEFT, TOP, SIDE, SIDE);
	return end(o, dir, "confusion", e);
}

/* ---- ROC ---- */

typedef struct {
	double score;
	bool positive;
} item;

static int descending(const void *a, const void *b)
{
	double x = ((const item *)a)->score, y = ((const item *)b)->score;
	return (x < y) - (x > y);
}

/* The curve of one column; its area, NaN where there is one class alone. */
static double curve(ds_buf *o, item *at, size_t n, const char *colour)
{
	double pos = 0, all_pos = 0, neg = 0, area = 0;
	qsort(at, n, sizeof(*at), descending);
	for (size_t i = 0; i < n; i++)
		all_pos += at[i].positive;
	double all_neg = (double)n - all_pos;
	if (all_pos == 0 || all_neg == 0)
		return NAN;
	ds_buf_fmt(o, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" d=\"M%d %d", colour,
		LEFT, TOP + SIDE);
	double drawn_x = 0, drawn_y = 0;
	for (size_t i = 0; i < n;) {
		double p = 0, q = 0;
		size_t from = i;
		for (; i < n && at[i].score == at[from].score; i++) {
			p += at[i].positive;
			q += !at[i].positive;
		}
		area += q * (pos + p / 2);
		pos += p;
		neg += q;
		double x = neg / all_neg, y = pos / all_pos;
		if (i < n && x - drawn_x + y - drawn_y < 2.0 / MOST_POINTS)
			continue; /* nobody sees it */
		ds_buf_fmt(o, " L%.2f %.2f", LEFT + SIDE * x, TOP + SIDE * (1 - y));
		drawn_x = x;
		drawn_y = y;
	}
	ds_buf_add_c(o, "\"/>\n");
	return area / (all_pos * all_neg);
}

static void legend(ds_buf *o, size_t line, const char *colour, ds_str name, double area)
{
	double y = TOP + 16 + 18 * (double)line;
	ds_buf words = { 0 };
	ds_buf_add_str(&words, name);
	ds_buf_fmt(&words, " %.4f", area);
	ds_buf_fmt(o, "<rect x=\"%d\" y=\"%.1f\" width=\"12\" height=\"4\" fill=\"%s\"/>\n",
		LEFT + SIDE + 12, y - 6, colour);
	text(o, LEFT + SIDE + 28, y, "", ds_buf_view(&words));
	ds_buf_free(&words);
}

static ds_rc roc(const char *dir, const metric_table *t, ds_buf *o, ds_err *e)
{
	item *at = DS_NEW(item, t->n + 1);
	uint32_t n = t->n_scores == 1 ? 1 : t->n_scores;
	size_t line = 0;
	begin(o, "ROC", "false positive rate", "true positive rate");
	axes(o);
	for (uint32_t c = 0; c < n && line < MOST_CURVES; c++) {
		uint32_t class = t->n_scores == 1 ? t->positive : t->column_class[c];
		if (class >= t->n_classes || (t->n_scores == 2 && class != t->positive))
			continue;
		for (uint64_t i = 0; i < t->n; i++)
			at[i] = (item){ t->scores[i * t->n_scores + c], t->labels[i] == class };
		double area = curve(o, at, t->n, colours[line]);
		if (isnan(area))
			continue;
		legend(o, line, colours[line], short_name(t->classes[class]), area);
		line++;
	}
	ds_mem_free(at);
	return end(o, dir, "roc", e);
}

/* ---- reliability ---- */

static ds_rc reliability(const char *dir, const metric_table *t, ds_buf *o, ds_err *e)
{
	double n[BINS] = { 0 }, sure[BINS] = { 0 }, right[BINS] = { 0 };
	for (uint64_t i = 0; i < t->n; i++) {
		const double *s = t->scores + i * t->n_scores;
		uint32_t best = 0;
		for (uint32_t c = 1; c < t->n_scores; c++)
			best = s[c] > s[best] ? c : best;
		bool one = t->n_scores == 1, said = one && s[0] >= 0.5;
		double p = one && !said ? 1 - s[0] : s[best];
		bool hit = one ? said == (t->labels[i] == t->positive)
			       : t->column_class[best] == t->labels[i];
		if (p < 0 || p > 1)
			return ds_fail(e, DS_BAD, "score has %g, which is no probability", p);
		int b = p * BINS >= BINS ? BINS - 1 : (int)(p * BINS);
		n[b]++;
		sure[b] += p;
		right[b] += hit;
	}
	begin(o, "Reliability", "confidence", "accuracy");
	axes(o);
	for (int b = 0; b < BINS; b++) {
		if (n[b] == 0)
			continue;
		double share = right[b] / n[b], x = LEFT + SIDE * (double)b / BINS;
		ds_buf_fmt(o,
			"<rect x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\" "
			"fill=\"#1f5fa8\" "
			"fill-opacity=\"0.6\"><title>%.0f records, confidence %.4f, accuracy "
			"%.4f</title></rect>\n",
			x + 1, TOP + SIDE * (1 - share), (double)SIDE / BINS - 2, SIDE * share,
			n[b], sure[b] / n[b], share);
		ds_buf_fmt(o, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"3\" fill=\"#c8501e\"/>\n",
			LEFT + SIDE * sure[b] / n[b], TOP + SIDE * (1 - share));
	}
	return end(o, dir, "reliability", e);
}

ds_rc plots_can(const wanted_list *l, ds_err *e)
{
	if (!l->shape.classes && !l->shape.scores)
		return ds_fail(e, DS_USAGE,
			"--plots draws label against pred or score, which none "
			"of these metrics reads");
	return DS_OK;
}

static ds_rc all(
	const char *dir, const tally *t, const score_opts *o, ds_buf *out, ds_arena *mem, ds_err *e)
{
	metric_table table;
	if (t->shape.classes) {
		DS_TRY(tally_table(&table, t, false, o->order, o->n_order, mem, e));
		DS_TRY(confusion(dir, &table, out, e));
	}
	if (!t->shape.scores)
		return DS_OK;
	DS_TRY(tally_table(&table, t, true, o->order, o->n_order, mem, e));
	DS_TRY(roc(dir, &table, out, e));
	return reliability(dir, &table, out, e);
}

ds_rc plots_write(const char *dir, const tally *t, const score_opts *o, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	ds_buf out = { 0 };
	DS_TRY(ds_dir_make(dir, e));
	ds_rc rc = all(dir, t, o, &out, mem, e);
	ds_buf_free(&out);
	return rc == DS_OK ? DS_OK : ds_at(e, rc, "%s", dir);
}
