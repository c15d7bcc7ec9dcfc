/*
 * scan_avx512.c - classifies 64 bytes with one compare a kind; see scan.c for what the kinds are
 */
#include "text/tok/scan.h"

#include <immintrin.h>

void ds_scan_classify_avx512(const uint8_t *p, size_t n_words, ds_scan_raw *out)
{
	const __m512i lower = _mm512_set1_epi8(32);
	for (size_t w = 0; w < n_words; w++, p += 64) {
		__m512i b = _mm512_loadu_si512(p);
		__m512i folded = _mm512_sub_epi8(_mm512_or_si512(b, lower), _mm512_set1_epi8('a'));
		ds_scan_raw *r = &out[w];
		r->letter = _mm512_cmplt_epu8_mask(folded, _mm512_set1_epi8(26));
		r->digit = _mm512_cmplt_epu8_mask(
			_mm512_sub_epi8(b, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
		r->space = _mm512_cmpeq_epi8_mask(b, lower);
		r->line = _mm512_cmpeq_epi8_mask(b, _mm512_set1_epi8('\n')) |
			  _mm512_cmpeq_epi8_mask(b, _mm512_set1_epi8('\r'));
		r->blank = _mm512_cmplt_epu8_mask(
				   _mm512_sub_epi8(b, _mm512_set1_epi8(9)), _mm512_set1_epi8(5)) &
			   ~r->line;
		r->quote = _mm512_cmpeq_epi8_mask(b, _mm512_set1_epi8('\''));
		r->slash = _mm512_cmpeq_epi8_mask(b, _mm512_set1_epi8('/'));
		r->upper = r->letter & ~_mm512_test_epi8_mask(b, lower);
		r->high = _mm512_movepi8_mask(b);
		r->cont = r->lead2 = r->lead3 = r->lead4e = 0;
		if (!r->high)
			continue;
		r->cont = _mm512_cmplt_epi8_mask(b, _mm512_set1_epi8((char)0xc0));
		r->lead2 = _mm512_cmpeq_epi8_mask(_mm512_and_si512(b, _mm512_set1_epi8((char)0xfe)),
			_mm512_set1_epi8((char)0xd0));
		r->lead3 = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(b, _mm512_set1_epi8((char)0xe5)),
				   _mm512_set1_epi8(8)) &
			   ~_mm512_cmpeq_epi8_mask(b, _mm512_set1_epi8((char)0xea));
		r->lead4e = _mm512_cmpeq_epi8_mask(b, _mm512_set1_epi8((char)0xe4)) &
			    _mm512_cmpge_epu8_mask(b, _mm512_set1_epi8((char)0xb8)) >> 1;
	}
}
