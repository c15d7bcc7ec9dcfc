/*
 * unicode_icu.c - the door to ICU; no ICU type leaves it
 */
#include "text/unicode_impl.h"

#include "base/mem.h"

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

enum { SMALL = 64 };

/* Room for n units in and three times as many out (UAX 15, section 9) is in wide. */
static bool normalize(ds_buf *out, ds_str text, UChar *wide)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *nfc = unorm2_getNFCInstance(&status);
	int32_t room = (int32_t)text.n, n = 0, m = 0;
	UChar *normal = wide + room + 1;
	u_strFromUTF8(wide, room + 1, &n, text.at, room, &status);
	if (U_SUCCESS(status))
		m = unorm2_normalize(nfc, wide, n, normal, 3 * n + 1, &status);
	ds_buf_reserve(out, 3 * (size_t)m + 1);
	u_strToUTF8(out->at + out->n, 3 * m + 1, &n, normal, m, &status);
	if (U_FAILURE(status))
		return false;
	out->n += (size_t)n;
	return true;
}

/* ICU fails here only on lengths of its limits or a broken installation: then the text stays as it is. */
void ds_icu_nfc(ds_buf *out, ds_str text)
{
	UChar small[4 * SMALL + 2];
	bool done = false;
	if (text.n <= SMALL) {
		done = normalize(out, text, small);
	} else if (text.n < INT32_MAX / 4) {
		UChar *wide = ds_mem_get((4 * text.n + 2) * sizeof *wide);
		done = normalize(out, text, wide);
		ds_mem_free(wide);
	}
	if (!done)
		ds_buf_add_str(out, text);
}
