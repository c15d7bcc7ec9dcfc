"""What bench/tok.sh runs: times dstok and tokenizers on the same lines and compares ids and merges."""
import json
import os
import resource
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers  # noqa: E402

program, folder = sys.argv[1:3]
ROUNDS = 3
SIZE = 6_000_000  # bytes of each text: tokenizers takes seconds for them


def cut(kind):
    path = os.path.join(folder, f"tok-{kind}-first.txt")
    with open(os.path.join(folder, f"tok-{kind}.txt"), "rb") as f:
        text = f.read(SIZE)
    with open(path, "wb") as f:
        f.write(text[:text.rfind(b"\n") + 1])
    return path


def run(args, stdout=subprocess.DEVNULL):
    """Processor seconds of a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, *args], check=True, stdout=stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def best(fn):
    return min(fn() for _ in range(ROUNDS))


def peer_encode(t, lines):
    start = time.process_time()
    t.encode_batch(lines, add_special_tokens=False)
    return time.process_time() - start


def lines_of(path):
    with open(path, encoding="utf-8", errors="replace", newline="\n") as f:
        return f.read().split("\n")


tokenizer = os.path.join(folder, "tok.json")
subprocess.run([program, "train", "-q", "-V", "32768", *map(cut, ("english", "chinese", "code")), "-o", tokenizer],
               check=True)
peer = Tokenizer.from_file(tokenizer)
for kind in ("english", "chinese", "code"):
    path = cut(kind)
    size = os.path.getsize(path)
    ours = best(lambda: run(["-q", "-j", "1", "-t", tokenizer, "--from", "text", path]))
    lines = lines_of(path)
    theirs = best(lambda: peer_encode(peer, lines))
    out = subprocess.run([program, "-q", "-t", tokenizer, "--from", "text", "--to", "jsonl", path],
                         capture_output=True, check=True).stdout.splitlines()
    some = range(0, len(out), max(1, len(out) // 2000))
    same = all(json.loads(out[i])["tokens"] == peer.encode(lines[i], add_special_tokens=False).ids for i in some)
    print(f"encode {kind:8} {size / ours / 1e6:8.1f} MB/s, tokenizers {size / theirs / 1e6:6.1f} MB/s, "
          f"ratio {theirs / ours:6.1f}; ids {'the same' if same else 'DIFFER'}")

pattern = json.load(open(tokenizer))["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
for kind in ("english", "chinese"):
    path = cut(kind)
    result = os.path.join(folder, "tok-trained.json")
    ours = best(lambda: run(["train", "-q", "-j", "1", "-V", "16384", "--from", "text", path, "-o", result]))
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    specials = ["<|pad|>", "<|bos|>", "<|eos|>", "<|mask|>", "<|cls|>", "<|sep|>"]
    trainer = trainers.BpeTrainer(vocab_size=16384, special_tokens=specials, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    lines = lines_of(path)
    start = time.process_time()
    t.train_from_iterator(lines, trainer)
    theirs = time.process_time() - start
    mine = [tuple(m.split(" ")) for m in json.load(open(result))["model"]["merges"]]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in json.loads(t.to_str())["model"]["merges"]]
    print(f"train  {kind:8} {ours:8.2f} s,    tokenizers {theirs:6.2f} s,    ratio {theirs / ours:6.1f}; "
          f"merges {'the same' if mine == merges else 'DIFFER'}")
