"""What bench/tok.sh runs with rank files: dstok beside gigatoken, fastokens, tiktoken and tokenizers, cold, one thread.

A text of 4 MB is one document. Each peer encodes it for the first time in a process of its own, so that no word is
known; its tokenizer is loaded before the clock starts. dstok is a program: its time on an empty text is taken off.
Processor seconds, the best of three; ids are hashed and compared.
"""
import hashlib
import json
import os
import resource
import subprocess
import sys
import time

ROUNDS = 3
PATTERNS = {"gpt2": "r50k_base", "cl100k": "cl100k_base", "o200k": "o200k_base", "qwen2": "qwen"}


def digest(ids):
    return hashlib.sha256(json.dumps([int(i) for i in ids], separators=(",", ":")).encode()).hexdigest()[:16]


def peer(name, ranks, tokenizer, text):
    """In a process of its own: seconds and the ids' hash."""
    os.environ.update(TOKENIZERS_PARALLELISM="false", RAYON_NUM_THREADS="1")
    with open(text, encoding="utf-8", newline="") as f:
        data = f.read()
    if name == "gigatoken":
        import gigatoken
        t = gigatoken.Tokenizer(tokenizer)
        encode = lambda: t.encode(data)
    elif name == "fastokens":
        import fastokens
        t = fastokens.Tokenizer.from_file(tokenizer)
        encode = lambda: t.encode(data)
    elif name == "tiktoken":
        import base64
        import tiktoken
        with open(tokenizer, encoding="utf-8") as f:
            pattern = json.load(f)["pre_tokenizer"]
        pattern = pattern["pretokenizers"][0]["pattern"]["Regex"] if "pretokenizers" in pattern else \
            r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
        with open(ranks, "rb") as f:
            rows = [line.split() for line in f if line.strip()]
        t = tiktoken.Encoding("x", pat_str=pattern, special_tokens={},
                              mergeable_ranks={base64.b64decode(a): int(b) for a, b in rows})
        encode = lambda: t.encode_ordinary(data)
    else:
        from tokenizers import Tokenizer
        t = Tokenizer.from_file(tokenizer)
        encode = lambda: t.encode(data, add_special_tokens=False)
    start = time.process_time()
    ids = encode()
    seconds = time.process_time() - start
    ids = getattr(ids, "ids", ids)
    print(seconds, digest(ids))


def ours(program, ranks, pattern, text):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, "-q", "-j", "1", "-t", ranks, "--pattern", pattern, "--from", "text", "--split", "file",
                    text, "-o", os.devnull], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cut(folder, kind):
    """The first 4 MB: tokenizers takes seconds for them."""
    path = os.path.join(folder, f"tok-{kind}-cut.txt")
    with open(os.path.join(folder, f"tok-{kind}.txt"), "rb") as f:
        text = f.read(4_000_000).decode(errors="ignore")
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    return path


def main():
    program, folder, tokenizers = sys.argv[1:4]
    empty = os.path.join(folder, "tok-empty.txt")
    with open(empty, "w", encoding="utf-8") as f:
        f.write("x\n")
    for pattern, name in PATTERNS.items():
        source = f"{tokenizers}/{'qwen' if name == 'qwen' else 'tiktoken'}/{name}.tiktoken.zst"
        ranks, tokenizer = os.path.join(folder, name + ".tiktoken"), os.path.join(folder, name + ".json")
        subprocess.run(["zstd", "-dqfo", ranks, source], check=True)
        write_json(ranks, pattern, tokenizer, program, folder)
        start = min(ours(program, ranks, pattern, empty) for _ in range(ROUNDS))
        for kind in ("english", "chinese", "code"):
            text = cut(folder, kind)
            size = os.path.getsize(text)
            mine = max(min(ours(program, ranks, pattern, text) for _ in range(ROUNDS)) - start, 1e-4)
            out = subprocess.run([program, "-q", "-t", ranks, "--pattern", pattern, "--from", "text", "--split", "file",
                                  "--to", "jsonl", text], capture_output=True, check=True).stdout
            mark = digest(json.loads(out)["tokens"])
            line = f"{pattern:7} {kind:8} dstok {size / mine / 1e6:7.1f} MB/s"
            for p in ("gigatoken", "fastokens", "tiktoken", "tokenizers"):
                runs = [subprocess.run([sys.executable, __file__, "peer", p, ranks, tokenizer, text], capture_output=True,
                                       text=True) for _ in range(ROUNDS)]
                if any(r.returncode for r in runs):
                    line += f", {p} fails"
                    continue
                best = min(float(r.stdout.split()[0]) for r in runs)
                same = runs[0].stdout.split()[1] == mark
                line += f", {p} {size / best / 1e6:.1f} ({best / mine:.2f}{'' if same else ', other ids'})"
            print(line, flush=True)


def write_json(ranks, pattern, to, program, folder):
    """The rank file as tokenizer.json, which dstok shards carry: merges are what each token is made of."""
    import base64
    chars, extra = {}, 0
    for b in range(256):
        printable = 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255
        chars[b] = chr(b if printable else 256 + extra)
        extra += not printable
    with open(ranks, "rb") as f:
        rows = [line.split() for line in f if line.strip()]
    vocab = {base64.b64decode(a): int(b) for a, b in rows}

    def halves(token, limit):
        parts = [bytes([b]) for b in token]
        while len(parts) > 2:
            best = min(((vocab.get(parts[i] + parts[i + 1], limit), i) for i in range(len(parts) - 1)))
            if best[0] >= limit:
                return None
            i = best[1]
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


if sys.argv[1] == "peer":
    peer(*sys.argv[2:])
else:
    main()
