#!/usr/bin/env bash
# eval.sh - dseval beside sacreBLEU, rouge-score and scikit-learn on the same records, and what exporting 124M takes
#
# BENCH_PYTHON names a Python with sacrebleu, rouge_score and scikit-learn. User seconds of one thread for whole
# programs that read JSON lines, and in brackets how many times as fast ours is on a record stream, reading included, as the peer's computation
# alone, without its imports and its reading; scores must agree to 1e-9. Asked for: at
# least 20 times as fast; export under 3 s.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
python=${BENCH_PYTHON:-python3}
rounds=${RUNS_EVAL:-3}
"$python" -c "import sacrebleu, rouge_score, sklearn" 2>/dev/null || { echo "skipped: $python has no sacrebleu, rouge_score, sklearn"; exit 0; }
cat >"$WORK/peer.py" <<'P'
import json, random, resource, sys
work = sys.argv[1]
random.seed(1)
words = ["".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(random.randint(2, 9))) for _ in range(3000)]
with open(work + "/text.jsonl", "w") as f:
    for _ in range(4000):
        ref = [random.choice(words) for _ in range(random.randint(8, 30))]
        hyp = [w if random.random() > .25 else random.choice(words) for w in ref if random.random() > .1] or ["x"]
        f.write(json.dumps({"pred": " ".join(hyp) + ".", "ref": " ".join(ref) + "."}) + "\n")
with open(work + "/class.jsonl", "w") as f:
    for _ in range(200000):
        y, p = random.randint(0, 1), random.random()
        s = min(max(p * .6 + y * .35, 0), 1)
        f.write(json.dumps({"label": str(y), "pred": str(int(s > .5)), "score": s}) + "\n")
P
cat >"$WORK/measure.py" <<'P'
import json, resource, sys
from sacrebleu.metrics import BLEU, CHRF
from rouge_score.rouge_scorer import RougeScorer
from sklearn import metrics as sk
work, what = sys.argv[1:]
user = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_utime
rows = [json.loads(l) for l in open(work + ("/class.jsonl" if what == "class" else "/text.jsonl"))]
pred, ref = [r["pred"] for r in rows], [r.get("ref") for r in rows]
start = user()
if what == "bleu":
    v = [BLEU().corpus_score(pred, [ref]).score]
elif what == "chrf":
    v = [CHRF().corpus_score(pred, [ref]).score]
elif what == "rouge":
    s = RougeScorer(["rouge1", "rougeL"])
    got = [s.score(r, p) for p, r in zip(pred, ref)]
    v = [sum(g[k].fmeasure for g in got) / len(got) for k in ("rouge1", "rougeL")]
else:
    y, score = [r["label"] for r in rows], [r["score"] for r in rows]
    v = [sk.accuracy_score(y, pred), sk.f1_score(y, pred, average="macro"), sk.roc_auc_score(y, score), sk.log_loss(y, score, labels=["0", "1"])]
print("%.4f %.4f" % (user(), user() - start), *("%.12f" % x for x in v))
P
"$python" "$WORK/peer.py" "$WORK"
for f in text class; do dsrec import -q "$WORK/$f.jsonl" -o "$WORK/$f.dsr"; done
ours() { # FILE METRIC...: user seconds, then the scores
	local file=$1
	shift
	TIMEFORMAT=%U
	{ time dseval "$@" -j 1 --json -q "$file" >"$WORK/out"; } 2>"$WORK/time"
	echo "$(cat "$WORK/time") $("$python" -c 'import json,sys; print(*("%.12f" % m["score"] for m in json.load(sys.stdin)["metrics"]))' <"$WORK/out")"
}
compare() { # NAME FILE METRIC...
	local name=$1 file=$2 i a b
	shift 2
	: >"$WORK/a"
	: >"$WORK/b"
	: >"$WORK/c"
	: >"$WORK/d"
	for ((i = 0; i < rounds; i++)); do
		a=$(ours "$WORK/$file.jsonl" "$@")
		b=$("$python" "$WORK/measure.py" "$WORK" "$name")
		awk -v a="${a#* }" -v b="${b#* * }" 'BEGIN { n = split(a, x); split(b, y); for (i = 1; i <= n; i++) if (x[i] - y[i] > 1e-9 || y[i] - x[i] > 1e-9) exit 1 }' ||
			{ echo "$name: ${a#* }, the peer has ${b#* * }"; return 1; }
		echo "${a%% *}" >>"$WORK/a"
		a=$(ours "$WORK/$file.dsr" "$@")
		echo "${a%% *}" >>"$WORK/d"
		echo "${b%% *}" >>"$WORK/b"
		b=${b#* }
		echo "${b%% *}" >>"$WORK/c"
	done
	awk -v name="$*" -v a="$(median <"$WORK/a")" -v b="$(median <"$WORK/b")" -v c="$(median <"$WORK/c")" -v d="$(median <"$WORK/d")" \
		'BEGIN { printf "%-34s %8.3f s %10.3f s   %.0f (%.0f)\n", name, a, b, b / (a + 1e-3), c / (d + 1e-3) }'
}
echo "metric                             dseval        the reference   times as fast"
compare bleu text bleu
compare chrf text chrf
compare rouge text rouge1 rougeL
compare class class accuracy f1:macro auc log-loss
for i in 1 2 3 4; do echo "line $i of a small text"; done >"$WORK/t.txt"
dstrain --model gpt2 --seq 16 --batch-tokens 16 --max-steps 1 --out "$WORK/gpt2" -q "$WORK/t.txt"
for how in "onnx" "onnx --dtype fp16" "onnx --int8" gguf safetensors; do
	for ((i = 0; i < rounds; i++)); do
		# shellcheck disable=SC2086 # options
		seconds "dsexport $how -m $WORK/gpt2 -o $WORK/model.out -q"
	done | median | awk -v how="$how" '{ printf "export of 124M: %-18s %8.2f s\n", how, $1 }'
done
