/*
 * config_json.c - Hugging Face's config.json, in and out
 *
 * Members that are keys of the architecture are read as transformers reads them: absent is the default,
 * null is none. All others are kept and written back, but for those that were refused.
 */
#include "model/config_impl.h"

#include "base/hash.h"
#include "text/unicode.h"

#include <math.h>

#define AT(field) DS_CONFIG_AT(field)

/* DeepSeek's way to say the attention factor. */
static double scaling_mscale(double factor, double mscale)
{
	return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

/* Members that other models have and that change what is computed. */
static ds_rc refuse_scaling(const ds_json *v, ds_err *e)
{
	if (ds_json_num(v, "partial_rotary_factor", 1) != 1)
		return ds_fail(e, DS_USAGE, "partial_rotary_factor is not supported");
	if (!ds_json_flag(v, "truncate", true))
		return ds_fail(e, DS_USAGE, "truncate=false of rope_scaling is not supported");
	return DS_OK;
}

static ds_rc read_scaling(ds_config *c, const ds_json *v, ds_arena *mem, ds_err *e)
{
	if (!v || v->kind == DS_J_NULL)
		return DS_OK;
	if (v->kind != DS_J_OBJ)
		return ds_fail(e, DS_USAGE, "rope_scaling is not an object");
	ds_str type = ds_json_text(v, "rope_type", "");
	if (!type.n)
		type = ds_json_text(v, "type", "default");
	if (ds_json_get(v, "rope_theta"))
		c->rope_theta = ds_json_num(v, "rope_theta", c->rope_theta);
	DS_TRY(refuse_scaling(v, e));
	if (ds_str_is(type, "default"))
		return DS_OK;
	DS_TRY(ds_key_set(ds_config_key(DS_S("rope_scaling")), c, type, mem, e));
	static const struct {
		const char *json, *key;
	} parts[] = {
		{ "factor", "rope_scaling_factor" },
		{ "low_freq_factor", "rope_low_freq_factor" },
		{ "high_freq_factor", "rope_high_freq_factor" },
		{ "beta_fast", "rope_beta_fast" },
		{ "beta_slow", "rope_beta_slow" },
		{ "attention_factor", "rope_attention_factor" },
		{ "original_max_position_embeddings", "rope_original_positions" },
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const ds_json *part = ds_json_get(v, parts[i].json);
		if (part && part->kind != DS_J_NULL)
			DS_TRY(ds_key_set_json(
				ds_config_key(ds_str_of(parts[i].key)), c, part, mem, e));
	}
	double mscale = ds_json_num(v, "mscale", 0), all = ds_json_num(v, "mscale_all_dim", 0);
	if (c->scaling == DS_SCALING_YARN && !c->scaling_attention && mscale != 0 && all != 0)
		c->scaling_attention = scaling_mscale(c->scaling_factor, mscale) /
				       scaling_mscale(c->scaling_factor, all);
	return DS_OK;
}

/* eos_token_id may be a list: each of them ends a text, the first is written by who writes one. */
static ds_rc read_ends(ds_config *c, const ds_json *v, ds_arena *mem, ds_err *e)
{
	c->ends = ds_arena_zero(mem, (v->n + 1) * sizeof(*c->ends));
	for (size_t i = 0; i < v->n; i++) {
		if (v->items[i]->kind != DS_J_I64 || v->items[i]->i < 0)
			return ds_fail(e, DS_USAGE, "eos_token_id: a list, but not of ids");
		c->ends[i] = v->items[i]->i;
	}
	c->n_ends = v->n;
	c->eos = v->n ? c->ends[0] : -1;
	return DS_OK;
}

/*
 * null is none where transformers has a none for it: an id, a window, a number that is derived then.
 * For all else it has no value to compute with, and neither is there one here.
 */
static ds_rc read_null(ds_config *c, const ds_key *k, ds_err *e)
{
	void *at = (char *)c + k->offset;
	const char *name = ds_config_spelled(c, k);
	if (ds_config_is(k, DS_CONFIG_MINUS) && k->kind == DS_KEY_I64)
		*(int64_t *)at = -1;
	else if (ds_config_is(k, DS_CONFIG_MINUS))
		*(double *)at = -1;
	else if (ds_config_word(c->arch->nulls, k->name) && k->kind == DS_KEY_I64)
		*(int64_t *)at = 0;
	else if (ds_config_word(c->arch->nulls, k->name))
		*(double *)at = 0;
	else
		return ds_fail(e, DS_USAGE, "%s is null: %s needs a value", name, c->arch->name);
	return DS_OK;
}

static ds_rc read_key(ds_config *c, const ds_key *k, const ds_json *v, ds_arena *mem, ds_err *e)
{
	if (v->kind == DS_J_NULL)
		return read_null(c, k, e);
	if (v->kind == DS_J_ARR && k->offset == AT(eos))
		return read_ends(c, v, mem, e);
	return ds_key_set_json(k, c, v, mem, e);
}

static bool is_scaling(const ds_json *m)
{
	return ds_str_is(m->key, "rope_scaling") || ds_str_is(m->key, "rope_parameters");
}

/* As transformers calls them where only their number is known. */
static ds_rc number_labels(ds_config *c, int64_t n, ds_arena *mem, ds_err *e)
{
	enum { MOST = 1 << 20 };
	if (n < 1 || n > MOST)
		return n ? ds_fail(e, DS_USAGE, "num_labels=%lld is not between 1 and %d",
				   (long long)n, MOST)
			 : DS_OK;
	c->labels = ds_arena_zero(mem, ((size_t)n + 1) * sizeof(char *));
	for (int64_t i = 0; i < n; i++)
		c->labels[i] = ds_arena_fmt(mem, "LABEL_%lld", (long long)i).at;
	c->n_labels = n;
	return DS_OK;
}

/* {"0": "negative", …}: every number below the count once. */
static ds_rc read_labels(ds_config *c, const ds_json *root, ds_arena *mem, ds_err *e)
{
	const ds_json *v = ds_json_get(root, "id2label");
	if (!v || v->kind != DS_J_OBJ || !v->n)
		return number_labels(c, ds_json_int(root, "num_labels", 0), mem, e);
	DS_AUTO(ds_map) seen = ds_map_new(16);
	c->labels = ds_arena_zero(mem, (v->n + 1) * sizeof(char *));
	for (const ds_json *m = v->first; m; m = m->next) {
		int64_t id;
		if (m->kind != DS_J_STR || !ds_str_i64(m->key, &id) || id < 0 ||
			id >= (int64_t)v->n || c->labels[id])
			return ds_fail(e, DS_USAGE,
				"id2label: '%.*s' is not a number below %zu, "
				"once, with a name",
				DS_FMT(m->key), v->n);
		c->labels[id] = ds_arena_str(mem, m->s).at;
		bool is_new;
		ds_map_put(seen, m->s, &is_new);
		if (!is_new)
			return ds_fail(e, DS_USAGE, "id2label: two are called '%s'", c->labels[id]);
	}
	c->n_labels = (int64_t)v->n;
	return DS_OK;
}

/* Names with halves of surrogate pairs in them would be repaired in writing, and could become one. */
static bool is_unicode(const ds_json *v)
{
	if (ds_utf8_valid(v->key) != v->key.n)
		return false;
	if (v->kind == DS_J_STR)
		return ds_utf8_valid(v->s) == v->s.n;
	if (v->kind == DS_J_OBJ)
		for (const ds_json *m = v->first; m; m = m->next)
			if (!is_unicode(m))
				return false;
	for (size_t i = 0; v->kind == DS_J_ARR && i < v->n; i++)
		if (!is_unicode(v->items[i]))
			return false;
	return true;
}

static ds_rc read_members(ds_config *c, const ds_json *root, ds_arena *mem, ds_err *e);

/* A tower's config; older files repeat it as text_config_dict, which counts where both have a key. */
static ds_rc read_towers(ds_config *c, const ds_json *root, ds_arena *mem, ds_err *e)
{
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		if (!c->towers[i])
			continue;
		const char *const names[] = { ds_tower_keys[i],
			ds_arena_fmt(mem, "%s_dict", ds_tower_keys[i]).at };
		for (int k = 0; k < 2; k++) {
			const ds_json *v = ds_json_get(root, names[k]);
			if (!v || v->kind == DS_J_NULL)
				continue;
			if (v->kind != DS_J_OBJ)
				return ds_fail(e, DS_USAGE, "%s is not an object", names[k]);
			if (!c->towers[i]->kept)
				c->towers[i]->kept = v;
			c->towers[i]->insist = c->insist;
			DS_TRY_AT(read_members(c->towers[i], v, mem, e), e, "%s", names[k]);
		}
	}
	return DS_OK;
}

static ds_rc read_members(ds_config *c, const ds_json *root, ds_arena *mem, ds_err *e)
{
	for (const ds_json *m = root->first; m; m = m->next) {
		const ds_key *k = ds_config_key(m->key);
		if (is_scaling(m) && ds_config_word(c->arch->keys, "rope_scaling"))
			DS_TRY(read_scaling(c, m, mem, e));
		else if (k && ds_config_has(c->arch, k) && !ds_config_is(k, DS_CONFIG_SCALING))
			DS_TRY(read_key(c, k, m, mem, e));
	}
	return read_towers(c, root, mem, e);
}

ds_rc ds_config_parse(ds_config *c, ds_str json, bool insist, ds_arena *mem, ds_err *e)
{
	const ds_json *root;
	/* What is written again would repair it, and names could become one. */
	if (ds_utf8_valid(json) != json.n)
		return ds_fail(e, DS_USAGE, "not UTF-8 at byte %zu", ds_utf8_valid(json));
	ds_rc rc = ds_json_parse(&root, mem, json, e);
	if (rc != DS_OK)
		return rc == DS_BAD ? DS_USAGE : rc;
	if (root->kind != DS_J_OBJ)
		return ds_fail(e, DS_USAGE, "not a JSON object");
	if (!is_unicode(root))
		return ds_fail(e, DS_USAGE, "half of a surrogate pair in a name or text");
	ds_str type = ds_json_text(root, "model_type", "");
	const ds_json *names = ds_json_get(root, "architectures");
	if (!type.n && names && names->kind == DS_J_ARR && names->n)
		type = names->items[0]->s;
	if (!type.n)
		return ds_fail(e, DS_USAGE, "no model_type");
	DS_TRY(ds_config_init(c, type, mem, e));
	c->kept = root;
	c->insist = insist;
	if (names && names->kind == DS_J_ARR && names->n &&
		ds_arch_head(c->arch, names->items[0]->s))
		c->head = ds_arch_head(c->arch, names->items[0]->s);
	if (c->head == DS_HEAD_SEQ || c->head == DS_HEAD_TOKEN)
		DS_TRY(read_labels(c, root, mem, e));
	return read_members(c, root, mem, e);
}

/* ---- config.json out ---- */

static void print_name(ds_buf *out, ds_str name)
{
	ds_buf_add_c(out, ",\n  ");
	ds_json_add_str(out, name);
	ds_buf_add_c(out, ": ");
}

static bool is_none(const ds_config *c, const ds_key *k)
{
	if (!ds_config_is(k, DS_CONFIG_MINUS | DS_CONFIG_ZERO))
		return false;
	const void *at = (const char *)c + k->offset;
	double v = k->kind == DS_KEY_I64 ? (double)*(const int64_t *)at : *(const double *)at;
	return (ds_config_is(k, DS_CONFIG_MINUS) && v < 0) ||
	       (ds_config_is(k, DS_CONFIG_ZERO) && v == 0);
}

static bool scaling_given(const ds_config *c)
{
	for (const ds_key *k = ds_config_keys; k->name; k++)
		if ((ds_config_is(k, DS_CONFIG_SCALING) || k->offset == AT(scaling)) &&
			ds_config_was_set(c, k))
			return true;
	return false;
}

static void print_scaling(const ds_config *c, ds_buf *out)
{
	static const struct {
		const char *json, *key;
		int kind;
	} parts[] = { { "low_freq_factor", "rope_low_freq_factor", DS_SCALING_LLAMA3 },
		{ "high_freq_factor", "rope_high_freq_factor", DS_SCALING_LLAMA3 },
		{ "beta_fast", "rope_beta_fast", DS_SCALING_YARN },
		{ "beta_slow", "rope_beta_slow", DS_SCALING_YARN },
		{ "attention_factor", "rope_attention_factor", DS_SCALING_YARN } };
	const ds_json *was = c->kept ? ds_json_get(c->kept, "rope_scaling") : NULL;
	/* As it was where nothing was changed: versions of transformers differ in what they take. */
	if (was && !scaling_given(c)) {
		ds_json_add(out, was);
		return;
	}
	if (c->scaling == DS_SCALING_NONE) {
		ds_buf_add_c(out, "null");
		return;
	}
	ds_buf_add_c(out, "{\"rope_type\": \"");
	ds_key_print(ds_config_key(DS_S("rope_scaling")), c, out);
	ds_buf_add_c(out, "\", \"factor\": ");
	ds_key_print(ds_config_key(DS_S("rope_scaling_factor")), c, out);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].kind != c->scaling)
			continue;
		ds_buf_fmt(out, ", \"%s\": ", parts[i].json);
		ds_key_print(ds_config_key(ds_str_of(parts[i].key)), c, out);
	}
	if (c->scaling == DS_SCALING_LLAMA3 || c->scaling == DS_SCALING_YARN)
		ds_buf_fmt(out, ", \"original_max_position_embeddings\": %lld",
			(long long)c->scaling_original);
	ds_buf_add_byte(out, '}');
}

static void print_ends(const ds_config *c, ds_buf *out)
{
	for (size_t i = 0; i < c->n_ends; i++)
		ds_buf_fmt(out, "%s%lld", i ? ", " : "[", (long long)c->ends[i]);
	ds_buf_add_byte(out, ']');
}

/* Was it null where this config came from, and nobody gave it a value? Then it is derived again. */
static bool was_null(const ds_config *c, const ds_key *k)
{
	if (!ds_config_word(c->arch->nulls, k->name) || ds_config_was_set(c, k))
		return false;
	for (const ds_json *m = c->kept ? c->kept->first : NULL; m; m = m->next)
		if (ds_config_key(m->key) == k)
			return m->kind == DS_J_NULL;
	return false;
}

static void print_key(const ds_config *c, const ds_key *k, ds_buf *out)
{
	if (ds_config_is(k, DS_CONFIG_SCALING))
		return;
	/* Only where it is not what transformers builds anyway. */
	if (k->offset == AT(norm_type) && c->norm_type == c->arch->norm_type)
		return;
	print_name(out, ds_str_of(ds_config_spelled(c, k)));
	if (k->offset == AT(scaling)) {
		print_scaling(c, out);
	} else if (k->offset == AT(eos) && c->n_ends > 1 && c->eos == c->ends[0]) {
		print_ends(c, out);
	} else if (is_none(c, k) || was_null(c, k)) {
		ds_buf_add_c(out, "null");
	} else if (k->kind == DS_KEY_CHOICE || k->kind == DS_KEY_TEXT) {
		ds_buf_add_byte(out, '"');
		ds_key_print(k, c, out);
		ds_buf_add_byte(out, '"');
	} else {
		ds_key_print(k, c, out);
	}
}

static bool is_labels(const ds_json *m)
{
	return ds_str_is(m->key, "id2label") || ds_str_is(m->key, "label2id") ||
	       ds_str_is(m->key, "num_labels");
}

static void print_labels(const ds_config *c, ds_buf *out)
{
	for (int way = 0; way < 2; way++) {
		print_name(out, way ? DS_S("label2id") : DS_S("id2label"));
		for (int64_t i = 0; i < c->n_labels; i++) {
			ds_buf_add_c(out, i ? ", " : "{");
			if (way)
				ds_json_add_str(out, ds_str_of(c->labels[i]));
			else
				ds_buf_fmt(out, "\"%lld\": ", (long long)i);
			if (way)
				ds_buf_fmt(out, ": %lld", (long long)i);
			else
				ds_json_add_str(out, ds_str_of(c->labels[i]));
		}
		ds_buf_add_byte(out, '}');
	}
}

/* Written from the tower's own keys and what was kept of them. */
static bool is_tower(const ds_config *c, const ds_json *m)
{
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		ds_str key = ds_str_of(ds_tower_keys[i]);
		if (c->towers[i] && ds_str_starts(m->key, key) &&
			(m->key.n == key.n || ds_str_ends(m->key, DS_S("_dict"))))
			return true;
	}
	return false;
}

static bool ours(const ds_config *c, const ds_json *m)
{
	const ds_key *k = ds_config_key(m->key);
	bool stale =
		ds_str_is(m->key, "layer_types") && (c->insist || (int64_t)m->n != c->n_layers);
	return stale || (c->insist && ds_config_refused(c, m)) ||
	       (k && ds_config_has(c->arch, k)) || is_scaling(m) || is_tower(c, m) ||
	       ds_str_is(m->key, "model_type") || ds_str_is(m->key, "architectures") ||
	       ds_str_is(m->key, "torch_dtype") || ds_str_is(m->key, "dtype") ||
	       ds_str_is(m->key, "transformers_version");
}

/* All members behind the first, and the end of the object. */
static void print_members(const ds_config *c, bool tower, ds_buf *out)
{
	for (const ds_key *k = ds_config_keys; k->name; k++)
		if (ds_config_has(c->arch, k))
			print_key(c, k, out);
	if (c->n_labels)
		print_labels(c, out);
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		if (!c->towers[i])
			continue;
		print_name(out, ds_str_of(ds_tower_keys[i]));
		ds_buf_fmt(out, "{\n  \"model_type\": \"%s\"", c->towers[i]->arch->name);
		print_members(c->towers[i], true, out);
	}
	if (!tower) {
		print_name(out, DS_S("torch_dtype"));
		ds_buf_add_c(out, "\"float32\"");
	}
	for (const ds_json *m = c->kept ? c->kept->first : NULL; m; m = m->next) {
		if (!ours(c, m) && !(c->n_labels && is_labels(m))) {
			print_name(out, m->key);
			ds_json_add(out, m);
		}
	}
	ds_buf_add_c(out, "\n}");
}

void ds_config_print(const ds_config *c, ds_buf *out)
{
	ds_buf_fmt(out, "{\n  \"architectures\": [\"%s\"],\n  \"model_type\": \"%s\"",
		c->head ? c->arch->class_of[c->head] : c->arch->class_name, c->arch->name);
	print_members(c, false, out);
	ds_buf_add_byte(out, '\n');
}
