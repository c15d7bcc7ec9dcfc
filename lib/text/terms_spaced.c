/*
 * terms_spaced.c - what is between white space, taken apart
 *
 * From both ends punctuation goes off, one mark at a time; what is left may be known (an abbreviation, a
 * contraction) or an address, and stays; else it is cut at its joints.
 */
#include "text/terms_impl.h"

#include "text/utf8.h"

enum { ADDRESS_MAX = 4096 };

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}
static bool lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}
static bool upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static bool in(const char *list, ds_str s) /* " word word " */
{
	const char *at = list;
	while (s.n && (at = memmem(at, strlen(at), s.at, s.n))) {
		if (at[-1] == ' ' && at[s.n] == ' ')
			return true;
		at++;
	}
	return false;
}

/* The same in lower case or with a capital. */
static bool in_any(const char *list, ds_str s)
{
	char small[16];
	if (s.n == 0 || s.n > sizeof(small))
		return false;
	memcpy(small, s.at, s.n);
	if (upper((uint8_t)small[0]))
		small[0] += 'a' - 'A';
	return in(list, (ds_str){ small, s.n });
}

static const char pronouns[] = " i you he she it we they who what when where why how there that "
			       "this these those ";
static const char verbs[] = " ai are ca can could did do does had has have is may might must need "
			    "ought sha should was were wo would dare ";
static const char not_short[] = " ill its hell shell shed were well whore ";
static const char abbreviations[] =
	" Adm. Ak. Ala. Apr. Ariz. Ark. Aug. Bros. Calif. Co. Colo. Conn. Corp. D.C. Dec. Del. Dr. "
	"E.G. E.g. Feb. Fla. Ga. Gen. Gov. I.E. I.e. Ia. Id. Ill. Inc. Ind. Jan. Jr. Jul. Jun. "
	"Kan. "
	"Kans. Ky. La. Ltd. Mar. Mass. Md. Messrs. Mich. Minn. Miss. Mo. Mont. Mr. Mrs. Ms. Mt. "
	"N.C. "
	"N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. Ph.D. Prof. Rep. Rev. "
	"S.C. Sen. Sep. Sept. St. Tenn. Va. Wash. Wis. a.m. co. e.g. i.e. p.m. v.s. vs. ";
static const char units[] = " km m dm cm mm ha nm yd in ft kg g mg t lb oz m/s km/h kmh mph hPa Pa "
			    "mbar mb MB kb KB gb GB tb TB T G M K % km\xc2\xb2 m\xc2\xb2 m\xc2\xb3 "
			    "cm\xc2\xb2 cm\xc2\xb3 mm\xc2\xb2 \xc2\xb5m \xc2\xb5g ";

/* Where a contraction is cut; 0: it is none. */
static size_t contraction(ds_str s)
{
	static const char *const tails[] = { "ll", "ve", "re", "d", "m", "s" };
	if (s.n < 2 || s.n > 16 || !strchr("tsdlem", s.at[s.n - 1]))
		return in_any(" gonna gotta ", s) ? 3 : 0;
	if (in_any(" cannot ", s))
		return 3;
	if (ds_str_ends(s, DS_S("n't")) && in_any(verbs, (ds_str){ s.at, s.n - 3 }))
		return s.n - 3;
	if (ds_str_ends(s, DS_S("n\xe2\x80\x99t")) && in_any(verbs, (ds_str){ s.at, s.n - 5 }))
		return s.n - 5;
	if (ds_str_ends(s, DS_S("nt")) && in_any(verbs, (ds_str){ s.at, s.n - 2 }))
		return s.n - 2;
	for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		ds_str tail = ds_str_of(tails[i]), head = { s.at, s.n - tail.n };
		if (s.n <= tail.n || !ds_str_ends(s, tail))
			continue;
		if (head.at[head.n - 1] == '\'')
			head.n--;
		else if (ds_str_ends(head, DS_S("\xe2\x80\x99")))
			head.n -= 3;
		else if (in_any(not_short, s))
			return 0;
		return in_any(pronouns, head) ? head.n : 0;
	}
	return 0;
}

static bool known(ds_str s)
{
	if (s.n == 2 && s.at[1] == '.' && lower((uint8_t)s.at[0]))
		return true;
	return (s.at[s.n - 1] == '.' && s.n <= 7 && in(abbreviations, s)) ||
	       in(" and/or w/o C++ ", s);
}

/* scheme://host.., www., host.tld/path: letters in lower case, at least two in the last part. */
static bool is_address(ds_str s)
{
	if (s.n > ADDRESS_MAX)
		return false;
	const char *end = s.at + s.n, *p = memmem(s.at, s.n, "://", 3);
	p = p ? p + 3 : s.at;
	const char *dot = NULL, *at = p;
	while (p < end && (lower((uint8_t)*p) || digit((uint8_t)*p) || upper((uint8_t)*p) ||
				  *p == '-' || *p == '.' || *p == '@' || (uint8_t)*p >= 0xc3)) {
		dot = *p == '.' ? p : dot;
		p++;
	}
	if (!dot || dot == at || p - dot < 3)
		return false;
	for (const char *q = dot + 1; q < p; q++)
		if (!lower((uint8_t)*q) && (uint8_t)*q < 0x80)
			return false;
	if (p < end && *p == ':')
		for (p++; p < end && digit((uint8_t)*p);)
			p++;
	return p == end || *p == '/' || *p == '?' || *p == '#';
}

static bool is_mark(uint32_t c) /* punctuation and quotes that go off at either end */
{
	if (c < 0x80)
		return c && strchr(",:;!?()[]{}<>_#*&'\"`", (int)c);
	switch (c) {
	case 0xa1:
	case 0xab:
	case 0xb4:
	case 0xb7:
	case 0xbb:
	case 0xbf:
	case 0x60c:
	case 0x61b:
	case 0x61f:
	case 0x66a:
	case 0x6d4:
	case 0x964:
	case 0x2013:
	case 0x2014:
	case 0x2018:
	case 0x2019:
	case 0x201a:
	case 0x201c:
	case 0x201d:
	case 0x201e:
	case 0x2026:
	case 0x27e6:
	case 0x27e7:
	case 0x3001:
	case 0x3002:
	case 0xff01:
	case 0xff08:
	case 0xff09:
	case 0xff0c:
	case 0xff1a:
	case 0xff1b:
	case 0xff1f:
	case 0xff5e:
		return true;
	default:
		return (c >= 0x3008 && c <= 0x3015 && c != 0x3012 && c != 0x3013) ||
		       (c > 0xa5 && ds_char_is_icon(c));
	}
}

static bool is_currency(uint32_t c)
{
	return c == '$' || c == 0xa3 || c == 0xa5 || c == 0xe3f || (c >= 0x20a0 && c <= 0x20bf);
}

static size_t dots(const uint8_t *p, const uint8_t *end) /* as many as there are, if at least two */
{
	size_t n = 0;
	while (p + n < end && p[n] == '.')
		n++;
	return n > 1 ? n : 0;
}

static size_t prefix(const uint8_t *p, const uint8_t *end)
{
	uint32_t c;
	if (*p == '.')
		return dots(p, end);
	if (*p == '+')
		return p + 1 == end || !digit(p[1]);
	unsigned n = ds_utf8_get(p, end, &c);
	return n && (is_mark(c) || is_currency(c) || c == '%' || c == '=' || c == 0xa7) ? n : 0;
}

/* The character before p, 0: none, or none that is one. */
static uint32_t before(const uint8_t *start, const uint8_t *p, unsigned *n)
{
	uint32_t c;
	for (*n = 1; *n <= 4 && p - start >= *n; ++*n)
		if (ds_utf8_get(p - *n, p, &c) == *n)
			return c;
	*n = 0;
	return 0;
}

static size_t last_dot(const uint8_t *p, const uint8_t *end)
{
	size_t n = 1;
	while (end - n > p && end[-(ptrdiff_t)n - 1] == '.')
		n++;
	if (n > 1)
		return n;
	unsigned width;
	uint32_t c = before(p, end - 1, &width);
	if (c < 0x80 && (digit((uint8_t)c) || lower((uint8_t)c)))
		return 1;
	if (c == '%' || c == '-' || c == '+' || c == 0xb2 || is_mark(c))
		return 1;
	return end - p > 2 && upper(end[-2]) && upper(end[-3]);
}

static size_t last_unit(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q = end;
	while (q > p && end - q < 6 && !digit(q[-1]))
		q--;
	ds_str unit = { (const char *)q, (size_t)(end - q) };
	return q > p && q < end && digit(q[-1]) && in(units, unit) ? unit.n : 0;
}

static size_t suffix(const uint8_t *p, const uint8_t *end)
{
	unsigned n;
	uint32_t c = before(p, end, &n);
	if (n == 0)
		return 0;
	if ((c == 's' || c == 'S') && end - p > 1) {
		if (end[-2] == '\'')
			return 2;
		if (end - p > 3 && memcmp(end - 4, "\xe2\x80\x99", 3) == 0)
			return 4;
	}
	if (c == '.')
		return last_dot(p, end);
	if (is_mark(c))
		return n;
	if ((c == '+' || is_currency(c)) && end - p > n && digit(end[-(ptrdiff_t)n - 1]))
		return n;
	bool may_be_unit = c == '%' || c == 0xb2 || c == 0xb3 ||
			   (c < 0x80 && (lower((uint8_t)c) || upper((uint8_t)c)));
	return may_be_unit ? last_unit(p, end) : 0;
}

static bool letter(uint32_t c)
{
	return c < 0x80 ? lower((uint8_t)c) || upper((uint8_t)c) : ds_char_is_letter(c);
}

/* How long the joint at p is, between what is before it and what is after; 0: none. */
static size_t joint(const uint8_t *start, const uint8_t *p, const uint8_t *end)
{
	unsigned n;
	uint32_t c = 0, next = 0;
	size_t wide = ds_utf8_get(p, end, &c);
	if (*p == '.' && dots(p, end))
		return dots(p, end);
	if (c == 0x2026 || (c > 0xa5 && ds_char_is_icon(c)))
		return wide;
	if (wide == 0 || !strchr("+-*^.,:<>=/~", c < 0x80 && c ? (int)c : ' '))
		if (c != 0x2013 && c != 0x2014)
			return 0;
	uint32_t was = before(start, p, &n);
	if (n == 0 || p + wide >= end)
		return 0;
	if (c < 0x80 && strchr("+-*^", (int)c) && digit((uint8_t)was) && was < 0x80 &&
		(digit(p[1]) || p[1] == '-'))
		return 1;
	if (c == '.')
		return was < 0x80 && lower((uint8_t)was) && upper(p[1]);
	if (c == '-')
		while (wide < 3 && p + wide + 1 < end && p[wide] == '-')
			wide++;
	(void)!ds_utf8_get(p + wide, end, &next);
	if (!letter(next))
		return 0;
	if (c == '+' || c == '*' || c == '^')
		return 0;
	bool after_digit = was < 0x80 && digit((uint8_t)was) && c < 0x80 && strchr(":<>=/", (int)c);
	return letter(was) || after_digit ? wide : 0;
}

static void cut_joints(ds_words *w, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *start = p;
	for (const uint8_t *q = p; q < end;) {
		bool plain = letter(*q) && *q < 0x80;
		size_t n = plain || digit(*q) ? 0 : joint(start, q, end);
		if (n && q > p) {
			ds_words_add(w, (const char *)p, (size_t)(q - p));
			ds_words_add(w, (const char *)q, n);
			p = q + n;
		}
		q += n ? n : 1;
	}
	ds_words_add(w, (const char *)p, (size_t)(end - p));
}

static void core(ds_words *w, ds_str s)
{
	size_t cut = s.n ? contraction(s) : 0;
	if (cut) {
		ds_words_add(w, s.at, cut);
		core(w, (ds_str){ s.at + cut, s.n - cut });
	} else if (s.n && (known(s) || is_address(s))) {
		ds_words_add(w, s.at, s.n);
	} else {
		cut_joints(w, (const uint8_t *)s.at, (const uint8_t *)s.at + s.n);
	}
}

static void turn_round(ds_word *at, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		ds_word keep = at[i];
		at[i] = at[n - 1 - i];
		at[n - 1 - i] = keep;
	}
}

void ds_words_piece(ds_words *w, const char *at, size_t n)
{
	const uint8_t *p = (const uint8_t *)at, *end = p + n;
	while (p < end) {
		ds_str s = { (const char *)p, (size_t)(end - p) };
		size_t first = prefix(p, end);
		if (!first || known(s) || contraction(s) || is_address(s))
			break;
		ds_words_add(w, s.at, first);
		p += first;
	}
	size_t from = w->words.n / sizeof(ds_word);
	while (end > p) {
		ds_str s = { (const char *)p, (size_t)(end - p) };
		size_t last = suffix(p, end);
		if (!last || known(s) || contraction(s) || is_address(s))
			break;
		end -= last;
		ds_words_add(w, (const char *)end, last);
	}
	size_t marks = w->words.n / sizeof(ds_word) - from;
	core(w, (ds_str){ (const char *)p, (size_t)(end - p) });
	if (marks) { /* they came first, and the last of them first */
		ds_word *all = (ds_word *)(void *)w->words.at + from;
		size_t n_all = w->words.n / sizeof(ds_word) - from;
		turn_round(all, n_all);
		turn_round(all, n_all - marks);
	}
}
