/*
 * gen-units.c - prints lib/text/units_data.c from ICU's character properties
 *
 *	make build/bench/gen-units && build/bench/gen-units >lib/text/units_data.c
 *
 * The table is kept in the tree, so that units, and with them which records count as duplicates, do
 * not change with the ICU that a machine happens to have.
 */
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uversion.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHIFT = 6, SIZE = 1 << SHIFT, BLOCKS = 0x110000 >> SHIFT };

static uint16_t block[BLOCKS][SIZE], stage1[BLOCKS];
static int32_t delta[4096];
static unsigned n_blocks, n_deltas = 1;

/* Scripts without spaces between words: Han with kana, and those with characters that break lines by a dictionary. */
static int is_single(UChar32 c)
{
	static const UScriptCode scripts[] = { USCRIPT_HAN, USCRIPT_HIRAGANA, USCRIPT_KATAKANA,
		USCRIPT_THAI, USCRIPT_LAO, USCRIPT_KHMER, USCRIPT_MYANMAR, USCRIPT_TAI_LE,
		USCRIPT_NEW_TAI_LUE, USCRIPT_LANNA, USCRIPT_TAI_VIET, USCRIPT_AHOM };
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		if (uscript_hasScript(c, scripts[i]))
			return 1;
	return 0;
}

static unsigned class_of(UChar32 c)
{
	uint32_t mask = U_GET_GC_MASK(c);
	if (mask & (U_GC_L_MASK | U_GC_M_MASK | U_GC_ND_MASK))
		return is_single(c) ? 2 : 1;
	/* Numerals such as U+3007 are written among Han characters. */
	if (mask & U_GC_NL_MASK && is_single(c))
		return 2;
	return mask & U_GC_S_MASK && c >= 0x80 ? 3 : 0; /* of ASCII ngram.c knows better */
}

static unsigned delta_of(UChar32 c)
{
	int32_t d = u_tolower(c) - c;
	for (unsigned i = 0; i < n_deltas; i++)
		if (delta[i] == d)
			return i;
	delta[n_deltas] = d;
	return n_deltas++;
}

static unsigned entry_of(UChar32 c, const UNormalizer2 *nfc)
{
	unsigned space = u_isUWhiteSpace(c) ? 4 : 0;
	unsigned unstable = unorm2_getCombiningClass(nfc, c) != 0 ||
			    u_getIntPropertyValue(c, UCHAR_NFC_QUICK_CHECK) != UNORM_YES;
	return class_of(c) | space | unstable << 3 | delta_of(c) << 4;
}

static void print(const char *type, const char *name, const void *p, size_t n, int wide)
{
	printf("\nconst %s %s[%zu] = {", type, name, n);
	for (size_t i = 0; i < n; i++)
		printf("%s%d,", i % 16 ? " " : "\n\t",
			wide ? ((const int32_t *)p)[i] : ((const uint16_t *)p)[i]);
	printf("\n};\n");
}

int main(void)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
	if (U_FAILURE(status))
		return 1;
	for (UChar32 b = 0; b < BLOCKS; b++) {
		uint16_t row[SIZE];
		for (UChar32 i = 0; i < SIZE; i++)
			row[i] = (uint16_t)entry_of(b << SHIFT | i, nfc);
		unsigned k = 0;
		while (k < n_blocks && memcmp(block[k], row, sizeof(row)) != 0)
			k++;
		if (k == n_blocks)
			memcpy(block[n_blocks++], row, sizeof(row));
		stage1[b] = (uint16_t)k;
	}
	printf("/*\n * units_data.c - character properties of Unicode %s; made by "
	       "scripts/gen-units.c\n */\n"
	       "#include \"text/units_impl.h\"\n",
		U_UNICODE_VERSION);
	print("uint16_t", "ds_units_stage1", stage1, BLOCKS, 0);
	print("uint16_t", "ds_units_stage2", block, (size_t)n_blocks * SIZE, 0);
	print("int32_t", "ds_units_delta", delta, n_deltas, 1);
	return 0;
}
