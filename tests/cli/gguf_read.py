"""What is in a GGUF file: gguf_read.py FILE prints "key NAME VALUE" (lists by their length) and "tensor NAME TYPE DIMS"."""
import math
import struct
import sys

b, at = open(sys.argv[1], "rb").read(), 4


def take(fmt):
    global at
    v = struct.unpack_from("<" + fmt, b, at)[0]
    at += struct.calcsize(fmt)
    return v


def text():
    global at
    n = take("Q")
    at += n
    return b[at - n:at].decode("utf-8")


def value(kind):
    if kind == 8:
        return text()
    if kind == 9:
        inner, n = take("I"), take("Q")
        return [value(inner) for _ in range(n)]
    return take({4: "I", 5: "i", 6: "f", 7: "?"}[kind])


assert b[:4] == b"GGUF" and take("I") == 3
n_tensors, n_keys = take("Q"), take("Q")
for _ in range(n_keys):
    key, v = text(), value(take("I"))
    print("key", key, "%d: %s" % (len(v), v[:2]) if isinstance(v, list) else repr(v) if isinstance(v, str) else v)
tensors = []
for _ in range(n_tensors):
    name = text()
    assert len(name) < 64
    dims = [take("Q") for _ in range(take("I"))]
    tensors.append((name, dims, take("I"), take("Q")))
start = (at + 31) // 32 * 32
sizes = {0: 4, 1: 2, 8: 34 / 32, 30: 2}
end = start
for name, dims, kind, offset in tensors:
    assert start + offset == end, "a hole"
    assert kind != 8 or dims[0] % 32 == 0
    end += (int(math.prod(dims) * sizes[kind]) + 31) // 32 * 32
    print("tensor", name, {0: "f32", 1: "f16", 8: "q8_0", 30: "bf16"}[kind], "x".join(map(str, dims)))
assert end == len(b), "%d bytes, not %d" % (len(b), end)
