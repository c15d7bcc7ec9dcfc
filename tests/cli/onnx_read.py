"""What is in an ONNX file, without the onnx package: onnx_read.py FILE prints a line a thing.

ir N · opset N · meta KEY=VALUE · input|output NAME TYPE AXIS,AXIS · op TYPE COUNT · weight NAME TYPE DIMS in|OFFSET LENGTH
"""
import collections
import sys

TYPES = {1: "f32", 2: "u8", 3: "i8", 6: "i32", 7: "i64", 9: "bool", 10: "f16", 16: "bf16"}


def varint(b, i):
    v = shift = 0
    while True:
        v |= (b[i] & 127) << shift
        shift += 7
        i += 1
        if b[i - 1] < 128:
            return v, i


def fields(b):
    """{number: [values]} of a message."""
    out, i = collections.defaultdict(list), 0
    while i < len(b):
        key, i = varint(b, i)
        if key & 7 == 0:
            v, i = varint(b, i)
        elif key & 7 == 2:
            n, i = varint(b, i)
            assert i + n <= len(b), "a length over the end"
            v, i = b[i:i + n], i + n
        else:
            assert key & 7 == 5, "a wire type that is not used"
            v, i = b[i:i + 4], i + 4
        out[key >> 3].append(v)
    return out


def text(v):
    return bytes(v).decode()


def value(kind, v):
    f = fields(v)
    tensor = fields(fields(f[2][0])[1][0])
    dims = [fields(d) for d in fields(tensor[2][0])[1]]
    axes = ",".join(str(d[1][0]) if d[1] else text(d[2][0]) for d in dims)
    print(kind, text(f[1][0]), TYPES[tensor[1][0]], axes)


model = fields(memoryview(open(sys.argv[1], "rb").read()))
graph = fields(model[7][0])
print("ir", model[1][0])
print("opset", fields(model[8][0])[2][0])
for m in model[14]:
    f = fields(m)
    print("meta %s=%s" % (text(f[1][0]), text(f[2][0])))
for v in graph[11]:
    value("input", v)
for v in graph[12]:
    value("output", v)
for op, n in sorted(collections.Counter(text(fields(n)[4][0]) for n in graph[1]).items()):
    print("op", op, n)
known = {text(fields(v)[1][0]) for v in graph[11]} | {text(fields(w)[8][0]) for w in graph[5]}
for n in graph[1]:  # in order, each value once
    f = fields(n)
    missing = [text(i) for i in f[1] if text(i) not in known]
    assert not missing, "used before it is there: %s" % missing
    assert not known & {text(o) for o in f[2]}, "given twice"
    known |= {text(o) for o in f[2]}
assert all(text(fields(v)[1][0]) in known for v in graph[12]), "an output that nothing gives"
for w in graph[5]:
    f = fields(w)
    where = {text(fields(p)[1][0]): text(fields(p)[2][0]) for p in f[13]}
    dims = "x".join(str(d) for d in f[1]) or "scalar"
    print("weight", text(f[8][0]), TYPES[f[2][0]], dims, "%s %s" % (where["offset"], where["length"]) if where else "in")
    if not where:
        assert len(f[9][0]) == {"f32": 4, "i64": 8, "i8": 1, "f16": 2, "bf16": 2}[TYPES[f[2][0]]] * eval("*".join(map(str, f[1])) or "1")
