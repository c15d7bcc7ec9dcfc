#!/usr/bin/env bats
# dstrain: runs, what they leave behind, how they end and go on

load train
load numbers

setup() {
	train_setup 200
	tiny=(--model gpt2 --set "n_layer=2,n_embd=32,n_head=4,seq=32,batch_tokens=128,lr=1e-3,seed=3" -q)
}

@test "a run leaves a model directory, a log and a checkpoint, and learns" {
	dstrain "${tiny[@]}" --max-steps 40 --out run text.txt
	for f in config.json config.ini model.safetensors tokenizer.json log.jsonl \
		checkpoint-40/state.json checkpoint-40/optimizer.safetensors; do
		[ -s "run/$f" ]
	done
	[ "$(wc -l <run/log.jsonl)" -eq 40 ]
	first=$(sed -n '1s/.*"loss": \([0-9.]*\).*/\1/p' run/log.jsonl)
	last=$(sed -n '40s/.*"loss": \([0-9.]*\).*/\1/p' run/log.jsonl)
	awk -v a="$first" -v b="$last" 'BEGIN { exit !(a - b > 1) }'
	ls run/tb/events.out.tfevents.*
}

@test "a killed run goes on as if nothing had happened" {
	dstrain "${tiny[@]}" --save-every 10 --max-steps 300 --out whole text.txt
	dstrain "${tiny[@]}" --save-every 10 --max-steps 300 --out cut text.txt &
	for _ in $(seq 6000); do
		[ "$(cat cut/log.jsonl 2>/dev/null | wc -l)" -ge 35 ] && break
		sleep 0.05
	done
	kill -9 $!
	wait $! || true
	[ "$(wc -l <cut/log.jsonl)" -lt 300 ]
	head -n 30 cut/log.jsonl >before
	dstrain "${tiny[@]}" --save-every 10 --max-steps 300 --out cut --resume text.txt
	head -n 30 cut/log.jsonl | cmp - before
	cmp <(figures whole) <(figures cut)
	cmp whole/model.safetensors cut/model.safetensors
}

@test "threads change no bit" {
	dstrain "${tiny[@]}" -j 1 --max-steps 10 --out a text.txt
	dstrain "${tiny[@]}" -j 3 --max-steps 10 --out b text.txt
	cmp a/model.safetensors b/model.safetensors
	cmp <(figures a) <(figures b)
}

@test "gradient checkpointing changes no bit and takes at most 40 % of the activations" {
	local how
	for how in false elements attention true; do
		dstrain "${tiny[@]}" --max-steps 5 --dropout 0.1 --gradient-checkpointing $how --out $how text.txt
		cmp $how/model.safetensors false/model.safetensors
		dstrain --model gpt2 --gradient-checkpointing $how --dry-run |
			sed -n 's/^activation *\([0-9]*\) .*/\1/p' >>bytes
	done
	awk 'NR > 1 && $1 >= last { exit 1 } { a[NR] = last = $1 } END { exit !(a[4] <= 0.4 * a[1]) }' bytes
}

@test "bf16 and fp16 follow fp32, on any CPU, and threads and resuming change no bit" {
	local p
	for p in fp32 bf16 fp16; do
		dstrain "${tiny[@]}" --precision $p -j 1 --max-steps 30 --out $p text.txt
		sed 's/.*"loss": \([0-9.]*\).*/\1/' $p/log.jsonl >$p.loss
	done
	for p in bf16 fp16; do
		paste fp32.loss $p.loss | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 0.01 * $1) bad = 1 } END { exit bad || !NR }'
		dstrain "${tiny[@]}" --precision $p -j 3 --save-every 10 --max-steps 30 --out $p-j3 text.txt
		cmp $p/model.safetensors $p-j3/model.safetensors
		rm -r $p-j3/checkpoint-30
		dstrain "${tiny[@]}" --precision $p --save-every 10 --max-steps 30 --resume --out $p-j3 text.txt
		cmp $p/model.safetensors $p-j3/model.safetensors
		cmp <(figures $p) <(figures $p-j3)
	done
	DS_CPU=avx2 dstrain "${tiny[@]}" --precision bf16 --max-steps 30 --out other text.txt
	DS_CPU=avx2 dstrain "${tiny[@]:0:$((${#tiny[@]} - 1))}" --precision bf16 --max-steps 1 --out told text.txt 2>err
	[ "$(grep -c 'bf16 is how values are stored: .* computes in fp32' err)" = 1 ]
	paste bf16.loss <(sed 's/.*"loss": \([0-9.]*\).*/\1/' other/log.jsonl) |
		awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 0.001 * $1) bad = 1 } END { exit bad || !NR }'
}

@test "fp16: a step over the range is skipped, logged, and halves the loss scale" {
	dstrain "${tiny[@]}" --precision fp16 --max-steps 2 --out run text.txt
	sed -i 's/"loss_scale": [0-9]*/"loss_scale": 1099511627776/' run/checkpoint-2/state.json
	(cd run/checkpoint-2 && xxh128sum ./*.safetensors state.json | sed 's, \./, ,' >xxh128sums)
	dstrain "${tiny[@]}" --precision fp16 --max-steps 40 --resume --out run text.txt
	sed -n 3p run/log.jsonl | grep -q '"loss_scale": 1.09951163e+12, "skipped": true'
	sed -n 40p run/log.jsonl | grep -q '"grad_norm": [0-9.]*, "loss_scale": [0-9.e+]*, "tokens"'
}

@test "a loss far above those before it is marked, and only that" {
	for i in $(seq 300); do
		if [ "$i" -eq 150 ]; then
			for k in $(seq 12); do printf 'zq%dxj vw#k%d!pf ' $((k * 7919 % 97)) $((k * 31 % 89)); done
			echo
		else
			echo "the quick brown fox jumps over the lazy dog and runs over the lazy dog again"
		fi
	done >odd.txt
	dstrain "${tiny[@]}" --set batch_tokens=32,scheduler=constant --epochs 1 --out run odd.txt
	n=$(grep -c outlier_z run/log.jsonl)
	[ "$n" -ge 1 ] && [ "$n" -le 8 ]
}

@test "LAMB and the schedule wsd train" {
	dstrain "${tiny[@]}" --max-steps 20 --set optimizer=lamb,scheduler=wsd,lr=1e-2 --out run text.txt
	head -n 1 run/log.jsonl | grep -q '"lr": 0.01,'
	sed -n '20p' run/log.jsonl | grep -q '"lr": 0.0025'
	awk -F '"loss": ' '{ l[NR] = $2 + 0 } END { exit !(l[1] - l[20] > 0.3) }' run/log.jsonl
}

@test "parts of a batch give the loss of the whole" {
	dstrain "${tiny[@]}" --max-steps 5 --out a text.txt
	dstrain "${tiny[@]}" --max-steps 5 --gradient-accumulation-steps 4 --out b text.txt
	paste -d ' ' <(sed 's/.*"loss": \([0-9.]*\).*/\1/' a/log.jsonl) \
		<(sed 's/.*"loss": \([0-9.]*\).*/\1/' b/log.jsonl) |
		awk '{ d = $1 - $2; if (d > 1e-4 || d < -1e-4) bad = 1 } END { exit bad || !NR }'
}

@test "SIGTERM saves and exits 0; --resume goes on" {
	dstrain "${tiny[@]}" --max-steps 100000 --out run text.txt &
	for _ in $(seq 6000); do
		[ "$(cat run/log.jsonl 2>/dev/null | wc -l)" -ge 5 ] && break
		sleep 0.05
	done
	kill -TERM $!
	wait $!
	steps=$(wc -l <run/log.jsonl)
	[ -s "run/checkpoint-$steps/state.json" ]
	dstrain "${tiny[@]}" --max-steps $((steps + 2)) --out run --resume text.txt
	[ "$(wc -l <run/log.jsonl)" -eq $((steps + 2)) ]
}

@test "checkpoints: the two newest stay, a damaged one is passed over" {
	dstrain "${tiny[@]}" --save-every 5 --max-steps 20 --out run text.txt
	[ "$(echo run/checkpoint-*)" = "run/checkpoint-15 run/checkpoint-20" ]
	cp run/model.safetensors good
	head -c 1000 run/checkpoint-20/optimizer.safetensors >cut
	mv cut run/checkpoint-20/optimizer.safetensors
	run --separate-stderr dstrain --out run --resume
	[ "$status" -eq 0 ]
	[[ $stderr == *"passed over: run/checkpoint-20/optimizer.safetensors"* ]]
	cmp run/model.safetensors good
}

@test "a checkpoint in which a bit changed is not gone on from, and where it is the only one nothing is touched" {
	dstrain "${tiny[@]}" --max-steps 4 --out run text.txt
	for file in model.safetensors optimizer.safetensors state.json xxh128sums; do
		rm -rf bad && cp -r run bad
		python3 - "bad/checkpoint-4/$file" <<-'P'
			import sys
			b = bytearray(open(sys.argv[1], "rb").read())
			b[len(b) // 2] ^= 4
			open(sys.argv[1], "wb").write(b)
		P
		find bad -type f -exec md5sum {} + | sort >before
		says 3 "and there is no other checkpoint" dstrain --resume --max-steps 5 --out bad
		find bad -type f -exec md5sum {} + | sort | cmp - before
	done
	rm -r bad/checkpoint-4
	says 3 "bad/model.safetensors: no checkpoint to go on from, but a model" dstrain --resume --max-steps 5 --out bad
	(cd run/checkpoint-4 && xxh128sum -c xxh128sums)
}

@test "a run goes on from its config.ini alone, and repeats from it" {
	dstrain "${tiny[@]}" --max-steps 4 --out run text.txt
	dstrain --resume --max-steps 6 --out run -q
	[ "$(wc -l <run/log.jsonl)" -eq 6 ]
	dstrain --model run/config.ini --out again -q
	cmp run/model.safetensors again/model.safetensors && return 1
	dstrain "${tiny[@]}" --max-steps 6 --out fresh text.txt
	cmp fresh/model.safetensors again/model.safetensors
}

@test "--resume in an absent or empty folder starts" {
	mkdir empty
	dstrain "${tiny[@]}" --max-steps 2 --resume --out empty text.txt
	dstrain "${tiny[@]}" --max-steps 2 --resume --out absent/deep text.txt
	cmp empty/model.safetensors absent/deep/model.safetensors
}

@test "what may not change on resuming is refused" {
	dstrain "${tiny[@]}" --max-steps 2 --out run text.txt
	says 2 "lr=0.1, but the run to resume has 0.001" dstrain "${tiny[@]}" --lr 0.1 --resume --out run text.txt
	says 2 "num_hidden_layers=3, but the run to resume has 2" \
		dstrain "${tiny[@]}" --n-layer 3 --resume --out run text.txt
	echo more >>text.txt
	says 2 "the data is not that of checkpoint-2" \
		dstrain "${tiny[@]}" --max-steps 4 --resume --out run text.txt
}

@test "a folder in use, and one that is not empty, are refused" {
	mkdir full && touch full/x
	says 2 "full: not empty" dstrain "${tiny[@]}" --max-steps 2 --out full text.txt
	dstrain "${tiny[@]}" --max-steps 100000 --out run text.txt &
	for _ in $(seq 6000); do [ -s run/log.jsonl ] && break; sleep 0.05; done
	says 2 "run: another run is writing there" dstrain "${tiny[@]}" --resume --out run text.txt
	kill %1
	wait %1
}

@test "evaluation, and stopping early" {
	head -n 20 text.txt >held.txt
	dstrain "${tiny[@]}" --max-steps 20 --eval-data held.txt --eval-every 5 --out run text.txt
	[ "$(grep -c eval_loss run/log.jsonl)" -eq 4 ]
	# a learning rate of 0 gains nothing
	dstrain "${tiny[@]}" --lr 0 --max-steps 50 --eval-data held.txt --eval-every 5 \
		--early-stopping-patience 2 --out stopped text.txt
	[ "$(grep -c eval_loss stopped/log.jsonl)" -eq 3 ]
	[ "$(grep -vc eval_loss stopped/log.jsonl)" -eq 15 ]
}

@test "fine-tuning a directory starts where it ended" {
	dstrain "${tiny[@]}" --max-steps 30 --out base text.txt
	dstrain --model base --set seq=32,batch_tokens=128 --max-steps 2 --out tuned -q text.txt
	first=$(sed -n '1s/.*"loss": \([0-9.]*\).*/\1/p' tuned/log.jsonl)
	last=$(sed -n '30s/.*"loss": \([0-9.]*\).*/\1/p' base/log.jsonl)
	within 0.3 "$first" "$last"
	grep -q '"lr": 1e-05' tuned/log.jsonl
}

@test "LoRA trains its adapters alone, goes on, and its directory is a model" {
	head -n 20 text.txt >held.txt
	dstrain "${tiny[@]}" --max-steps 10 --out base text.txt
	lora=(--model base --tune lora --set "lora_r=4,lora_alpha=8,lr=1e-2,seq=32,batch_tokens=128" -q)
	dstrain "${lora[@]}" --max-steps 12 --eval-data held.txt --save-every 5 --out whole text.txt
	[ -s whole/adapter_config.json ] && [ -s whole/adapter_model.safetensors ]
	[ ! -e whole/model.safetensors ]
	# A [4, 32] and B [96, 4] in each of two layers
	[ "$(dstrain "${lora[@]}" --dry-run text.txt | sed -n 's/^parameters .*, trained \([0-9]*\) .*/\1/p')" = 1024 ]
	dstrain "${lora[@]}" --max-steps 12 --eval-data held.txt --save-every 5 --out cut text.txt &
	for _ in $(seq 9000); do [ -e cut/checkpoint-5 ] && break; sleep 0.02; done
	kill -9 $! || true
	wait $! || true
	dstrain "${lora[@]}" --max-steps 12 --eval-data held.txt --save-every 5 --out cut --resume text.txt
	cmp whole/adapter_model.safetensors cut/adapter_model.safetensors
	cmp <(figures whole) <(figures cut)
	# merged on reading, it gives the loss that was measured in training, where the windows lie otherwise
	want=$(sed -n 's/.*"eval_loss": \([0-9.]*\).*/\1/p' whole/log.jsonl)
	got=$(dseval ppl -m whole held.txt --seq 32 --json -q | sed 's/.*"score":\([0-9.]*\).*/\1/')
	within 0.05 "$want" "$(awk -v p="$got" 'BEGIN { print log(p) }')"
}

@test "adapters that cannot be are refused" {
	dstrain "${tiny[@]}" --max-steps 1 --out base text.txt
	says 2 "tune=lora adapts a model directory, 'gpt2' is none" \
		dstrain "${tiny[@]}" --tune lora --max-steps 1 --out o1 text.txt
	says 2 "the model has no linear layer 'q_proj'" dstrain --model base --tune lora \
		--target-modules q_proj --set seq=32,batch_tokens=128 --max-steps 1 --out o2 text.txt
	dstrain --model base --tune lora --set seq=32,batch_tokens=128 --max-steps 1 --out l -q text.txt
	says 2 "l is an adapter itself" dstrain --model l --tune prompt \
		--set seq=32,batch_tokens=128 --max-steps 1 --out o3 text.txt
}

@test "Llama, Mistral, Qwen2 and Qwen3 train" {
	for m in llama mistral qwen2 qwen3; do
		dstrain --model "$m" -q --max-steps 3 --out "$m" --set \
			"num_hidden_layers=2,hidden_size=32,intermediate_size=64,num_attention_heads=4,num_key_value_heads=2,seq=32,batch_tokens=64" text.txt
		[ "$(wc -l <"$m/log.jsonl")" -eq 3 ]
	done
}

@test "what the user wrote wrong is exit 2 and named" {
	says 2 "unknown key 'max_stesp'; the nearest is 'max_steps'" dstrain "${tiny[@]}" --set max_stesp=3 --out o text.txt
	says 2 "nearest preset is 'gpt2'" dstrain --model gtp2 --out o text.txt
	says 2 "gpt2 has no key 'rope_theta'" dstrain "${tiny[@]}" --set rope_theta=3 --out o2 text.txt
	says 2 "batch_tokens=100 is not a multiple of seq=32" dstrain "${tiny[@]}" --batch-tokens 100 --out o3 text.txt
	says 2 "not a multiple of n_head=5" dstrain "${tiny[@]}" --n-head 5 --out o4 text.txt
	says 2 "max_position_embeddings=16" dstrain "${tiny[@]}" --set n_positions=16 --out o5 text.txt
	says 2 "no --out" dstrain "${tiny[@]}" text.txt
	says 2 "no data" dstrain "${tiny[@]}" --out o6
	says 2 "no --model" dstrain --out o7 text.txt
	says 4 "absent.txt" dstrain "${tiny[@]}" --out o8 absent.txt
}

@test "hostile weights are refused with a code from 1 to 4" {
	dstrain "${tiny[@]}" --max-steps 1 --out base text.txt
	mkdir bad && cp base/config.json base/tokenizer.json bad
	for what in "head -c 0" "head -c 7" "head -c 100" "head -c 20000" "tail -c +2"; do
		$what base/model.safetensors >bad/model.safetensors
		run dstrain --model bad --max-steps 1 --out "out" -q text.txt
		[ "$status" -ge 1 ] && [ "$status" -le 4 ]
		rm -rf out
	done
}

@test "a full disk at a checkpoint costs that checkpoint only" {
	command -v unshare >/dev/null || skip "needs unshare"
	unshare -rm true 2>/dev/null || skip "needs user namespaces"
	mkdir small
	run unshare -rm bash -c "mount -t tmpfs -o size=30m none small &&
		PATH=$PATH dstrain ${tiny[*]@Q} --save-every 5 --save-total-limit 0 --max-steps 20 --out small/run text.txt; echo rc=\$?; ls small/run"
	[[ $output == *"rc=4"* ]] || { echo "$output"; return 1; }
	[[ $output == *"checkpoint-5"* ]]
}

@test "--dry-run and --dump print and write nothing" {
	dstrain "${tiny[@]}" --dry-run text.txt >dry
	grep -q '^parameters' dry
	dstrain --model gpt2 --dump graph >graph
	grep -q 'transformer.h.11.mlp.c_proj.weight' graph
	dstrain "${tiny[@]}" --dump plan text.txt | grep -q .
	dstrain "${tiny[@]}" --dump sched text.txt | grep -q .
	[ "$(ls)" = "$(printf 'dry\ngraph\ntext.txt')" ]
}

@test "--explain memory, and --memory finds the cheapest set that fits and changes no bit" {
	big=(--model gpt2 --set "n_layer=4,n_embd=256,n_head=4,seq=1024,batch_tokens=8192")
	dstrain "${big[@]}" --explain memory >memory
	for what in activation parameter gradient optimizer largest: 'would save' '--precision bf16' \
		'--gradient-checkpointing true' '--gradient-accumulation-steps 2'; do
		grep -q -e "$what" memory
	done
	all=$(sed -n 's/^total *\([0-9]*\) .*/\1/p' memory)
	dstrain "${big[@]}" --memory $((all - all / 50)) --explain memory >less
	[ "$(sed -n 's/^total *\([0-9]*\) .*/\1/p' less)" -le $((all - all / 50)) ]
	says 4 "of memory, --memory has 1.0 MB: a shorter --seq" dstrain "${big[@]}" --memory 1M --max-steps 1 --out no text.txt
	full=(--gradient-checkpointing true --precision bf16)
	all=$(dstrain "${big[@]}" "${full[@]}" --dry-run text.txt | sed -n 's/^total *\([0-9]*\) .*/\1/p')
	says 4 "it fits with --gradient-accumulation-steps 2" dstrain "${big[@]}" "${full[@]}" \
		--memory $((all - all / 50)) --max-steps 1 --out no2 text.txt
	all=$(dstrain "${tiny[@]}" --dry-run text.txt | sed -n 's/^total *\([0-9]*\) .*/\1/p')
	dstrain "${tiny[@]}" --max-steps 3 --out a text.txt
	dstrain "${tiny[@]}" --max-steps 3 --memory $((all - 20000)) --out b text.txt
	cmp a/model.safetensors b/model.safetensors
}

@test "--explain time says where a step's time goes" {
	dstrain "${tiny[@]}" --precision bf16 --explain time text.txt >time
	grep -q '^a step of 128 tokens' time
	for op in linear_xent_grad linear_dw attention_grad cast adamw; do grep -q "^$op " time; done
}

@test "--plot draws runs" {
	dstrain "${tiny[@]}" --max-steps 30 --out run text.txt
	dstrain --plot run >picture
	[ "$(grep -c '|' picture)" -eq 18 ]
	grep -q '\* loss of run' picture
	says 4 "absent/log.jsonl" dstrain --plot absent
}

@test "prompt and prefix tuning leave an adapter in PEFT's layout, and go on bit by bit" {
	dstrain "${tiny[@]}" --max-steps 5 --out base text.txt
	for tune in prompt prefix; do
		set -- --model base --tune "$tune" --set prompt_tokens=4,seq=32,batch_tokens=128,save_every=5 -q
		dstrain "$@" --max-steps 10 --out "$tune" text.txt
		grep -q '"num_virtual_tokens": 4' "$tune/adapter_config.json"
		[ -s "$tune/adapter_model.safetensors" ]
		[ ! -e "$tune/model.safetensors" ]
		dstrain "$@" --max-steps 5 --scheduler constant --out "$tune-cut" text.txt
		dstrain "$@" --max-steps 10 --scheduler constant --out "$tune-whole" text.txt
		dstrain --resume --max-steps 10 --out "$tune-cut" -q
		cmp "$tune-cut/adapter_model.safetensors" "$tune-whole/adapter_model.safetensors"
	done
	says 2 "tune=prompt adapts a model directory" dstrain "${tiny[@]}" --tune prompt --out no text.txt
	says 2 "doc_attention" dstrain --model base --tune prefix --doc-attention true --out no text.txt
}

@test "BERT learns masked tokens, and goes on bit by bit for any number of threads" {
	set -- --model bert --set n_layer=2,n_embd=32,n_head=4,seq=32,batch_tokens=256,lr=1e-2,save_every=10 -q
	dstrain "$@" --max-steps 40 -j 1 --out run text.txt
	dstrain "$@" --max-steps 40 -j 3 --out same text.txt
	cmp run/model.safetensors same/model.safetensors
	grep -q BertForMaskedLM run/config.json
	first=$(sed -n '1s/.*"loss": \([0-9.]*\).*/\1/p' run/log.jsonl)
	last=$(sed -n '40s/.*"loss": \([0-9.]*\).*/\1/p' run/log.jsonl)
	awk -v a="$first" -v b="$last" 'BEGIN { exit !(a - b > 1) }'
	rm -rf same/checkpoint-40 same/model.safetensors
	dstrain --resume --out same -q
	cmp run/model.safetensors same/model.safetensors
	dstrain --model run --whole-word true --max-steps 2 --set seq=32,batch_tokens=256 --out more -q text.txt
	says 2 "encoder" dstrain "$@" --task clm --out no text.txt
	says 2 "decoders" dstrain --model run --tune prompt --out no text.txt
}

@test "an encoder learns labels of records and of words, and keeps their names" {
	for i in $(seq 60); do
		echo "{\"text\":\"thing $i is good\",\"label\":\"yes\"}"
		echo "{\"text\":\"thing $i is bad\",\"label\":0}"
	done >cls.jsonl
	for i in $(seq 60); do
		echo "{\"words\":[\"see\",\"Anna\",\"$i\"],\"labels\":[\"O\",\"NAME\",null]}"
	done >tags.jsonl
	set -- --model bert --set n_layer=1,n_embd=32,n_head=2,lr=1e-2,batch_tokens=256,dropout=0 -q
	dstrain "$@" --task cls --epochs 12 --eval-data cls.jsonl --out cls cls.jsonl
	grep -q '"id2label": {"0": "0", "1": "yes"}' cls/config.json
	under "$(tail -n 1 cls/log.jsonl | sed 's/.*"eval_loss": \([0-9.e-]*\).*/\1/')" 0.3
	dstrain "$@" --task tokcls --epochs 5 --out tags tags.jsonl
	grep -q BertForTokenClassification tags/config.json
	dstrain --model cls --max-steps 1 --batch-tokens 256 --out again -q cls.jsonl
	grep -q '"id2label": {"0": "0", "1": "yes"}' again/config.json
	echo '{"text":"a thing"}' | dsgen -m cls --embed --to jsonl -q | grep -q '"embedding":\['
	echo '{"text":"a","label":"other"}' >other.jsonl
	says 1 "label 'other' is none of the model's" dstrain --model cls --out no -q other.jsonl
	echo '{"text":"a"}' >none.jsonl
	says 1 "no 'label'" dstrain "$@" --task cls --out no1 none.jsonl
	echo '{"words":["a","b"],"labels":["O"]}' >few.jsonl
	says 1 "1 labels for 2 words" dstrain "$@" --task tokcls --out no2 few.jsonl
}

@test "of conversations the answers alone are learned" {
	for i in $(seq 40); do
		echo '{"messages":[{"role":"user","content":"what is red?"},{"role":"assistant","content":"red is a colour"}]}'
		echo '{"prompt":"what is blue?","completion":" blue is a colour"}'
		echo '{"instruction":"say green","input":"","output":"green"}'
	done >chat.jsonl
	dstrain "${tiny[@]}" --task chat --max-steps 60 --set lr=1e-2 --out run chat.jsonl
	under "$(tail -n 1 run/log.jsonl | sed 's/.*"loss": \([0-9.e-]*\).*/\1/')" 1
	dsgen -m run --chat --max-tokens 24 --temperature 0 -q --to jsonl <<<'what is blue?' | grep -q 'blue is a colour"'
	dsgen -m run --chat --max-tokens 24 --temperature 0 -q --to jsonl chat.jsonl | head -n 3 | grep -c 'is a colour"\|"green"' | grep -qx 3
	echo '{"messages":[{"role":"user"}]}' >bad.jsonl
	says 1 "no content" dstrain "${tiny[@]}" --task chat --out no bad.jsonl
	echo '{"text":"a"}' >bad.jsonl
	says 1 "no conversation: known are messages, conversations" dstrain "${tiny[@]}" --task chat --out no1 bad.jsonl
}

@test "a program is a source of data" {
	dstrain "${tiny[@]}" --max-steps 5 --out a text.txt
	dstrain "${tiny[@]}" --max-steps 5 --out b --exec 'cat text.txt'
	cmp a/model.safetensors b/model.safetensors
	says 2 "exclude each other" dstrain "${tiny[@]}" --exec 'cat text.txt' --out no text.txt
	says 4 "exited with 3" dstrain "${tiny[@]}" --exec 'cat text.txt; exit 3' --out no1
	# of the command line alone: a folder that somebody sends runs nothing
	sed 's/^exec = .*/exec = touch ran; cat text.txt/' b/config.ini >sent.ini
	says 2 "sent.ini: it would run 'touch ran; cat text.txt' (exec)" dstrain --model sent.ini --out no2
	says 2 "sent.ini: it would run 'touch ran; cat text.txt' (exec)" dstrain --model sent.ini --dry-run
	cp sent.ini b/config.ini
	says 2 "b/config.ini: it would run 'touch ran; cat text.txt' (exec)" dstrain --resume --max-steps 6 --out b
	says 2 "but the run to resume has touch ran; cat text.txt" dstrain --resume --exec 'cat text.txt' --max-steps 6 --out b
	[ ! -e ran ]
	dstrain --resume --allow-exec --max-steps 6 --out b -q
	[ -e ran ]
}

@test "a model grows by copying its layers" {
	dstrain "${tiny[@]}" --max-steps 5 --out a text.txt
	dstrain --model a --grow true --set n_layer=4,seq=32,batch_tokens=128 --max-steps 2 --out b -q text.txt
	grep -q '"n_layer": 4' b/config.json
	dsgen -m b --max-tokens 2 -q <<<'line' >/dev/null
	says 1 "no tensor 'transformer.h.2" dstrain --model a --n-layer 4 --out no -q text.txt
	says 2 "has 2 already" dstrain --model a --grow true --n-layer 1 --out no1 -q text.txt
}

@test "tune=auto says what it chose and why; adapters by a regular expression" {
	dstrain "${tiny[@]}" --max-steps 2 --out a text.txt
	run dstrain --model a --tune auto --seq 32 --max-steps 1 --out b text.txt
	[[ $output == *"tune=auto: prompt, 200 records: under 10,000 train a prompt"* ]]
	seq 20000 >many.txt
	run dstrain --model a --tune auto --seq 32 --max-steps 1 --out c many.txt
	[[ $output == *"tune=auto: lora, 20000 records"* ]]
	grep -q "tune = lora" c/config.ini
	dstrain --model a --tune lora --target-modules '.*\.1\.(attn|mlp)\.c_proj' --seq 32 --max-steps 1 --out d -q text.txt
	grep -q '"target_modules": ".*\\\\.1' d/adapter_config.json
	[ "$(head -c 4000 d/adapter_model.safetensors | grep -ao 'lora_A' | wc -l)" -eq 2 ]
	dsgen -m d --max-tokens 2 -q <<<'line' >/dev/null
	says 2 "no linear layer that is" dstrain --model a --tune lora --target-modules 'x.*' --out no -q text.txt
	says 2 "target_modules" dstrain --model a --tune lora --target-modules '(' --out no1 -q text.txt
}

@test "conversations stay whole and apart, and what is cut is counted" {
	for c in 'red roses' 'blue skies' 'green grass'; do
		echo '{"messages":[{"role":"user","content":"say it"},{"role":"assistant","content":"'"$c"'"}]}'
	done >chat.jsonl
	dstrain "${tiny[@]}" --task chat --seq 64 --batch-tokens 64 --max-steps 1 --lr 0 --out apart chat.jsonl
	dstrain "${tiny[@]}" --task chat --seq 64 --batch-tokens 64 --max-steps 1 --lr 0 --set doc_attention=false --out joined chat.jsonl
	! cmp -s <(figures apart) <(figures joined)
	grep -q '^doc_attention = true' apart/config.ini
	# Each alone, the loss of all is the mean over their targets, wherever they stand in rows.
	tac chat.jsonl >turned.jsonl
	dstrain "${tiny[@]}" --task chat --seq 64 --batch-tokens 64 --max-steps 1 --lr 0 --out turned turned.jsonl
	loss() { sed 's/.*"loss": \([0-9.]*\).*/\1/' "$1/log.jsonl"; }
	within 1e-5 "$(loss apart)" "$(loss turned)"
	echo '{"prompt":"p","completion":"a long answer that does not end before the row does, whatever happens, and goes on and on for some words more"}' >>chat.jsonl
	run --separate-stderr dstrain "${tiny[@]:0:4}" --task chat --seq 32 --batch-tokens 64 --max-steps 1 --out cut chat.jsonl
	[ "$status" -eq 0 ]
	[[ $stderr == *"1 conversation cut at seq=32: "*" targets are behind it"* ]]
	echo '{"prompt":"'"$(printf 'word %.0s' {1..99})"'","completion":"a"}' >far.jsonl
	says 1 "not one answer is left: all are behind seq=32" dstrain "${tiny[@]}" --task chat --seq 32 --batch-tokens 64 --out no far.jsonl
	says 2 "no chat layout 'lama3'; there are chatml, " dstrain "${tiny[@]}" --task chat --chat lama3 --out no1 chat.jsonl
	says 2 "chat=chatml needs task=chat" dstrain "${tiny[@]}" --chat chatml --out no2 chat.jsonl
}

@test "a model's own chat template is followed, and refused where it is not known" {
	printf '%s\n' '{"prompt":"p q","completion":"a b"}' >chat.jsonl
	dstok train -q -V 300 --special '<|pad|>' --special '<|bos|>' --special '<|eos|>' --special '<|im_start|>' --special '<|im_end|>' text.txt -o t.json
	dstok -q -t t.json text.txt -o t.dsr
	dstrain "${tiny[@]}" --max-steps 1 --out base t.dsr
	cat >base/tokenizer_config.json <<-'END'
		{"eos_token":{"content":"<|im_end|>"},"chat_template":"{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nI am X.<|im_end|>\n' }}{% endif %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + eos_token + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"}
	END
	want=$'<|im_start|>system\\nI am X.<|im_end|>\\n<|im_start|>user\\np q<|im_end|>\\n<|im_start|>assistant\\na b<|im_end|>\\n'
	[ "$(dstok -q -t base --chat auto chat.jsonl | dstok decode -q --to jsonl | sed 's/.*"text":"\(.*\)"}/\1/')" = "$want" ]
	dstok -q -t base --chat auto chat.jsonl -o chat.dsr
	dstrain --model base --seq 64 --batch-tokens 64 --max-steps 1 --lr 0 --task chat --out a -q chat.jsonl
	dstrain --model base --seq 64 --batch-tokens 64 --max-steps 1 --lr 0 --out b -q chat.dsr
	cmp <(figures a) <(figures b)
	echo '{"chat_template":"{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"}' >base/tokenizer_config.json
	says 2 "its chat template is none of the known layouts" dstrain --model base --task chat --out no -q chat.jsonl
	dstrain --model base --seq 64 --batch-tokens 64 --max-steps 1 --task chat --chat llama2 --out c -q chat.jsonl
	dsgen -m c --chat -q --max-tokens 1 --to jsonl chat.jsonl | grep -q '"pred"'
}
