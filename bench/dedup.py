"""What bench/dedup.sh runs: makes the corpus, times dsdedup and the peers, compares recall by kind of edit."""
import json
import os
import random
import re
import resource
import subprocess
import sys

from datasketch import MinHash, MinHashLSH
from rensa import RMinHash, RMinHashLSH

source, folder, program = sys.argv[1:4]
PERMS, BANDS, THRESHOLD, TEXTS, SOME = 112, 14, 0.8, 12000, 600
word = re.compile(r"[^\W_]+")


def sentences():
    with open(source, encoding="utf-8", errors="replace") as f:
        return [s for s in re.split(r"(?<=[.!?])\s+", f.read()) if 30 < len(s) < 600]


def edited(text, kind, rng):
    w = text.split()
    n = max(1, len(w) // 50)
    at = rng.randrange(len(w) - n)
    if kind == "insert":
        w[:0] = ["added"] * n
    elif kind == "append":
        w += ["added%d" % i for i in range(n)]
    elif kind == "drop":
        del w[at:at + n]
    elif kind == "substitute":
        w[at:at + n] = ["changed"] * n
    elif kind == "reorder":
        half = len(w) // 2
        w = w[half:] + w[:half]
    return " ".join(w)


KINDS = ["insert", "append", "drop", "substitute", "reorder"]


def make():
    rng = random.Random(1)
    all_sentences = sentences()
    texts, kinds = [], []
    for i in range(TEXTS):
        if i % 10 == 9:
            kind = KINDS[i // 10 % len(KINDS)]
            texts.append(edited(texts[i - 1 - rng.randrange(8)], kind, rng))
        else:
            kind = None
            texts.append(" ".join(rng.choice(all_sentences) for _ in range(10 + rng.randrange(20))))
        kinds.append(kind)
    return texts, kinds


def shingles(text):
    w = word.findall(text.lower())
    return [" ".join(w[i:i + 5]) for i in range(max(1, len(w) - 4))]


def rensa(texts):
    lsh = RMinHashLSH(THRESHOLD, PERMS, BANDS)
    dropped = set()
    for i, t in enumerate(texts):
        m = RMinHash(PERMS, 42)
        m.update(shingles(t))
        if lsh.query(m):
            dropped.add(i)
        lsh.insert(i, m)
    return dropped


def sketch(texts):
    lsh = MinHashLSH(num_perm=PERMS, params=(BANDS, PERMS // BANDS))
    dropped = set()
    for i, t in enumerate(texts):
        m = MinHash(PERMS)
        m.update_batch([s.encode() for s in shingles(t)])
        if lsh.query(m):
            dropped.add(i)
        lsh.insert(i, m)
    return dropped


def ours(path):
    got = subprocess.run([program, "-q", "-j1", "--method", "minhash", "--perm", str(PERMS), "--bands", str(BANDS),
                          "--mark", "--to", "jsonl", path], stdout=subprocess.PIPE, check=True).stdout
    return {r["n"] for r in map(json.loads, got.splitlines()) if "dup_of" in r}


def cpu_of(f, *args, children=False):
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    best = None
    for _ in range(3):
        a = resource.getrusage(who)
        result = f(*args)
        b = resource.getrusage(who)
        t = b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime
        best = t if best is None else min(t, best)
    return best, result


def main():
    texts, kinds = make()
    path = os.path.join(folder, "dedup.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        for i, t in enumerate(texts):
            f.write(json.dumps({"n": i, "text": t}, ensure_ascii=False) + "\n")
    size = sum(len(t.encode()) for t in texts)
    part = texts[:SOME]
    part_size = sum(len(t.encode()) for t in part)
    rows = [("dsdedup", size, TEXTS) + cpu_of(ours, path, children=True),
            ("rensa", size, TEXTS) + cpu_of(rensa, texts),
            ("datasketch", part_size, SOME) + cpu_of(sketch, part)]
    rate = rows[0][1] / rows[0][3]
    print("%d texts, %.1f MB; 5 words a shingle, %d permutations, %d bands, one core" % (TEXTS, size / 1e6, PERMS, BANDS))
    print("%-12s %8s %9s %8s   recall of an edit of 2 %%: %s" % ("", "MB/s", "texts/s", "ratio", "  ".join(KINDS)))
    for name, n_bytes, n_texts, seconds, dropped in rows:
        recall = []
        for k in KINDS:
            planted = [i for i in range(n_texts) if kinds[i] == k]
            recall.append(sum(i in dropped for i in planted) / max(1, len(planted)))
        print("%-12s %8.1f %9.0f %8.1f   %s" % (name, n_bytes / seconds / 1e6, n_texts / seconds,
              rate / (n_bytes / seconds), "  ".join("%.3f" % r for r in recall)))


main()
