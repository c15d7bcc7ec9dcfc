#!/bin/bash
# parallel.sh - several processes against one on the same cores, layout by layout
#
# A small decoder; tokens a second of N processes over those of one with as many threads, medians of runs by turns
# (RUNS=), and the share of their time that ranks waited for one another. 1.00 would be a layout that costs nothing.
. "$(dirname "$0")/lib.sh"
set -eu
N=${N:-2}
MODEL="--model gpt2 --set n_layer=8,n_embd=384,n_head=6,vocab_size=8192,seq=256,batch_tokens=4096,dropout=0,bos_token_id=0,eos_token_id=0 --max-steps ${STEPS:-6}"
awk 'BEGIN { srand(1); for (i = 0; i < 4000; i++) { for (j = 0; j < 12; j++) printf "w%d ", int(rand() * 900); print "" } }' >"$WORK/text.txt"
dstok --seq 256 "$WORK/text.txt" -o "$WORK/a.dsr" -q

# rate NAME OPTIONS...: tokens a second, and of ranks the share of time that they waited
rate() {
	local name=$1
	shift
	rm -rf "$WORK/r"
	# shellcheck disable=SC2086
	dstrain $MODEL --any-tokenizer true "$@" -j "$N" -q --save-every 0 --stats "$WORK/s.json" --out "$WORK/r" "$WORK/a.dsr"
	python3 - "$WORK/s.json" "$N" >>"$WORK/$name" <<-'E'
		import json, sys
		s = json.load(open(sys.argv[1]))
		waited = sum(k["waited"] for k in s.get("communication", {}).values())
		print(s["tokens"] / s["seconds"], waited / s["seconds"] / int(sys.argv[2]))
	E
}

layouts="dp=$N tp=$N pp=$N"
for ((i = 0; i < ${RUNS:-3}; i++)); do
	rate one
	for s in $layouts; do rate "$s" --parallel-strategy "$s"; done
done
one=$(cut -d' ' -f1 "$WORK/one" | median)
printf '%-34s %8.0f tokens/s\n' "one process, $N threads" "$one"
for s in $layouts; do
	awk -v name="$s, one thread each" -v a="$(cut -d' ' -f1 "$WORK/$s" | median)" -v b="$one" -v w="$(cut -d' ' -f2 "$WORK/$s" | median)" \
		'BEGIN { printf "%-34s %8.0f tokens/s   %.2f   waited %.0f %%\n", name, a, a / b, 100 * w }'
done
