/*
 * article.c - the main text of a page, without navigation, footers, banners and lists of links
 *
 * One pass cuts the page into blocks of text and notes what is known of each: words, how many of them
 * are links, whether it ends sentences, what kind of element it is in. Elements that say by themselves
 * that they hold no article (nav, footer, a class such as "cookie-banner") are left out with all that is
 * in them. Of what is left the run of blocks with the largest sum of scores is the article (Pasternack
 * and Roth, "Extracting article text from the web with maximum subsequence segmentation", WWW 2009);
 * inside the run blocks that are mostly links go. Where so little remains that the classes seem to have
 * lied, it is done again without them.
 */
#include "text/html/html_impl.h"

#include <strings.h>

typedef struct {
	size_t start, end;                 /* of the text written */
	unsigned words, link_words, stops; /* stops: ends of sentences, commas */
	bool head, running, good;          /* good: inside <article> or <main> */
	int score;
} block;

typedef struct {
	ds_html_writer w;
	block *at;
	size_t n, cap;
	block now;
	bool trusting; /* classes count */
	unsigned skip_tag,
		skip_depth; /* an element that is left out, and how many of its name are open */
	bool in_link;
	unsigned n_good, n_running; /* open elements */
	bool head;
} reader;

/* Beginnings of words in class and id that tell of no article, and of one. A '.' ends the word there. */
static const char *const poor_words[] = { "ad.", "ads.", "advert", "banner", "breadcrumb", "byline",
	"combx", "comment", "community", "consent", "cookie", "disqus", "extra.", "foot", "gdpr",
	"hidden.", "legends", "login", "masthead", "menu", "meta.", "modal", "nav", "newsletter",
	"outbrain", "overlay", "pager", "pagination", "popup", "promo", "recommend", "related",
	"remark", "replies", "rss.", "share", "sharing", "shoutbox", "sidebar", "signup", "skip.",
	"skyscraper", "social", "sponsor", "subscri", "supplemental", "taboola", "tags.", "teaser",
	"toolbar", "widget", NULL };
static const char *const good_words[] = { "article", "body", "content", "column", "entry", "main",
	"page.", "post.", "story", "text.", NULL };

static bool letter(char c)
{
	return (uint8_t)((c | 32) - 'a') < 26;
}

static bool begins_with(const char *p, const char *end, const char *word)
{
	for (; *word && *word != '.'; word++, p++)
		if (p == end || (*p | 32) != *word)
			return false;
	return !*word || p == end || !letter(*p) || (p[0] >= 'A' && p[0] <= 'Z');
}

/* Any word of the value begins so. Words begin after what is no letter and at a capital after a small one. */
static bool has_word(ds_str value, const char *const *words)
{
	const char *end = value.at + value.n;
	for (const char *p = value.at; p < end; p++) {
		bool start = letter(*p) &&
			     (p == value.at || !letter(p[-1]) || (p[-1] >= 'a' && *p <= 'Z'));
		if (!start)
			continue;
		for (const char *const *w = words; *w; w++)
			if (**w == (*p | 32) && begins_with(p, end, *w))
				return true;
	}
	return false;
}

static bool is_named(ds_str name, const char *word)
{
	return name.n == strlen(word) && strncasecmp(name.at, word, name.n) == 0;
}

/* What the attributes say: the element is not shown, or by its class is no part of an article. */
static bool attrs_poor(ds_str attrs, bool trusting)
{
	ds_str name, value;
	bool poor = false, good = false;
	while (ds_html_attr(&attrs, &name, &value)) {
		if (is_named(name, "hidden") ||
			(is_named(name, "aria-hidden") && ds_str_is(value, "true")))
			return true;
		if (is_named(name, "style") &&
			(memmem(value.at, value.n, "display:none", 12) ||
				memmem(value.at, value.n, "display: none", 13)))
			return true;
		if (!trusting)
			continue;
		if (is_named(name, "role"))
			poor |= has_word(value,
				(const char *const[]){ "navigation", "complementary", "contentinfo",
					"banner", "dialog", "menu", "search", NULL });
		if (is_named(name, "class") || is_named(name, "id")) {
			poor |= has_word(value, poor_words);
			good |= has_word(value, good_words);
		}
	}
	return poor && !good;
}

static bool is_poor(const reader *r, const ds_html_token *t)
{
	if (t->tag == DS_TAG_body || t->tag == DS_TAG_html || t->tag == DS_TAG_article ||
		t->tag == DS_TAG_main)
		return false;
	if (ds_html_tags[t->tag].flags & DS_TAGF_POOR)
		return true;
	return t->attrs.n > 4 && attrs_poor(t->attrs, r->trusting);
}

/* --- blocks --- */

static bool is_stop(const char *p, const char *end)
{
	static const char *const wide[] = { "\xe3\x80\x82", "\xef\xbc\x8c", "\xef\xbc\x81",
		"\xef\xbc\x9f", "\xe3\x80\x81", "\xef\xbc\x9b" }; /* 。，！？、； */
	if (*p == '.' || *p == ',' || *p == '!' || *p == '?' || *p == ';')
		return p + 1 == end || p[1] == ' ' || p[1] == '\n' || p[1] == '"';
	for (unsigned i = 0; end - p >= 3 && i < 6; i++)
		if (memcmp(p, wide[i], 3) == 0)
			return true;
	return false;
}

/* Words; two Han, kana or Hangul characters count as one. */
static unsigned count_words(ds_str s, unsigned *stops)
{
	const char *end = s.at + s.n;
	unsigned words = 0, wide = 0;
	bool in_word = false;
	for (const char *p = s.at; p < end; p++) {
		uint8_t c = (uint8_t)*p;
		if (c >= 0xe3 && c <= 0xed && end - p >= 3) {
			*stops += c == 0xe3 && is_stop(p, end);
			wide++;
			in_word = false;
			p += 2;
			continue;
		}
		if (c < 0x80 || c == 0xef)
			*stops += is_stop(p, end);
		bool part = letter(*p) || (c >= '0' && c <= '9') ||
			    (c >= 0xc3 && c != 0xef && c != 0xe2) ||
			    (in_word && c >= 0x80 && c < 0xc0);
		words += part && !in_word;
		in_word = part;
	}
	return words + wide / 2;
}

static void end_block(reader *r)
{
	block *b = &r->now;
	b->end = r->w.out.n;
	if (b->end > b->start) {
		unsigned stops = 0;
		b->words =
			count_words((ds_str){ r->w.out.at + b->start, b->end - b->start }, &stops);
		b->stops = stops;
		if (r->n == r->cap) {
			size_t cap = r->cap * 2 + 64;
			block *at = ds_arena_get(r->w.out.mem, cap * sizeof(*at));
			if (r->n)
				memcpy(at, r->at, r->n * sizeof(*at));
			r->at = at;
			r->cap = cap;
		}
		r->at[r->n++] = *b;
	}
	*b = (block){ .start = r->w.out.n };
}

static void read_text(reader *r, const ds_html_token *t)
{
	size_t before = r->w.out.n;
	ds_html_write_text(&r->w, t);
	if (r->w.out.n == before)
		return;
	r->now.head |= r->head;
	r->now.running |= r->n_running > 0;
	r->now.good |= r->n_good > 0;
	if (r->in_link) {
		unsigned stops = 0;
		r->now.link_words +=
			count_words((ds_str){ r->w.out.at + before, r->w.out.n - before }, &stops);
	}
}

static void count(unsigned *open, const ds_html_token *t)
{
	if (t->kind == DS_HTML_OPEN)
		++*open;
	else if (*open)
		--*open;
}

static void read_tag(reader *r, const ds_html_token *t)
{
	unsigned flags = ds_html_tags[t->tag].flags;
	bool open = t->kind == DS_HTML_OPEN;
	if (r->skip_depth) {
		if (t->tag == r->skip_tag && !(flags & DS_TAGF_VOID))
			count(&r->skip_depth, t);
		if (!r->skip_depth)
			end_block(r);
		return;
	}
	uint8_t breaks = ds_html_tags[t->tag].breaks;
	if (breaks == DS_BREAK_LINE || breaks == DS_BREAK_PARA)
		if (t->tag != DS_TAG_br || r->w.breaks) /* one <br> does not end a paragraph */
			end_block(r);
	if (open && t->tag && !(flags & DS_TAGF_VOID) && !t->self_closing && is_poor(r, t)) {
		r->skip_tag = t->tag;
		r->skip_depth = 1;
		ds_html_write_tag(&r->w, t);
		return;
	}
	ds_html_write_tag(&r->w, t);
	if (flags & DS_TAGF_LINK)
		r->in_link = open;
	if (flags & DS_TAGF_HEAD)
		r->head = open;
	if (flags & DS_TAGF_GOOD)
		count(&r->n_good, t);
	if (t->tag == DS_TAG_p) /* its end is often left out */
		r->n_running = open;
	else if (flags & DS_TAGF_TEXT)
		count(&r->n_running, t);
}

static void read_page(reader *r, ds_str document)
{
	ds_html h;
	ds_html_where where = { 0 };
	ds_html_token t;
	ds_grow_reserve(&r->w.out, document.n / 8 + 64);
	ds_html_init(&h, document);
	while (ds_html_next(&h, &t) != DS_HTML_END) {
		if (t.kind == DS_HTML_OPEN || t.kind == DS_HTML_CLOSE) {
			if (ds_html_follow(&h, &where, &t))
				read_tag(r, &t);
		} else if (t.kind == DS_HTML_TEXT && !r->skip_depth &&
			   !ds_html_is_dropping(&h, &where)) {
			read_text(r, &t);
		}
	}
	end_block(r);
}

/* --- which blocks --- */

static int score_of(const block *b)
{
	int words = (int)b->words, links = (int)b->link_words, score;
	if (2 * links > words || words == 0)
		return -3 - links;
	if (b->head)
		return 1;
	if (b->running || b->stops > 1)
		score = words - 2 * links;
	else if (b->stops || words > 12)
		score = (words - 2 * links) / 2;
	else
		score = -3;
	return score > 200 ? 200 : score;
}

/* The run with the largest sum. */
static void best_run(const reader *r, size_t *from, size_t *to)
{
	int64_t sum = 0, best = 0;
	size_t start = 0;
	*from = *to = 0;
	for (size_t i = 0; i < r->n; i++) {
		if (sum <= 0) {
			sum = 0;
			start = i;
		}
		sum += r->at[i].score;
		if (sum > best) {
			best = sum;
			*from = start;
			*to = i + 1;
		}
	}
}

static unsigned choose(reader *r, bool *keep)
{
	size_t from, to, inside = 0, words = 0;
	for (size_t i = 0; i < r->n; i++) {
		r->at[i].score = score_of(&r->at[i]);
		if (r->at[i].score > 0) {
			words += r->at[i].words;
			inside += r->at[i].good ? r->at[i].words : 0;
		}
	}
	/* Where <article> or <main> holds most of the text, what is outside is none. */
	for (size_t i = 0; i < r->n && inside * 2 > words; i++)
		if (!r->at[i].good)
			r->at[i].score = -20;
	best_run(r, &from, &to);
	unsigned kept = 0;
	for (size_t i = 0; i < r->n; i++) {
		const block *b = &r->at[i];
		bool linky = 2 * b->link_words > b->words && !(b->running && b->stops);
		keep[i] = i >= from && i < to && !linky && b->score > -20;
		kept += keep[i] ? b->words : 0;
	}
	return kept;
}

/* What of a block lies in spans of the page's text, as spans of the article's, where it begins at `to`. */
static void move_spans(const reader *r, size_t *next, const block *b, size_t start, size_t to,
	ds_html_span *out, size_t *n)
{
	const ds_html_span *all = r->w.pre;
	while (*next < r->w.n_spans && all[*next].to <= start)
		++*next;
	for (size_t i = *next; i < r->w.n_spans && all[i].from < b->end; i++) {
		size_t from = all[i].from > start ? all[i].from : start;
		size_t end = all[i].to < b->end ? all[i].to : b->end;
		out[(*n)++] = (ds_html_span){ to + from - start, to + end - start };
	}
}

static ds_str gather(const reader *r, const bool *keep, ds_html_lines *pre, ds_arena *mem)
{
	ds_grow out = { .mem = mem };
	size_t next = 0, n = 0;
	ds_html_span *spans = ds_arena_get(mem, (r->w.n_spans + r->n + 1) * sizeof(*spans));
	for (size_t i = 0; i < r->n; i++) {
		const block *b = &r->at[i];
		size_t start = b->start;
		if (!keep[i])
			continue;
		while (start < b->end && !out.n && r->w.out.at[start] == '\n')
			start++;
		if (out.n && start < b->end && r->w.out.at[start] != '\n')
			ds_grow_byte(&out, '\n');
		if (r->w.n_spans)
			move_spans(r, &next, b, start, out.n, spans, &n);
		ds_grow_add(&out, r->w.out.at + start, b->end - start);
	}
	if (pre)
		ds_html_lines_of(pre, ds_grow_view(&out), spans, n, mem);
	return ds_grow_view(&out);
}

enum { FEW_WORDS = 60 };

ds_str ds_html_article(ds_str document, ds_html_lines *pre, ds_arena *mem)
{
	ds_str text = { "", 0 };
	unsigned best = 0;
	for (int trusting = 1; trusting >= 0; trusting--) {
		reader r = { .w = { .out = { .mem = mem } }, .trusting = trusting };
		read_page(&r, document);
		bool *keep = ds_arena_get(mem, r.n + 1);
		unsigned kept = choose(&r, keep);
		if (!text.n || kept > 3 * best) {
			text = gather(&r, keep, pre, mem);
			best = kept;
		}
		if (best >= FEW_WORDS)
			break;
	}
	return text;
}
