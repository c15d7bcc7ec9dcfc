/*
 * augment.h - what the parts of dsaug share
 *
 * A maker (eda.c, back.c) turns the texts of a block into variants; rows.c makes records of them.
 */
#ifndef DS_AUGMENT_H
#define DS_AUGMENT_H

#include "record/run.h"
#include "text/synonym.h"
#include "text/wordnet.h"

typedef struct { /* a record to be written */
	uint32_t row;
	uint32_t copy; /* 0: the record itself, else its copies from 1 */
	/* Of a copy: what each text of the record becomes, at NULL: it stays; and what was done. */
	const ds_str *texts;
	size_t n;
	ds_str how;
} variant;

typedef struct { /* in the block's arena */
	variant *at;
	size_t n, cap;
} variants;

void variants_add(variants *v, ds_arena *mem, variant one);

enum {
	COUNT_COPIES,
	COUNT_LEFT_OUT,
	COUNT_FAR,
	COUNT_NEAR,
	COUNT_LENGTH,
	COUNT_LANGUAGE,
	COUNT_GARBAGE,
};
extern const char *const augment_counters[];

/* The blocks that the variants make, none over a size that columns hold; in the order of the variants. */
typedef struct {
	ds_block **at;
	size_t n;
} made_blocks;
DS_MUST ds_rc rows_make(made_blocks *out, ds_work *w, ds_block *b, const variants *v, ds_err *e);
/* A value as text, whatever its type; false: there is none. */
DS_MUST ds_rc rows_value(
	ds_block *b, const ds_col *c, uint32_t row, ds_str *out, bool *has, ds_err *e);

/* EDA (Wei and Zou 2019): how much of each operation; 0: not that one. */
typedef struct {
	double synonym, insert, swap, delete;
	const ds_synonyms *lists;  /* NULL: none */
	const ds_wordnet *wordnet; /* NULL: none */
	const struct stopwords *stop;
	uint64_t seed;
} eda_plan;

typedef struct eda eda; /* of one thread */
DS_MUST ds_rc eda_new(eda **x, const eda_plan *plan, ds_err *e);
void eda_free(eda *x);
/* Takes a text apart; it must live until the next. id: of the record, n = 0 where it has none. */
void eda_start(eda *x, ds_str text, ds_str id);
/* One more copy, unlike the text and the copies before, in mem; *made false: none was found. */
DS_MUST ds_rc eda_copy(eda *x, ds_arena *mem, ds_str *text, ds_str *how, bool *made, ds_err *e);

typedef struct stopwords stopwords;
/* path: a file, a word a line; "none"; NULL: the built-in ones of English and Chinese. */
DS_MUST ds_rc stopwords_open(stopwords **s, const char *path, ds_err *e);
void stopwords_free(stopwords *s);
bool stopwords_have(const stopwords *s, ds_str word); /* in lower case */
DS_AUTO_WITH(stopwords, stopwords_free)

/* How many copies each record gets so that labels are as frequent as wished. */
typedef struct balance balance;
/* Reads the input once. target NULL: as many as the most frequent label has. most: copies of one record. */
DS_MUST ds_rc balance_read(
	balance **out, const ds_common *c, const char *target, uint32_t most, ds_err *e);
void balance_free(balance *b);
/* Of a block's records, in mem. Any thread may ask. */
DS_MUST ds_rc balance_copies(
	const balance *b, ds_block *block, ds_arena *mem, const uint32_t **copies, ds_err *e);
DS_AUTO_WITH(balance, balance_free)

#endif
