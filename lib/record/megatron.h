/*
 * megatron.h - the numbers of Megatron-LM's indexed datasets (MMapIndexedDataset, version 1)
 *
 * NAME.idx: magic, version u64, type u8, sequences u64, documents u64, then i32 lengths, i64 byte
 * offsets into NAME.bin, i64 first sequences of the documents with the count at the end.
 */
#ifndef DS_RECORD_MEGATRON_H
#define DS_RECORD_MEGATRON_H

enum {
	DS_MEGATRON_MAGIC = 9, /* "MMIDIDX" and two zeros */
	DS_MEGATRON_HEAD = 34,
	DS_MEGATRON_U8 = 1,
	DS_MEGATRON_I32 = 4,
	DS_MEGATRON_I64 = 5,
	DS_MEGATRON_U16 = 8,
	DS_MEGATRON_NARROW = 65500, /* ids below it fit its 16 bits, as Megatron chooses */
};
#define DS_MEGATRON_MAGIC_TEXT "MMIDIDX\0\0"

#endif
