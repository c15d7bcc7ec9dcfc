"""What bench/dedup.sh runs: makes the corpus, times dsdedup and the peers, compares recall by kind of edit."""
import json
import os
import random
import re
import resource
import subprocess
import sys

from datasketch import MinHash, MinHashLSH
from gaoya.minhash import MinHashStringIndex
from rensa import RMinHash, RMinHashLSH

try:
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
except ImportError:  # DATATROVE=0
    MinhashConfig = None

source, folder, program = sys.argv[1:4]
PERMS, BANDS, THRESHOLD, TEXTS, SOME = 112, 14, 0.8, int(os.environ.get("TEXTS", 12000)), 600
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
        for i in rng.sample(range(len(w)), n):
            w[i] = "changed"
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


def rensa(texts, perms, bands):
    lsh = RMinHashLSH(THRESHOLD, perms, bands)
    dropped = set()
    for i, t in enumerate(texts):
        m = RMinHash(perms, 42)
        m.update(shingles(t))
        if lsh.query(m):
            dropped.add(i)
        lsh.insert(i, m)
    return dropped


def rensa_same(texts):
    return rensa(texts, PERMS, BANDS)


def rensa_default(texts):  # as its README begins
    return rensa(texts, 128, 16)


def gaoya(index, texts):
    dropped = set()
    for i, t in enumerate(texts):
        if index.query(t):
            dropped.add(i)
        index.insert_document(i, t)
    return dropped


def gaoya_same(texts):
    return gaoya(MinHashStringIndex(32, THRESHOLD, BANDS, PERMS // BANDS, None, "word", True, (5, 5)), texts)


def gaoya_default(texts):  # single words are its shingles
    return gaoya(MinHashStringIndex(), texts)


def sketch(lsh, perms, texts):
    dropped = set()
    for i, t in enumerate(texts):
        m = MinHash(perms)
        m.update_batch([s.encode() for s in shingles(t)])
        if lsh.query(m):
            dropped.add(i)
        lsh.insert(i, m)
    return dropped


def sketch_same(texts):
    return sketch(MinHashLSH(num_perm=PERMS, params=(BANDS, PERMS // BANDS)), PERMS, texts)


def sketch_default(texts):
    return sketch(MinHashLSH(), 128, texts)


def datatrove(texts):
    """Its own shingles and signatures, in one process; equal bands are found by a dict, which costs next to nothing."""
    step = MinhashDedupSignature(os.path.join(folder, "datatrove"), MinhashConfig(n_grams=5, num_buckets=BANDS,
                                 hashes_per_bucket=PERMS // BANDS))
    seen = [set() for _ in range(BANDS)]
    dropped = set()
    for i, t in enumerate(texts):
        for band, values in enumerate(step.get_signature(step.get_shingles(t))):
            key = tuple(values)
            if key in seen[band]:
                dropped.add(i)
            seen[band].add(key)
    return dropped


def ours(options, path):
    got = subprocess.run([program, "-q", "-j1", *options, "--mark", "--to", "jsonl", path], stdout=subprocess.PIPE,
                         check=True).stdout
    return {r["n"] for r in map(json.loads, got.splitlines()) if "dup_of" in r}


def ours_same(path):
    return ours(["--method", "minhash", "--perm", str(PERMS), "--bands", str(BANDS)], path)


def ours_default(path):
    return ours([], path)


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


def measure(title, mine, path, all_texts, kinds, peers):
    size = sum(len(t.encode()) for t in all_texts)
    rows = [("dsdedup", size, TEXTS) + cpu_of(mine, path, children=True)]
    for name, peer, n in peers:
        part = all_texts[:n]
        rows.append((name, sum(len(t.encode()) for t in part), n) + cpu_of(peer, part))
    rate = rows[0][1] / rows[0][3]
    print(title)
    print("%-12s %8s %9s %8s   recall of an edit of 2 %%: %s" % ("", "MB/s", "texts/s", "ratio", "  ".join(KINDS)))
    for name, n_bytes, n_texts, seconds, dropped in rows:
        recall = []
        for k in KINDS:
            planted = [i for i in range(n_texts) if kinds[i] == k]
            recall.append(sum(i in dropped for i in planted) / max(1, len(planted)))
        others = sum(kinds[i] is None for i in dropped)
        print("%-12s %8.1f %9.0f %8.1f   %s   others dropped: %d" % (name, n_bytes / seconds / 1e6, n_texts / seconds,
              rate / (n_bytes / seconds), "  ".join("%.3f" % r for r in recall), others), flush=True)


def main():
    texts, kinds = make()
    path = os.path.join(folder, "dedup.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        for i, t in enumerate(texts):
            f.write(json.dumps({"n": i, "text": t}, ensure_ascii=False) + "\n")
    print("%d texts, %.1f MB, one core" % (TEXTS, sum(len(t.encode()) for t in texts) / 1e6))
    slow = [("datatrove", datatrove, SOME)] if MinhashConfig else []
    measure("5 words a shingle, %d permutations, %d bands:" % (PERMS, BANDS), ours_same, path, texts, kinds,
            [("rensa", rensa_same, TEXTS), ("gaoya", gaoya_same, TEXTS), ("datasketch", sketch_same, SOME)] + slow)
    measure("everyone's defaults (peers that leave shingles to the caller: 5 words):", ours_default, path, texts, kinds,
            [("rensa", rensa_default, TEXTS), ("gaoya", gaoya_default, TEXTS), ("datasketch", sketch_default, SOME)] + slow)


main()
