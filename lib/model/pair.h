/*
 * pair.h - what models of texts and pictures take: texts with their ends, pictures as a directory has them prepared
 */
#ifndef DS_MODEL_PAIR_H
#define DS_MODEL_PAIR_H

#include "image/prep.h"
#include "model/config.h"
#include "text/tok/tok.h"

/*
 * The token that ends a text: the tokenizer's eos. But a config whose eos_token_id is 2 means, since the first CLIPs,
 * that the largest id ends it; a tokenizer whose eos is that one ends texts by its sep instead. NONE: there is none.
 */
uint32_t ds_pair_eos(const ds_tok *t);
/*
 * Ids of a text between the tokenizer's bos and that, where it has them and they are not there; cut to `longest`,
 * which keeps the end. out has room for n + 2 or for longest. Returns how many.
 */
size_t ds_pair_text(const ds_tok *t, const uint32_t *ids, size_t n, size_t longest, uint32_t *out);
/* The position of the token whose state stands for a text: the first that is the config's eos; the first of the largest
 * where that is 2; the last where it has none. */
size_t ds_pair_end(int64_t eos, const uint32_t *ids, size_t n);

/* How a model takes pictures: its preprocessor_config.json in dir, else as its kind was published. The config has a trunk
 * for them. */
DS_MUST ds_rc ds_pair_prep(ds_prep *p, const char *dir, const ds_config *c, ds_err *e);
/* The same as a file of its directory. */
void ds_pair_print_prep(const ds_prep *p, const ds_config *c, ds_buf *out);

#endif
