/*
 * keys.c - reading tokens and comparing them
 */
#include "keys.h"

#include "base/io.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

enum { FILE_BYTES = 1 << 20, KEY_BYTES = 512 };

typedef struct { /* padded by zeros, so that all are compared alike */
	unsigned char bytes[KEY_BYTES];
} key;

struct keys {
	const char *path;
	pthread_mutex_t lock;
	ds_buf all; /* of key */
};

/* false: it is too long, and then it is none. */
static bool key_of(key *k, ds_str token)
{
	memset(k, 0, sizeof(*k));
	if (token.n > KEY_BYTES)
		return false;
	memcpy(k->bytes, token.at, token.n);
	return token.n > 0;
}

ds_rc keys_reload(keys *k, ds_err *e)
{
	ds_buf file = { 0 }, all = { 0 };
	if (!k->path)
		return DS_OK;
	ds_rc rc = ds_file_read(k->path, FILE_BYTES, &file, e);
	for (ds_str rest = ds_buf_view(&file); rc == DS_OK && rest.n;) {
		ds_str token = ds_str_trim(ds_str_cut(rest, '\n', &rest));
		if (token.n && token.at[0] != '#') {
			key one;
			if (key_of(&one, token))
				ds_buf_add(&all, &one, sizeof(one));
			else
				rc = ds_fail(e, DS_USAGE,
					"%s: a token of %zu bytes, the limit is %d", k->path,
					token.n, KEY_BYTES);
		}
	}
	if (rc == DS_OK && !all.n)
		rc = ds_fail(e, DS_USAGE, "%s: no token in it", k->path);
	if (rc == DS_OK) {
		pthread_mutex_lock(&k->lock);
		ds_buf_free(&k->all);
		k->all = all;
		pthread_mutex_unlock(&k->lock);
	} else {
		ds_buf_free(&all);
	}
	ds_buf_free(&file);
	return rc;
}

ds_rc keys_open(keys **out, const char *path, ds_err *e)
{
	keys *k = DS_NEW(keys, 1);
	*out = k;
	k->path = path;
	pthread_mutex_init(&k->lock, NULL);
	return keys_reload(k, e);
}

void keys_close(keys *k)
{
	if (!k)
		return;
	pthread_mutex_destroy(&k->lock);
	ds_buf_free(&k->all);
	ds_mem_free(k);
}

/* No early end: all tokens, all bytes, so that time does not tell how much of one was right. */
static bool one_of(const keys *k, const key *given)
{
	unsigned char found = 0;
	for (size_t i = 0; i < k->all.n; i += sizeof(key)) {
		const unsigned char *a = (const unsigned char *)k->all.at + i;
		unsigned char differ = 0;
		for (size_t j = 0; j < sizeof(key); j++)
			differ |= a[j] ^ given->bytes[j];
		found |= (unsigned char)(1 ^ ((differ | (unsigned char)-differ) >> 7 & 1));
	}
	return found;
}

bool keys_allow(keys *k, const char *authorization)
{
	if (!k->path)
		return true;
	bool bearer = strncasecmp(authorization, "Bearer ", 7) == 0;
	key given;
	bearer = key_of(&given, ds_str_trim(ds_str_of(bearer ? authorization + 7 : ""))) && bearer;
	pthread_mutex_lock(&k->lock);
	bool found = one_of(k, &given);
	pthread_mutex_unlock(&k->lock);
	return bearer && found;
}
