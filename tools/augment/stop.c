/*
 * stop.c - words that carry grammar, not meaning: they get no synonyms
 */
#include "augment.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"

struct stopwords {
	ds_map *words;
};

static const char builtin[] =
	"i me my myself we our ours ourselves you your yours yourself yourselves he him his "
	"himself "
	"she her hers herself it its itself they them their theirs themselves what which who whom "
	"whose this that these those am is are was were be been being have has had having do does "
	"did doing done a an the and but if or because as until while of at by for with about "
	"against between into through during before after above below to from up down in out on "
	"off "
	"over under again further then once here there when where why how all any both each few "
	"more most other some such no nor not only own same so than too very can cannot could will "
	"would shall should may might must ought need dare just now also ever never yet still "
	"although though unless since whether however thus hence else upon within without among "
	"toward towards onto per via versus let's it's that's there's here's what's who's he's "
	"she's i'm i've i'd i'll you're you've you'd you'll we're we've we'd we'll they're they've "
	"they'd they'll isn't aren't wasn't weren't haven't hasn't hadn't don't doesn't didn't "
	"can't couldn't won't wouldn't shan't shouldn't mustn't needn't ain't one every either "
	"neither another much many lot lots us get got s t mr mrs ms dr sir madam madame "
	"mademoiselle monsieur miss st "
	"despite like unlike except besides beyond along across behind beneath beside around near "
	"past "
	"till throughout amid amongst aboard even almost quite rather perhaps well less least "
	"enough "
	"several next last else instead away back apart aside ahead together indeed sometimes "
	"always "
	"often already yes oh ah o nothing something anything everything none someone somebody "
	"anyone "
	"anybody everyone everybody nobody nowhere somewhere anywhere everywhere whatever whoever "
	"whichever whenever wherever came come comes coming go goes going gone went "
	"zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
	"sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
	"hundred hundreds thousand thousands million millions billion dozen first second third "
	"fourth "
	"fifth sixth seventh eighth ninth tenth half twice "
	"的 了 是 在 我 你 您 他 她 它 我们 你们 他们 她们 它们 自己 这 那 这个 那个 这些 那些 "
	"这里 那里 这样 "
	"那样 和 与 及 或 或者 并 并且 而 而且 但 但是 可是 不过 然而 因为 所以 因此 如果 虽然 "
	"尽管 不 没 没有 "
	"很 太 也 都 就 才 又 再 还 还是 只 只是 已 已经 曾 正 正在 将 会 能 可以 要 有 把 被 给 "
	"让 使 对 对于 "
	"关于 从 向 往 到 由 为 为了 以 以及 于 之 其 其中 个 些 着 过 地 得 吗 呢 吧 啊 呀 嘛 哦 "
	"什么 怎么 为什么 "
	"谁 哪 哪里 哪个 多少 几 一 一个 一些 一样 上 下 里 中 来 去 说 等 等等 比 跟 同 更 最 每 "
	"每个 各 各个 某 "
	"该 此 本 啦 哈 嗯";

static void add(stopwords *s, ds_str list, char between)
{
	while (list.at) {
		ds_str word = ds_str_trim(ds_str_cut(list, between, &list));
		if (word.n)
			*ds_map_put(s->words, word, NULL) = 1;
	}
}

ds_rc stopwords_open(stopwords **out, const char *path, ds_err *e)
{
	DS_AUTO(stopwords) s = DS_NEW(stopwords, 1);
	s->words = ds_map_new(512);
	if (!path) {
		add(s, ds_str_of(builtin), ' ');
	} else if (strcmp(path, "none") != 0) {
		ds_buf bytes = { 0 };
		ds_rc rc = ds_file_read(path, 64 << 20, &bytes, e);
		if (rc == DS_OK)
			add(s, ds_buf_view(&bytes), '\n');
		ds_buf_free(&bytes);
		DS_TRY(rc);
	}
	*out = s;
	s = NULL;
	return DS_OK;
}

void stopwords_free(stopwords *s)
{
	if (!s)
		return;
	ds_map_free(s->words);
	ds_mem_free(s);
}

bool stopwords_have(const stopwords *s, ds_str word)
{
	return ds_map_find(s->words, word) != NULL;
}
