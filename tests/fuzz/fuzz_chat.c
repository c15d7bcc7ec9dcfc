/* A chat template is parsed, run and compared with the known layouts, or refused. */
#include "fuzz.h"

#include "text/chat/chat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	ds_arena *mem = ds_arena_new(1 << 20);
	ds_err why;
	ds_chat_recognise((ds_str){ (const char *)data, n }, DS_S("<s>"), DS_S("</s>"), mem, &why);
	ds_arena_free(mem);
	return 0;
}
