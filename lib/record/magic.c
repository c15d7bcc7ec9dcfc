/*
 * magic.c - bytes that are of no format here, called by their names
 */
#include "record/import.h"

#define M(literal) \
	{ \
		"" literal, sizeof(literal) - 1 \
	}
static const struct {
	const char *name;
	ds_str magic;
	size_t at; /* where it stands */
} known[] = {
	{ "an Arrow file", M("ARROW1"), 0 },
	{ "a Feather file", M("FEA1"), 0 },
	{ "an ORC file", M("ORC"), 0 },
	{ "an Avro file", M("Obj\x01"), 0 },
	{ "a zip archive (perhaps a document, a table or an .npz)", M("PK\x03\x04"), 0 },
	{ "an empty zip archive", M("PK\x05\x06"), 0 },
	{ "a 7z archive", M("7z\xBC\xAF\x27\x1C"), 0 },
	{ "a RAR archive", M("Rar!\x1A\x07"), 0 },
	{ "lz4 data", M("\x04\x22\x4D\x18"), 0 },
	{ "lzip data", M("LZIP\x01"), 0 },
	{ "lzop data", M("\x89LZO\0"), 0 },
	{ "snappy data", M("\xFF\x06\0\0sNaPpY"), 0 },
	{ "compress (.Z) data", M("\x1F\x9D"), 0 },
	{ "lzma data", M("\x5D\0\0"), 0 },
	{ "a PDF", M("%PDF-"), 0 }, /* the one that may hold no odd bytes at first */
	{ "an old Office document", M("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), 0 },
	{ "a PostScript file", M("%!PS"), 0 },
	{ "a DjVu file", M("AT&TFORM"), 0 },
	{ "a SQLite database", M("SQLite format 3\0"), 0 },
	{ "an HDF5 file", M("\x89HDF\r\n\x1A\n"), 0 },
	{ "a NumPy array", M("\x93NUMPY"), 0 },
	{ "a GGUF model", M("GGUF"), 0 },
	{ "a pickle", M("\x80\x02"), 0 },
	{ "a pickle", M("\x80\x03"), 0 },
	{ "a pickle", M("\x80\x04"), 0 },
	{ "a pickle", M("\x80\x05"), 0 },
	{ "an LMDB database", M("\xDE\xC0\xEF\xBE"), 16 },
	{ "a program (ELF)",
		M("\x7F"
		  "ELF"),
		0 },
	{ "a program (Windows)", M("MZ"), 0 },
	{ "a program (Mach-O)", M("\xCF\xFA\xED\xFE"), 0 },
	{ "WebAssembly", M("\0asm"), 0 },
	{ "a Java class", M("\xCA\xFE\xBA\xBE"), 0 },
	{ "sound (Ogg)", M("OggS"), 0 },
	{ "sound (FLAC)", M("fLaC"), 0 },
	{ "sound (MP3)", M("ID3"), 0 },
	{ "sound or film (RIFF)", M("RIFF"), 0 },
	{ "film (MP4)", M("ftyp"), 4 },
	{ "film (Matroska)", M("\x1A\x45\xDF\xA3"), 0 },
	{ "a picture (TIFF)", M("II*\0"), 0 },
	{ "a picture (TIFF)", M("MM\0*"), 0 },
};

const char *ds_magic_name(ds_str head)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (head.n >= known[i].at &&
			ds_str_starts((ds_str){ head.at + known[i].at, head.n - known[i].at },
				known[i].magic))
			return known[i].name;
	return NULL;
}
