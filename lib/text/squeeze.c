/*
 * squeeze.c - white space for exact comparison, 16 ASCII bytes at a time
 */
#include "text/ngram.h"

#include "text/units_impl.h"
#include "text/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Copies ASCII up to where two white-space characters meet or it ends; returns how many bytes. */
static size_t copy_ascii(char *out, const uint8_t *p, const uint8_t *end, bool *space)
{
	size_t done = 0;
#ifdef __SSE2__
	const __m128i blank = _mm_set1_epi8(' ');
	for (; end - p >= 16; p += 16, done += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		__m128i line = _mm_sub_epi8(v, _mm_set1_epi8('\t')); /* \t \n \v \f \r */
		line = _mm_cmpeq_epi8(_mm_min_epu8(line, _mm_set1_epi8(4)), line);
		__m128i white = _mm_or_si128(line, _mm_cmpeq_epi8(v, blank));
		unsigned mask = (unsigned)_mm_movemask_epi8(white);
		unsigned stop = (mask & (mask << 1 | *space)) | (unsigned)_mm_movemask_epi8(v);
		v = _mm_or_si128(_mm_andnot_si128(white, v), _mm_and_si128(white, blank));
		_mm_storeu_si128((__m128i *)(out + done), v);
		if (stop) {
			unsigned n = (unsigned)__builtin_ctz(stop);
			*space = n ? mask >> (n - 1) & 1 : *space;
			return done + n;
		}
		*space = mask >> 15;
	}
#endif
	return done;
}

size_t ds_text_squeeze(char *out, ds_str text, bool *stable)
{
	const uint8_t *p = (const uint8_t *)text.at, *end = p + text.n;
	char *w = out;
	bool space = true; /* the last character written was white space, or there is none yet */
	*stable = true;
	while (p < end) {
		size_t n = copy_ascii(w, p, end, &space);
		p += n;
		w += n;
		/* What stopped it, and what is like it; where 16 bytes are not left, all. */
		for (bool more = true; p < end && more;
			more = p < end && (*p >= 0x80 || end - p < 16)) {
			uint32_t c = *p;
			unsigned e = c == ' ' || c - '\t' < 5 ? DS_UNITS_SPACE : 0, m = 1;
			if (c >= 0x80) {
				m = ds_utf8_get(p, end, &c);
				e = m ? ds_units_entry(c) : 0;
				m = m ? m : 1;
			}
			*stable = *stable && !(e & DS_UNITS_UNSTABLE);
			if (!(e & DS_UNITS_SPACE)) {
				memcpy(w, p, m);
				w += m;
				space = false;
			} else if (!space) {
				*w++ = ' ';
				space = true;
			}
			p += m;
		}
	}
	return (size_t)(w - out) - (space && w > out);
}
