#!/usr/bin/env bash
# Writes lib/text/tok/category_data.c: the character classes that tokenizer patterns speak of, out of
# ICU, as a two-stage table. Run it when the Unicode version of the tokenizers is to move.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/gen.c" <<'C'
#include <stdio.h>
#include <string.h>
#include <unicode/uchar.h>

static int class_of(int c)
{
	if (c == '\r' || c == '\n')
		return 16;
	if (u_isUWhiteSpace(c))
		return 15;
	switch (u_charType(c)) {
	case U_UPPERCASE_LETTER: return 1;
	case U_LOWERCASE_LETTER: return 2;
	case U_TITLECASE_LETTER: return 3;
	case U_MODIFIER_LETTER: return 4;
	case U_OTHER_LETTER: return 5;
	case U_NON_SPACING_MARK: return 6;
	case U_COMBINING_SPACING_MARK: return 7;
	case U_ENCLOSING_MARK: return 8;
	case U_DECIMAL_DIGIT_NUMBER: return 9;
	case U_LETTER_NUMBER: return 10;
	case U_OTHER_NUMBER: return 11;
	case U_CONNECTOR_PUNCTUATION: case U_DASH_PUNCTUATION: case U_START_PUNCTUATION:
	case U_END_PUNCTUATION: case U_INITIAL_PUNCTUATION: case U_FINAL_PUNCTUATION:
	case U_OTHER_PUNCTUATION: return 12;
	case U_MATH_SYMBOL: case U_CURRENCY_SYMBOL: case U_MODIFIER_SYMBOL: case U_OTHER_SYMBOL: return 13;
	case U_CONTROL_CHAR: return 17;
	case U_FORMAT_CHAR: return 18;
	case U_PRIVATE_USE_CHAR: return 19;
	default: return 0;
	}
}

int main(void)
{
	enum { BLOCK = 128, N = 0x110000 / BLOCK };
	static unsigned char blocks[N][BLOCK], stage[N];
	int n = 0;
	for (int i = 0; i < N; i++) {
		unsigned char b[BLOCK];
		for (int k = 0; k < BLOCK; k++)
			b[k] = (unsigned char)class_of(i * BLOCK + k);
		int at = 0;
		while (at < n && memcmp(blocks[at], b, BLOCK) != 0)
			at++;
		if (at == n)
			memcpy(blocks[n++], b, BLOCK);
		if (at > 255)
			return 1;
		stage[i] = (unsigned char)at;
	}
	printf("/* Made by scripts/category-data.sh from ICU's Unicode %s. */\n", U_UNICODE_VERSION);
	printf("#include \"text/tok/category.h\"\n\nconst char ds_cat_unicode[] = \"%s\";\n\n", U_UNICODE_VERSION);
	printf("const uint8_t ds_cat_stage[%d] = {", N);
	for (int i = 0; i < N; i++)
		printf("%s%d,", i % 32 ? "" : "\n", stage[i]);
	printf("\n};\n\nconst uint8_t ds_cat_block[%d] = {", n * BLOCK);
	for (int i = 0; i < n * BLOCK; i++)
		printf("%s%d,", i % 32 ? "" : "\n", blocks[i / BLOCK][i % BLOCK]);
	printf("\n};\n");
	return 0;
}
C
gcc -O1 -o "$tmp/gen" "$tmp/gen.c" -licuuc
"$tmp/gen" >lib/text/tok/category_data.c
