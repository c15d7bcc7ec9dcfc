/*
 * needle.c - which bytes of a literal are rare, and the search without vectors
 */
#include "text/needle.h"

#include "base/cpu.h"

/* How common a byte is in text, roughly: the commonest letters of English first. */
static unsigned commonness(char c)
{
	static const char letters[] = " etaoinsrhldcumfpgwybvkxjqz";
	const char *found = c ? strchr(letters, c | (c >= 'A' && c <= 'Z' ? 32 : 0)) : NULL;
	if (c & 0x80)
		return ((uint8_t)c & 0xc0) == 0x80 ? 18 : 24;
	if (found)
		return (unsigned)(sizeof(letters) - (size_t)(found - letters)) +
		       (c >= 'a' || c == ' ' ? 8 : 0);
	return strchr(".,\n-/", c) ? 20 : 6;
}

void ds_needle_init(ds_needle *needle, ds_str literal, bool any_case)
{
	*needle = (ds_needle){ .n = (uint8_t)(literal.n < DS_NEEDLE_MAX ? literal.n
									: DS_NEEDLE_MAX) };
	unsigned least = UINT32_MAX, second = UINT32_MAX;
	for (unsigned i = 0; i < needle->n; i++) {
		char c = literal.at[i];
		bool letter = (uint8_t)((c | 32) - 'a') < 26;
		needle->fold[i] = any_case && letter ? 32 : 0;
		needle->at[i] = (char)(c | needle->fold[i]);
		unsigned common = commonness(needle->at[i]);
		if (common < least) {
			second = least;
			needle->other = needle->rare;
			least = common;
			needle->rare = (uint8_t)i;
		} else if (common < second) {
			second = common;
			needle->other = (uint8_t)i;
		}
	}
}

bool ds_needle_in(const ds_needle *needle, ds_str text)
{
	size_t i = 0;
	if (text.n < needle->n)
		return false;
	if (ds_cpu_level() >= DS_CPU_AVX2 && ds_needle_in_avx2(needle, text, &i))
		return true;
	char rare = needle->at[needle->rare], fold = (char)needle->fold[needle->rare];
	for (; i + needle->n <= text.n; i++)
		if ((char)(text.at[i + needle->rare] | fold) == rare &&
			ds_needle_is_at(needle, text.at + i))
			return true;
	return false;
}
