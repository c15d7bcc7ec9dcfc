/*
 * pattern_qwen2.c - Qwen 2, 2.5 and 3, and the built-in tokenizer: every digit is a piece
 */
#include "text/tok/pattern_gpt4.h"

static void starts(ds_scan *s, unsigned n_words)
{
	gpt4_starts(s, n_words, 1, false, false);
}

static const char *const regexes[] = { "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
				       "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
				       "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	NULL };
const ds_pattern ds_pattern_qwen2 = { .name = "qwen2", .regexes = regexes, .starts = starts };
