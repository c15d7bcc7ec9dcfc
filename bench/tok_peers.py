"""What bench/tok.sh runs: dstok beside each peer's own fastest call, the first time a text is seen and again.

Each program encodes in a process of its own, on one core; its tokenizer and the text are loaded before the clock
starts. "First" is the process's first call, when no word is known to it, "again" the same text once more; wall time,
the best of two processes. Peers give arrays where they can (gigatoken and tiktoken numpy, tokenizers and fastokens
their own encoding), so that no Python list is made. The ids of all are hashed and compared.
"""
import base64
import hashlib
import json
import os
import subprocess
import sys
import time

ROUNDS = 2
LIMITS = {"tiktoken": 16_000_000, "tokenizers": 4_000_000, "sentencepiece": 8_000_000}  # bytes; the others see all
PATTERNS = {"gpt2": "r50k_base", "cl100k": "cl100k_base", "o200k": "o200k_base", "qwen2": "qwen"}
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


def lines_of(data):
    return data.split("\n")[:-1]


def flat(parts):
    import numpy as np
    return np.concatenate([np.asarray(p, dtype=np.uint32) for p in parts])


def load(name, files, by_lines):
    """A function of the text that encodes it, and one that makes an array of what it gave."""
    import numpy as np
    array = lambda ids: np.asarray(getattr(ids, "ids", ids), dtype=np.uint32)
    if name == "gigatoken":
        import gigatoken
        t = gigatoken.Tokenizer.from_tiktoken(files["ranks"], files["pattern"], {})
        return (lambda data: t.encode(data.encode())), array
    if name == "fastokens":
        import fastokens
        t = fastokens.Tokenizer.from_file(files["json"])
        return t.encode, array
    if name == "tiktoken":
        import tiktoken
        with open(files["json"], encoding="utf-8") as f:
            pattern = json.load(f)["pre_tokenizer"]
        pattern = pattern["pretokenizers"][0]["pattern"]["Regex"] if "pretokenizers" in pattern else GPT2
        with open(files["ranks"], "rb") as f:
            rows = [line.split() for line in f if line.strip()]
        t = tiktoken.Encoding("x", pat_str=pattern, special_tokens={},
                              mergeable_ranks={base64.b64decode(a): int(b) for a, b in rows})
        return (lambda data: t.encode_to_numpy(data, disallowed_special=())), array
    if name == "sentencepiece":
        import sentencepiece
        t = sentencepiece.SentencePieceProcessor(model_file=files["model"])
        return (lambda data: [t.encode_as_numpy(line) for line in lines_of(data)]), flat
    import tokenizers
    t = tokenizers.Tokenizer.from_file(files["json"])
    if by_lines:
        return (lambda data: t.encode_batch(lines_of(data), add_special_tokens=False)), \
            lambda all_of_them: flat(e.ids for e in all_of_them)
    return (lambda data: t.encode(data, add_special_tokens=False)), array


def digest(ids):
    return hashlib.sha256(ids.tobytes()).hexdigest()[:16]


def peer(name, text, by_lines, files):
    """In a process of its own: seconds of two calls and the ids' hash."""
    os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
    with open(text, encoding="utf-8", newline="") as f:
        data = f.read()
    encode, array = load(name, json.loads(files), by_lines == "lines")
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        ids = encode(data)
        seconds.append(time.perf_counter() - start)
    print(*seconds, digest(array(ids)))


def ours(program, files, text, by_lines):
    """The same of dstok's library; what is opened is what dstok is made for, the peers' own formats."""
    ids = text + ".ids"
    run = subprocess.run([program, files.get("ours") or files["ranks"], files.get("pattern", "-"), text, ids, by_lines],
                         capture_output=True, text=True, check=True).stdout.split()
    with open(ids, "rb") as f:
        mark = hashlib.sha256(f.read()).hexdigest()[:16]
    os.unlink(ids)
    return float(run[1]), float(run[2]), mark


def best(runs):
    return min(r[0] for r in runs), min(r[1] for r in runs), runs[0][2]


def cut(folder, kind, size):
    """The first lines of a text, of about so many bytes."""
    path = os.path.join(folder, f"tok-{kind}-{size}.txt")
    with open(os.path.join(folder, f"tok-{kind}.txt"), "rb") as f:
        text = f.read(size)
    with open(path, "wb") as f:
        f.write(text[:text.rfind(b"\n") + 1])
    return path


def line(program, folder, name, kind, files, peers, by_lines=""):
    def mine(text):
        return best([ours(program, files, text, by_lines) for _ in range(ROUNDS)])

    size = os.path.getsize(os.path.join(folder, f"tok-{kind}.txt"))
    whole = cut(folder, kind, min(size, int(os.environ.get("LIMIT", 64_000_000))) if len(peers) > 1 or "gigatoken" in peers
                else LIMITS[peers[0]])
    here = {whole: mine(whole)}
    out = f"{name:9} {kind:8} {os.path.getsize(whole) / 1e6:3.0f} MB  dstok " + rates(whole, here[whole])
    for p in peers:
        text = cut(folder, kind, LIMITS[p]) if p in LIMITS else whole
        if text not in here:
            here[text] = mine(text)
        command = [sys.executable, __file__, "peer", p, text, by_lines, json.dumps(files)]
        runs = [subprocess.run(command, capture_output=True, text=True) for _ in range(ROUNDS if p not in LIMITS else 1)]
        if any(r.returncode for r in runs):
            out += f", {p} fails"
            continue
        r = best([(float(a), float(b), c) for a, b, c in (x.stdout.split() for x in runs)])
        out += f", {p} {rates(text, r)} ({r[0] / here[text][0]:.2f} {r[1] / here[text][1]:.2f}" + \
            (")" if r[2] == here[text][2] else " other ids)")
    print(out, flush=True)


def rates(text, r):
    size = os.path.getsize(text) / 1e6
    return f"{size / r[0]:.0f}/{size / r[1]:.0f}" if size / r[0] > 20 else f"{size / r[0]:.1f}/{size / r[1]:.1f}"


def main():
    dstok, program, folder, data = sys.argv[1:5]
    only = sys.argv[5:] or ["gpt2", "cl100k", "o200k", "qwen2", "wordpiece", "llama2", "t5", "threads"]
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    with open(os.path.join(folder, "tok-empty.txt"), "w", encoding="utf-8") as f:
        f.write("x\n")
    for pattern, name in PATTERNS.items():
        if pattern not in only:
            continue
        source = f"{data}/{'qwen' if name == 'qwen' else 'tiktoken'}/{name}.tiktoken.zst"
        files = {"ranks": os.path.join(folder, name + ".tiktoken"), "json": os.path.join(folder, name + ".json"),
                 "pattern": pattern}
        subprocess.run(["zstd", "-dqfo", files["ranks"], source], check=True)
        if not os.path.exists(files["json"]):
            write_json(files["ranks"], pattern, files["json"], dstok, folder)
        for kind in ("english", "chinese", "code"):
            line(program, folder, pattern, kind, files, ["gigatoken", "fastokens", "tiktoken", "tokenizers"])
    if "wordpiece" in only:
        for kind, vocab in (("english", "bert-base-uncased"), ("chinese", "bert-base-chinese")):
            files = {"json": os.path.join(folder, vocab + ".json"), "ours": f"{data}/bert/{vocab}.vocab.txt",
                     "pattern": "bert"}
            subprocess.run([sys.executable, __file__, "bert", files["ours"], files["json"]], check=True)
            line(program, folder, "wordpiece", kind, files, ["tokenizers"], "lines")
    if "llama2" in only:
        files = {"model": f"{data}/llama2/tokenizer.model", "ours": f"{data}/llama2/tokenizer.model"}
        for kind in ("english", "chinese", "code"):
            line(program, folder, "llama2", kind, files, ["sentencepiece"], "lines")
    if "unigram" in only or "t5" in only:
        model = f"{data}/sentencepiece/test_model.model"
        line(program, folder, "unigram", "english", {"model": model, "ours": model}, ["sentencepiece"], "lines")
        model = f"{data}/sentencepiece/chinese_sp_20k.model"
        line(program, folder, "sp-20k", "chinese", {"model": model, "ours": model}, ["sentencepiece"], "lines")
        files = {"json": os.path.join(folder, "t5.json"), "ours": os.path.join(folder, "t5.json")}
        subprocess.run(["zstd", "-dqfo", files["json"], f"{data}/t5/tokenizer.json.zst"], check=True)
        line(program, folder, "t5", "english", files, ["tokenizers"], "lines")
    os.sched_setaffinity(0, cores)
    if "threads" in only:
        threads(dstok, folder, len(cores))


def threads(dstok, folder, n):
    """The whole program over lines as records, on one thread and on all; gigatoken on lines as documents."""
    text = cut(folder, "english", 64_000_000)
    size = os.path.getsize(text) / 1e6
    files = {"ranks": os.path.join(folder, "r50k_base.tiktoken"), "json": os.path.join(folder, "r50k_base.json")}
    for k in sorted({1, n}):
        def program(path):
            start = time.perf_counter()
            subprocess.run([dstok, "-q", "-j", str(k), "-t", files["ranks"], "--pattern", "gpt2", "--from", "text", path,
                            "-o", os.devnull], check=True)
            return time.perf_counter() - start

        mine = min(program(text) for _ in range(3))
        command = [sys.executable, __file__, "batch", str(k), files["json"], text]
        runs = [subprocess.run(command, capture_output=True, text=True) for _ in range(3)]
        out = f"gpt2      english, program from file to file, lines as records, {k} threads: dstok {size / mine:.0f} MB/s"
        if not any(r.returncode for r in runs):
            theirs = min(float(r.stdout) for r in runs)
            out += f"; gigatoken in memory {size / theirs:.0f} MB/s ({theirs / mine:.2f})"
        print(out, flush=True)


def batch(n, tokenizer, text):
    os.environ["RAYON_NUM_THREADS"] = n
    import gigatoken
    from gigatoken.gigatoken_rs import BytesSource
    t = gigatoken.Tokenizer(tokenizer)
    with open(text, "rb") as f:
        data = f.read()
    start = time.perf_counter()
    t.encode_batch(BytesSource(data, separator=b"\n"), parallel=n != "1")
    print(time.perf_counter() - start)


def bert(vocab, to):
    import tokenizers
    tokenizers.BertWordPieceTokenizer(vocab, lowercase=True).save(to)


def write_json(ranks, pattern, to, program, folder):
    """The rank file as tokenizer.json, which dstok shards carry: merges are what each token is made of."""
    chars, extra = {}, 0
    for b in range(256):
        printable = 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255
        chars[b] = chr(b if printable else 256 + extra)
        extra += not printable
    with open(ranks, "rb") as f:
        rows = [row.split() for row in f if row.strip()]
    vocab = {base64.b64decode(a): int(b) for a, b in rows}

    def halves(token, limit):
        parts = [bytes([b]) for b in token]
        while len(parts) > 2:
            low = min(((vocab.get(parts[i] + parts[i + 1], limit), i) for i in range(len(parts) - 1)))
            if low[0] >= limit:
                return None
            i = low[1]
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        return parts

    spell = lambda token: "".join(chars[b] for b in token)
    merges = [halves(t, r) for t, r in sorted(vocab.items(), key=lambda x: x[1]) if len(t) > 1]
    sample = os.path.join(folder, "tok-sample.json")
    subprocess.run([program, "train", "-q", "-V", "300", "--pattern", pattern, os.path.join(folder, "tok-empty.txt"),
                    "-o", sample], check=True)
    with open(sample, encoding="utf-8") as f:
        spec = json.load(f)
    spec["added_tokens"] = []
    spec["model"].update(vocab={spell(t): r for t, r in vocab.items()}, ignore_merges=True,
                         merges=[spell(m[0]) + " " + spell(m[1]) for m in merges if m])
    with open(to, "w", encoding="utf-8") as f:
        json.dump(spec, f, ensure_ascii=False)


CALLS = {"peer": peer, "bert": bert, "batch": batch}
if sys.argv[1] in CALLS:
    CALLS[sys.argv[1]](*sys.argv[2:])
else:
    main()
