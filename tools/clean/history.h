/*
 * history.h - what earlier runs of this program left of a stream's texts
 */
#ifndef DS_CLEAN_HISTORY_H
#define DS_CLEAN_HISTORY_H

#include "record/chain.h"
#include "rule.h"

/* RULE_LEAVES_… that hold for all records of a stream with that chain (NULL: none). */
unsigned history_of(const ds_chain *chain);

#endif
