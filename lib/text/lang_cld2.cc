/*
 * lang_cld2.cc - the door to CLD2
 */
#include "text/lang.h"

#include <cstdio>
#include <cstring>

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

static const size_t LOOK_MAX = 4 << 20;

extern "C" ds_lang ds_lang_of(const char *text, size_t n)
{
	CLD2::Language best[3];
	int percent[3], bytes = 0, valid = 0;
	double score[3];
	bool reliable = false;
	const CLD2::CLDHints hints = { nullptr, nullptr, CLD2::UNKNOWN_ENCODING,
		CLD2::UNKNOWN_LANGUAGE };
	int length = static_cast<int>(n < LOOK_MAX ? n : LOOK_MAX);
	for (int turn = 0; turn < 2; turn++) {
		CLD2::ExtDetectLanguageSummaryCheckUTF8(text, length, true, &hints, 0, best,
			percent, score, nullptr, &bytes, &reliable, &valid);
		if (valid >= length)
			return { CLD2::LanguageCode(best[0]), percent[0] / 100.0 };
		length = valid;
	}
	return { "un", 0 };
}

extern "C" bool ds_lang_known(const char *code)
{
	for (int i = 0; i < CLD2::NUM_LANGUAGES; i++)
		if (strcmp(CLD2::LanguageCode(static_cast<CLD2::Language>(i)), code) == 0)
			return true;
	return false;
}
