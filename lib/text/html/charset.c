/*
 * charset.c - which charset a page is in
 *
 * Names of charsets are those of the Encoding standard; what browsers read as another one (ISO-8859-1
 * as windows-1252, GB2312 as GB18030) is read so here.
 */
#include "text/html/charset_impl.h"
#include "text/html/html_impl.h"

#include <strings.h>

#include "text/unicode.h"

/* Labels with a blank around each, and ICU's name. */
static const struct {
	const char *labels, *name;
} charsets[] = {
	{ " utf-8 utf8 unicode-1-1-utf-8 x-unicode20utf8 utf-16 utf-16le utf-16be unicode ",
		"UTF-8" },
	{ " gb2312 gbk gb18030 x-gbk gb_2312-80 gb_2312 chinese csgb2312 cp936 ", "gb18030" },
	{ " big5 big5-hkscs x-x-big5 cn-big5 csbig5 ", "Big5-HKSCS" },
	{ " shift_jis shift-jis sjis x-sjis ms_kanji windows-31j ms932 cp932 ", "windows-31j" },
	{ " euc-jp x-euc-jp cseucpkdfmtjapanese ", "EUC-JP" },
	{ " iso-2022-jp csiso2022jp ", "ISO-2022-JP" },
	{ " euc-kr ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 korean windows-949 cp949 "
	  "iso-2022-kr ",
		"windows-949" },
	{ " iso-8859-1 iso8859-1 iso88591 latin1 l1 ascii us-ascii windows-1252 cp1252 x-cp1252 "
	  "ansi_x3.4-1968 ",
		"windows-1252" },
	{ " iso-8859-2 iso8859-2 latin2 l2 ", "ISO-8859-2" },
	{ " iso-8859-3 iso8859-3 latin3 ", "ISO-8859-3" },
	{ " iso-8859-4 iso8859-4 latin4 ", "ISO-8859-4" },
	{ " iso-8859-5 iso8859-5 cyrillic ", "ISO-8859-5" },
	{ " iso-8859-6 iso8859-6 arabic ", "ISO-8859-6" },
	{ " iso-8859-7 iso8859-7 greek ", "ISO-8859-7" },
	{ " iso-8859-8 iso-8859-8-i iso8859-8 hebrew logical visual ", "ISO-8859-8" },
	{ " iso-8859-9 iso8859-9 latin5 windows-1254 cp1254 x-cp1254 ", "windows-1254" },
	{ " iso-8859-10 latin6 ", "iso-8859_10-1998" },
	{ " iso-8859-13 ", "ISO-8859-13" },
	{ " iso-8859-14 ", "iso-8859_14-1998" },
	{ " iso-8859-15 latin9 l9 ", "ISO-8859-15" },
	{ " iso-8859-11 tis-620 windows-874 dos-874 ", "windows-874" },
	{ " koi8-r koi koi8 ", "KOI8-R" },
	{ " koi8-u koi8-ru ", "KOI8-U" },
	{ " macintosh mac x-mac-roman ", "macintosh" },
	{ " x-mac-cyrillic x-mac-ukrainian ", "x-mac-cyrillic" },
	{ " ibm866 cp866 866 ", "IBM866" },
	{ " windows-1250 cp1250 x-cp1250 ", "windows-1250" },
	{ " windows-1251 cp1251 x-cp1251 ", "windows-1251" },
	{ " windows-1253 cp1253 x-cp1253 ", "windows-1253" },
	{ " windows-1255 cp1255 x-cp1255 ", "windows-1255" },
	{ " windows-1256 cp1256 x-cp1256 ", "windows-1256" },
	{ " windows-1257 cp1257 x-cp1257 ", "windows-1257" },
	{ " windows-1258 cp1258 x-cp1258 ", "windows-1258" },
};

/* NULL: no such charset. */
const char *ds_charset_named(ds_str label)
{
	char word[40];
	label = ds_str_trim(label);
	if (label.n == 0 || label.n > sizeof(word) - 3)
		return NULL;
	size_t n = 0;
	word[n++] = ' ';
	for (size_t i = 0; i < label.n; i++)
		word[n++] = (char)(label.at[i] >= 'A' && label.at[i] <= 'Z' ? label.at[i] + 32
									    : label.at[i]);
	word[n++] = ' ';
	word[n] = '\0';
	for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++)
		if (strstr(charsets[i].labels, word))
			return charsets[i].name;
	return NULL;
}

/* What follows "charset=" (or "encoding=") in a value. */
static const char *from_content(ds_str content, const char *key)
{
	size_t n = strlen(key);
	for (size_t i = 0; i + n < content.n; i++) {
		if (strncasecmp(content.at + i, key, n) != 0)
			continue;
		size_t from = i + n;
		while (from < content.n &&
			(ds_html_blank(content.at[from]) || content.at[from] == '='))
			from++;
		char quote = from < content.n ? content.at[from] : '\0';
		bool quoted = quote == '"' || quote == '\'';
		size_t to = from += quoted;
		while (to < content.n &&
			(quoted ? content.at[to] != quote
				: !ds_html_blank(content.at[to]) && content.at[to] != ';'))
			to++;
		return ds_charset_named((ds_str){ content.at + from, to - from });
	}
	return NULL;
}

static const char *from_meta(ds_str attrs)
{
	ds_str name, value, content = { "", 0 };
	while (ds_html_attr(&attrs, &name, &value)) {
		if (name.n == 7 && strncasecmp(name.at, "charset", 7) == 0)
			return ds_charset_named(value);
		if (name.n == 7 && strncasecmp(name.at, "content", 7) == 0)
			content = value;
	}
	return from_content(content, "charset");
}

enum { META_BYTES = 16 << 10 }; /* the standard looks at 1,024; pages with more in front are many */

static const char *declared(ds_str bytes)
{
	ds_html h;
	ds_html_token t;
	const char *found = NULL;
	ds_html_init(&h, (ds_str){ bytes.at, bytes.n < META_BYTES ? bytes.n : META_BYTES });
	while (!found && ds_html_next(&h, &t) != DS_HTML_END) {
		if (t.kind == DS_HTML_COMMENT && ds_str_starts(t.span, DS_S("?xml")))
			found = from_content(t.span, "encoding");
		if (t.kind != DS_HTML_OPEN)
			continue;
		if (t.tag == DS_TAG_body)
			break;
		if (t.tag == DS_TAG_meta)
			found = from_meta(t.attrs);
		ds_html_enter(&h, &t);
	}
	return found;
}

/* ASCII in 16 bits without a mark: nearly every other byte is zero. */
static const char *wide(ds_str bytes)
{
	size_t n = bytes.n < 1024 ? bytes.n & ~(size_t)1 : 1024, even = 0, odd = 0;
	for (size_t i = 0; i < n; i += 2) {
		even += bytes.at[i] == '\0';
		odd += bytes.at[i + 1] == '\0';
	}
	if (odd * 5 > n && even * 20 < n)
		return "UTF-16LE";
	return even * 5 > n && odd * 20 < n ? "UTF-16BE" : NULL;
}

/*
 * Nearly all of it is UTF-8: as many of its characters of several bytes are whole as are broken, or more. One that
 * the end cuts is neither. Text in another charset has by chance at most one for every four that are not (Shift_JIS).
 */
static bool is_nearly_utf8(ds_str bytes)
{
	size_t whole, broken;
	ds_utf8_census(bytes, &whole, &broken);
	return whole && whole >= broken;
}

/* Enough bytes that continue a character: nothing but UTF-8 is valid with so many. */
static bool is_surely_utf8(ds_str bytes)
{
	size_t n = 0;
	for (size_t i = ds_utf8_ascii(bytes); i < bytes.n && n < 4; i++)
		n += ((uint8_t)bytes.at[i] & 0xc0) == 0x80;
	return n >= 4;
}

const char *ds_html_charset(ds_str bytes, ds_str http, size_t *skip)
{
	*skip = 3;
	if (ds_str_starts(bytes, DS_S("\xef\xbb\xbf")))
		return "UTF-8";
	*skip = 2;
	if (ds_str_starts(bytes, DS_S("\xff\xfe")))
		return "UTF-16LE";
	if (ds_str_starts(bytes, DS_S("\xfe\xff")))
		return "UTF-16BE";
	*skip = 0;
	const char *name = wide(bytes);
	if (name)
		return name;
	bool valid = ds_utf8_valid(bytes) == bytes.n;
	/* Many a page was saved in UTF-8 and still says what its server sent. */
	if (valid && is_surely_utf8(bytes))
		return "UTF-8";
	name = ds_charset_named(http);
	name = name ? name : declared(bytes);
	if (name)
		return name;
	if (valid && memmem(bytes.at, bytes.n, "\x1b$B", 3))
		return "ISO-2022-JP";
	return valid || is_nearly_utf8(bytes) ? "UTF-8" : ds_charset_best(bytes);
}
