/*
 * mojibake_impl.h - the characters that bytes of UTF-8 become in single-byte charsets, and their kinds
 */
#ifndef DS_TEXT_MOJIBAKE_IMPL_H
#define DS_TEXT_MOJIBAKE_IMPL_H

#include <stdint.h>

enum { /* bits of kinds */
	DS_MJ_C1 = 0,
	DS_MJ_BAD = 1,
	DS_MJ_LAW = 2,
	DS_MJ_CURRENCY = 3,
	DS_MJ_START = 4,
	DS_MJ_END = 5,
	DS_MJ_NUMERIC = 6,
	DS_MJ_KAOMOJI = 7,
	DS_MJ_UPPER = 8,
	DS_MJ_LOWER = 9,
	DS_MJ_UPPER_COMMON = 10,
	DS_MJ_LOWER_COMMON = 11,
	DS_MJ_BOX = 12,
	DS_MJ_COMMON = 13,
	DS_MJ_OE = 14,
	DS_MJ_DEGREE = 15,
	DS_MJ_A_I_ETH = 16,
	DS_MJ_AFTER_A = 17,
	DS_MJ_TIMES = 18,
	DS_MJ_SQUARED = 19,
	DS_MJ_O_U = 20,
	DS_MJ_AFTER_O = 21,
	DS_MJ_A_GRAVE = 22,
	DS_MJ_AFTER_GRAVE = 23,
	DS_MJ_ROOT = 24,
	DS_MJ_AFTER_ROOT = 25,
	DS_MJ_APPROX = 26,
	DS_MJ_AFTER_APPROX = 27,
	DS_MJ_LOW_QUOTE = 28,
	DS_MJ_A_DIA = 29,
	DS_MJ_AFTER_DIA = 30,
	DS_MJ_A_HAT_O = 31,
	DS_MJ_AFTER_HAT = 32,
	DS_MJ_VE = 33,
	DS_MJ_DJE = 34,
	DS_MJ_VGRS = 35,
	DS_MJ_DEGREE_MICRO = 36,
	DS_MJ_GHE = 37,
	DS_MJ_SHORT_U = 38,
	DS_MJ_CAP_VE = 39,
	DS_MJ_A_TILDE = 40,
	DS_MJ_NBSP_BANG = 41,
	DS_MJ_A_TILDE_HAT = 42,
	DS_MJ_A_HAT = 43,
	DS_MJ_BETA = 44,
	DS_MJ_EURO = 45,
	DS_MJ_AFTER_BETA = 46,
	DS_MJ_GREEK = 47,
	DS_MJ_A_MACRON = 48,
};
enum { /* bits of places: what byte of UTF-8 it may have been */
	DS_MJ_FIRST2 = 1,
	DS_MJ_FIRST3 = 2,
	DS_MJ_FIRST4 = 4,
	DS_MJ_NEXT = 8,
	DS_MJ_STRICT = 16
};

typedef struct {
	uint64_t kinds;
	uint16_t c;
	uint8_t places;
} ds_mj_char;

extern const ds_mj_char ds_mj_chars[];
extern const unsigned ds_mj_n_chars;

enum { DS_MJ_CHARSETS = 10 };
/* The characters of bytes 0x80 to 0xFF; bytes that a charset lacks are the controls, as in browsers. */
extern const uint16_t ds_mj_charsets[DS_MJ_CHARSETS][128];

#endif
