/*
 * open.c - where a tokenizer comes from: a file known by its content, the built-in one, a stream
 *
 * The optional block of a token stream, little-endian: u32 version 1 · u32 format (0 compact.c, 1
 * tokenizer.json, 2 rank file, 3 vocab.txt, 4 SentencePiece) · u32 1: NFC asked for · u8 length,
 * pattern's name (255: u32 length, a regex) · 7 times u32, the ids of pad bos eos mask cls sep unk (2^32 - 1: none) · u64 size ·
 * zstd of the file as given.
 */
#include "base/codec.h"
#include "base/cur.h"
#include "base/io.h"
#include "json/json.h"
#include "text/tok/chain.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_FILE = 256 << 20, PACK_LEVEL = 3 };

/* A line that says [UNK] and nothing else makes a vocabulary. */
static bool has_unk(ds_str file)
{
	static const char unk[] = "\n[UNK]";
	const char *at = memmem(file.at, file.n, unk, sizeof(unk) - 1);
	const char *after = at ? at + sizeof(unk) - 1 : NULL;
	return at && (after == file.at + file.n || *after == '\n' || *after == '\r');
}

static tok_format recognise(ds_str file)
{
	ds_str s = ds_str_trim(file);
	if (s.n && s.at[0] == '{')
		return TOK_FILE_HF;
	if (file.n > 2 && file.at[0] == '\n' && file.at[2] == '\n')
		return TOK_FILE_SP; /* field 1, its length, and in it field 1 */
	return has_unk(file) ? TOK_FILE_VOCAB : TOK_FILE_RANKS;
}

static ds_rc read_as(ds_tok *t, ds_str file, ds_err *e)
{
	t->file = ds_arena_str(t->mem, file);
	switch (t->format) {
	case TOK_FILE_COMPACT:
		return ds_compact_read(t, t->file, e);
	case TOK_FILE_HF:
		return ds_hf_read(t, t->file, e);
	case TOK_FILE_RANKS:
		return ds_ranks_read(t, t->file, e);
	case TOK_FILE_VOCAB:
		return ds_vocab_read(t, t->file, e);
	case TOK_FILE_SP:
		return ds_sp_read(t, t->file, e);
	}
	return ds_fail(e, DS_BAD, "tokenizer format %d is not known", t->format);
}

/* By name, or by a regex in Rust's spelling, in which {1,3}+ is possessive: no other here than {1,3}. */
static const ds_pattern *find_pattern(ds_str s)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	const ds_pattern *p = ds_pattern_find(ds_arena_str(mem, s).at);
	char *plain = ds_arena_bytes(mem, s.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		if (!(i && s.at[i] == '+' && s.at[i - 1] == '}' && i > 4 && s.at[i - 4] == '1'))
			plain[n++] = s.at[i];
	p = p ? p : ds_pattern_of_regex(s);
	return p ? p : ds_pattern_of_regex((ds_str){ plain, n });
}

static ds_rc make(ds_tok **out, const char *name, tok_format format, ds_str file,
	const ds_tok_options *o, ds_err *e)
{
	DS_AUTO(ds_tok) t = ds_tok_new(name);
	t->format = format;
	if (o && o->pattern) {
		t->pattern_name = ds_arena_str(t->mem, ds_str_of(o->pattern)).at;
		if (format != TOK_FILE_RANKS && format != TOK_FILE_VOCAB)
			return ds_fail(e, DS_USAGE,
				"the file says its pattern itself: --pattern is for rank files");
		t->pattern = find_pattern(ds_str_of(o->pattern));
		if (!t->pattern && format == TOK_FILE_RANKS)
			DS_TRY(ds_chain_of_regex(t, ds_str_of(o->pattern), e));
		else if (!t->pattern)
			return ds_fail(e, DS_USAGE, "there is no pattern '%s'", o->pattern);
		if (t->pattern && t->pattern->words != (format == TOK_FILE_VOCAB))
			return ds_fail(e, DS_USAGE, "the pattern '%s' is not for this kind of file",
				o->pattern);
	}
	t->nfc = o && o->nfc;
	t->asked_nfc = t->nfc;
	DS_TRY(read_as(t, file, e));
	DS_TRY(ds_tok_finish(t, e));
	*out = t;
	t = NULL;
	return DS_OK;
}

ds_rc ds_tok_parse(ds_tok **t, ds_str file, const ds_tok_options *options, ds_err *e)
{
	if (ds_str_trim(file).n == 0)
		return ds_fail(e, DS_BAD, "the tokenizer file is empty");
	return make(t, "tokenizer", recognise(file), file, options, e);
}

static ds_rc read_json(
	const char *folder, const char *name, ds_arena *mem, const ds_json **root, ds_err *e)
{
	const char *path = ds_arena_fmt(mem, "%s/%s", folder, name).at;
	struct stat st;
	ds_buf file = { 0 };
	*root = NULL;
	if (stat(path, &st) != 0)
		return DS_OK;
	ds_rc rc = ds_file_read(path, MAX_FILE, &file, e);
	ds_str text = ds_arena_str(mem, ds_buf_view(&file));
	ds_buf_free(&file);
	if (rc == DS_OK)
		rc = ds_json_parse(root, mem, text, e);
	return rc == DS_OK ? rc : ds_at(e, rc, "%s", path);
}

static void take_specials(ds_tok *t, const ds_json *root)
{
	static const char *const keys[] = { [DS_TOK_PAD] = "pad_token",
		[DS_TOK_BOS] = "bos_token",
		[DS_TOK_EOS] = "eos_token",
		[DS_TOK_MASK] = "mask_token",
		[DS_TOK_CLS] = "cls_token",
		[DS_TOK_SEP] = "sep_token",
		[DS_TOK_UNK] = "unk_token" };
	for (int k = 0; k < DS_TOK_N_SPECIAL; k++) {
		const ds_json *v = ds_json_get(root, keys[k]);
		ds_str name = v && v->kind == DS_J_OBJ ? ds_json_text(v, "content", "")
						       : ds_json_text(root, keys[k], "");
		uint32_t id = name.n ? ds_tok_find(t, name) : DS_TOK_NONE;
		/* A WordPiece model itself needs to know what is unknown. */
		if (id != DS_TOK_NONE || (v && v->kind == DS_J_NULL && k != DS_TOK_UNK))
			t->special[k] = id;
	}
}

/* What the files beside a tokenizer call bos, eos and so on; absent is fine. The first one is older. */
static ds_rc read_config(ds_tok *t, const char *folder, ds_err *e)
{
	static const char *const names[] = { "special_tokens_map.json", "tokenizer_config.json" };
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	for (int i = 0; i < 2; i++) {
		const ds_json *root;
		DS_TRY(read_json(folder, names[i], mem, &root, e));
		if (root)
			take_specials(t, root);
	}
	return DS_OK;
}

/* The merges that belong to a vocabulary: merges.txt, or vocab.bpe as GPT-2's own release has it. */
static ds_rc read_merges_of(const char *vocab, ds_buf *into, ds_err *e)
{
	static const char *const names[] = { "merges.txt", "vocab.bpe" };
	const char *slash = strrchr(vocab, '/');
	ds_buf path = { 0 };
	ds_rc rc = DS_BAD;
	ds_fail(e, DS_BAD, "a vocabulary without merges: no merges.txt beside it");
	for (int i = 0; i < 2 && rc == DS_BAD; i++) {
		struct stat st;
		ds_buf_clear(&path);
		ds_buf_add(&path, vocab, slash ? (size_t)(slash + 1 - vocab) : 0);
		ds_buf_add_c(&path, names[i]);
		if (stat(ds_buf_text(&path), &st) == 0)
			rc = ds_file_read(ds_buf_text(&path), MAX_FILE, into, e);
	}
	ds_buf_free(&path);
	return rc;
}

static ds_rc parse_file(
	ds_tok **t, const char *path, ds_str file, const ds_tok_options *o, ds_err *e)
{
	ds_buf merges = { 0 }, joined = { 0 };
	if (ds_str_trim(file).n == 0 || recognise(file) != TOK_FILE_HF || !ds_gpt2_is_vocab(file))
		return ds_tok_parse(t, file, o, e);
	ds_rc rc = read_merges_of(path, &merges, e);
	if (rc == DS_OK)
		rc = ds_gpt2_join(file, ds_buf_view(&merges), &joined, e);
	if (rc == DS_OK)
		rc = ds_tok_parse(t, ds_buf_view(&joined), o, e);
	ds_buf_free(&merges);
	ds_buf_free(&joined);
	return rc;
}

static ds_rc open_file(ds_tok **t, const char *path, const ds_tok_options *o, ds_err *e)
{
	ds_buf file = { 0 };
	ds_rc rc = ds_file_read(path, MAX_FILE, &file, e);
	if (rc == DS_OK) {
		rc = parse_file(t, path, ds_buf_view(&file), o, e);
		if (rc != DS_OK)
			ds_at(e, rc, "%s", path);
	}
	ds_buf_free(&file);
	if (rc == DS_OK)
		(*t)->name = ds_arena_str((*t)->mem, ds_str_of(path)).at;
	return rc;
}

/* A folder: its tokenizer.json, else SentencePiece's or GPT-2's file. */
static const char *const folder_files[] = { "tokenizer.json", "tokenizer.model", "vocab.json",
	"vocab.txt" };
enum { N_FOLDER_FILES = 4, VOCAB_TXT = 3 };

static int find_in(const char *folder, ds_arena *mem)
{
	struct stat st;
	int i = 0;
	while (i < N_FOLDER_FILES &&
		stat(ds_arena_fmt(mem, "%s/%s", folder, folder_files[i]).at, &st) != 0)
		i++;
	return i;
}

bool ds_tok_in_folder(const char *path)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	return find_in(path, mem) < N_FOLDER_FILES;
}

/* A list of BERT's words does not say whether it keeps case; the file beside it does. */
static ds_rc cased_options(const char *folder, ds_tok_options *o, ds_arena *mem, ds_err *e)
{
	const ds_json *root;
	DS_TRY(read_json(folder, "tokenizer_config.json", mem, &root, e));
	if (root && !o->pattern && !ds_json_flag(root, "do_lower_case", true))
		o->pattern = "bert-cased";
	return DS_OK;
}

static ds_rc open_folder(ds_tok **t, const char *path, const ds_tok_options *given, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_tok_options o = given ? *given : (ds_tok_options){ 0 };
	int i = find_in(path, mem);
	if (i == VOCAB_TXT)
		DS_TRY(cased_options(path, &o, mem, e));
	DS_TRY(open_file(
		t, ds_arena_fmt(mem, "%s/%s", path, folder_files[i % N_FOLDER_FILES]).at, &o, e));
	DS_TRY(read_config(*t, path, e));
	(*t)->name = ds_arena_str((*t)->mem, ds_str_of(path)).at;
	ds_tok_identify(*t);
	return DS_OK;
}

ds_rc ds_tok_open(ds_tok **out, const char *path, const ds_tok_options *o, ds_err *e)
{
	struct stat st;
	DS_AUTO(ds_tok) t = NULL;
	if (!path)
		path = getenv("DS_TOKENIZER");
	if (!path || !*path)
		return ds_tok_builtin(out, e);
	bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	DS_TRY(folder ? open_folder(&t, path, o, e) : open_file(&t, path, o, e));
	*out = t;
	t = NULL;
	return DS_OK;
}

ds_rc ds_tok_builtin(ds_tok **t, ds_err *e)
{
	DS_AUTO(ds_compressor) p = ds_compressor_new(PACK_LEVEL);
	DS_AUTO(ds_arena) mem = ds_arena_new(ds_builtin_raw + 64);
	char *raw = ds_arena_get(mem, ds_builtin_raw);
	DS_TRY(ds_decompress(p, ds_builtin_packed, ds_builtin_bytes, raw, ds_builtin_raw, e));
	DS_TRY(make(t, "built-in", TOK_FILE_COMPACT, (ds_str){ raw, ds_builtin_raw }, NULL, e));
	(*t)->packed = (ds_str){ (const char *)ds_builtin_packed, ds_builtin_bytes };
	return DS_OK;
}

static void add_number(ds_buf *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		ds_buf_add_byte(out, (char)(v >> 8 * i));
}

ds_rc ds_tok_pack(const ds_tok *t, ds_buf *out, ds_err *e)
{
	DS_AUTO(ds_compressor) p = ds_compressor_new(PACK_LEVEL);
	const char *pattern = t->pattern_name ? t->pattern_name : "";
	size_t got;
	add_number(out, 1, 4);
	add_number(out, t->format, 4);
	add_number(out, t->asked_nfc, 4);
	size_t n_pattern = strlen(pattern);
	add_number(out, n_pattern < 255 ? n_pattern : 255, 1);
	if (n_pattern >= 255)
		add_number(out, n_pattern, 4);
	ds_buf_add_c(out, pattern);
	for (int k = 0; k < DS_TOK_N_SPECIAL; k++)
		add_number(out, t->special[k], 4);
	add_number(out, t->file.n, 8);
	if (t->packed.n) {
		ds_buf_add_str(out, t->packed);
		return DS_OK;
	}
	ds_buf_reserve(out, ds_compress_bound(t->file.n));
	DS_TRY(ds_compress(p, t->file.at, t->file.n, out->at + out->n, out->cap - out->n, &got, e));
	out->n += got;
	return DS_OK;
}

ds_rc ds_tok_unpack(ds_tok **out, ds_str bytes, ds_err *e)
{
	ds_cur c = ds_cur_of(bytes.at, bytes.n);
	uint32_t version = ds_cur_u32(&c), format = ds_cur_u32(&c), nfc = ds_cur_u32(&c);
	uint32_t n_pattern = ds_cur_u8(&c);
	ds_str pattern = ds_cur_bytes(&c, n_pattern == 255 ? ds_cur_u32(&c) : n_pattern);
	uint32_t special[DS_TOK_N_SPECIAL];
	for (int k = 0; k < DS_TOK_N_SPECIAL; k++)
		special[k] = ds_cur_u32(&c);
	uint64_t n = ds_cur_u64(&c);
	if (!ds_cur_ok(&c) || version != 1 || n > MAX_FILE)
		return ds_fail(
			e, DS_BAD, "the stream's tokenizer is not one that this version reads");
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	DS_AUTO(ds_compressor) p = ds_compressor_new(PACK_LEVEL);
	ds_str packed = ds_cur_bytes(&c, ds_cur_left(&c));
	void *file;
	DS_TRY(ds_arena_try(mem, n, MAX_FILE, &file, e));
	DS_TRY_AT(ds_decompress(p, packed.at, packed.n, file, n, e), e, "the stream's tokenizer");
	ds_tok_options o = { .pattern = pattern.n ? ds_arena_str(mem, pattern).at : NULL,
		.nfc = nfc == 1 };
	DS_TRY_AT(make(out, "the stream's", (tok_format)format, (ds_str){ file, n }, &o, e), e,
		"the stream's tokenizer");
	for (int k = 0; k < DS_TOK_N_SPECIAL; k++)
		if (special[k] < (*out)->n_ids || special[k] == DS_TOK_NONE)
			(*out)->special[k] = special[k];
	ds_tok_identify(*out);
	return DS_OK;
}

ds_rc ds_tok_json(const ds_tok *t, ds_buf *out, ds_err *e)
{
	if (t->format != TOK_FILE_HF)
		return ds_hf_write(t, out, e);
	ds_buf_add_str(out, t->file);
	return DS_OK;
}

/* What ds_tok_json writes of it, read again, with the special tokens that a file beside it named. */
static ds_rc as_json(ds_tok **out, const ds_tok *t, ds_err *e)
{
	ds_buf json = { 0 };
	ds_rc rc = ds_tok_json(t, &json, e);
	if (rc == DS_OK)
		rc = ds_tok_parse(out, ds_buf_view(&json), NULL, e);
	ds_buf_free(&json);
	DS_TRY(rc);
	memcpy((*out)->special, t->special, sizeof(t->special));
	ds_tok_identify(*out);
	return DS_OK;
}

static bool equal(const ds_tok *a, const ds_tok *b)
{
	return a->identity.lo == b->identity.lo && a->identity.hi == b->identity.hi;
}

ds_rc ds_tok_same(const ds_tok *a, const ds_tok *b, bool *same, ds_err *e)
{
	const ds_tok *both[] = { a, b };
	*same = equal(a, b);
	for (int i = 0; i < 2 && !*same; i++) {
		DS_AUTO(ds_tok) json = NULL;
		if (both[i]->format == TOK_FILE_HF || ds_tok_size(a) != ds_tok_size(b))
			continue;
		DS_TRY(as_json(&json, both[i], e));
		*same = equal(json, both[1 - i]);
	}
	return DS_OK;
}
