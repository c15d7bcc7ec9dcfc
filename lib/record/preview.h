/* preview.h - what a person sees where a binary stream would go to a terminal */
#ifndef DS_RECORD_PREVIEW_H
#define DS_RECORD_PREVIEW_H

#include "record/export.h"

extern const ds_exporter ds_preview; /* not in formats.def: nobody asks for it by name */

#endif
