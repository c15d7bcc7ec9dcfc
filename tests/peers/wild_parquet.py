"""Parquet and Arrow: what pyarrow writes is read as pyarrow reads it, what dstools writes is the same everywhere."""
import base64
import datetime as dt
import decimal
import glob
import io
import json
import math
import os
import random
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

rng = random.Random(int(sys.argv[1]))
work = tempfile.mkdtemp()
done = failed = 0


def check(name, wrong):
    global done, failed
    done += 1
    failed += wrong is not None
    print("%sok %d - %s" % ("not " if wrong else "", done, name))
    if wrong:
        print("# " + str(wrong)[:600])


def rows(path, *options, pipe=False):
    """The records that dsrec makes of a file, or what it says where it fails."""
    command = ["dsrec", "import", "-q", "--to", "jsonl", "-j3", *options]
    with open(path, "rb") as f:
        got = subprocess.run(command if pipe else command + [path], stdin=f if pipe else None, capture_output=True)
    if got.returncode:
        return got.stderr.decode()
    return [json.loads(line) for line in got.stdout.splitlines()]


def as_ours(v, kind=None):
    """A value of pyarrow as docs/formats.md says that it is read."""
    if v is None:
        return None
    if kind is not None and pa.types.is_map(kind):
        pairs = [[as_ours(k, kind.key_type), as_ours(x, kind.item_type)] for k, x in v]
        keys = [k for k, _ in pairs]
        if pa.types.is_string(kind.key_type) and len(set(keys)) == len(keys):
            return dict(pairs)
        return pairs
    if isinstance(v, list):
        return [as_ours(x, kind.value_type) for x in v]
    if isinstance(v, dict):
        return {k: as_ours(x, kind.field(k).type) for k, x in v.items()}
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, float):
        return v if math.isfinite(v) else None
    if isinstance(v, decimal.Decimal):
        return format(v, "f")
    if isinstance(v, (dt.datetime, dt.time)):
        micro, text = v.microsecond, v.replace(microsecond=0, tzinfo=None).isoformat()
        if micro:
            text += ".%03d" % (micro // 1000) if micro % 1000 == 0 else ".%06d" % micro
        return text + ("Z" if v.tzinfo else "")
    if isinstance(v, dt.date):
        return v.isoformat()
    return v


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or abs(a - b) <= 1e-6 * abs(b)  # floats of 32 bits within lists
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def compare(got, table):
    if isinstance(got, str):
        return got
    want = [{f.name: as_ours(r[f.name], f.type) for f in table.schema} for r in table.to_pylist()]
    if len(got) != len(want):
        return "%d rows, not %d" % (len(got), len(want))
    for i, (a, b) in enumerate(zip(got, want)):
        for k in b:
            if not same(a.get(k), b[k]):
                return "row %d, %s: %r, not %r" % (i, k, a.get(k), b[k])
    return None


def text():
    return "".join(rng.choice("abcdé中\U0001F600\"\\\n ") for _ in range(rng.choice([0, 1, 3, 20, 200])))


def some(make, nulls=0.2):
    return lambda: None if rng.random() < nulls else make()


def listed(make):
    return lambda: [make() for _ in range(rng.choice([0, 0, 1, 2, 5]))]


day = dt.datetime(1970, 1, 1)
kinds = {
    "i8": (pa.int8(), lambda: rng.randrange(-128, 128)), "u8": (pa.uint8(), lambda: rng.randrange(256)),
    "i32": (pa.int32(), lambda: rng.randrange(-2**31, 2**31)), "u32": (pa.uint32(), lambda: rng.randrange(2**32)),
    "i64": (pa.int64(), lambda: rng.choice([rng.randrange(9), rng.randrange(-2**63, 2**63)])),
    "u64": (pa.uint64(), lambda: rng.randrange(2**64)), "step": (pa.int64(), iter(range(0, 10**9, 7)).__next__),
    "few": (pa.int64(), lambda: rng.randrange(3)), "b": (pa.bool_(), lambda: rng.random() < .5),
    "f": (pa.float32(), lambda: rng.randrange(999) / 8), "d": (pa.float64(), rng.random),
    "nan": (pa.float64(), lambda: rng.choice([math.nan, math.inf, -0.5])), "h": (pa.float16(), lambda: rng.randrange(99) / 4),
    "s": (pa.string(), text), "word": (pa.string(), lambda: rng.choice(["yes", "no", "perhaps"])),
    "url": (pa.string(), lambda: "https://example.org/%06d" % rng.randrange(10**6)), "ls": (pa.large_string(), text),
    "x": (pa.binary(), lambda: rng.randbytes(rng.randrange(9))), "x3": (pa.binary(3), lambda: rng.randbytes(3)),
    "m9": (pa.decimal128(9, 2), lambda: decimal.Decimal(rng.randrange(-10**9, 10**9)).scaleb(-2)),
    "m18": (pa.decimal128(18, 9), lambda: decimal.Decimal(rng.randrange(-10**18, 10**18)).scaleb(-9)),
    "m38": (pa.decimal128(38, 5), lambda: decimal.Decimal(rng.randrange(-10**37, 10**37)).scaleb(-5)),
    "m70": (pa.decimal256(70, 3), lambda: decimal.Decimal(rng.randrange(-10**60, 10**60)).scaleb(-3)),
    "day": (pa.date32(), lambda: (day + dt.timedelta(rng.randrange(-99999, 99999))).date()),
    "time": (pa.time64("us"), lambda: dt.time(rng.randrange(24), 2, 3, rng.choice([0, 5000, 7]))),
    "ts": (pa.timestamp("us"), lambda: day + dt.timedelta(rng.randrange(-9999, 9999), rng.randrange(86400), rng.choice([0, 5000, 7]))),
    "tz": (pa.timestamp("ms", "UTC"), lambda: day.replace(tzinfo=dt.timezone.utc) + dt.timedelta(0, rng.randrange(10**9), 0, rng.randrange(1000))),
    "l": (pa.list_(pa.int64()), listed(some(lambda: rng.randrange(9)))), "lls": (pa.list_(pa.list_(pa.string())), listed(some(listed(some(text))))),
    "o": (pa.struct([("a", pa.int32()), ("b", pa.struct([("c", pa.list_(pa.bool_()))]))]),
          lambda: {"a": rng.randrange(9), "b": some(lambda: {"c": some(listed(lambda: True))()})()}),
    "chat": (pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])), listed(some(lambda: {"role": "user", "content": some(text)()}))),
    "map": (pa.map_(pa.string(), pa.int64()), lambda: [(rng.choice("abcdef"), i) for i in range(rng.randrange(4))]),
    "imap": (pa.map_(pa.int32(), pa.list_(pa.string())), lambda: [(i, [text()]) for i in range(rng.randrange(3))]),
    "lf": (pa.list_(pa.float32()), listed(lambda: rng.randrange(99) / 8)),
}


def table(n, names=None):
    names = names or rng.sample(sorted(kinds), rng.randrange(1, 9))
    nulls = rng.choice([0, 0, .1, .9])
    return pa.table({k: pa.array([some(kinds[k][1], nulls)() for _ in range(n)], kinds[k][0]) for k in names})


def encodings(t):
    out = {}
    for f in t.schema:
        choices = ["PLAIN"]
        if pa.types.is_integer(f.type):
            choices += ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
        if pa.types.is_float32(f.type) or pa.types.is_float64(f.type) or pa.types.is_fixed_size_binary(f.type):
            choices += ["BYTE_STREAM_SPLIT"]
        if pa.types.is_string(f.type) or pa.types.is_binary(f.type):
            choices += ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"]
        if pa.types.is_boolean(f.type):
            choices += ["RLE"]
        if not pa.types.is_nested(f.type) and not pa.types.is_integer(f.type) or f.type.bit_width > 16:
            out[f.name] = rng.choice(choices)
    return out


def encodings_of(t):
    try:
        return encodings(t)
    except ValueError:  # types without a width
        return {f.name: "PLAIN" for f in t.schema if not pa.types.is_nested(f.type)}


def parquet_read():
    wrong = None
    for i in range(150):
        t = table(rng.choice([0, 1, 7, 100, 3000]), sorted(kinds) if i == 0 else None)
        path = "%s/%d.parquet" % (work, i)
        options = dict(compression=rng.choice(["none", "snappy", "gzip", "zstd", "brotli", "lz4"]), data_page_version=rng.choice(["1.0", "2.0"]),
                       row_group_size=rng.choice([10, 1000, None]), data_page_size=rng.choice([1, 500, None]),
                       write_page_checksum=rng.random() < .5, write_page_index=rng.random() < .3)
        if rng.random() < .5:
            options.update(use_dictionary=False, column_encoding=encodings_of(t))
        pq.write_table(t, path, **options)
        os.environ["DS_BLOCK"] = rng.choice(["1", "3000", "1000000"])
        t = pq.read_table(path)
        wrong = compare(rows(path, pipe=rng.random() < .2), t)
        if wrong:
            wrong = "%s; table %d, %r" % (wrong, i, options)
            break
    os.environ.pop("DS_BLOCK", None)
    check("150 random tables that pyarrow writes as Parquet", wrong)


def arrow_read():
    wrong = None
    for i in range(100):
        t = table(rng.choice([0, 1, 7, 3000]), sorted(kinds) if i == 0 else None)
        path = "%s/%d.arrow" % (work, i)
        new = ipc.new_file if rng.random() < .5 else ipc.new_stream
        names = [f.name for f in t.schema if pa.types.is_string(f.type) and rng.random() < .5]
        for n in names:
            t = t.set_column(t.schema.get_field_index(n), n, t[n].dictionary_encode())
        options = ipc.IpcWriteOptions(compression=rng.choice([None, "lz4", "zstd"]))
        with new(path, t.schema, options=options) as w:
            w.write_table(t, max_chunksize=rng.choice([1000, 10**6]))
        os.environ["DS_BLOCK"] = rng.choice(["1", "3000", "1000000"])
        plain = t
        for n in names:
            plain = plain.set_column(plain.schema.get_field_index(n), n, plain[n].cast(pa.string()))
        wrong = compare(rows(path, pipe=rng.random() < .2), plain)
        if wrong:
            wrong = "%s; table %d" % (wrong, i)
            break
    os.environ.pop("DS_BLOCK", None)
    check("100 random tables that pyarrow writes as Arrow", wrong)


def records(n):
    """Records whose fields have one type each, some absent."""
    out = []
    for i in range(n):
        r = {"id": i, "text": text(), "score": rng.random(), "ok": rng.random() < .5, "tags": listed(text)(), "n": rng.choice([1, 2.5]),
             "messages": listed(lambda: {"role": rng.choice(["user", "assistant"]), "content": some(text)(), "calls": listed(lambda: {"f": rng.randrange(9)})()})(),
             "meta": {"a": some(lambda: rng.randrange(99))(), "b": {"c": some(text)()}}, "vector": [rng.randrange(99) / 4 for _ in range(3)],
             "lang": rng.choice(["en", "de"]), "image": base64.b64encode(rng.randbytes(5)).decode()}
        for k in list(r):
            if k != "id" and rng.random() < .1:
                del r[k]
        out.append(r)
    return out


def filled(v, like):
    """A record as it must be where every field and member is a column."""
    if v is None:
        return None
    if isinstance(like, dict):
        return {k: filled(v.get(k), x) for k, x in like.items()}
    if isinstance(like, list) and like:
        return [filled(x, like[0]) for x in v]
    return v


LIKE = {"id": 0, "text": "", "score": 0., "ok": True, "tags": [""], "n": 0., "messages": [{"role": "", "content": "", "calls": [{"f": 0}]}],
        "meta": {"a": 0, "b": {"c": ""}}, "vector": [0.], "lang": "", "image": ""}


def write(name, recs):
    source = work + "/records.jsonl"
    with open(source, "w") as f:
        for r in recs:
            f.write(json.dumps(r) + "\n")
    path = work + "/" + name
    subprocess.run(["dsrec", "cat", "-q", source, "-o", path], check=True)
    return path


def differs(got, recs, image=lambda x: x and base64.b64encode(x["bytes"]).decode()):
    want = [filled(r, LIKE) for r in recs]
    if len(got) != len(want):
        return "%d rows, not %d" % (len(got), len(want))
    for i, (a, b) in enumerate(zip(got, want)):
        a = dict(a, image=image(a["image"]))
        for k in b:
            x, y = a.get(k), b[k]
            if isinstance(y, int) and isinstance(x, float):
                y = float(y)
            if x != y:
                return "row %d, %s: %r, not %r" % (i, k, x, y)
    return None


def optional(name):
    try:
        return __import__(name)
    except ImportError:
        print("# no %s" % name)
        return None


def written():
    recs = records(5000)
    path = write("ours.parquet", recs)
    check("pyarrow reads our Parquet, checksums verified",
          differs(pq.read_table(path, page_checksum_verification=True).to_pylist(), recs))
    check("our Parquet comes back", differs(rows(path), recs, image=lambda x: x))
    polars, duckdb, datasets = optional("polars"), optional("duckdb"), optional("datasets")
    if polars:
        check("polars reads our Parquet", differs(polars.read_parquet(path).to_dicts(), recs))
    if duckdb:
        got = duckdb.sql("select * from '%s' order by id" % path)
        got = [dict(zip(got.columns, r)) for r in got.fetchall()]
        check("DuckDB reads our Parquet", differs(got, recs))
        check("DuckDB filters by its statistics", None if duckdb.sql("select count(*) from '%s' where id >= 4990" % path).fetchall() == [(10,)] else "rows lost")
    if datasets:
        d = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=work + "/cache")
        picture = type(d.features["image"]).__name__
        d = d.cast_column("image", datasets.Image(decode=False))
        check("datasets reads our Parquet, pictures as pictures", differs(list(d), recs) or (None if picture == "Image" else picture))
    for name in ("ours.arrow", "ours.arrows"):
        path = write(name, recs)
        t = (ipc.open_file if name.endswith("w") else ipc.open_stream)(path).read_all()
        t.validate(full=True)
        check("pyarrow reads %s" % name, differs(t.to_pylist(), recs))
        check("%s comes back" % name, differs(rows(path), recs, image=lambda x: x))
        if polars:
            read = polars.read_ipc if name.endswith("w") else polars.read_ipc_stream
            check("polars reads %s" % name, differs(read(path).to_dicts(), recs))


def shared():
    """Files of every kind (apache/parquet-testing) as the pyarrow of today reads them."""
    wrong, n = None, 0
    for path in sorted(glob.glob(os.environ.get("DS_TEST_DATA", "") + "/parquet/*.parquet")):
        if "corrupt" in path or "malformed" in path or "floating_orders" in path:
            continue
        try:
            t = pq.read_table(path)
            t.to_pylist()
        except Exception:
            continue
        got = rows(path)
        n += 1
        if isinstance(got, str) or len(got) != t.num_rows:
            wrong = wrong or "%s: %s" % (path, got if isinstance(got, str) else len(got))
    if n:
        check("%d shared files have as many rows as pyarrow reads" % n, wrong)


parquet_read()
arrow_read()
written()
shared()
print("1..%d" % done)
subprocess.run(["rm", "-rf", work])
sys.exit(failed > 0)
