"""Parquet files as pyarrow makes them, read by pyarrow and by dsrec in turn."""
import os
import random
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

out, dsrec = sys.argv[1:]
rng = random.Random(1)
words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(2, 11))) for _ in range(20000)]


def doc(n):
    return " ".join(rng.choices(words, k=n))


def texts():
    n = 120000
    t = pa.table({"id": np.arange(n), "url": ["https://example.org/%d" % i for i in range(n)], "text": [doc(140) for _ in range(n)],
                  "lang": [rng.choice(["en", "de", "zh"]) for _ in range(n)], "score": np.random.default_rng(1).random(n)})
    for codec in ("zstd", "snappy", "none"):
        pq.write_table(t, "%s/text.%s.parquet" % (out, codec), compression=codec, row_group_size=20000)


def numbers():
    n, r = 4000000, np.random.default_rng(2)
    t = pa.table({"a": np.arange(n), "b": r.integers(0, 1000, n), "c": r.random(n), "d": r.integers(0, 100, n).astype("int32"),
                  "e": r.random(n).astype("float32"), "s": pa.array([words[i] for i in r.integers(0, 5000, n)])})
    pq.write_table(t, out + "/numbers.snappy.parquet", compression="snappy", row_group_size=500000)


def chats():
    n = 60000
    t = pa.table({"id": np.arange(n), "messages": [[{"role": "user", "content": doc(20)}, {"role": "assistant", "content": doc(60)}] for _ in range(n)]})
    pq.write_table(t, out + "/chats.zstd.parquet", compression="zstd", row_group_size=10000)


def cpu(who):
    r = resource.getrusage(who)
    return r.ru_utime + r.ru_stime


def timed(what, who):
    begin, used = time.perf_counter(), cpu(who)
    what()
    return time.perf_counter() - begin, cpu(who) - used


def line(name, threads, size, ours, theirs):
    a, b = [], []
    ours()
    theirs()
    for _ in range(7):
        a.append(timed(ours, resource.RUSAGE_CHILDREN))
        b.append(timed(theirs, resource.RUSAGE_SELF))
    mine, his = [[statistics.median(x[k] for x in v) for k in (0, 1)] for v in (a, b)]
    print("%-22s %d  %6.0f MB/s %6.0f MB/s   %.2f   cpu %.2f" % (name, threads, size / mine[0] / 1e6, size / his[0] / 1e6, his[0] / mine[0], his[1] / mine[1]))


def run(*args):
    subprocess.run([dsrec, *args], check=True)


if not os.path.exists(out + "/chats.zstd.parquet"):
    texts()
    numbers()
    chats()
print("pyarrow %s" % pa.__version__)
print("%-22s j  %11s %11s   ratio" % ("read", "ours", "pyarrow"))
for name in ("text.zstd", "text.snappy", "text.none", "numbers.snappy", "chats.zstd"):
    path = "%s/%s.parquet" % (out, name)
    size = sum(pq.ParquetFile(path).metadata.row_group(i).total_byte_size for i in range(pq.ParquetFile(path).num_row_groups))
    for threads in sorted({1, os.cpu_count()}):
        pa.set_cpu_count(threads)
        line(name, threads, size, lambda: run("import", "-q", "-j%d" % threads, path, "--to", "dsr", "-o", "/dev/null"),
             lambda: pq.read_table(path, use_threads=threads > 1))
print("%-22s j  %11s %11s   ratio" % ("written", "ours", "pyarrow"))
for name in ("text.zstd", "numbers.snappy", "chats.zstd"):
    path, stream = "%s/%s.parquet" % (out, name), "%s/%s.dsr" % (out, name)
    run("import", "-q", path, "-o", stream)
    table = pq.read_table(path)
    ours, theirs = out + "/ours.parquet", out + "/theirs.parquet"
    line(name, os.cpu_count(), table.nbytes, lambda: run("cat", "-q", stream, "-o", ours),
         lambda: pq.write_table(table, theirs, compression="zstd", compression_level=3))
    print("%-22s    %6.1f MB   %6.1f MB" % ("", os.path.getsize(ours) / 1e6, os.path.getsize(theirs) / 1e6))
