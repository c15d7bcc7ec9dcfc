#!/usr/bin/env bats
# a model directory is more than config and weights: what is beside them is carried, and what changes the
# computation is used or refused

load common

setup() {
	common_setup
	for i in $(seq 60); do
		echo "row $i of a small text, $((i * 7 % 13)) and more"
	done >t.txt
	dstok train -q -V 300 --special '<pad>' --special '<s>' --special '<|endoftext|>' --special '<|im_end|>' t.txt -o tok.json
	dstok -q -t tok.json --seq 32 t.txt -o s.dsr
	llama=num_hidden_layers=1,hidden_size=32,num_attention_heads=2,num_key_value_heads=2,head_dim=16,intermediate_size=64,max_position_embeddings=64,rope_scaling=none
	dstrain -q --model llama --set $llama --max-steps 2 --out base s.dsr
	rm -r base/checkpoint-* base/config.ini base/log.jsonl base/tb
	id() { python3 -c 'import json,sys; print(next(t["id"] for t in json.load(open("tok.json"))["added_tokens"] if t["content"] == sys.argv[1]))' "$1"; }
	common=(--seq 32 --batch-tokens 64 -q)
}

# side DIR: gives it what people's directories have
side() {
	cat >"$1/tokenizer_config.json" <<-J
		{"eos_token": {"content": "<|im_end|>", "special": true}, "pad_token": "<pad>", "bos_token": null,
		 "mine": [1, 2], "chat_template": "{{ messages }}"}
	J
	echo '{"eos_token": "<|endoftext|>", "bos_token": "<s>"}' >"$1/special_tokens_map.json"
	echo "{\"eos_token_id\": [$(id '<|im_end|>'), $(id '<|endoftext|>')], \"top_p\": 0.8}" >"$1/generation_config.json"
	printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}\n' >"$1/chat_template.jinja"
	mkdir -p "$1/additional_chat_templates"
	echo '{{ tools }}' >"$1/additional_chat_templates/tool_use.jinja"
}
sides="tokenizer_config.json special_tokens_map.json generation_config.json chat_template.jinja additional_chat_templates/tool_use.jinja"

@test "what a directory has beside its weights is carried, by tuning, adapters, merging" {
	side base
	dstrain --model base "${common[@]}" --max-steps 1 --out full t.txt
	for kind in lora prompt prefix; do
		dstrain --model base "${common[@]}" --tune $kind --max-steps 1 --out $kind t.txt
	done
	dstrain --merge --model lora --out merged -q
	dstrain --model full "${common[@]}" --max-steps 1 --out twice t.txt
	for d in full lora prompt prefix merged twice; do
		for f in $sides tokenizer.json; do
			cmp "base/$f" "$d/$f"
		done
	done
	# a shard of the one is a shard of all of them
	dstok -q -t base --seq 32 t.txt -o b.dsr
	for d in full merged twice; do
		dstrain --model $d -q --batch-tokens 64 --max-steps 1 --out "of-$d" b.dsr
	done
}

@test "a directory without them gets what others need to know the special tokens" {
	[ "$(python3 -c 'import json; t = json.load(open("base/tokenizer_config.json")); print(t["eos_token"], t["pad_token"], t["bos_token"], t["mask_token"])')" = "<|endoftext|> <pad> <s> None" ]
	dstok -q -t base --seq 32 t.txt -o b.dsr
	cmp b.dsr s.dsr || dstrain --model base -q --batch-tokens 64 --max-steps 1 --out a s.dsr
}

@test "special tokens that --set changes are changed beside the model too" {
	side base
	other=$(id '<|endoftext|>')
	dstrain --model base "${common[@]}" --set eos_token_id=$other,pad_token_id=-1 --max-steps 4 --save-every 2 --out a t.txt
	python3 - "$other" <<-'P'
		import json, sys
		other = int(sys.argv[1])
		t, g, c, m = (json.load(open("a/" + f + ".json")) for f in ("tokenizer_config", "generation_config", "config", "special_tokens_map"))
		assert t["eos_token"] == m["eos_token"] == "<|endoftext|>", (t, m)
		assert t["pad_token"] is None and t["mine"] == [1, 2] and t["chat_template"] == "{{ messages }}", t
		assert g["eos_token_id"] == c["eos_token_id"] == other and g["top_p"] == 0.8, (g, c)
		assert c["pad_token_id"] is None, c
	P
	rm -r a/checkpoint-4
	cp a/model.safetensors whole
	dstrain --resume --out a -q
	cmp a/model.safetensors whole
}

@test "a run over any of these layouts goes on bit for bit, also when it was shot" {
	side base
	cp -r base templated
	rm base/special_tokens_map.json
	cp -r base plain && rm plain/tokenizer_config.json plain/generation_config.json plain/chat_template.jinja
	cp -r base listed && sed -i "s/\"eos_token_id\": [0-9]*/\"eos_token_id\": [$(id '<|im_end|>'), $(id '<s>')]/" listed/config.json
	mkdir parted && cp base/*.json parted
	python3 - <<-'P'
		import json, struct
		b = open("base/model.safetensors", "rb").read()
		n = struct.unpack("<Q", b[:8])[0]
		h = json.loads(b[8:8 + n]); h.pop("__metadata__", None)
		names, where = sorted(h), {}
		for part in 0, 1:
		    head, data = {}, b""
		    for name in names[part::2]:
		        a, z = h[name]["data_offsets"]
		        head[name] = dict(h[name], data_offsets=[len(data), len(data) + z - a])
		        data += b[8 + n + a:8 + n + z]
		        where[name] = f"model-{part}.safetensors"
		    text = json.dumps(head).encode()
		    open(f"parted/model-{part}.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
		json.dump({"weight_map": where}, open("parted/model.safetensors.index.json", "w"))
	P
	for d in templated plain listed parted; do
		dstrain --model $d "${common[@]}" --max-steps 40 --save-every 5 --out whole t.txt
		dstrain --model $d "${common[@]}" --max-steps 40 --save-every 5 --out cut t.txt &
		for _ in $(seq 3000); do
			[ "$(cat cut/log.jsonl 2>/dev/null | wc -l)" -ge 12 ] && break
			kill -0 $! 2>/dev/null || break
			sleep 0.002
		done
		{ kill -9 $! && wait $!; } 2>/dev/null || true
		rm -rf "$d"
		dstrain --resume --out cut -q
		cmp whole/model.safetensors cut/model.safetensors
		diff -r -x checkpoint-* -x log.jsonl -x tb -x config.ini whole cut
		rm -r whole cut
	done
}

@test "directories with the files of older tokenizers train, go on and are read the same" {
	mkdir old-gpt2 old-bert
	python3 - <<-'P'
		import json
		t = json.load(open("tok.json"))
		vocab = {**t["model"]["vocab"], **{a["content"]: a["id"] for a in t["added_tokens"]}}
		json.dump(vocab, open("old-gpt2/vocab.json", "w"))
		merges = [m if isinstance(m, str) else " ".join(m) for m in t["model"]["merges"]]
		open("old-gpt2/merges.txt", "w").write("\n".join(["#version: 0.2"] + merges) + "\n")
		json.dump({"eos_token": "<|im_end|>"}, open("old-gpt2/special_tokens_map.json", "w"))
		words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Row", "row", "of", "a", "small", "text", ",", "and", "more"]
		open("old-bert/vocab.txt", "w").write("\n".join(words + [str(i) for i in range(61)]) + "\n")
		json.dump({"do_lower_case": False}, open("old-bert/tokenizer_config.json", "w"))
	P
	sed 's/^row/Row/' t.txt >T.txt
	[ "$(echo Row row | dstok -q -t old-bert --to jsonl)" = '{"tokens":[5,6]}' ]
	kinds="gpt2 bert"
	if [ -n "${DS_TEST_DATA-}" ]; then
		mkdir old-llama && cp "$DS_TEST_DATA/tokenizers/sentencepiece/test_model.model" old-llama/tokenizer.model
		echo '{"eos_token": "</s>", "bos_token": "<s>"}' >old-llama/tokenizer_config.json
		kinds+=" llama"
	fi
	for m in $kinds; do
		d=old-$m
		dstok -q -t $d --seq 32 --no-eos T.txt -o $d.dsr
		dstrain --model $m --max-steps 1 --batch-tokens 64 --out x $d.dsr -q \
			--set n_layer=1,n_embd=32,n_head=2,max_position_embeddings=64,intermediate_size=64
		cp x/config.json x/model.safetensors $d
		dstrain --model $d "${common[@]}" --max-steps 4 --save-every 2 --out a T.txt
		cp -r a b && rm -r b/checkpoint-4
		dstrain --resume --out b -q
		cmp a/model.safetensors b/model.safetensors
		dstrain --model a --batch-tokens 64 --max-steps 1 --out c $d.dsr -q
		for f in $(cd $d && ls | grep -v -e model -e '^config'); do cmp $d/$f a/$f; done
		rm -r x a b c
	done
}

@test "a run goes on with the tokenizer that it began with, or not at all" {
	side base
	dstrain --model base "${common[@]}" --max-steps 2 --out a t.txt
	sed -i 's/<|im_end|>/<|endoftext|>/' a/tokenizer_config.json
	fails 2 "or its tokenizer is not" dstrain --resume --max-steps 4 --out a -q
}

@test "several ids end a text at any of them, and stay several" {
	for end in '<|im_end|>' '<|endoftext|>' '<s>'; do
		id "$end"
	done | paste -sd, >ids
	sed -i "s/\"eos_token_id\": [0-9]*/\"eos_token_id\": [$(cat ids)]/" base/config.json
	# a text that is one of them over and over teaches it
	for end in '<|im_end|>' '<|endoftext|>' '<s>'; do
		rm -rf tuned
		python3 -c 'import json,sys; print(json.dumps({"tokens": [100, 101, int(sys.argv[1])] * 10}))' "$(id "$end")" >only.jsonl
		dstrain --model base "${common[@]}" --lr 1e-2 --scheduler constant --max-steps 200 --out tuned only.jsonl
		grep -q "\"eos_token_id\": \[$(sed 's/,/, /g' ids)\]" tuned/config.json
		echo '{"tokens":[100]}' | dsgen -m tuned --temperature 0 --max-tokens 9 --logprobs --to jsonl -q >said
		cat said; [ "$(python3 -c 'import json; print(len(json.loads(open("said").read())["logprobs"]))')" -eq 1 ]
	done
	# generation_config.json counts first
	echo '{"eos_token_id": 101}' >tuned/generation_config.json
	echo '{"tokens":[100]}' | dsgen -m tuned --temperature 0 --max-tokens 9 --logprobs --to jsonl -q >said
	[ "$(python3 -c 'import json; print(len(json.loads(open("said").read())["logprobs"]))')" -eq 0 ]
	echo '{"eos_token_id": "x"}' >tuned/generation_config.json
	fails 2 "tuned/generation_config.json: eos_token_id is no id" dsgen -m tuned -q t.txt
}

@test "a key that the architecture knows and this program does not is refused by all, or left out when told to" {
	sed 's/^{/{ "partial_rotary_factor": 0.5,/' base/config.json >x && mv x base/config.json
	why="base/config.json: llama with partial_rotary_factor=0.5 is not supported; --ignore-keys computes without it"
	fails 2 "$why" dstrain --model base "${common[@]}" --max-steps 1 --out o t.txt
	fails 2 "$why" dsgen -m base -q t.txt
	fails 2 "$why" dseval ppl -m base -q t.txt
	fails 2 "$why" dsexport safetensors -m base -o x.safetensors -q
	rm -rf o
	dsgen -m base --ignore-keys --max-tokens 1 -q --to jsonl t.txt >said
	dseval ppl -m base --ignore-keys -q t.txt >said
	dsexport safetensors -m base --ignore-keys -o x.safetensors -q
	dstrain --model base --ignore-keys "${common[@]}" --max-steps 1 --out o t.txt
	! grep -q partial_rotary_factor o/config.json
	dsgen -m o --max-tokens 1 -q --to jsonl t.txt >said
}

# Puts another tensor into a file of weights: more FILE NAME LIKE FILL
more() {
	python3 - "$@" <<-'P'
		import json, struct, sys
		file, name, like, fill = sys.argv[1:]
		b = open(file, "rb").read()
		n = struct.unpack("<Q", b[:8])[0]
		h = json.loads(b[8:8 + n])
		a, z = h[like]["data_offsets"]
		data = b[8 + n:]
		new = data[a:z] if fill == "same" else struct.pack("<f", float(fill)) * ((z - a) // 4)
		h[name] = dict(h[like], data_offsets=[len(data), len(data) + len(new)])
		text = json.dumps(h).encode()
		open(file, "wb").write(struct.pack("<Q", len(text)) + text + data + new)
	P
}

@test "tensors that nothing takes are refused, or left out when told to" {
	more base/model.safetensors model.layers.7.extra.weight model.norm.weight 1
	why="base: tensor 'model.layers.7.extra.weight' is not part of this model; --ignore-keys leaves it out"
	fails 1 "$why" dsgen -m base -q t.txt
	fails 1 "$why" dstrain --model base "${common[@]}" --max-steps 1 --out o t.txt
	dsgen -m base --ignore-keys --max-tokens 1 -q --to jsonl t.txt >said
	# and in adapters
	dstrain --model base --ignore-keys "${common[@]}" --tune prompt --max-steps 1 --out p t.txt
	more p/adapter_model.safetensors other prompt_embeddings 1
	fails 1 "p: tensor 'other' is no virtual token" dsgen -m p --ignore-eos -q t.txt || fails 1 "base: tensor" dsgen -m p -q t.txt
}

@test "an output projection that is stored and differs from the embedding is one of its own" {
	rm -r base
	dstrain -q --model llama --set $llama,tie_word_embeddings=false --max-steps 2 --out base s.dsr
	sed -i 's/"tie_word_embeddings": false/"tie_word_embeddings": true/' base/config.json
	cp -r base same
	dseval ppl -m base -q --to tsv t.txt >untied
	grep -q '"tie_word_embeddings": true' base/config.json
	dstrain --model base "${common[@]}" --max-steps 1 --out o t.txt
	grep -q '"tie_word_embeddings": false' o/config.json
	# where both are the same they are one
	python3 - <<-'P'
		import json, struct
		b = bytearray(open("same/model.safetensors", "rb").read())
		n = struct.unpack("<Q", b[:8])[0]
		h = json.loads(b[8:8 + n])
		(a, z), (c, d) = h["model.embed_tokens.weight"]["data_offsets"], h["lm_head.weight"]["data_offsets"]
		b[8 + n + c:8 + n + d] = b[8 + n + a:8 + n + z]
		open("same/model.safetensors", "wb").write(b)
	P
	dseval ppl -m same -q --to tsv t.txt >tied
	! cmp -s tied untied
	dstrain --model same "${common[@]}" --max-steps 1 --out p t.txt
	grep -q '"tie_word_embeddings": true' p/config.json
	! grep -q lm_head p/model.safetensors
}
