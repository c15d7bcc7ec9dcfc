#!/bin/sh
# jsonl.sh - random JSON records survive the stream exactly, as Python's json sees them
#
# 20,000 records of every kind of value, in blocks of three sizes: what comes out must be the same
# objects, 1, 1.0 and true told apart. SEED= repeats a run.
set -eu
command -v python3 >/dev/null || { echo "1..0 # skip no python3"; exit 0; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/make.py" <<'END'
import json, random, sys
rng = random.Random(int(sys.argv[1]))
def text():
    n = rng.choice([0, 1, 3, 30, 300])
    return "".join(chr(rng.choice([rng.randrange(32, 127), rng.randrange(0, 32), rng.randrange(0xA0, 0xD800),
        rng.randrange(0x10000, 0x110000), 34, 92])) for _ in range(n))
def value(depth=0):
    k = rng.randrange(12 if depth < 4 else 9)
    if k == 0: return rng.randrange(-10, 10)
    if k == 1: return rng.choice([0, 2**63 - 1, -2**63, 2**63, 10**30, -1])
    if k == 2: return rng.random() * 10.0 ** rng.randrange(-30, 30)
    if k == 3: return rng.choice([1.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308, 1e16, 123456789.125])
    if k == 4: return rng.choice([True, False, None])
    if k < 9: return text()
    if k == 9: return [value(depth + 1) for _ in range(rng.randrange(4))]
    return {text()[:9]: value(depth + 1) for _ in range(rng.randrange(4))}
def record():
    # Fields of one type, so that typed columns are met as well as mixed ones.
    r = {"id": rng.randrange(10**6), "text": text(), "f": rng.random(), "b": rng.random() < .5}
    for _ in range(rng.randrange(4)): r["x%d" % rng.randrange(40)] = value()
    for k in list(r):
        if rng.random() < .1: del r[k]
    return r
for i in range(20000): print(json.dumps(record(), ensure_ascii=i % 2 == 0))
END
cat >"$dir/same.py" <<'END'
import json, sys
a, b = [[json.dumps(json.loads(l), sort_keys=True) for l in open(f, newline="\n", encoding="utf-8")] for f in sys.argv[1:]]
for i, (x, y) in enumerate(zip(a, b)):
    if x != y: sys.exit("record %d:\n%s\n%s" % (i, x, y))
sys.exit(len(a) != len(b))
END
seed=${SEED:-1}
python3 "$dir/make.py" "$seed" >"$dir/in.jsonl"
n=0
echo "1..3"
for size in 512 20000 1048576; do
	n=$((n + 1))
	DS_BLOCK=$size dsrec import -q "$dir/in.jsonl" | DS_BLOCK=$size dsrec cat -q --to jsonl >"$dir/out.jsonl"
	if python3 "$dir/same.py" "$dir/in.jsonl" "$dir/out.jsonl"; then
		echo "ok $n - 20,000 records in blocks of $size, seed $seed"
	else
		echo "not ok $n - records changed in blocks of $size, seed $seed"
		exit 1
	fi
done
