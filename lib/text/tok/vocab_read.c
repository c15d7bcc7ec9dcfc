/*
 * ds_vocab_read.c - BERT's vocab.txt: a token a line, the first has id 0
 */
#include "text/tok/tok_impl.h"

static ds_rc add_special(ds_tok *t, const char *name, ds_err *e)
{
	uint32_t id = ds_tok_lookup(t, ds_str_of(name));
	if (id == DS_TOK_NONE)
		return ds_fail(e, DS_BAD, "there is no %s in the vocabulary", name);
	ds_tok_put_added(t, &(tok_added){ .id = id, .special = true });
	return DS_OK;
}

static void put_around(ds_tok *t, uint32_t **ids, size_t *n, const char *name)
{
	*ids = ds_arena_get(t->mem, sizeof(**ids));
	(*ids)[0] = ds_tok_find(t, ds_str_of(name));
	*n = 1;
}

ds_rc ds_vocab_like_bert(ds_tok *t, ds_err *e)
{
	bool lower = strcmp(t->pattern->name, "bert") == 0;
	t->kind = TOK_WORDPIECE;
	t->bert = (tok_bert){
		.clean = true, .chinese = true, .strip = lower, .lower = lower, .cleanup = true
	};
	t->max_chars = 100;
	t->special[DS_TOK_UNK] = ds_tok_find(t, DS_S("[UNK]"));
	if (t->special[DS_TOK_UNK] == DS_TOK_NONE)
		return ds_fail(e, DS_USAGE, "the special tokens lack [UNK], which WordPiece needs");
	if (ds_tok_find(t, DS_S("[CLS]")) == DS_TOK_NONE ||
		ds_tok_find(t, DS_S("[SEP]")) == DS_TOK_NONE)
		return DS_OK;
	put_around(t, &t->post.before, &t->post.n_before, "[CLS]");
	put_around(t, &t->post.after, &t->post.n_after, "[SEP]");
	ds_tok_pair_put(t, 0, t->post.before[0], 0);
	ds_tok_pair_put(t, 1, t->post.after[0], 0);
	ds_tok_pair_put(t, 2, t->post.after[0], 1);
	t->pair.type[1] = 1;
	t->pair.given = true;
	return DS_OK;
}

ds_rc ds_vocab_read(ds_tok *t, ds_str file, ds_err *e)
{
	static const char *const specials[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
	uint32_t id = 0;
	if (!t->pattern)
		return ds_fail(
			e, DS_USAGE, "a WordPiece vocabulary needs --pattern bert or bert-cased");
	for (ds_str rest = file; rest.n;) {
		ds_str line = ds_str_cut(rest, '\n', &rest);
		if (line.n && line.at[line.n - 1] == '\r')
			line.n--;
		if (!rest.at && line.n == 0)
			break;
		DS_TRY_AT(ds_tok_put(t, id, line, 0, e), e, "line %u", id + 1);
		id++;
		if (!rest.at)
			break;
	}
	t->kind = TOK_WORDPIECE;
	ds_tok_build_find(t);
	for (size_t i = 0; i < sizeof(specials) / sizeof(*specials); i++)
		DS_TRY(add_special(t, specials[i], e));
	return ds_vocab_like_bert(t, e);
}
