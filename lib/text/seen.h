/*
 * seen.h - a memory of texts, and which one repeats an earlier one
 *
 * Texts come signed (ds_seen_item) and are numbered from 0 in the order of coming. An item repeats an
 * earlier one, whether that was itself a repeat or not, where both have the same exact key, or where
 * that one was among the first DS_BUCKET_MOST of a bucket that both fall into and the Jaccard index of
 * their sketches reaches the threshold (or their fingerprints are near enough). Of several the earliest of its kind is named, and
 * exact goes before near. One thread at a time.
 *
 * ds_seen_alike and ds_seen_bucket are the same rule for those who keep texts elsewhere.
 *
 * A text takes 32 bytes, its sketch, and 11 to 14 bytes for its key and for each band.
 */
#ifndef DS_TEXT_SEEN_H
#define DS_TEXT_SEEN_H

#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"
#include "text/minhash.h"
#include "text/ngram.h"

enum { DS_BUCKET_MOST = 64, DS_SKETCH_MOST = 512 };
#define DS_NO_TEXT UINT32_MAX

typedef struct { /* what must be the same for texts to be comparable, and what is done with them */
	bool exact, near; /* which keys items have */
	bool simhash; /* near is by fingerprint: a sketch is its bits, 32 at a time from the lowest */
	bool verify;    /* sketches hold whole sets */
	bool join;      /* build clusters */
	bool labels;    /* near only under the same label: the caller sees to it */
	unsigned scope; /* what a text is a piece of, to the caller */
	ds_unit unit;
	unsigned ngram, n_perm;
	ds_bands bands;
	double threshold;        /* of Jaccard */
	unsigned bits, distance; /* of fingerprints: 64 or 128, and how many may differ */
	uint64_t seed;
} ds_seen_plan;

/* A plan without join as numbers, for files. */
enum { DS_SEEN_WORDS = 16 };
void ds_seen_plan_words(const ds_seen_plan *p, uint64_t w[DS_SEEN_WORDS]);
ds_seen_plan ds_seen_plan_of(const uint64_t w[DS_SEEN_WORDS]);
/* The option in which two differ, NULL: in none. */
const char *ds_seen_plan_differs(const uint64_t a[DS_SEEN_WORDS], const uint64_t b[DS_SEEN_WORDS]);
/* Two texts that share a bucket are near: by their sketches, of which n may be 0. */
bool ds_seen_alike(
	const ds_seen_plan *p, const uint32_t *a, uint32_t n_a, const uint32_t *b, uint32_t n_b);

typedef struct {
	ds_h128 key;            /* exact */
	const uint64_t *bands;  /* near: a key a band, and the sketch; n_sketch 0: exact only */
	const uint32_t *sketch; /* lives as the ds_seen does: ds_seen_take */
	uint32_t n_sketch;
	/* Answers: */
	uint32_t dup_of; /* a number, or DS_NO_TEXT */
	bool same;       /* by exact key */
} ds_seen_item;

typedef struct ds_seen ds_seen;
ds_seen *ds_seen_new(const ds_seen_plan *p);
void ds_seen_free(ds_seen *s);
void ds_seen_jobs(ds_seen *s, unsigned threads); /* that look up bands in ds_seen_add; default 1 */
/* DS_BAD: too many texts. */
DS_MUST ds_rc ds_seen_add(ds_seen *s, ds_seen_item *items, size_t n, ds_err *e);
void ds_seen_take(ds_seen *s, void *sketches); /* memory of ds_mem_get that items point into */
uint64_t ds_seen_count(const ds_seen *s);
uint64_t ds_seen_bytes(const ds_seen *s);            /* of memory, sketches included */
uint64_t ds_seen_full(const ds_seen *s);             /* buckets that reached DS_BUCKET_MOST */
uint32_t ds_seen_first(ds_seen *s, uint32_t number); /* of its cluster, where the plan joins */
bool ds_seen_same(const ds_seen *s, uint32_t a, uint32_t b); /* exact keys are equal */
const uint32_t *ds_seen_sketch(const ds_seen *s, uint32_t number, uint32_t *n);
/* 1 where exact keys are equal; else by sketches, which fingerprints are not. */
double ds_seen_jaccard(const ds_seen *s, uint32_t a, uint32_t b);

typedef struct { /* what a text is called outside */
	ds_str text;
	bool is_number; /* an i64 in the record */
} ds_seen_id;
void ds_seen_name(ds_seen *s, uint32_t number, ds_seen_id id); /* copied */
ds_seen_id ds_seen_id_of(const ds_seen *s, uint32_t number);   /* empty where it has no name */
/* TSV of the members of all clusters of two and more, in order of coming: cluster, id. */
void ds_seen_add_row(ds_buf *out, ds_str cluster, ds_str id); /* one such line */
DS_MUST ds_rc ds_seen_write_clusters(ds_seen *s, ds_out *out, ds_err *e);

/*
 * The memory as a file (docs in seen_file.c): little-endian, checksummed. Loading into a memory that
 * is new: DS_SHORT where the file is damaged, DS_USAGE where its plan is another, by name.
 */
DS_MUST ds_rc ds_seen_save(const ds_seen *s, ds_out *out, ds_err *e);
DS_MUST ds_rc ds_seen_load(ds_seen *s, ds_in *in, ds_err *e);
/* The bucket of an exact key, DS_LSH_KEY_BITS wide; whole keys are compared then. */
static inline uint64_t ds_seen_bucket(ds_h128 key)
{
	return key.lo >> (64 - 40);
}
DS_AUTO_WITH(ds_seen, ds_seen_free)

#endif
