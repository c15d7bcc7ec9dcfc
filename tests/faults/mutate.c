/*
 * mutate.c - files of ours with changed bytes and right hashes, as a writer with bad intentions makes them
 *
 * DSR streams, dsdedup's index and journals are changed in one to four places (a bit, a byte, eight bytes of a
 * telling number, a stretch moved), their hashes are made right, and they are read: whole, as a pipe, salvaging,
 * by their index. What is wrong must be found (BAD or SHORT) or harmless; nothing may crash, hang or leak, which
 * the sanitizers see. Prints what was tried. usage: mutate [N] mutants of each kind (2000)
 */
#include "../unit/streams.h"

#include "base/io.h"
#include "base/journal.h"
#include "base/mem.h"
#include "text/seen.h"

#include <fcntl.h>

typedef struct {
	unsigned long tried, refused, taken, wrong;
} tally;

static draws rng;

static void change(uint8_t *p, size_t n)
{
	static const uint64_t telling[] = { 0, 1, 63, 64, 65, 0x7f, 0x80, 0xff, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 62, 1ull << 63,
		UINT64_MAX };
	size_t times = 1 + draw(&rng, 4);
	for (size_t i = 0; i < times && n > 16; i++) {
		size_t at = draw(&rng, n - 8), to = draw(&rng, n - 8);
		uint64_t v = telling[draw(&rng, sizeof(telling) / sizeof(*telling))];
		switch (draw(&rng, 5)) {
		case 0:
			p[at] ^= (uint8_t)(1u << draw(&rng, 8));
			break;
		case 1:
			p[at] = (uint8_t)draw(&rng, 256);
			break;
		case 2:
			memcpy(p + at / 8 * 8, &v, 8);
			break;
		case 3:
			memcpy(p + at / 4 * 4, &v, 4);
			break;
		default:
			memmove(p + to, p + at, 8);
		}
	}
}

static void count(tally *t, ds_rc rc)
{
	t->tried++;
	t->refused += rc == DS_BAD || rc == DS_SHORT || rc == DS_USAGE;
	t->taken += rc == DS_OK;
	t->wrong += rc == DS_IO || rc == DS_PIPE;
}

static void by_index(ds_str bytes)
{
	ds_reader *r;
	ds_err e;
	ds_block *b;
	const ds_index_entry *entries;
	size_t n = 0;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	if (ds_reader_open(&r, ds_in_from_mem(bytes.at, bytes.n, "a.dsr"), &e) != DS_OK)
		abort();
	if (ds_reader_index(r, &entries, &n, &e) == DS_OK)
		for (size_t i = 0; i < n && i < 20; i++)
			if (ds_reader_at(r, &entries[i], mem, &b, &e) == DS_OK)
				(void)!ds_block_verify(b, &e);
	ds_reader_close(r);
}

static void streams(unsigned long n, tally *t)
{
	making m;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	DS_AUTO(ds_compressor) compressor = ds_compressor_new(1);
	making_begin(&m);
	for (int i = 0; i < 6; i++) {
		ds_block *b = random_block(mem, &rng, 1 + (uint32_t)draw(&rng, 40), 12);
		making_add(&m, b, i % 2 ? compressor : NULL);
	}
	making_end(&m);
	uint8_t *copy = NULL;
	if (posix_memalign((void **)&copy, 64, m.bytes.n + 64) != 0)
		abort();
	for (unsigned long i = 0; i < n; i++) {
		memcpy(copy, m.bytes.at, m.bytes.n);
		change(copy, m.bytes.n);
		repair(copy, m.bytes.n);
		ds_str s = { (const char *)copy, m.bytes.n };
		count(t, read_stream(s, i % 4 == 1 ? READ_PIPE : i % 4 == 2 ? READ_SALVAGE : 0).rc);
		if (i % 4 == 3)
			by_index(s);
	}
	free(copy);
	ds_buf_free(&m.bytes);
}

static void indexes(unsigned long n, tally *t)
{
	static const ds_seen_plan plan = { .exact = true,
		.near = true,
		.join = true,
		.ngram = 5,
		.n_perm = 2,
		.bands = { 1, 2 },
		.threshold = 0.5 };
	ds_err e;
	ds_buf whole = { 0 };
	DS_AUTO(ds_seen) first = ds_seen_new(&plan);
	uint32_t sketches[40][3]; /* as long as first: it keeps no copy */
	for (uint64_t i = 0; i < 40; i++) {
		uint32_t *sketch = sketches[i];
		sketch[0] = (uint32_t)i;
		sketch[1] = 20 + (uint32_t)i;
		sketch[2] = 99;
		uint64_t band = i % 7;
		ds_seen_item item = {
			.key = { i % 30, i }, .bands = &band, .sketch = sketch, .n_sketch = 3
		};
		if (ds_seen_add(first, &item, 1, &e) != DS_OK)
			abort();
	}
	DS_AUTO(ds_out) out = ds_out_to_mem(&whole);
	if (ds_seen_save(first, out, &e) != DS_OK || ds_out_finish(out, &e) != DS_OK)
		abort();
	uint8_t *copy = ds_mem_get(whole.n);
	for (unsigned long i = 0; i < n; i++) {
		memcpy(copy, whole.at, whole.n);
		change(copy, whole.n - 8);
		uint64_t sum = ds_hash64(copy, whole.n - 8);
		memcpy(copy + whole.n - 8, &sum, 8);
		DS_AUTO(ds_seen) s = ds_seen_new(&plan);
		DS_AUTO(ds_in) in = ds_in_from_mem(copy, whole.n, "index");
		ds_rc rc = ds_seen_load(s, in, &e);
		count(t, rc);
		ds_buf again = { 0 };
		DS_AUTO(ds_out) to = ds_out_to_mem(&again);
		if (rc == DS_OK && ds_seen_save(s, to, &e) != DS_OK)
			abort();
		ds_out_close(to);
		to = NULL;
		ds_buf_free(&again);
	}
	ds_mem_free(copy);
	ds_out_close(out);
	out = NULL;
	ds_buf_free(&whole);
}

/* Entries are u32 bytes, u32 check, key of 16, value (journal.c). */
static void repair_journal(uint8_t *p, size_t n)
{
	for (size_t at = 16; at + 24 <= n;) {
		uint32_t bytes;
		memcpy(&bytes, p + at, 4);
		if (bytes > n - at - 24)
			return;
		uint64_t seed = ds_hash64_seed(p + at + 8, 16, bytes);
		uint32_t check = (uint32_t)ds_hash64_seed(p + at + 24, bytes, seed);
		memcpy(p + at + 4, &check, 4);
		at += 24 + bytes;
	}
}

static void write_whole(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		abort();
	close(fd);
}

static void ask_journal(ds_journal *j)
{
	ds_err e;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	for (uint64_t i = 0; i < 30; i++) {
		ds_str value;
		bool found;
		(void)!ds_journal_find(j, (ds_h128){ i, 7 }, mem, &value, &found, &e);
		(void)!ds_journal_add(j, (ds_h128){ i, 9 }, DS_S("new"), &e);
	}
}

static void journals(unsigned long n, tally *t)
{
	ds_err e;
	char path[] = "/tmp/mutate.XXXXXX";
	ds_buf whole = { 0 };
	int fd = mkstemp(path);
	DS_AUTO(ds_journal) j = NULL;
	if (fd < 0)
		abort();
	close(fd);
	if (ds_journal_open(&j, path, &e) != DS_OK)
		abort();
	for (uint64_t i = 0; i < 20; i++)
		if (ds_journal_add(j, (ds_h128){ i, 7 }, (ds_str){ "some value", i % 11 }, &e) !=
			DS_OK)
			abort();
	ds_journal_close(j);
	j = NULL;
	if (ds_file_read(path, 1 << 20, &whole, &e) != DS_OK)
		abort();
	uint8_t *copy = ds_mem_get(whole.n);
	for (unsigned long i = 0; i < n; i++) {
		memcpy(copy, whole.at, whole.n);
		change(copy, whole.n);
		repair_journal(copy, whole.n);
		write_whole(path, copy, whole.n);
		ds_journal *again = NULL;
		ds_rc rc = ds_journal_open(&again, path, &e);
		count(t, rc);
		if (rc == DS_OK)
			ask_journal(again);
		ds_journal_close(again);
	}
	unlink(path);
	ds_mem_free(copy);
	ds_buf_free(&whole);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	static const struct {
		const char *name;
		void (*run)(unsigned long n, tally *t);
	} kinds[] = { { "stream", streams }, { "index", indexes }, { "journal", journals } };
	bool good = true;
	rng = draws_of("mutate", 11);
	printf("%-10s %8s %8s %8s %8s\n", "file", "tried", "refused", "taken", "wrong");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		tally t = { 0 };
		kinds[i].run(n, &t);
		printf("%-10s %8lu %8lu %8lu %8lu\n", kinds[i].name, t.tried, t.refused, t.taken,
			t.wrong);
		good &= !t.wrong;
	}
	return !good;
}
