"""What bench/toktrain.sh runs: dstok train and tokenizers' trainers in fresh processes, time and memory of each."""
import json
import os
import subprocess
import sys
import time

program, text = sys.argv[1:3]
folder = os.path.dirname(text)
IDS = 32768
MODELS = ("bpe", "wordpiece")
SPECIALS = {"bpe": ["<|pad|>", "<|bos|>", "<|eos|>", "<|mask|>", "<|cls|>", "<|sep|>"],
            "wordpiece": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]}


def peer(model, ours, source, result, first):
    """Trains as ours did; `first`: ids that come before all others."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
    like = dict(vocab_size=IDS, special_tokens=first or SPECIALS[model], show_progress=False)
    if model == "bpe":
        regex = json.load(open(ours))["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(regex), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **like)
    else:
        t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        t.normalizer = normalizers.BertNormalizer()
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(**like)
    if isinstance(source, str):
        t.train([source], trainer)
    else:
        t.train_from_iterator(source, trainer)
    t.save(result)


def measured(args):
    """Wall seconds and megabytes at most of a program."""
    start = time.time()
    child = subprocess.Popen(args)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{args[0]} failed")
    return time.time() - start, usage.ru_maxrss / 1e3


def ids_of(path):
    vocab = json.load(open(path))["model"]["vocab"]
    return sorted(vocab, key=vocab.get)


def same(model):
    """How far the vocabularies from the same lines are the same."""
    part, ours, theirs = (os.path.join(folder, "toktrain-" + name) for name in ("part.txt", "part.json", "peer.json"))
    with open(text, "rb") as f, open(part, "wb") as o:
        o.write(f.read(20_000_000).rpartition(b"\n")[0])
    subprocess.run([program, "train", "-q", "--model", model, "-V", str(IDS), "--from", "text", part, "-o", ours], check=True)
    mine = ids_of(ours)
    n = next(i for i, x in enumerate(mine) if i > 5 and len(x.replace("##", "")) > 1)
    lines = open(part, encoding="utf-8", newline="\n").read().split("\n")
    peer(model, ours, lines, theirs, mine[:n] if model == "wordpiece" else None)
    other = ids_of(theirs)
    return "the same" if mine == other else f"with {len(set(mine) - set(other))} other tokens"


if len(sys.argv) > 3:
    peer(sys.argv[3], sys.argv[4], text, sys.argv[5], None)
    sys.exit()
size = os.path.getsize(text)
for model in MODELS:
    ours, theirs = (os.path.join(folder, f"toktrain-{name}.json") for name in ("ours", "theirs"))
    a = measured([program, "train", "-q", "--model", model, "-V", str(IDS), "--from", "text", text, "-o", ours])
    b = measured([sys.executable, __file__, program, text, model, ours, theirs])
    print(f"{model:9} {size / 1e6:5.0f} MB: dstok {a[0]:6.1f} s {a[1]:5.0f} MB, tokenizers {b[0]:6.1f} s {b[1]:5.0f} MB; "
          f"time {b[0] / a[0]:5.1f}, memory {b[1] / a[1]:4.1f}; vocabulary of 20 MB {same(model)}", flush=True)
