/*
 * when.h - which records a rule of a rules file is for: "lang=zh,en source=*.html"
 *
 * All keys must hold; of a key's values one. Values may have * and ?. A record without the field is none.
 */
#ifndef DS_CLEAN_WHEN_H
#define DS_CLEAN_WHEN_H

#include "base/err.h"
#include "rule.h"

/* DS_USAGE: an unknown key, or one without a value. */
DS_MUST ds_rc when_check(ds_str conditions, ds_err *e);
bool when_holds(const char *conditions, const rule_record *r);
bool when_names(const char *conditions, const char *key); /* conditions: NULL for none */

#endif
