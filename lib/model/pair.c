/*
 * pair.c - texts with their ends, pictures prepared
 */
#include "model/pair.h"

#include "base/io.h"
#include "model/arch.h"

#include <string.h>
#include <sys/stat.h>

enum { PREP_BYTES = 1 << 20 };

enum { FIRST_CLIPS = 2 };

uint32_t ds_pair_eos(const ds_tok *t)
{
	uint32_t eos = ds_tok_special(t, DS_TOK_EOS), sep = ds_tok_special(t, DS_TOK_SEP);
	return eos == FIRST_CLIPS && sep != (uint32_t)DS_TOK_NONE ? sep : eos;
}

size_t ds_pair_text(const ds_tok *t, const uint32_t *ids, size_t n, size_t longest, uint32_t *out)
{
	uint32_t bos = ds_tok_special(t, DS_TOK_BOS), eos = ds_pair_eos(t);
	uint32_t none = (uint32_t)DS_TOK_NONE;
	size_t begin = bos != none && (!n || ids[0] != bos), m = begin;
	if (begin)
		out[0] = bos;
	for (size_t i = 0; i < n && m < longest; i++)
		out[m++] = ids[i];
	if (eos != none && m < longest && (!m || out[m - 1] != eos))
		out[m++] = eos;
	if (eos != none && m == longest)
		out[m - 1] = eos;
	return m;
}

size_t ds_pair_end(int64_t eos, const uint32_t *ids, size_t n)
{
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		if (eos != FIRST_CLIPS && (int64_t)ids[i] == eos)
			return i;
		if (eos == FIRST_CLIPS && ids[i] > ids[at])
			at = i;
	}
	return eos < 0 && n ? n - 1 : at;
}

static const ds_config *trunk(const ds_config *c)
{
	return ds_config_images(c);
}

ds_rc ds_pair_prep(ds_prep *p, const char *dir, const ds_config *c, ds_err *e)
{
	int32_t size = (int32_t)trunk(c)->image_size;
	char path[4096];
	struct stat st;
	ds_buf text = { 0 };
	*p = trunk(c) == c ? ds_prep_vit(size) : ds_prep_clip(size);
	snprintf(path, sizeof(path), "%s/preprocessor_config.json", dir ? dir : "");
	if (!dir || stat(path, &st) != 0)
		return DS_OK;
	ds_rc rc = ds_file_read(path, PREP_BYTES, &text, e);
	if (rc == DS_OK)
		rc = ds_prep_parse(p, ds_buf_view(&text), e);
	if (rc == DS_OK)
		rc = ds_prep_check(p, size, e);
	if (rc != DS_OK)
		rc = ds_at(e, rc, "%s", path);
	ds_buf_free(&text);
	return rc;
}

void ds_pair_print_prep(const ds_prep *p, const ds_config *c, ds_buf *out)
{
	ds_prep_print(p, trunk(c) == c ? "ViTImageProcessor" : "CLIPImageProcessor", out);
}
