/*
 * pattern_llama3.c - Llama 3 and OLMo: up to three digits a piece; also cl100k as it was first written
 */
#include "text/tok/pattern_gpt4.h"

static void starts(ds_scan *s, unsigned n_words)
{
	gpt4_starts(s, n_words, 3, false, false);
}

static const char *const regexes[] = { "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
				       "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
				       "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
	"\\p{N}{1,3}"
	"| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
	"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| "
	"?[^\\s\\p{L}\\p{N}]++[\\r\\n]*"
	"|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
	NULL };
const ds_pattern ds_pattern_llama3 = { .name = "llama3", .regexes = regexes, .starts = starts };
