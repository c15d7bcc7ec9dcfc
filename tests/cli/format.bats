#!/usr/bin/env bats
# python/dsr.py, which knows the format from docs/format.md alone, against what dsrec writes

load common
setup() {
	common_setup
	PYTHON=
	for p in python3 /usr/bin/python3; do
		"$p" -c 'import numpy, xxhash, zstandard' 2>/dev/null && PYTHON=$p && break
	done
	[ -n "$PYTHON" ] || skip "python3 without numpy, xxhash or zstandard"
}

# same FILE...: both readers print the same records
same() {
	local f
	for f; do
		"$PYTHON" "$ROOT/python/dsr.py" "$f" >theirs
		dsrec cat -q --to jsonl "$f" >ours
		"$PYTHON" - <<-'END' || return 1
			import json
			a, b = [[json.loads(l) for l in open(f)] for f in ("theirs", "ours")]
			assert len(a) == len(b) and len(a) > 0, (len(a), len(b))
			for x, y in zip(a, b):
			    assert json.dumps(x, sort_keys=True) == json.dumps(y, sort_keys=True), (x, y)
		END
	done
}

mixed() {
	"$PYTHON" - "$1" <<-'END'
		import base64, json, random, sys
		random.seed(7)
		def value(k):
		    return [random.randint(-2**63, 2**63 - 1), random.random(), "é" * random.randint(0, 50), True, None,
		            {"a": [1, {"b": "c"}]}, [], "", 0, -0.0][k]
		for i in range(int(sys.argv[1])):
		    r = {"id": i, "text": "x" * random.randint(0, 300)}
		    if i % 3: r["tokens"] = [random.randint(0, 2**32 - 1) for _ in range(i % 7)]
		    if i % 5: r["n"] = random.randint(0, 9)
		    if i % 4 == 0: r["embedding"] = [random.random() for _ in range(3)]
		    if i % 6: r["b"] = random.choice([True, False, None])
		    if i % 7 == 0: r["image"] = base64.b64encode(bytes(range(i % 256))).decode()
		    for k in range(10):
		        if random.random() < .3: r["k%d" % k] = value(k)
		    print(json.dumps(r))
	END
}

@test "an independent reader sees the same records, packed or not, in blocks of any size" {
	mixed 3000 >in.jsonl
	dsrec import -q in.jsonl -o plain.dsr
	dsrec import -q -z in.jsonl -o packed.dsr
	DS_BLOCK=512 dsrec import -q in.jsonl -o small.dsr
	cat plain.dsr packed.dsr small.dsr >three.dsr
	same plain.dsr packed.dsr small.dsr three.dsr
}

@test "an independent reader refuses a stream with any bit changed" {
	mixed 3 >in.jsonl
	dsrec import -q -z in.jsonl -o a.dsr
	"$PYTHON" - "$ROOT/python" <<-'END'
		import io, sys
		sys.path.insert(0, sys.argv[1])
		import dsr
		whole = open("a.dsr", "rb").read()
		assert len(list(dsr.records(io.BytesIO(whole)))) == 3
		for at in range(0, len(whole), 5):
		    damaged = bytearray(whole)
		    damaged[at] ^= 1 << at % 8
		    try:
		        list(dsr.records(io.BytesIO(damaged)))
		    except dsr.Damaged:
		        continue
		    raise SystemExit(f"byte {at} changed, and nobody noticed")
		for n in range(0, len(whole), 37):
		    try:
		        list(dsr.records(io.BytesIO(whole[:n])))
		    except dsr.Damaged:
		        continue
		    raise SystemExit(f"cut at {n}, and nobody noticed")
	END
}

@test "an empty stream has no records, here and there" {
	: >in.jsonl
	dsrec import -q --from jsonl in.jsonl -o a.dsr
	[ "$("$PYTHON" "$ROOT/python/dsr.py" a.dsr | wc -l)" -eq 0 ]
}

@test "a stream of every version that was ever released is still read" {
	local f
	for f in "$ROOT"/tests/data/old/*.dsr; do
		dsrec check -q "$f"
		dsrec cat -q --to jsonl "$f" | cmp - "${f%.dsr}.jsonl"
		same "$f"
	done
}

@test "the Python reader does without xxhash, gives arrays, and finds a changed bit" {
	mixed 300 | dsrec import -q -o a.dsr
	"$PYTHON" - "$ROOT/python" <<-'END'
		import sys
		sys.path.insert(0, sys.argv[1])
		import dsr
		fast = list(map(repr, dsr.records("a.dsr")))
		dsr.xxhash = None
		assert list(map(repr, dsr.records("a.dsr"))) == fast and len(fast) == 300
		b = bytearray(open("a.dsr", "rb").read())
		b[len(b) // 2] ^= 4
		open("b.dsr", "wb").write(b)
		try:
		    list(dsr.records("b.dsr"))
		    raise SystemExit("a changed bit was not found")
		except dsr.Damaged:
		    pass
		open("c.dsr", "wb").write(open("a.dsr", "rb").read()[:-200])
		try:
		    list(dsr.records("c.dsr"))
		    raise SystemExit("a cut stream was taken for whole")
		except dsr.Damaged:
		    pass
	END
	dstok -q --seq 16 a.dsr -o tok.dsr
	dsrec cat -q --to jsonl tok.dsr >tok.jsonl
	"$PYTHON" - "$ROOT/python" <<-'END'
		import sys, json
		sys.path.insert(0, sys.argv[1])
		import dsr
		rows = [row for a in dsr.arrays("tok.dsr", "tokens", "absent") for row in a["tokens"].tolist()]
		assert rows == [json.loads(l)["tokens"] for l in open("tok.jsonl")] and len(rows) > 1
		ids = [i for a in dsr.arrays("a.dsr", "id") for i in a["id"].tolist()]
		assert ids == list(range(300))
	END
}

@test "the Python package has the version of the programs" {
	v=$(dsrec --version | awk '{ print $NF }')
	grep -qx "version = \"$v\"" "$ROOT/python/pyproject.toml"
	grep -qx "__version__ = \"$v\"" "$ROOT/python/dsr.py"
}
