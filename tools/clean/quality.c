/*
 * quality.c - presets and their limits
 */
#include "quality.h"

const char *const quality_names[Q_N] = {
#define QUALITY(name, least, limit) #name,
#include "quality.def"
#undef QUALITY
};

static const double limits[Q_N] = {
#define QUALITY(name, least, limit) limit,
#include "quality.def"
#undef QUALITY
};

static const struct {
	quality_id id;
	double limit;
} chinese[] = { /* FineWeb2's, of cmn_Hani */
	{ Q_dup_lines, 0.287 }, { Q_top_2gram, 0.256 }, { Q_top_3gram, 0.201 },
	{ Q_top_4gram, 0.171 }, { Q_dup_5gram, 0.198 }, { Q_dup_6gram, 0.182 },
	{ Q_dup_7gram, 0.167 }, { Q_dup_8gram, 0.154 }, { Q_dup_9gram, 0.14 },
	{ Q_dup_10gram, 0.127 }, { Q_word_length_min, 1 }, { Q_word_length_max, 5 },
	{ Q_alpha_words, 0.735 }, { Q_line_punct, 0.106 }, { Q_newlines, 0.178 }
};

static void switch_on(quality *q, quality_id first, quality_id last)
{
	for (quality_id i = first; i <= last; i++)
		q->on[i] = true;
}

static ds_rc choose(quality *q, ds_str preset, ds_err *e)
{
	memcpy(q->limit[0], limits, sizeof(limits));
	if (ds_str_is(preset, "gopher")) {
		switch_on(q, Q_dup_paras, Q_stop_words);
	} else if (ds_str_is(preset, "c4")) {
		switch_on(q, Q_word_chars, Q_sentences);
	} else if (ds_str_is(preset, "fineweb")) {
		switch_on(q, Q_line_punct, Q_newlines);
	} else if (ds_str_is(preset, "fineweb2")) {
		switch_on(q, Q_dup_paras, Q_stop_words);
		switch_on(q, Q_line_punct, Q_newlines);
		q->on[Q_dup_paras] = q->on[Q_dup_para_chars] = q->on[Q_dup_line_chars] = false;
		q->on[Q_short_lines] = false;
		q->limit[0][Q_dup_chars] = 0.1;
		q->chinese = q->fineweb_first = true;
	} else {
		return ds_fail(e, DS_USAGE, "'%.*s' is none of gopher, c4, fineweb, fineweb2",
			DS_FMT(preset));
	}
	memcpy(q->limit[1], q->limit[0], sizeof(limits));
	for (size_t i = 0; i < sizeof(chinese) / sizeof(*chinese); i++)
		q->limit[1][chinese[i].id] = chinese[i].limit;
	return DS_OK;
}

/* "-name" or "name=limit" */
static ds_rc change(quality *q, ds_str item, ds_err *e)
{
	ds_str value, name = ds_str_cut(item, '=', &value);
	bool off = item.n && item.at[0] == '-';
	double limit = 0;
	if (off)
		name = (ds_str){ item.at + 1, item.n - 1 };
	unsigned i = 0;
	while (i < Q_N && !ds_str_is(name, quality_names[i]))
		i++;
	if (i == Q_N || !q->on[i])
		return ds_fail(e, DS_USAGE, "the preset has no rule '%.*s'", DS_FMT(name));
	if (!off && !(value.at && ds_str_f64(value, &limit)))
		return ds_fail(
			e, DS_USAGE, "'%.*s' is neither -RULE nor RULE=NUMBER", DS_FMT(item));
	q->on[i] = !off;
	if (!off)
		q->limit[0][i] = q->limit[1][i] = limit;
	return DS_OK;
}

ds_rc quality_parse(quality *q, const char *value, ds_err *e)
{
	ds_str rest;
	DS_TRY(choose(q, ds_str_cut(ds_str_of(value), ',', &rest), e));
	while (rest.at) {
		ds_str item = ds_str_cut(rest, ',', &rest);
		DS_TRY(change(q, item, e));
	}
	unsigned n = 0;
	for (unsigned i = 0; i < Q_N; i++) {
		q->reason_of[i] = n;
		if (q->on[i])
			q->reasons[n++] = quality_names[i];
	}
	return DS_OK;
}
