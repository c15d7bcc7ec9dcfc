#!/usr/bin/env bats
# dstrain: bad input ends with the promised code and one line that names what is wrong

load common

setup() {
	common_setup
	for i in $(seq 100); do
		echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * 7 % 13)) more"
	done >text.txt
	sizes=seq=32,batch_tokens=128
	tiny=(--model gpt2 --set "n_layer=2,n_embd=32,n_head=4,$sizes,lr=1e-3,seed=3" -q)
}

base() { # a model directory to damage
	dstrain "${tiny[@]}" --max-steps 1 --out base text.txt
	rm -r base/checkpoint-1 base/tb base/log.jsonl base/config.ini
}

# bad CODE WORDS FILE...: training the directory bad/ made of FILE... ends like that and writes no model
bad() {
	local code=$1 words=$2
	fails "$code" "$words" dstrain --model bad --set $sizes --max-steps 1 --out out -q text.txt
	[[ $stderr == "dstrain: "* ]]
	[ ! -e out/model.safetensors ] && [ -z "$output" ]
	rm -rf out
}

# Changes the header of a safetensors file: edit FILE FROM TO (of one length)
edit() {
	[ "${#2}" -eq "${#3}" ]
	perl -0777 -pi -e "s/\Q$2\E/$3/" "$1"
}

@test "a model's config that cannot be is named with its file" {
	base
	mkdir bad && cp base/model.safetensors bad
	bad 4 "bad/config.json: No such file"
	echo '{"model_type": "t5x"}' >bad/config.json
	bad 2 "bad/config.json: model_type 't5x' is not known; there are: bert clip"
	echo '{"n_layer": 2}' >bad/config.json
	bad 2 "bad/config.json: no model_type"
	echo '{"model_type": "gpt2", "n_layer": 2' >bad/config.json
	bad 2 "bad/config.json: offset"
	echo '{"model_type": "gpt2", "n_layer": "two"}' >bad/config.json
	bad 2 "bad/config.json: num_hidden_layers='two': wanted a whole number"
	echo '{"model_type": "gpt2", "n_layer": 1000000000000}' >bad/config.json
	bad 2 "num_hidden_layers=1000000000000: the most is"
	echo '{"model_type": "gpt2", "vocab_size": 100}' >bad/config.json
	bad 2 "bos_token_id=50256 is not below vocab_size=100"
	printf '{"model_type": "gpt2", "x\377": 1}' >bad/config.json
	bad 2 "bad/config.json: not UTF-8 at byte 25"
}

@test "weights that do not fit are named, with both shapes" {
	base
	cp -r base bad
	rm bad/model.safetensors
	bad 4 "bad/model.safetensors: No such file"
	echo '{"weight_map": {"transformer.wte.weight": "part-1.safetensors"}}' >bad/model.safetensors.index.json
	bad 4 "bad/part-1.safetensors: No such file"
	echo '{"weight_map": {"transformer.wte.weight": "../base/model.safetensors"}}' >bad/model.safetensors.index.json
	bad 1 "'transformer.wte.weight' is not in a file beside it"
	rm bad/model.safetensors.index.json
	cp base/model.safetensors bad
	edit bad/model.safetensors transformer.h.1.ln_2.bias transformer.h.1.ln_9.bias
	bad 1 "no tensor 'transformer.h.1.ln_2.bias'"
	cp base/model.safetensors bad
	sed -i 's/"n_embd": 32/"n_embd": 48/' bad/config.json
	bad 1 "tensor 'transformer.wte.weight' is [32768, 32], the config makes it [32768, 48]"
}

@test "a config that asks for more than any machine has is compared with the weights first" {
	not_sanitized
	base
	cp -r base bad
	for config in '{"model_type":"llama","num_hidden_layers":4096}' '{"model_type":"gpt2","vocab_size":16777216,"n_embd":12582912}'; do
		echo "$config" >bad/config.json
		for run in "dsgen -m bad" "dsgen --embed -m bad" "dseval ppl -m bad"; do
			fails 1 "bad: " bash -c "ulimit -v 2000000; $run -q text.txt"
			[[ $stderr == *"no tensor 'model."* || $stderr == *"the config makes it [16777216, 12582912]"* ]]
		done
		fails 1 "bad: " dsexport onnx -m bad -o x.onnx -q
		fails 1 "bad: " dstrain --model bad --set $sizes --max-steps 1 --out out -q text.txt
	done
}

@test "a safetensors header that lies is refused before anything is read" {
	base
	cp -r base bad
	local size
	size=$(stat -c %s base/model.safetensors)
	for n in 0 7 8 100 $((size - 1)); do
		head -c "$n" base/model.safetensors >bad/model.safetensors
		bad 3 "bad/model.safetensors"
	done
	{ printf '\377\377\377\377\377\377\377\177'; tail -c +9 base/model.safetensors; } >bad/model.safetensors
	fails 1 "bad/model.safetensors" dstrain --model bad --set $sizes --max-steps 1 --out out -q text.txt
	rm -rf out
	cp base/model.safetensors bad
	edit bad/model.safetensors '"F32"' '"F99"'
	bad 1 "F99"
	cp base/model.safetensors bad
	edit bad/model.safetensors '"shape":[32768,32]' '"shape":[32768,99]'
	bad 1 "transformer.wte.weight"
}

@test "weights that are not finite are named where they enter" {
	base
	cp -r base bad
	# the last tensor's last element
	truncate -s -4 bad/model.safetensors
	printf '\0\0\300\177' >>bad/model.safetensors
	bad 1 "bad: tensor 'transformer.wte.weight': value 1048575 is nan"
	fails 1 "bad: tensor 'transformer.wte.weight': value 1048575 is nan" dsgen -m bad --max-tokens 1 -q text.txt
	fails 1 "bad: tensor 'transformer.wte.weight': value 1048575 is nan" dseval ppl -m bad -q text.txt
	fails 1 "bad: tensor 'transformer.wte.weight': value 1048575 is nan" dsgen -m bad --embed -q text.txt
	fails 1 "bad: tensor 'transformer.wte.weight': value 1048575 is nan" dsexport safetensors -m bad -o x.safetensors -q
	[ ! -e x.safetensors ]
}

@test "what comes out of finite weights and is not finite is an error, and never a number" {
	base
	cp -r base bad
	python3 - <<-'P'
		import json, struct
		b = bytearray(open("bad/model.safetensors", "rb").read())
		n = struct.unpack("<Q", b[:8])[0]
		h = json.loads(b[8:8 + n])
		for name in "transformer.ln_f.weight", "transformer.wte.weight":
		    a, z = h[name]["data_offsets"]
		    b[8 + n + a:8 + n + z] = struct.pack("<f", 3e38) * ((z - a) // 4)
		open("bad/model.safetensors", "wb").write(b)
	P
	for t in 0 1; do
		fails 1 "the logits are not finite" dsgen -m bad --temperature $t --max-tokens 2 -q text.txt
	done
	fails 1 "the logits are not finite" dsgen -m bad --max-tokens 0 --logits -q text.txt
	fails 1 "bad: the loss is not finite" dseval ppl -m bad -q text.txt
	bad 1 "(the first op that made NaN or Inf)"
}

@test "ids beyond the vocabulary are named with their record" {
	echo '{"tokens": [1, 2, 3, 40]}' >a.jsonl
	echo '{"tokens": [1, 2, 3, 999999]}' >>a.jsonl
	fails 1 "a.jsonl:2: id 999999, the vocabulary has 100" dstrain "${tiny[@]}" --vocab-size 100 --max-steps 1 --out a a.jsonl
	dstok -q text.txt -o text.dsr
	fails 1 "the vocabulary has 50" dstrain "${tiny[@]}" --vocab-size 50 --max-steps 1 --out b text.dsr
	echo '{"tokens": [7, 8, 9]}' >a.jsonl
	dstrain "${tiny[@]}" --vocab-size 100 --max-steps 1 --out c a.jsonl
	grep -q '"eos_token_id": null' c/config.json
}

@test "no data, and less than a row" {
	: >empty
	fails 1 "no tokens in the input" dstrain "${tiny[@]}" --max-steps 1 --out a empty
	fails 1 "eval_data: no tokens in the input" dstrain "${tiny[@]}" --max-steps 1 --eval-data empty --out b text.txt
	fails 4 "absent: No such file" dstrain "${tiny[@]}" --max-steps 1 --eval-data absent --out c text.txt
	fails 2 "no data" dstrain "${tiny[@]}" --max-steps 1 --out d
	echo hi >short
	dstrain "${tiny[@]}" --max-steps 2 --out e short
	[ "$(wc -l <e/log.jsonl)" -eq 2 ]
	dstok --seq 32 -q text.txt -o text.dsr
	fails 2 "seq=64, but the rows have 32 tokens: pack them again" \
		dstrain "${tiny[@]}" --set seq=64 --max-steps 1 --out f text.dsr
	head -c 2000 text.dsr >cut.dsr
	fails 3 "dstrain: cut.dsr: block at byte" dstrain "${tiny[@]}" --max-steps 1 --out g cut.dsr
}

@test "sizes beyond any machine are refused in words" {
	fails 2 "at once, the limit is 2147483647 tokens" \
		dstrain "${tiny[@]}" --batch-tokens 320000000000000 --max-steps 1 --out a text.txt
	fails 2 "num_hidden_layers=1000000: the most is" dstrain "${tiny[@]}" --n-layer 1000000 --out b text.txt
	fails 4 "of memory, this machine has" dstrain --model llama-3.2-3b --set hidden_size=65536 --out c -q text.txt
}

@test "too little memory is said before the first step, with the three cheapest ways to fit" {
	not_sanitized
	big=(--model gpt2 --set "n_layer=4,n_embd=128,n_head=4,seq=1024,batch_tokens=8192" -q)
	need=$(dstrain "${big[@]}" --dry-run text.txt | sed -n 's/^total *\([0-9]*\) .*/\1/p')
	# what a control group or ulimit -v leaves is what the machine has
	run --separate-stderr bash -c "ulimit -v $((need / 1024 - 20000)); dstrain ${big[*]@Q} --max-steps 1 --out a text.txt"
	[ "$status" -eq 4 ] && [ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"this machine has"*"it fits with --precision bf16 ("*", or --gradient-checkpointing elements ("*", or "* ]] || { echo "$stderr"; return 1; }
	[ ! -e a/log.jsonl ]
}

@test "what only others can use is warned of" {
	dstrain "${tiny[@]:0:4}" --early-stopping-patience 3 --max-steps 1 --out a text.txt 2>said
	grep -q "warning: early_stopping_patience=3 without eval_data" said
}

@test "-q leaves both outputs empty, and in a pipe there is one line" {
	run --separate-stderr dstrain "${tiny[@]}" --max-steps 3 --out a text.txt
	[ "$status" -eq 0 ] && [ -z "$output" ] && [ -z "$stderr" ]
	run --separate-stderr dstrain "${tiny[@]:0:4}" --max-steps 3 --out b text.txt
	[ "$status" -eq 0 ] && [ -z "$output" ] && [ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "dstrain: done: step 3 of 3, loss "* ]]
}

@test "two runs on one folder: the second is refused and the first ends well" {
	dstrain "${tiny[@]}" --max-steps 100000 --out run text.txt &
	first=$!
	for _ in $(seq 9000); do [ -s run/log.jsonl ] && break; sleep 0.02; done
	fails 2 "run: another run is writing there" dstrain "${tiny[@]}" --max-steps 1 --out run text.txt
	fails 2 "run: another run is writing there" dstrain --resume --out run -q
	kill -TERM $first
	wait $first
	[ -s run/model.safetensors ]
}

@test "a signal before the first step ends at once, and writes nothing" {
	dstrain "${tiny[@]}" --max-steps 100000 --exec 'touch begun; sleep 20; cat text.txt' --out run &
	for _ in $(seq 9000); do [ -e begun ] && break; sleep 0.02; done
	kill -TERM $!
	wait $! && return 1
	[ $? -eq 143 ]
	[ ! -e run/model.safetensors ]
}

@test "a shard of another tokenizer is refused, with the way to insist" {
	base
	seq 2000 >numbers && dstok train -q -V 300 numbers -o other.json
	dstok -q -t other.json text.txt -o other.dsr
	dstok -q text.txt -o text.dsr
	way="--any-tokenizer true takes its ids as they are"
	fails 1 "other.dsr: encoded with another tokenizer than that of the model; $way" \
		dstrain --model base --set $sizes --max-steps 1 --out a -q other.dsr
	fails 1 "other.dsr: encoded with another tokenizer than that of text.dsr; $way" \
		dstrain "${tiny[@]}" --max-steps 1 --out b text.dsr other.dsr
	fails 1 "eval_data: other.dsr: encoded with another tokenizer" \
		dstrain "${tiny[@]}" --max-steps 1 --eval-data other.dsr --out c text.dsr
	dstrain --model base --set $sizes --any-tokenizer true --max-steps 1 --out d -q other.dsr
	cmp base/tokenizer.json d/tokenizer.json
	echo '{"tokens": [1, -2]}' >negative.jsonl
	fails 1 "negative.jsonl:1: field 'tokens' is json, wanted whole numbers from 0" \
		dstrain "${tiny[@]}" --max-steps 1 --out e negative.jsonl
}

@test "--explain memory is what the process takes, within what libraries need" {
	not_sanitized
	peak() { # of a run with -j 1, in kB
		python3 - "$@" <<-'P'
			import os, subprocess, sys
			child = subprocess.Popen(["dstrain", *sys.argv[1:], "-j", "1", "-q", "--max-steps", "2", "--save-every", "0", "--out", "peak", "text.txt"])
			_, status, used = os.wait4(child.pid, 0)
			print(used.ru_maxrss)
			sys.exit(status != 0)
		P
		rm -rf peak
	}
	planned() { # kB
		dstrain "$@" -j 1 --explain memory text.txt | awk '/^total/ { n = $2 }
			/^evaluation takes/ { gsub(/[()]/, "", $NF); n += $NF } END { printf "%d\n", n / 1024 }'
	}
	least=$(peak "${tiny[@]:0:2}" --set n_layer=1,n_embd=8,n_head=1,seq=8,batch_tokens=8)
	mid=(--model gpt2 --set n_layer=4,n_embd=256,n_head=4,seq=128,batch_tokens=2048)
	for more in "" gradient_checkpointing=true precision=bf16 eval_data=text.txt,eval_every=1,eval_batches=1; do
		set -- "${mid[@]}" ${more:+--set "$more"}
		plan=$(planned "$@")
		took=$(peak "$@")
		echo "$more: planned $plan kB, took $took, the least is $least" >&2
		[ "$took" -ge "$plan" ] && [ "$took" -le $((plan + least + plan / 20 + 16384)) ]
	done
	dstrain "${mid[@]}" --gradient-checkpointing true --explain memory text.txt >said
	grep -q 'gradient checkpointing saves .* % of the activations, .* % of all' said
	grep -q 'beside it the process holds' said
}

@test "an adapter that cannot be read whole is refused" {
	base
	dstrain --model base --tune lora --set $sizes,lora_r=4 --max-steps 1 --out good -q text.txt
	cp -r good bad
	local pair
	for pair in '"modules_to_save": ["lm_head"]' '"bias": "all"' '"use_dora": true'; do
		sed "s/^{/{ $pair,/; s/\"bias\": \"none\",//; s/\"modules_to_save\": null,//" good/adapter_config.json >bad/adapter_config.json
		fails 2 "bad/adapter_config.json: " dsgen -m bad --max-tokens 1 -q text.txt
		[[ $stderr == *"supported"* ]]
	done
	sed 's/"r": 4/"r": 5/' good/adapter_config.json >bad/adapter_config.json
	fails 1 "bad: the adapter of 'transformer.h.0.attn.c_attn.weight' does not fit it" dsgen -m bad --max-tokens 1 -q text.txt
}

@test "a checkpoint for which the disk has no room ends the run, and costs none before it" {
	unshare -rm true 2>/dev/null || skip "needs user namespaces"
	set -- --model gpt2 --set "n_layer=2,n_embd=32,n_head=4,$sizes,save_every=5,save_total_limit=0,max_steps=20,scheduler=constant"
	dstrain "$@" --out whole -q text.txt
	mkdir small
	PATH=$PATH unshare -rm bash -s -- "$@" <<-'S'
		mount -t tmpfs -o size=30m none small
		dstrain "$@" --out small/run text.txt 2>said
		echo "$?" >code
		(cd small/run && echo checkpoint-*) >left
		mount -o remount,size=300m small
		dstrain --resume --out small/run -q && cp small/run/model.safetensors resumed
	S
	[ "$(cat code)" -eq 4 ]
	[ "$(cat left)" = "checkpoint-10 checkpoint-5" ]
	[ "$(wc -l <said)" -eq 1 ] && grep -q "^dstrain: checkpoint-15 could not be written: .*No space left" said
	cmp resumed whole/model.safetensors
}
