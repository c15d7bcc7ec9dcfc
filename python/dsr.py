#!/usr/bin/env python3
"""dsr.py - reads record streams, by docs/format.md alone; needs numpy and nothing else

    for record in dsr.records("x.dsr"): print(record["text"])      records as dicts
    for arrays in dsr.arrays("x.dsr", "tokens", "score"): ...      blocks of records as numpy arrays by name
    data = dsr.dataset("x.dsr", "y.dsr")                           as a Hugging Face dataset
    python3 dsr.py x.dsr                                           one JSON object a line; bytes as base64

Every byte is verified on the way; what is damaged or ended early raises Damaged. With the module xxhash that is faster.
Columns packed by `-z` need zstandard, or Python 3.14.
"""
import base64, json, struct, sys
import numpy as np

try:
    import xxhash
except ImportError:
    xxhash = None

__version__ = "0.1.0"

STREAM = bytes.fromhex("89445352 0d0a1a0a 00ff6473 746f6f6c")
FOOTER = bytes.fromhex("89445345 0d0a1a0a 00ff6473 746f6f6c")
FRAME = bytes.fromhex("ff445342 0d0ac1f5")
UTF8, JSON, BYTES, BOOL, I64, F64, U16S, U32S, F32S = range(1, 10)
ELEMENT = {UTF8: "u1", JSON: "u1", BYTES: "u1", BOOL: "u1", I64: "<i8", F64: "<f8", U16S: "<u2", U32S: "<u4", F32S: "<f4"}


class Damaged(Exception):
    pass


def need(truth, what):
    if not truth:
        raise Damaged(what)


def pad(n):
    return (n + 63) // 64 * 64


def xxh3(*parts):
    if not xxhash:
        return xxh3_plain(b"".join(parts))
    h = xxhash.xxh3_64()
    for p in parts:
        h.update(p)
    return h.intdigest()


# XXH3-64 of nothing or at least 17 bytes, which is all that a stream hashes.
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
M64, P32, P64 = (1 << 64) - 1, 0x9E3779B1, 0x9E3779B185EBCA87


def fold(a, b):
    return a * b & M64 ^ a * b >> 64


def mix16(b, at, secret):
    k = struct.unpack_from("<2Q", SECRET, secret)
    v = struct.unpack_from("<2Q", b, at)
    return fold(v[0] ^ k[0], v[1] ^ k[1])


def avalanche(h):
    h = (h & M64 ^ (h & M64) >> 37) * 0x165667919E3779F9 & M64
    return h ^ h >> 32


def xxh3_plain(b):
    n = len(b)
    if n == 0:
        return 0x2D06800538D394C2
    h = n * P64
    if n <= 128:
        for i in range((n - 1) // 32, -1, -1):
            h += mix16(b, 16 * i, 32 * i) + mix16(b, n - 16 * (i + 1), 32 * i + 16)
        return avalanche(h)
    if n <= 240:
        h = avalanche(h + sum(mix16(b, 16 * i, 16 * i) for i in range(8)))
        h += sum(mix16(b, 16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
        return avalanche(h + mix16(b, n - 16, 136 - 17))
    # Eight sums over stripes of 64 bytes, scrambled after each block of 16; sums of one block are taken at once.
    sums = np.array([0xC2B2AE3D, P64, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x85EBCA77, 0x27D4EB2F165667C5, P32], "u8")
    keys = np.stack([np.frombuffer(SECRET, "<u8", 8, 8 * i) for i in range(16)])
    swap, low = [1, 0, 3, 2, 5, 4, 7, 6], np.uint64(0xFFFFFFFF)

    def gained(data, key):
        mixed = data ^ key
        return (mixed & low) * (mixed >> np.uint64(32)) + data[..., swap]

    full = (n - 1) // 1024
    scramble = np.frombuffer(SECRET, "<u8", 8, 128)
    if full:
        each = gained(np.frombuffer(b, "<u8", full * 128).reshape(full, 16, 8), keys).sum(1, dtype="u8")
        for row in each:
            sums = sums + row
            sums = (sums ^ sums >> np.uint64(47) ^ scramble) * np.uint64(P32)
    rest = (n - 1 - full * 1024) // 64
    sums = sums + gained(np.frombuffer(b, "<u8", rest * 8, full * 1024).reshape(rest, 8), keys[:rest]).sum(0, dtype="u8")
    sums = sums + gained(np.frombuffer(b, "<u8", 8, n - 64), np.frombuffer(SECRET, "<u8", 8, 121))
    a, k = [int(v) for v in sums], struct.unpack_from("<8Q", SECRET, 11)
    return avalanche(n * P64 + sum(fold(a[i] ^ k[i], a[i + 1] ^ k[i + 1]) for i in (0, 2, 4, 6)))


def u64(b, at):
    return struct.unpack_from("<Q", b, at)[0]


def take(f, n):
    b = f.read(n)
    need(len(b) == n, "input ended early")
    return b


def padded(f, n):
    b = take(f, pad(n))
    need(not any(b[n:]), "padding is not zero")
    return b


class Column:
    """One column of a block: name, type, and numpy arrays present, null, offsets (or None) and data."""

    def __init__(self, name, type_, presence, n, raw):
        self.name, self.type, at = name, type_, 0

        def part(dtype, count):
            nonlocal at
            size = np.dtype(dtype).itemsize * count
            need(at + pad(size) <= len(raw), "column is too short")
            need(not any(raw[at + size:at + pad(size)]), "padding is not zero")
            at, begin = at + pad(size), at
            return np.frombuffer(raw, dtype, count, begin)

        def bits():
            b = np.unpackbits(part("u1", (n + 7) // 8), bitorder="little")
            need(not b[n:].any(), "bits behind the last record")
            return b[:n].astype(bool)

        self.present = bits() if presence & 1 else np.ones(n, bool)
        self.null = bits() if presence & 2 else np.zeros(n, bool)
        need(not (self.null & ~self.present).any(), "a null that is absent")
        self.offsets, count = None, n
        if type_ not in (BOOL, I64, F64):
            self.offsets = part("<u4", n + 1)
            need(self.offsets[0] == 0 and (np.diff(self.offsets.astype("i8")) >= 0).all(), "offsets out of order")
            count = int(self.offsets[n])
        self.data = part(ELEMENT[type_], count)
        need(at == len(raw), "column is too long")

    def value(self, i):
        if self.null[i]:
            return None
        if self.offsets is None:
            v = self.data[i].item()
            return bool(v) if self.type == BOOL else v
        v = self.data[self.offsets[i]:self.offsets[i + 1]]
        if self.type == BYTES:
            return v.tobytes()
        if self.type == UTF8:
            return v.tobytes().decode("utf-8", "surrogateescape")
        return json.loads(v.tobytes()) if self.type == JSON else v


def unpacked(raw, n):
    try:
        import zstandard
    except ImportError:
        try:
            from compression import zstd
        except ImportError:
            raise ImportError("columns are packed: install zstandard, or unpack them with `dsrec cat x.dsr -o y.dsr`") from None
        return zstd.decompress(raw)
    return zstandard.ZstdDecompressor().decompress(raw, max_output_size=n)


def read_columns(head, table, data):
    n_cols, n_rows = struct.unpack_from("<HI", head, 10)
    names, columns, at = n_cols * 48, [], 0
    for i in range(n_cols):
        name_at, name_n, type_, presence, codec, tail, zero, begin, stored, raw_n, want = struct.unpack_from("<IIBBBBIQQQQ", table, i * 48)
        need(begin == at and zero == 0 and presence < 4, "column table")
        at += stored
        raw = data[begin:begin + stored]
        need(len(raw) == stored and xxh3(raw) == want, "column is damaged")
        if codec == 1:
            raw = unpacked(raw[:stored - tail], raw_n)
        need(codec < 2 and len(raw) == raw_n, "column has another size")
        name = table[names + name_at:names + name_at + name_n].decode("utf-8", "surrogateescape")
        columns.append(Column(name, type_, presence, n_rows, raw))
    need(at == len(data), "bytes that belong to no column")
    return n_rows, columns


def blocks(f, about=None):
    """Yields (number of records, columns). about, a dict, receives 'chain' and 'optional'."""
    about = {} if about is None else about
    about.setdefault("optional", [])
    streams = 0
    while True:
        head = f.read(64)
        if not head and streams:
            return
        need(len(head) == 64, "input ended early")
        need(head[:16] == STREAM and xxh3(head[:56]) == u64(head, 56), "not a stream, or a damaged one")
        major, minor, flags = struct.unpack_from("<HHI", head, 16)
        if major != 1 or flags:
            raise ValueError(f"version {major}.{minor}, flags {flags}")
        payload = padded(f, u64(head, 24))
        need(xxh3(payload) == u64(head, 32), "provenance is damaged")
        about["chain"] = json.loads(payload[:u64(head, 24)])
        yield from frames(f, head, 64 + len(payload), about)
        streams += 1


def frames(f, header, at, about):
    heads, records, n_blocks, index = [header], 0, 0, b""
    while True:
        head = take(f, 64)
        need(head[:8] == FRAME and xxh3(head[:56]) == u64(head, 56), f"no frame at byte {at}")
        kind, _, n_rows = struct.unpack_from("<HHI", head, 8)
        body_n, data_n, seq, first, want = struct.unpack_from("<5Q", head, 16)
        need(seq == len(heads) - 1, "frames are out of order")
        body = take(f, body_n)
        need(xxh3(body) == want, f"frame at byte {at} is damaged")
        if kind == 1:
            need(first == records, "records are out of order")
            yield read_columns(head, body, take(f, data_n))
            records, n_blocks = records + n_rows, n_blocks + 1
        else:
            need(pad(first) == body_n and not any(body[first:]), "payload")
        if kind == 3:
            raise Damaged("the writer failed: " + body[:first].decode("utf-8", "replace"))
        if kind == 2:
            break
        if kind >= 0x8000:
            about["optional"].append((kind, body[:first]))
        elif kind != 1:
            raise ValueError(f"frame of kind {kind}")
        heads.append(head)
        index += struct.pack("<QQQIHH", at, 64 + body_n + data_n, records - n_rows, n_rows, kind, 0)
        at += 64 + body_n + data_n
    totals, foot = struct.unpack_from("<8Q", body), take(f, 64)
    checksum, end = xxh3(*heads), at + 128 + body_n
    need(totals[:3] == (records, n_blocks, len(heads) - 1), "totals of the trailer")
    need(totals[4:6] == (checksum, at) and body[64:64 + len(index)] == index, "checksum or index of the trailer")
    need(64 + len(index) + totals[6] == first, "trailer")
    need(foot == (b := FOOTER + struct.pack("<5Q", 128 + body_n, end, checksum, 0, 0)) + struct.pack("<Q", xxh3(b)), "footer")
    about["chain"] = json.loads(body[64 + len(index):first])


def records(f, about=None):
    """Yields records as dicts: str, bool, int, float, bytes, None, numpy arrays, or what JSON holds. f: a name or a file."""
    if not hasattr(f, "read"):
        with open(f, "rb") as opened:
            yield from records(opened, about)
        return
    for n, columns in blocks(f, about):
        for i in range(n):
            yield {c.name: c.value(i) for c in columns if c.present[i]}


def arrays(f, *names):
    """Yields dicts of numpy arrays, a block's records each: of the fields named, or of all.

    Numbers and truth values are one array; lists, as tokens, a matrix where all are of one length (packed rows are), else
    a list of arrays; texts, bytes and JSON a list of values. A field that a block's records lack, or one of them does, has
    None there. Nothing is copied that can be viewed.
    """
    if not hasattr(f, "read"):
        with open(f, "rb") as opened:
            yield from arrays(opened, *names)
        return
    for n, columns in blocks(f):
        out = dict.fromkeys(names)
        for c in columns:
            if names and c.name not in names:
                continue
            whole = c.present.all() and not c.null.any()
            lengths = None if c.offsets is None else np.diff(c.offsets)
            if whole and lengths is None:
                out[c.name] = c.data.astype(bool) if c.type == BOOL else c.data
            elif whole and c.type in (U16S, U32S, F32S) and n and (lengths == lengths[0]).all():
                out[c.name] = c.data.reshape(n, -1)
            else:
                out[c.name] = [c.value(i) if c.present[i] else None for i in range(n)]
        yield out


def rows_of(paths):
    for path in paths:
        for record in records(path):
            yield {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in record.items()}


def dataset(*paths, **options):
    """A Hugging Face dataset of all records; options are those of Dataset.from_generator, as features."""
    import datasets
    return datasets.Dataset.from_generator(rows_of, gen_kwargs={"paths": list(paths)}, **options)


def printable(v):
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    return [float(str(x)) for x in v] if v.dtype == "f4" else v.tolist()  # the shortest digits of an f32


if __name__ == "__main__":
    for name in sys.argv[1:] or ["/dev/stdin"]:
        with open(name, "rb") as file:
            for record in records(file):
                print(json.dumps(record, ensure_ascii=False, default=printable))
