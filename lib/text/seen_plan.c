/*
 * seen_plan.c - the parameters that decide whether texts are near-duplicates, as files keep them
 */
#include "text/seen.h"

#include <string.h>

static const char *const names[DS_SEEN_WORDS] = { "--method exact", "--method minhash", "--verify",
	"--unit", "--ngram", "--perm", "--bands", "rows", "--seed", "--scope", "--method simhash",
	"--distance", "--bits", "version (its units are others)", "--keep-labels", "--threshold" };

void ds_seen_plan_words(const ds_seen_plan *p, uint64_t w[DS_SEEN_WORDS])
{
	const uint64_t words[DS_SEEN_WORDS] = { p->exact, p->near, p->verify, p->unit, p->ngram,
		p->n_perm, p->bands.bands, p->bands.rows, p->seed, p->scope, p->simhash,
		p->distance, p->bits, DS_UNIT_RULES, p->labels };
	memcpy(w, words, sizeof(words));
	memcpy(&w[DS_SEEN_WORDS - 1], &p->threshold, sizeof(p->threshold));
}

ds_seen_plan ds_seen_plan_of(const uint64_t w[DS_SEEN_WORDS])
{
	ds_seen_plan p = { .exact = w[0],
		.near = w[1],
		.verify = w[2],
		.unit = (ds_unit)w[3],
		.ngram = (unsigned)w[4],
		.n_perm = (unsigned)w[5],
		.bands = { (unsigned)w[6], (unsigned)w[7] },
		.seed = w[8],
		.scope = (unsigned)w[9],
		.simhash = w[10],
		.distance = (unsigned)w[11],
		.bits = (unsigned)w[12],
		.labels = w[14] };
	memcpy(&p.threshold, &w[DS_SEEN_WORDS - 1], sizeof(p.threshold));
	return p;
}

const char *ds_seen_plan_differs(const uint64_t a[DS_SEEN_WORDS], const uint64_t b[DS_SEEN_WORDS])
{
	/* Bands and rows follow from what goes before them. */
	static const uint8_t order[DS_SEEN_WORDS] = { 13, 0, 1, 10, 2, 3, 4, 5, 12, 11, 15, 6, 7, 8,
		9, 14 };
	for (unsigned i = 0; i < DS_SEEN_WORDS; i++)
		if (a[order[i]] != b[order[i]])
			return names[order[i]];
	return NULL;
}
