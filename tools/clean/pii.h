/*
 * pii.h - what may name a person, found in text
 *
 * Each looks at one place and says how many bytes there are such a thing; 0: none.
 */
#ifndef DS_CLEAN_PII_H
#define DS_CLEAN_PII_H

#include "base/str.h"

/* The address around the @ at `at`; *start is where it begins, at least `from`. */
size_t pii_email(ds_str s, size_t at, size_t from, size_t *start);
/* Of numbers that begin at i; what is before i is neither digit nor letter. */
size_t pii_ip(ds_str s, size_t i);    /* addresses that the world can reach, version 4 and 6 */
size_t pii_id(ds_str s, size_t i);    /* China's identity numbers: place, date, check digit */
size_t pii_card(ds_str s, size_t i);  /* bank cards: issuer, length, Luhn's digit */
size_t pii_phone(ds_str s, size_t i); /* +CC.., China's, (NXX) NXX-XXXX */

#endif
