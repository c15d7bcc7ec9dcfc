# threads.bats - what is counted, summed or chosen over blocks is the same for any -j, however small they are
load common
setup() {
	common_setup
	export DS_BLOCK=700
	numbered 400 >in.jsonl
	numbered 90 >>in.jsonl # twice, for what looks for duplicates
	printf '{"text":"good"}\n{bad\n' >bad.jsonl
	awk 'BEGIN { for (i = 0; i < 900; i++)
		printf "{\"pred\":\"a b c %d\",\"ref\":%s,\"label\":\"%d\",\"extra\":%s}\n", i % 7,
			i % 2 ? "\"a b c d\"" : "\"a \\u0062 c\"", i % 5, i % 3 ? i : "\"x\"" }' >pairs.jsonl
}

# alike OUTPUT... -- COMMAND: the same stdout, and the same OUTPUT files, for -j 1, 2 and 8
alike() {
	local j f outputs=()
	while [ "$1" != -- ]; do outputs+=("$1"); shift; done
	shift
	for j in 1 2 8; do
		"$@" -j $j >out.$j 2>err || { cat err; return 1; }
		for f in "${outputs[@]}"; do cat "$f" >>out.$j; rm -r "$f"; done
		[ -s out.$j ]
		cmp out.1 out.$j || { echo "-j $j: $*"; return 1; }
	done
}

@test "dsrec" {
	alike -- dsrec cat -q in.jsonl
}

@test "dsclean" {
	alike rej t.tsv -- dsclean -q --default --labels sentiment --label-table t.tsv --min-chars 30 \
		--rejected rej in.jsonl
	alike -- dsclean -q --default --tag --quality gopher in.jsonl --to jsonl
	alike bad -- dsclean -q --from jsonl --on-error reject=bad in.jsonl bad.jsonl pairs.jsonl --to jsonl
}

@test "dsdedup" {
	alike c.tsv -- dsdedup -q --clusters c.tsv in.jsonl --to jsonl
	alike -- dsdedup -q --method exact,simhash --mark in.jsonl --to jsonl
	alike -- dsdedup -q --keep longest in.jsonl --to jsonl
	alike index -- dsdedup -q --index index in.jsonl --to jsonl
	staged() {
		rm -rf s
		dsdedup sign -q "$@" in.jsonl -o s && dsdedup band -q "$@" s && dsdedup cluster -q "$@" s &&
			dsdedup filter -q "$@" s in.jsonl --to jsonl
	}
	alike -- staged
}

@test "dstok" {
	alike -- dstok train -q -V 400 in.jsonl
	alike -- dstok train -q -V 400 --model wordpiece in.jsonl
	alike -- dstok count -q --languages --json in.jsonl
	alike -- dstok count -q --json --on-error skip in.jsonl pairs.jsonl
	alike -- dstok -q in.jsonl
	for pack in concat bestfit none; do alike -- dstok -q --seq 64 --pack $pack in.jsonl; done
	dstok -q in.jsonl -o in.dsr
	alike -- dstok decode -q --to jsonl in.dsr
	alike bad -- dstok count -q --on-error reject=bad in.jsonl bad.jsonl
}

@test "a stream that carries its tokenizer is encoded with that one" {
	dstok train -q -V 400 in.jsonl -o own.json
	dstok -q -t own.json --keep-text in.jsonl -o own.dsr
	alike -- dstok -q own.dsr --to jsonl
	dstok -q -t own.json in.jsonl --to jsonl -o want
	dsrec cat own.dsr --to jsonl -q | sed 's/.*"tokens"/"tokens"/' >had
	dstok -q own.dsr --to jsonl -j 8 | sed 's/.*"tokens"/"tokens"/' | cmp - had
	# One with patterns, so that what a worker holds refers to it.
	printf '%s' '{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"Whitespace"},' \
		'"post_processor":null,"decoder":null,"model":{"type":"WordLevel",' \
		'"vocab":{"[UNK]":0,"record":1,"of":2},"unk_token":"[UNK]"}}' >words.json
	dstok -q -t words.json --keep-text in.jsonl -o words.dsr
	alike -- dstok -q words.dsr --to jsonl
	[ "$(dstok -q words.dsr --to jsonl -j 8 | grep -c '"tokens":\[1,0,2,')" -eq 490 ]
}

@test "dseval" {
	dstok train -q -V 400 in.jsonl -o own.json
	dstok -q -t own.json in.jsonl -o own.dsr
	for m in accuracy bleu bleu:char "accuracy bleu"; do
		alike -- dseval $m --json -q pairs.jsonl
	done
	alike -- dseval unigram --fit own.dsr --json -q own.dsr
	# Records of JSON text and of ids that are widened make work for every thread.
	DS_BLOCK=1000000 alike -- dseval unigram --fit own.dsr --json -q own.dsr own.dsr own.dsr
	DS_BLOCK=1000000 alike -- dseval bleu accuracy --json -q pairs.jsonl pairs.jsonl pairs.jsonl
}

@test "dsaug" {
	alike -- dsaug -q --swap 0.2 --delete 0.1 -n 2 --keep-original in.jsonl --to jsonl
	alike -- dsaug -q --swap 0.2 --label-balance=300 in.jsonl --to jsonl
}
