#!/usr/bin/env python3
"""dsr.py - reads record streams by docs/format.md alone; needs numpy and xxhash, zstandard for packed columns.

    for record in dsr.records(open("x.dsr", "rb")): print(record["text"])
    python3 docs/dsr.py x.dsr            one JSON object a line; bytes as base64
"""
import base64, json, struct, sys
import numpy as np
import xxhash

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
    h = xxhash.xxh3_64()
    for p in parts:
        h.update(p)
    return h.intdigest()


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
            import zstandard
            raw = zstandard.ZstdDecompressor().decompress(raw[:stored - tail], max_output_size=raw_n)
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
    """Yields records as dicts: str, bool, int, float, bytes, None, numpy arrays, or what JSON holds."""
    for n, columns in blocks(f, about):
        for i in range(n):
            yield {c.name: c.value(i) for c in columns if c.present[i]}


def printable(v):
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    return [float(str(x)) for x in v] if v.dtype == "f4" else v.tolist()  # the shortest digits of an f32


if __name__ == "__main__":
    for name in sys.argv[1:] or ["/dev/stdin"]:
        with open(name, "rb") as file:
            for record in records(file):
                print(json.dumps(record, ensure_ascii=False, default=printable))
