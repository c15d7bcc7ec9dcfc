#!/usr/bin/env bats
# dstrain: where its data comes from (files mixed by weight, a library of one's own), and Muon

load train

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	top=$BATS_TEST_DIRNAME/../..
	cd "$BATS_TEST_TMPDIR"
	for i in $(seq 60); do
		echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * 7 % 13)) more"
	done >text.txt
	seq 400 >numbers.txt
	tiny=(--model gpt2 --set "n_layer=2,n_embd=32,n_head=4,seq=32,batch_tokens=128,lr=1e-3,seed=3" -q)
}

@test "a mixture goes on and repeats from its config.ini, and threads change no bit" {
	dstrain "${tiny[@]}" --mix 0.7,0.3 --save-every 10 --max-steps 30 -j 1 --out whole text.txt numbers.txt
	dstrain "${tiny[@]}" --mix 0.7,0.3 --save-every 10 --max-steps 30 -j 3 --out cut text.txt numbers.txt
	rm -r cut/checkpoint-30
	dstrain --resume --out cut -q
	cmp whole/model.safetensors cut/model.safetensors
	cmp <(figures whole) <(figures cut)
	dstrain --model whole/config.ini --out again -q
	cmp whole/model.safetensors again/model.safetensors
	dstrain "${tiny[@]}" --mix 0.3,0.7 --max-steps 30 --out other text.txt numbers.txt
	run ! cmp -s whole/model.safetensors other/model.safetensors
}

@test "a mixture says what it mixes" {
	run --separate-stderr dstrain "${tiny[@]:0:4}" --mix 3,1 --max-steps 1 --out run text.txt numbers.txt
	[[ $stderr == *"mix: 75.00 % text.txt ("*" rows), 25.00 % numbers.txt ("*" rows)"* ]]
}

@test "--field names the text of a decoder, a classifier and a pair, and what lacks it names what there is" {
	for i in $(seq 40); do
		echo "{\"n\":$i,\"label\":\"$((i % 2))\",\"meta\":{\"body\":[\"row $i\",\"of it\"]}}"
	done >nested.jsonl
	for i in $(seq 40); do printf '{"label":"%s","text":"row %s\\nof it"}\n' $((i % 2)) "$i"; done >plain.jsonl
	dstrain "${tiny[@]}" --max-steps 3 --out plain plain.jsonl
	dstrain "${tiny[@]}" --max-steps 3 --out nested --field meta.body nested.jsonl
	cmp <(figures plain) <(figures nested)
	run -1 --separate-stderr dstrain "${tiny[@]}" --max-steps 3 --out none nested.jsonl
	[ "$stderr" = "dstrain: nested.jsonl:1: neither 'tokens' nor 'text'; there are: n, label, meta.body[] (--field names one)" ]
	bert=(--model bert --task cls --set "num_hidden_layers=1,hidden_size=32,num_attention_heads=2,seq=16,batch_tokens=128" -q)
	dstrain "${bert[@]}" --max-steps 3 --out classes plain.jsonl
	dstrain "${bert[@]}" --max-steps 3 --out nested-classes --field meta.body nested.jsonl
	cmp <(figures classes) <(figures nested-classes)
	dsgen -q -m classes --to jsonl plain.jsonl | sed 's/.*"pred"/"pred"/' >want
	dsgen -q -m classes --to jsonl --field meta.body nested.jsonl | sed 's/.*"pred"/"pred"/' >got
	cmp want got
	[ "$(dseval accuracy -q -m classes --json plain.jsonl)" = "$(dseval accuracy -q -m classes --json --field meta.body nested.jsonl)" ]
}

@test "weights that do not fit the files are exit 2 and named" {
	says 2 "mix: 1 weights for 2 files" dstrain "${tiny[@]}" --mix 1 --out o text.txt numbers.txt
	says 2 "mix: 'half' is no number" dstrain "${tiny[@]}" --mix 1,half --out o2 text.txt numbers.txt
	says 2 "mix: the weight of text.txt is not above 0" dstrain "${tiny[@]}" --mix 0,1 --out o3 text.txt numbers.txt
	says 2 "mix: the share of text.txt is below 1 in 10000" dstrain "${tiny[@]}" --mix 1e-6,1 --out o4 text.txt numbers.txt
	: >empty.txt
	says 1 "empty.txt: no rows to mix" dstrain "${tiny[@]}" --mix 1,1 --out o5 text.txt empty.txt
	dstok --seq 32 -q text.txt -o long.dsr
	dstok --seq 16 -q text.txt -o short.dsr
	says 1 "short.dsr: rows of 16 tokens, those before have 32" \
		dstrain "${tiny[@]}" --mix 1,1 --out o6 long.dsr short.dsr
	dstrain "${tiny[@]}" --mix 1,1 --max-steps 1 --out run text.txt numbers.txt
	says 2 "mix=1,2, but the run to resume has 1,1" \
		dstrain --mix 1,2 --max-steps 2 --resume --out run -q text.txt numbers.txt
}

@test "the example of a dataset in a library is built as it says, trains, and repeats" {
	command -v cc >/dev/null || skip "needs a C compiler"
	cc -shared -fPIC -I "$top/lib/model" -o sums.so "$top/docs/dataset_example.c"
	dstrain "${tiny[@]}" --plugin ./sums.so --plugin-options 500 --max-steps 12 --save-every 4 --out run
	grep -q '"program":"plugin".*xxh3-128:[0-9a-f]\{32\} 500","in":0,"out":500' run/checkpoint-12/state.json
	says 2 "run/config.ini: it would run './sums.so' (plugin); --allow-exec lets it" \
		dstrain --model run/config.ini --out again -q
	dstrain --model run/config.ini --allow-exec --out again -q
	cmp run/model.safetensors again/model.safetensors
	rm -r again/checkpoint-12
	says 2 "again/config.ini: it would run './sums.so' (plugin)" dstrain --resume --out again -q
	dstrain --resume --plugin ./sums.so --out again -q
	cmp run/model.safetensors again/model.safetensors
	# the same records as a file give the same rows
	for i in $(seq 0 499); do
		a=$((i * 7919 % 100)) b=$((i * 104729 % 100))
		echo "{\"text\":\"$a plus $b is $((a + b))\"}"
	done >sums.jsonl
	dstrain "${tiny[@]}" --max-steps 12 --out file sums.jsonl
	cmp run/model.safetensors file/model.safetensors
	says 2 "the data is not that of checkpoint-8" \
		bash -c "rm -r run/checkpoint-12; sed -i 's/^plugin_options = 500/plugin_options = 600/' run/config.ini; dstrain --resume --allow-exec --out run -q"
}

@test "a library that is none, or that fails, is named" {
	command -v cc >/dev/null || skip "needs a C compiler"
	says 4 "absent.so: No such file" dstrain "${tiny[@]}" --plugin absent.so --out o1
	says 4 "text.txt: cannot load: " dstrain "${tiny[@]}" --plugin text.txt --out o2
	echo 'int x;' | cc -shared -fPIC -xc -o none.so -
	says 2 "none.so: no function 'ds_dataset_open'" dstrain "${tiny[@]}" --plugin none.so --out o3
	cc -shared -fPIC -I "$top/lib/model" -o sums.so "$top/docs/dataset_example.c"
	says 1 "sums.so: ds_dataset_open: the options are a number" dstrain "${tiny[@]}" --plugin sums.so --out o4
	says 2 "--plugin and files exclude each other" dstrain "${tiny[@]}" --plugin sums.so --out o5 text.txt
	cat >bad.c <<-'C'
		#include "dataset.h"
		#include <string.h>
		static int n;
		void *ds_dataset_open(const char *options, const char **error) { return &n; }
		int ds_dataset_next(void *d, const char **json, size_t *len, const char **error)
		{
			*json = n < 2 ? "{\"text\":\"a\"}" : "{\"text\":";
			*len = strlen(*json);
			*error = "the well is dry";
			return ++n < 5 ? 1 : -1;
		}
		void ds_dataset_close(void *d) { }
	C
	cc -shared -fPIC -I "$top/lib/model" -o bad.so bad.c
	says 1 "bad.so: record 5: ds_dataset_next: the well is dry" dstrain "${tiny[@]}" --plugin bad.so --out o6
	sed -i 's/: -1/: 0/' bad.c
	cc -shared -fPIC -I "$top/lib/model" -o bad.so bad.c
	says 1 "bad.so:3: " dstrain "${tiny[@]}" --plugin bad.so --out o7
}

@test "Muon trains, resumes to the bit, and keeps one mean where AdamW keeps two" {
	dstrain "${tiny[@]}" --optimizer muon --save-every 10 --max-steps 30 -j 1 --out whole text.txt
	dstrain "${tiny[@]}" --optimizer muon --save-every 10 --max-steps 30 -j 3 --out cut text.txt
	rm -r cut/checkpoint-30
	dstrain --resume --out cut -q
	cmp whole/model.safetensors cut/model.safetensors
	cmp <(figures whole) <(figures cut)
	awk -F '"loss": ' '{ l[NR] = $2 + 0 } END { exit !(l[1] - l[30] > 0.5) }' whole/log.jsonl
	names=$(head -c 8000 whole/checkpoint-30/optimizer.safetensors | grep -ao '"[a-z0-9._]*\.[mv]"')
	grep -q '"transformer.h.0.mlp.c_fc.weight.m"' <<<"$names"
	run ! grep -q '"transformer.h.0.mlp.c_fc.weight.v"' <<<"$names"
	grep -q '"transformer.wte.weight.v"' <<<"$names"
	grep -q '"transformer.h.0.mlp.c_fc.bias.v"' <<<"$names"
	says 2 "muon_momentum=0.9, but the run to resume has 0.95" dstrain --muon-momentum 0.9 --resume --out whole -q
}
