#!/usr/bin/env bats
# dseval: scores that equal the reference implementation's digits, and what it says of bad input

bats_require_minimum_version 1.5.0

load numbers

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
}

score() { sed 's/.*"name":"'"$1"'","score":\([^,]*\),.*/\1/'; }

three() {
	cat <<'END'
{"pred":"The dog bit the man.","ref":["The dog bit the man.","The dog had bit the man."]}
{"pred":"It wasn't surprising.","ref":["It was not unexpected.","No one was surprised."]}
{"pred":"The man had just bitten him.","ref":["The man bit him first.","The man had bitten the dog."]}
END
}

near() { within 1e-9 "$1" "$2"; }

@test "bleu with two references equals sacreBLEU's digits" {
	near "$(three | dseval bleu --json -q | score bleu)" 48.530827009929865
}

@test "bleu:none and bleu:char equal sacreBLEU's digits" {
	three | dseval bleu:none bleu:char --json -q >out
	near "$(score bleu:char <out)" 72.61064153440596
	[[ $(score bleu:none <out) == 49.1919566* ]]
}

@test "bleu:zh splits what sacreBLEU splits" {
	echo '{"pred":"我爱北京天安门。今天天气好","ref":"我爱北京的天安门。今天天气很好"}' |
		dseval bleu:zh -q >out
	grep -q '66.58' out
	grep -q '100.0/83.3/72.7/60.0 (BP = 0.857 .* hyp_len = 13 ref_len = 15)' out
}

@test "the report does not depend on -j" {
	for i in $(seq 700); do three; done >many.jsonl
	[ "$(dseval bleu -j1 --json -q many.jsonl)" = "$(dseval bleu -j3 --json -q many.jsonl)" ]
}

@test "accuracy compares numbers by value" {
	printf '{"pred":1,"label":1.0}\n{"pred":"a","label":"b"}\n' | dseval accuracy --to tsv -q >out
	grep -q '^accuracy	0.5	' out
}

@test "a record without ref is an error that names it" {
	run --separate-stderr dseval bleu -q <<<'{"pred":"a"}'
	[ "$status" -eq 1 ]
	[[ $stderr == "dseval: no record has the field 'ref'; there is pred" ]]
	run --separate-stderr dseval bleu -q <<<$'{"pred":"a","ref":"a"}\n{"pred":"a"}'
	[ "$status" -eq 1 ]
	[[ $stderr == "dseval: "*"record 1 has no field 'ref'" ]]
}

@test "an unknown metric is a usage error that lists those there are" {
	run --separate-stderr dseval bluh -q <<<'{}'
	[ "$status" -eq 2 ]
	[[ $stderr == *"'bluh' is no metric"*bleu* ]]
}

@test "unigram is add-one over the fitted tokens" {
	echo '{"tokens":[0,0,1]}' >fit.jsonl
	# targets 0 and 1 of the row: p = 3/5 and 2/5
	near "$(echo '{"tokens":[1,0,1]}' | dseval unigram --fit fit.jsonl --json -q | score unigram)" \
		2.041241452319315
}
