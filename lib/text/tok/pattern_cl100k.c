/*
 * pattern_cl100k.c - GPT-3.5 and GPT-4: as llama3, but white space at the text's end is one piece
 *
 * tiktoken spells that \s++$, where $ is the end of the text; for engines in which it is also the end
 * of a line (Oniguruma, so tokenizers) we write \z. Its \p{N}{1,3}+ is possessive only there: a
 * tokenizer.json with that means runs of digits, and is not this pattern.
 */
#include "text/tok/pattern_gpt4.h"

static void starts(ds_scan *s, unsigned n_words)
{
	gpt4_starts(s, n_words, 3, true, false);
}

#define CL100K_HEAD \
	"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}| " \
	"?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+"
static const char *const regexes[] = { CL100K_HEAD "|\\s++\\z|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
	CL100K_HEAD "|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
	CL100K_HEAD "|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s", NULL };
const ds_pattern ds_pattern_cl100k = { .name = "cl100k", .regexes = regexes, .starts = starts };
