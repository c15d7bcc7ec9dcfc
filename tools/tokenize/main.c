/*
 * main.c - dstok: train tokenizers, encode, decode, pack
 */
#include "tokenize.h"

tokenize_options opt = { .vocab = 32768 };

#define TOKENIZER \
	DS_ARG_F('t', "tokenizer", &opt.tokenizer, "FILE|DIR", \
		"tokenizer.json or rank file; else $DS_TOKENIZER, else built in", DS_ARG_FILE), \
		DS_ARG(0, "pattern", &opt.pattern, "NAME|REGEX", \
			"how a rank file or vocab.txt cuts text: gpt2 cl100k o200k llama3 qwen2 " \
			"deepseek bert bert-cased"), \
		DS_ARG(0, "nfc", &opt.nfc, NULL, "normalize to NFC before anything else")

static const ds_arg encode_args[] = {
	TOKENIZER,
	DS_ARG(0, "seq", &opt.seq, "N", "pack into rows of N tokens"),
	DS_ARG(0, "pack", &opt.pack, "concat|bestfit|none", "how, with --seq: default concat"),
	DS_ARG(0, "pair", &opt.pair, "FIELD", "a second text, joined as the tokenizer does: types"),
	DS_ARG(0, "truncate", &opt.truncate, "longest|first|second",
		"with --seq: a row a record, which of two texts is cut"),
	DS_ARG(0, "bos", &opt.bos, NULL, "the bos token before each document"),
	DS_ARG(0, "eos", &opt.eos, NULL, "the eos token after each document; --seq does so anyway"),
	DS_ARG(0, "no-eos", &opt.no_eos, NULL, "no eos between packed documents"),
	DS_ARG(0, "add-special", &opt.add_special, NULL,
		"what the tokenizer's own post-processor adds"),
	DS_ARG(0, "specials", &opt.specials, NULL,
		"special tokens' names in the text are those tokens"),
	DS_ARG(0, "chat", &opt.chat, "LAYOUT",
		"conversations as chatml, llama3, …, auto (-t DIR's own) have them; answers are "
		"targets"),
	DS_ARG(0, "fim", &opt.fim, "RATE", "this share of texts as prefix, suffix, middle"),
	DS_ARG(0, "offsets", &opt.offsets, NULL,
		"where in the text each token begins and ends, in bytes"),
	DS_ARG(0, "keep-text", &opt.keep_text, NULL, "keep the text beside its tokens"),
	{ 0 },
};
static const ds_arg decode_args[] = {
	TOKENIZER,
	DS_ARG(0, "skip-special", &opt.skip_special, NULL, "leave special tokens out of the text"),
	{ 0 },
};
static const ds_arg train_args[] = {
	DS_ARG(0, "model", &opt.model, "bpe|wordpiece",
		"default bpe over bytes, wordpiece with a --pattern of bert's"),
	DS_ARG('V', "vocab", &opt.vocab, "N", "vocabulary size, default 32768"),
	DS_ARG(0, "min-frequency", &opt.min_frequency, "N", "merge no pair that occurs less often"),
	DS_ARG(0, "limit-alphabet", &opt.limit_alphabet, "N",
		"wordpiece: so many characters, the most frequent ones"),
	DS_ARG(0, "special", &opt.special, "NAME",
		"a special token, in the order of ids; else pad bos eos mask cls sep"),
	DS_ARG(0, "pattern", &opt.pattern, "NAME|REGEX",
		"how text is cut: default qwen2, bert for wordpiece"),
	DS_ARG_F(0, "memory", &opt.memory, "SIZE",
		"of counts, which go to $TMPDIR beyond it, and of merging; 1G for counts unless "
		"said",
		DS_ARG_UNRECORDED),
	{ 0 },
};
static const ds_arg count_args[] = {
	TOKENIZER,
	DS_ARG(0, "specials", &opt.specials, NULL,
		"special tokens' names in the text are those tokens"),
	DS_ARG(0, "languages", &opt.languages, NULL,
		"bytes a token by language: the field lang, else as detected"),
	{ 0 },
};
static const ds_arg info_args[] = {
	TOKENIZER,
	DS_ARG(0, "text", &opt.text, "FILE", "count --languages of it, too; several are one text"),
	DS_ARG(0, "write", &opt.write, "FILE", "write it as Hugging Face's tokenizer.json, too"),
	{ 0 },
};

enum {
	RECORDS = DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_JOBS,
	ENCODE = RECORDS | DS_TAKES_SEED,
};
static const ds_cmd cmds[] = {
	{ "encode", "[FILE...]", "text to tokens; the command when none is named", encode_args,
		ENCODE, encode_run },
	{ "decode", "[FILE...]", "tokens to text", decode_args, RECORDS, decode_run },
	{ "train", "-V N [FILE...] -o FILE", "learn a tokenizer from text", train_args,
		DS_TAKES_INPUT | DS_TAKES_JOBS | DS_TAKES_PATH, train_run },
	{ "count", "[FILE...]", "how many tokens the text has", count_args,
		DS_TAKES_INPUT | DS_TAKES_JOBS | DS_TAKES_REPORT, count_run },
	{ "info", "[TOKENIZER]", "what a tokenizer is", info_args,
		DS_TAKES_REPORT | DS_TAKES_JOBS | DS_TAKES_NO_STDIN, info_run },
	{ 0 },
};
static const ds_tool tool = {
	.name = "dstok",
	.usage = "[encode|decode|train|count|info] [options] [FILE...]",
	.what = "train tokenizers, encode, decode, pack",
	.args = encode_args,
	.takes = ENCODE,
	.run = encode_run,
	.cmds = cmds,
	.failed = ds_run_failed,
	.examples = {
		"dstok train -V 8000 corpus.txt -o t.json",
		"dsclean pages/*.html | dstok -t t.json --seq 1024 > shard.dsr",
		"dstok count --json corpus.txt",
	},
};

int main(int argc, char **argv)
{
	return ds_main(&tool, argc, argv);
}
