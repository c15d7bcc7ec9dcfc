#!/usr/bin/env bats
# dstrain's own record errors, labels by value, segments, and rows without targets

load common

setup() {
	common_setup
	for i in $(seq 40); do
		echo "row $i of a small text, $((i * 7 % 13)) and more"
	done >t.txt
	gpt=(--model gpt2 --set n_layer=1,n_embd=16,n_head=2,n_positions=32 --seq 32 --batch-tokens 64 -q)
	bert=(--model bert --set hidden_size=16,num_hidden_layers=1,num_attention_heads=2,max_position_embeddings=32 --batch-tokens 16 --seq 8 -q)
}

labels() { python3 -c 'import json,sys; print(json.dumps(json.load(open(sys.argv[1] + "/config.json"))["id2label"]))' "$1"; }

# obeys GOOD BAD ARG...: of the file with both, on-error leaves out what is bad, as if it were not there
obeys() {
	local good=$1 bad=$2
	shift 2
	printf '%s\n' "$good" "$bad" "$good" >both.jsonl
	printf '%s\n' "$good" "$good" >good.jsonl
	rm -rf a b c
	fails 1 "both.jsonl:2: " dstrain "$@" --max-steps 2 --out a both.jsonl
	rm -rf a
	dstrain "$@" --max-steps 2 --out a good.jsonl
	dstrain "$@" --max-steps 2 --on-error skip --out b both.jsonl
	cmp a/model.safetensors b/model.safetensors
	dstrain "$@" --max-steps 2 --on-error reject=left.jsonl --out c both.jsonl
	cmp a/model.safetensors c/model.safetensors
	[ "$(python3 -c 'import json; print(json.loads(open("left.jsonl").read()) == json.loads(open("both.jsonl").read().split("\n")[1]))')" = True ]
	dstrain --resume --max-steps 3 --out b -q
}

@test "a record that cannot be used is an error that --on-error decides on, in every task" {
	obeys '{"text":"one text"}' '{"other":1}' "${gpt[@]}"
	obeys '{"tokens":[1,2,3,4]}' '{"text":"no tokens beside others that have them"}' "${gpt[@]}" --vocab-size 300
	obeys '{"text":"good","label":"a"}' '{"text":"good"}' "${bert[@]}" --task cls
	obeys '{"text":"good","label":"a"}' '{"label":"a"}' "${bert[@]}" --task cls
	obeys '{"words":["x","y"],"labels":["A","B"]}' '{"words":["x","y"],"labels":["A"]}' "${bert[@]}" --task tokcls
	obeys '{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]}' \
		'{"messages":[{"role":"user","content":3}]}' "${gpt[@]}" --task chat
	# a record that is no JSON at all is left out by the same words
	printf '{"text":"one text"}\n{"text":\n{"text":"one text"}\n' >both.jsonl
	dstrain "${gpt[@]}" --max-steps 1 --on-error skip --out e both.jsonl
	dstrain "${gpt[@]:0:8}" --max-steps 1 --on-error skip --out f both.jsonl 2>said
	grep -q "^dstrain: 1 record left out" said
}

@test "rejects of several files and of evaluation are together in one file" {
	printf '{"text":"a text"}\n{"no":1}\n' >a.jsonl
	printf '{"no":2}\n{"text":"a text"}\n' >b.jsonl
	printf '{"no":3}\n{"text":"a text"}\n' >c.jsonl
	dstrain "${gpt[@]}" --max-steps 1 --on-error reject=left --eval-data c.jsonl --out o a.jsonl b.jsonl
	[ "$(cat left)" = "$(printf '{"no":1}\n{"no":2}\n{"no":3}')" ]
	rm left
	echo '{"no":3}' >c.jsonl
	fails 1 "eval_data: no tokens in the input" dstrain "${gpt[@]}" --max-steps 1 --on-error reject=left --eval-data c.jsonl --out p a.jsonl
	[ ! -e left ]
}

@test "a number is a label by its value, however it is spelled, and -100 is none" {
	printf '{"text":"a","label":%s}\n' 1 1.0 '"1"' 1e0 0 '"0"' 0.5 '"0.50"' -100 '"-100"' -100.0 >n.jsonl
	dstrain "${bert[@]}" --task cls --max-steps 2 --out o n.jsonl
	[ "$(labels o)" = '{"0": "0", "1": "0.5", "2": "1"}' ]
	# of a model by value too, or by number where no label is called so
	printf '{"text":"a","label":%s}\n' 1.0 '"0.5"' 0 >m.jsonl
	dstrain --model o "${bert[@]:4}" --max-steps 1 --out p m.jsonl
	[ "$(labels p)" = "$(labels o)" ]
	printf '{"text":"a","label":"%s"}\n' neg pos >w.jsonl
	dstrain "${bert[@]}" --task cls --max-steps 1 --out q w.jsonl
	printf '{"text":"a","label":%s}\n' 1.0 '"0"' '"neg"' >m.jsonl
	dstrain --model q "${bert[@]:4}" --max-steps 1 --out r m.jsonl
	[ "$(labels r)" = '{"0": "neg", "1": "pos"}' ]
	# words that only look like numbers are words
	printf '{"text":"a","label":"%s"}\n' 01 1 +1 1. >w.jsonl
	dstrain "${bert[@]}" --task cls --max-steps 1 --out s w.jsonl
	[ "$(labels s)" = '{"0": "+1", "1": "01", "2": "1", "3": "1."}' ]
}

@test "a class that evaluation alone has is named" {
	printf '{"text":"a","label":"%s"}\n' neg pos >t.jsonl
	printf '{"text":"a","label":"%s"}\n' neg other >e.jsonl
	fails 1 "eval_data: e.jsonl:2: label 'other' is none of the model's 2" \
		dstrain "${bert[@]}" --task cls --max-steps 1 --eval-data e.jsonl --out o t.jsonl
}

@test "segments of sentence pairs are used, and ones that the model has not are errors" {
	python3 - <<-'P'
		import base64, json
		for name, second in ("a", 1), ("b", 0), ("bad", 2):
		    with open(name + ".jsonl", "w") as f:
		        for i in range(8):
		            types = bytes([0, 0, 0, second, second])
		            f.write(json.dumps({"tokens": [5, 6 + i, 7, 8, 9], "label": i % 2, "types": base64.b64encode(types).decode()}) + "\n")
		    with open(name + ".mlm.jsonl", "w") as f:
		        for i in range(8):
		            f.write(json.dumps({"tokens": [5, 6 + i, 7, 8, 9], "types": base64.b64encode(bytes([0, 0, 0, second, second])).decode()}) + "\n")
	P
	for how in ".jsonl cls" ".mlm.jsonl mlm"; do
		set -- $how
		for n in a b; do
			dstrain "${bert[@]}" --task "$2" --vocab-size 300 --max-steps 3 --out "$n-$2" "$n$1"
		done
		! cmp -s "a-$2/model.safetensors" "b-$2/model.safetensors"
		fails 1 "type 2, the model has 2" dstrain "${bert[@]}" --task "$2" --vocab-size 300 --max-steps 3 --out "bad-$2" "bad$1"
	done
	echo '{"tokens":[1,2,3],"types":"AAA=","label":1}' >short.jsonl
	fails 1 "types of 2 bytes for 3 tokens" dstrain "${bert[@]}" --task cls --vocab-size 300 --max-steps 1 --out o short.jsonl
}

@test "data without one target is refused, and a step without one is skipped and counted" {
	none='{"tokens":[1,2,3,4,5,6,7,8],"docs":[0],"mask":"AAAAAAAAAAA="}'
	some='{"tokens":[1,2,3,4,5,6,7,8],"docs":[0],"mask":"AAEBAQEBAQE="}'
	for i in 1 2 3 4; do echo "$none"; done >none.jsonl
	set -- --model gpt2 --set n_layer=1,n_embd=16,n_head=2,n_positions=32,vocab_size=300 --batch-tokens 8
	fails 1 "not one target in 4 rows" dstrain "$@" --max-steps 1 --out o none.jsonl -q
	echo "$some" >some.jsonl
	fails 1 "eval_data: not one target" dstrain "$@" --max-steps 1 --eval-data none.jsonl --out p some.jsonl -q
	cat none.jsonl some.jsonl >both.jsonl
	dstrain "$@" --max-steps 10 --save-every 3 --out whole both.jsonl 2>said
	grep -q ", 8 steps without a target skipped" said
	[ "$(grep -c '"loss": null, .*"skipped": true' whole/log.jsonl)" -eq 8 ]
	python3 -c 'import json; [json.loads(l) for l in open("whole/log.jsonl")]'
	# the weights are those of two steps, bit for bit also when the run goes on
	cp -r whole cut && rm -r cut/checkpoint-10
	dstrain --resume --out cut -q
	cmp whole/model.safetensors cut/model.safetensors
	printf '{"text":"a","label":%s}\n' -100 '"-100"' >l.jsonl
	fails 1 "no labels in the input" dstrain "${bert[@]}" --task cls --max-steps 1 --out q l.jsonl
}

@test "a loss that is not finite ends a run with 1, in its first steps too, in every precision" {
	dstrain "${gpt[@]}" --max-steps 1 --out base t.txt
	python3 - <<-'P'
		import json, struct
		b = bytearray(open("base/model.safetensors", "rb").read())
		n = struct.unpack("<Q", b[:8])[0]
		h = json.loads(b[8:8 + n])
		for name in "transformer.ln_f.weight", "transformer.wte.weight":
		    a, z = h[name]["data_offsets"]
		    b[8 + n + a:8 + n + z] = struct.pack("<f", 3e38) * ((z - a) // 4)
		open("base/model.safetensors", "wb").write(b)
	P
	for p in fp32 bf16 fp16; do
		fails 1 "not finite" dstrain --model base --precision $p "${gpt[@]:4}" --max-steps 3 --out "o-$p" t.txt
		! grep -q nan "o-$p/log.jsonl"
		[ ! -e "o-$p/model.safetensors" ]
	done
}
