#!/usr/bin/env bats
# dsexport: what is in the files; that others compute the same with them is shown by tests/peers/onnx.sh, gguf.sh

load common

setup_file() {
	export PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_FILE_TMPDIR"
	for i in $(seq 40); do echo "line $i: the quick brown fox jumps over the lazy dog"; done >text.txt
	dstrain --model gpt2 --set n_layer=2,n_embd=32,n_head=4,seq=16,batch_tokens=64 --max-steps 2 --out gpt2 -q text.txt
	dstrain --model qwen3 --set num_hidden_layers=1,hidden_size=32,intermediate_size=48,num_attention_heads=4 \
		--set num_key_value_heads=2,head_dim=8,seq=16,batch_tokens=64 --max-steps 2 --out qwen3 -q text.txt
	dstrain --model bert --set num_hidden_layers=1,hidden_size=32,intermediate_size=48,num_attention_heads=2 \
		--set seq=16,batch_tokens=64 --max-steps 2 --out bert -q text.txt
}

setup() {
	common_setup
	M=$BATS_FILE_TMPDIR
}

onnx() { python3 "$BATS_TEST_DIRNAME/onnx_read.py" "$@"; }

# has FILE WORDS...: lines begin so; lacks: none does
has() {
	local file=$1
	shift
	for w; do grep -q "^$w" "$file" || { echo "no '$w' in:"; cut -c1-100 "$file"; return 1; }; done
}

lacks() {
	local file=$1
	shift
	for w; do if grep "^$w" "$file"; then return 1; fi; done
}

@test "the oldest IR that knows the opset is written, and its operators are used" {
	for o in 13:7 17:8 20:9 21:10 23:11 24:12 27:13; do
		dsexport onnx -m $M/qwen3 -o m.onnx --opset ${o%:*} -q
		onnx m.onnx >out
		has out "ir ${o#*:}\$" "opset ${o%:*}\$"
		if [ "${o%:*}" -ge 23 ]; then
			has out "op RMSNormalization" "op RotaryEmbedding" "op Attention"
		else
			lacks out "op RMSNorm" "op Rotary" "op Attention"
		fi
	done
	for o in 13 17; do
		dsexport onnx -m $M/gpt2 -o m.onnx --opset $o -q
		[ "$(onnx m.onnx | grep -c LayerNormalization)" = $((o >= 17)) ]
	done
}

@test "opsets before 23 use nothing that TensorRT's parser lacks, dynamic int8 apart" {
	for m in gpt2 qwen3 bert; do for how in "" "--dtype fp16" "--int8 qdq" "--dtype bf16"; do
		dsexport onnx -m $M/$m -o m.onnx -q $how
		onnx m.onnx | sed -n 's/^op \([A-Za-z]*\) .*/\1/p' >ops
		grep -vxE "Add|And|Cast|Concat|Cos|DequantizeLinear|Div|Equal|Erf|Expand|Gather|Greater|Identity" ops |
			grep -vxE "LayerNormalization|LessOrEqual|MatMul|Mul|Neg|QuantizeLinear|Range|ReduceMean|ReduceSum" |
			grep -vxE "Relu|Reshape|Shape|Sigmoid|Sin|Slice|Softmax|Sqrt|Squeeze|Sub|Tanh|Transpose|Unsqueeze|Where" >other || true
		[ ! -s other ] || { cat other; return 1; }
	done; done
}

@test "--dtype is the type of weights; fp16 is computed in, bf16 stored" {
	dsexport onnx -m $M/gpt2 -o h.onnx --dtype fp16 -q
	onnx h.onnx >out
	has out "output logits f16" "weight transformer.wte.weight f16"
	dsexport onnx -m $M/gpt2 -o b.onnx --dtype bf16 -q
	onnx b.onnx >out
	has out "output logits f32" "weight transformer.wte.weight bf16"
	fails 2 "exclude one another" dsexport onnx -m $M/gpt2 -o no.onnx --dtype fp16 --int8
	[ ! -e no.onnx ]
}

@test "--int8 keeps every matrix once, in bytes with a scale an output" {
	dsexport onnx -m $M/gpt2 -o q.onnx --int8 -q
	onnx q.onnx >out
	has out "op MatMulInteger" "op DynamicQuantizeLinear" "weight transformer.wte.weight.int8 i8" \
		"weight transformer.h.0.mlp.c_fc.weight.scale f32 128 "
	lacks out "weight transformer.*c_fc.weight f32"
	dsexport onnx -m $M/gpt2 -o q.onnx --int8 qdq -q
	onnx q.onnx >out
	has out "op DequantizeLinear" "op MatMul "
	lacks out "op MatMulInteger" "op QuantizeLinear"
	fails 2 "int4" dsexport onnx -m $M/gpt2 -o no.onnx --int8=int4
}

@test "--kv-cache has Optimum's names and axes, and fixed ones where both are numbers" {
	dsexport onnx -m $M/qwen3 -o k.onnx --kv-cache -q
	onnx k.onnx >out
	has out "input attention_mask i64 batch_size,past_sequence_length + sequence_length" \
		"input past_key_values.0.value f32 batch_size,2,past_sequence_length,8" \
		"output present.0.key f32 batch_size,2,past_sequence_length + sequence_length,8"
	[ "$(grep output out | head -n 1)" = "output logits f32 batch_size,sequence_length,$(sed -n 's/.*"vocab_size": \([0-9]*\).*/\1/p' $M/qwen3/config.json)" ]
	dsexport onnx -m $M/qwen3 -o k.onnx --kv-cache --input input_ids=1,1 --input attention_mask=1,9 --dtype fp16 -q
	onnx k.onnx >out
	has out "input past_key_values.0.key f16 1,2,8,8" "output present.0.key f16 1,2,9,8"
	fails 2 "attention_mask" dsexport onnx -m $M/qwen3 -o no.onnx --kv-cache --input input_ids=1,4 --input attention_mask=1,4
	fails 2 "encoder" dsexport onnx -m $M/bert -o no.onnx --kv-cache
	fails 2 "other axes" dsexport onnx -m $M/qwen3 -o no.onnx --input input_ids=1,4 --input attention_mask=1,5
}

@test "--external puts large weights into FILE_data, each at a multiple of 4096" {
	mkdir sub
	dsexport onnx -m $M/gpt2 -o sub/m.onnx --external -q
	dsexport onnx -m $M/gpt2 -o whole.onnx -q
	onnx sub/m.onnx >out
	python3 - <<-'END'
		import json, struct
		data = open("sub/m.onnx_data", "rb").read()
		names = [l.split() for l in open("out") if l.startswith("weight") and not l.endswith("in\n")]
		assert len(names) > 5
		end = max(int(n[4]) + int(n[5]) for n in names)
		assert end == len(data), (end, len(data))
		whole = open("whole.onnx", "rb").read()
		for n in names:
		    at, size = int(n[4]), int(n[5])
		    assert at % 4096 == 0 and size >= 1024
		    assert data[at:at + size] in whole, n
	END
	[ "$(stat -c %s sub/m.onnx)" -lt 60000 ]
	mkdir bad_data
	fails 4 "bad_data" dsexport onnx -m $M/gpt2 -o bad --external
	[ ! -e bad ]
}

gguf() { python3 "$BATS_TEST_DIRNAME/gguf_read.py" "$@"; }

@test "a GGUF file has llama.cpp's names, the tokenizer, and no holes" {
	dsexport gguf -m $M/gpt2 -o g.gguf -q
	gguf g.gguf >out
	has out "key general.architecture 'gpt2'" "key gpt2.attention.head_count 4" "key tokenizer.ggml.pre 'qwen2'" \
		"key tokenizer.ggml.tokens" "key tokenizer.ggml.eos_token_id 2" "tensor token_embd.weight f32 32x" \
		"tensor blk.1.attn_qkv.weight f32 32x96" "tensor blk.1.ffn_down.weight f32 128x32"
	lacks out "tensor output.weight"
	dsexport gguf -m $M/qwen3 -o g.gguf --dtype q8_0 -q
	gguf g.gguf >out
	has out "key qwen3.attention.key_length 8" "key general.file_type 7" "tensor blk.0.attn_q_norm.weight f32 8" \
		"tensor blk.0.ffn_gate.weight q8_0 32x48" "tensor blk.0.ffn_down.weight f16 48x32"
	cp g.gguf again.gguf
	dsexport gguf -m $M/qwen3 -o g.gguf --dtype q8_0 -q
	cmp g.gguf again.gguf
}

@test "llama's query and key rows are put into the order in which llama.cpp turns them" {
	dstrain --model llama --set num_hidden_layers=1,hidden_size=8,intermediate_size=8,num_attention_heads=2 \
		--set num_key_value_heads=1,head_dim=4,seq=16,batch_tokens=64 --max-steps 1 --out llama -q $M/text.txt
	dsexport gguf -m llama -o l.gguf -q
	dsexport safetensors -m llama -o l.safetensors -q
	gguf l.gguf >out
	has out "tensor rope_freqs.weight f32 2"
	python3 - <<-'END'
		import json, struct
		st = open("l.safetensors", "rb").read()
		n = struct.unpack("<Q", st[:8])[0]
		h = json.loads(st[8:8 + n])
		gguf = open("l.gguf", "rb").read()
		for name, heads in (("q", 2), ("k", 1)):
		    a, z = h["model.layers.0.self_attn.%s_proj.weight" % name]["data_offsets"]
		    rows = [st[8 + n + a + 32 * i:8 + n + a + 32 * (i + 1)] for i in range(4 * heads)]
		    want = b"".join(rows[4 * head + i] for head in range(heads) for i in (0, 2, 1, 3))
		    assert want in gguf
	END
}

@test "what llama.cpp would compute otherwise is refused" {
	fails 1 "bert" dsexport gguf -m $M/bert -o no.gguf
	cp -r $M/gpt2 other
	sed -i 's/gelu_new/relu/' other/config.json
	fails 1 "activation" dsexport gguf -m other -o no.gguf
	cp $M/gpt2/config.json other
	sed -i 's/\\\\p{N}| ?\[/\\\\p{N}{1,2}| ?[/' other/tokenizer.json
	fails 1 "tokenizer" dsexport gguf -m other -o no.gguf
	rm other/tokenizer.json
	fails 1 "no tokenizer" dsexport gguf -m other -o no.gguf
	[ ! -e no.gguf ]
}

@test "a folder is a whole model, with a card of its data and training" {
	dsexport safetensors -m $M/gpt2 -o hub/ --dtype fp16 -q
	[ "$(ls hub | paste -sd ' ')" = "README.md config.json model.safetensors tokenizer.json tokenizer_config.json" ]
	grep -q '"torch_dtype": "float16"' hub/config.json
	has hub/README.md "pipeline_tag: text-generation" "2 steps over 128 tokens" "| batch_tokens | 64 |" "| loss of the last step |"
	echo "the quick" >in
	cmp <(dsgen -m hub --temperature 0 --max-tokens 5 --to jsonl -q in) <(dsgen -m $M/gpt2 --temperature 0 --max-tokens 5 --to jsonl -q in)
	fails 2 "not empty" dsexport safetensors -m $M/gpt2 -o hub/
	fails 2 "not empty" dsexport safetensors -m $M/gpt2 -o hub
}

@test "the card tells what each stage of the data dropped, and files carry it" {
	{ cat $M/text.txt; head -n 5 $M/text.txt; } | dsdedup --method exact -q | dstok -q --seq 16 -o t.dsr
	dstrain --model gpt2 --set n_layer=1,n_embd=32,n_head=4,batch_tokens=64 --max-steps 1 --out run -q t.dsr
	dsexport safetensors -m run -o hub/ -q
	grep -q "^| \`dsdedup --method=exact\` | 45 | 40 |" hub/README.md
	dsexport onnx -m run -o m.onnx -q
	onnx m.onnx | sed -n 's/^meta provenance=//p' >meta
	dsexport gguf -m run -o m.gguf -q
	python3 - <<-'END'
		import json
		p = json.load(open("meta"))
		stages = p["chain"][0]["stages"]
		assert [s["program"] for s in stages] == ["dsdedup", "dstok"] and stages[0]["out"] == 40
		assert p["settings"]["batch_tokens"] == "64" and p["steps"] == 1
		assert b"dstools.provenance" in open("m.gguf", "rb").read()
	END
}
