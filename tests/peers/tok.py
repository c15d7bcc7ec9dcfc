"""What tests/peers/tok.sh runs: random and adversarial texts through dstok and through tokenizers, ids and text."""
import base64
import json
import os
import random
import re
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import trainers

rng = random.Random(int(sys.argv[1]))
folder = tempfile.mkdtemp()
failed = done = 0

ALPHABETS = ["abcdefghijklmnopqrstuvwxyz ABC", "the and ing 's 'LL'Re don't", " \t\n\r\u00a0\u2003\u3000\x85\u2028\x0b",
             "0123456789\u0664\u00b2\u216b\u00bd", ".,;:!?-_()[]{}<>/\\'\"#@*&%$+=~^`|",
             "\u4e2d\u6587\u5b57\u65e5\u672c\u8a9e\u306e\u3092\u30ab\u30bf\u30fb\u3002\uff0c\u9fa6\u3400",
             "\u00e9\u00df\u0130\u017f\u00c5\u0301\u0327\u0308\u0430\u0431\u0416\u03a3\u03c3\u03c2",
             "\u0915\u094d\u0937\u093f\u0e01\u0e33\u0e34\u0627\u064e\u05d0\uac00\u1100\u1161\u11a8\ufb01\u2460\uff21\uff5e",
             "\U0001f600\U0001f1e9\U0001f1ea\u200d\ufe0f\U0001f3fd\U00020000\ufffd\u200b\ufeff\u00ad\u0001\u007f\u2581",
             "<s></s><unk>[CLS][SEP][MASK]<|endoftext|>##<0x41>"]
WORDS = []


def text():
    kind = rng.random()
    if kind < .25 and WORDS:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 12)))
    out = []
    for _ in range(rng.randrange(1, 8)):
        a = rng.choice(ALPHABETS)
        out.append("".join(rng.choice(a) for _ in range(rng.randrange(1, 9))))
        if rng.random() < .2:
            out.append(rng.choice(a) * rng.randrange(1, 40))
        if rng.random() < .15:
            out.append(rng.choice(["<s>", "</s>", "<unk>", "[MASK]", " [CLS] ", "<|eot|>", "foo", " bar ", "<0x0A>"]))
        if rng.random() < .3:
            out.append(" ")
    s = "".join(out)
    return s if s.strip("\n") else "x"


def run(args, data):
    p = subprocess.run(["dstok", *args], input=data, capture_output=True)
    return p.returncode, p.stdout, p.stderr.decode(errors="replace").strip()


def check(name, tok, n=400, decode=True, options=()):
    """tok: tokenizers' own object, or a path that both read."""
    global failed, done
    path = os.path.join(folder, "t.json")
    if isinstance(tok, str):
        path, tok = tok, Tokenizer.from_file(tok)
    else:
        tok.save(path)
        tok = Tokenizer.from_file(path)
    tok.no_truncation()
    tok.no_padding()
    texts = [text() for _ in range(n)]
    data = "".join(json.dumps({"text": t}) + "\n" for t in texts).encode()
    bad = None
    for special in (True, False):
        tok.encode_special_tokens = not special
        rc, out, err = run(["encode", "-q", "-t", path, "--from", "jsonl", "--to", "jsonl", "--add-special",
                            *(["--specials"] if special else []), *options], data)
        if rc:
            bad = f"exit {rc}: {err}"
            break
        rows = [json.loads(line)["tokens"] for line in out.splitlines()]
        for t, mine in zip(texts, rows):
            want = tok.encode(t, add_special_tokens=True).ids
            if want != mine and not bad:
                bad = f"{t!r}\n#   wants {want}\n#   has   {mine}\n#   {tok.encode(t).tokens}"
        if decode and special and not bad:
            ids = [[rng.randrange(tok.get_vocab_size()) for _ in range(rng.randrange(1, 9))] for _ in range(200)]
            ids = [r for r in ids + rows if r and all(tok.id_to_token(i) is not None for i in r)]
            data2 = "".join(json.dumps({"tokens": r}) + "\n" for r in ids).encode()
            rc, out, err = run(["decode", "-q", "-t", path, "--from", "jsonl", "--to", "jsonl"], data2)
            got = [json.loads(line).get("text", "") for line in out.splitlines()]
            if rc or len(got) != len(ids):
                bad = f"decode: exit {rc}: {err}"
            for r, g in zip(ids, got):
                want = tok.decode(r, skip_special_tokens=False)
                if "\ufffd" not in want + g and want != g and not bad:
                    bad = f"decode {r}\n#   wants {want!r}\n#   has   {g!r}"
    done += 1
    failed += bad is not None
    print(f"{'not ok' if bad else 'ok'} {done} - {name}" + (f"\n#   {bad}" if bad else ""), flush=True)


def trained(model, trainer, norm=None, pre=None, post=None, dec=None, added=()):
    t = Tokenizer(model)
    if norm:
        t.normalizer = norm
    if pre:
        t.pre_tokenizer = pre
    if dec:
        t.decoder = dec
    t.train_from_iterator([text() for _ in range(1500)], trainer)
    if post:
        t.post_processor = post
    if added:
        t.add_tokens(list(added))
    return t


N, P, D = normalizers, pre_tokenizers, decoders
SPECIAL = ["<unk>", "<s>", "</s>", "[MASK]"]
V = dict(vocab_size=900, special_tokens=SPECIAL, show_progress=False)
BYTES = [f"<0x{b:02X}>" for b in range(256)]
ADDED = [AddedToken("foo", single_word=True), AddedToken("<|eot|>", lstrip=True, rstrip=True, normalized=False),
         AddedToken("bar", rstrip=True), AddedToken("Caf\u00e9", normalized=True)]
WORDS[:] = "the of and to in that was his he it with is for as had you not be her on at by don't we'll 2024 3.14 \
https://example.com caf\u00e9 na\u00efve \u4e2d\u56fd\u4eba \u6c11\u65e5\u62a5 foo_bar CamelCase foo bar unbelievable".split()

DEEPSEEK = P.Sequence([
    P.Split(Regex(r"\p{N}{1,3}"), "isolated"), P.Split(Regex("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), "isolated"),
    P.Split(Regex(r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
                  r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""), "isolated"),
    P.ByteLevel(add_prefix_space=False, use_regex=False)])


def bytelevel(pre, name, norm=None, added=()):
    tr = trainers.BpeTrainer(initial_alphabet=P.ByteLevel.alphabet(), **V)
    check(name, trained(models.BPE(), tr, norm, pre, None, D.ByteLevel(), added))


PATTERNS = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
              r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
             r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "cl100k as tiktoken spells it": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| "
                                    r"?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "cl100k": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
              r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
             r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
             r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen3.5": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "words": r"\w+|[^\w\s]+", "anything": r".{1,3}|\n+"}
for name, regex in PATTERNS.items():
    bytelevel(P.Sequence([P.Split(Regex(regex), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]),
              "pattern " + name)
bytelevel(DEEPSEEK, "deepseek's sequence")
bytelevel(P.ByteLevel(), "ByteLevel with a space in front, added tokens", added=ADDED)
bytelevel(P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)]), "StarCoder: Digits, ByteLevel")
bytelevel(P.ByteLevel(add_prefix_space=False), "ByteLevel after NFKC, added tokens", N.NFKC(), ADDED)
bytelevel(P.ByteLevel(add_prefix_space=False), "ByteLevel after NFC and Replace",
          N.Sequence([N.NFC(), N.Replace(Regex("[aeiou]{2}"), "<>")]), ADDED)
bytelevel(P.ByteLevel(use_regex=False), "ByteLevel without its regex")

for behaviour in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
    for invert in (False, True):
        bytelevel(P.Sequence([P.Split(Regex("[aeiou\u4e2d0-4]"), behaviour, invert),
                              P.ByteLevel(add_prefix_space=False, use_regex=False)]), f"Split {behaviour} invert {invert}")

# Llama-2 and the like: characters with bytes to fall back to
llama = dict(vocab_size=1200, special_tokens=SPECIAL + BYTES, show_progress=False)
for fuse in (True, False):
    for name, norm, pre in (
            ("Prepend and Replace", N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")]), None),
            ("Replace alone", N.Replace(" ", "\u2581"), None),
            ("Metaspace first", None, P.Metaspace(prepend_scheme="first", split=False)),
            ("Metaspace always", None, P.Metaspace(prepend_scheme="always")),
            ("Metaspace never", None, P.Metaspace(prepend_scheme="never"))):
        dec = D.Sequence([D.Replace("\u2581", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
        for fallback in (True, False):
            t = trained(models.BPE(unk_token="<unk>", fuse_unk=fuse, byte_fallback=fallback),
                        trainers.BpeTrainer(limit_alphabet=60, **llama), norm, pre,
                        processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)]), dec, ADDED)
            check(f"BPE of characters, {name}, fuse {fuse}, fallback {fallback}", t)
t = trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"),
            trainers.BpeTrainer(continuing_subword_prefix="##", end_of_word_suffix="</w>", **V),
            N.Lowercase(), P.Whitespace(), None, D.BPEDecoder())
check("BPE with prefix and suffix", t)
spec = json.loads(t.to_str())
spec["model"]["ignore_merges"] = True
check("the same, merges ignored", Tokenizer.from_str(json.dumps(spec)))

# WordPiece, WordLevel
wp = trainers.WordPieceTrainer(**V)
for name, norm, pre in (("BERT", N.BertNormalizer(), P.BertPreTokenizer()),
                        ("BERT cased", N.BertNormalizer(lowercase=False), P.BertPreTokenizer()),
                        ("BERT unclean", N.BertNormalizer(clean_text=False, handle_chinese_chars=False), P.BertPreTokenizer()),
                        ("NFD StripAccents", N.Sequence([N.NFD(), N.Lowercase(), N.StripAccents()]), P.Whitespace()),
                        ("NFKD Strip Nmt", N.Sequence([N.NFKD(), N.Strip(), N.Nmt()]),
                         P.Sequence([P.WhitespaceSplit(), P.Punctuation("contiguous"), P.Digits()])),
                        ("delimiter", N.Lowercase(), P.CharDelimiterSplit("e"))):
    t = trained(models.WordPiece(unk_token="<unk>", max_input_chars_per_word=20), wp, norm, pre,
                processors.BertProcessing(("</s>", 2), ("<s>", 1)), D.WordPiece(), ADDED)
    check("WordPiece, " + name, t)
check("WordLevel", trained(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(**V), N.NFKC(), P.Whitespace(),
                           processors.RobertaProcessing(("</s>", 2), ("<s>", 1))))

# Unigram
uni = dict(vocab_size=700, unk_token="<unk>", special_tokens=SPECIAL, show_progress=False)
for name, norm, pre in (("Metaspace", N.NFKC(), P.Metaspace()), ("whole", None, P.Metaspace(split=False)),
                        ("T5's", N.Lowercase(), P.Sequence([P.WhitespaceSplit(), P.Metaspace()]))):
    check("Unigram, " + name, trained(models.Unigram(), trainers.UnigramTrainer(**uni), norm, pre, None, D.Metaspace(), ADDED))
t = trained(models.Unigram(), trainers.UnigramTrainer(**{**uni, "special_tokens": SPECIAL + BYTES, "vocab_size": 900}), None,
            P.Metaspace(), None, D.Sequence([D.ByteFallback(), D.Metaspace()]))
spec = json.loads(t.to_str())
spec["model"]["byte_fallback"] = True
check("Unigram with bytes to fall back to", Tokenizer.from_str(json.dumps(spec)))

def converted(name, file, options=(), n=600, texts=None):
    """A vocabulary of another format, written as tokenizer.json: tokenizers loads it and gives the same ids."""
    path, bad = os.path.join(folder, "c.json"), None
    rc, out, err = run(["info", "-t", file, *options, "--write", path], b"")
    if rc:
        bad = f"exit {rc}: {err}"
    else:
        tok = Tokenizer.from_file(path)
        tok.encode_special_tokens = True
        texts = texts or [text() for _ in range(n)]
        data = "".join(json.dumps({"text": t}) + "\n" for t in texts).encode()
        for args in (["-t", file, *options], ["-t", path]):
            rc, out, err = run(["encode", "-q", *args, "--from", "jsonl", "--to", "jsonl"], data)
            bad = bad or (f"exit {rc}: {err}" if rc else None)
            for t, line in zip(texts, out.splitlines()):
                mine, want = json.loads(line)["tokens"], tok.encode(t, add_special_tokens=False).ids
                if mine != want and not bad:
                    bad = f"{args[1]} {t!r}\n#   tokenizers {want}\n#   dstok      {mine}"
    report(name + ", written as tokenizer.json", bad)


def rows_of(args, records):
    """What dstok encode makes of records, as objects; None where it fails."""
    data = "".join(json.dumps(r) + "\n" for r in records).encode()
    rc, out, err = run(["encode", "-q", "--from", "jsonl", "--to", "jsonl", "--add-special", *args], data)
    return None if rc else [json.loads(line) for line in out.splitlines()]


def report(name, bad):
    global failed, done
    done += 1
    failed += bad is not None
    print(f"{'not ok' if bad else 'ok'} {done} - {name}" + (f"\n#   {bad}" if bad else ""), flush=True)


def pairs(name, tok, n=500, args=()):
    """Two texts: ids and types are those of encode(a, b)."""
    path, bad = os.path.join(folder, "p.json"), None
    tok.encode_special_tokens = True
    tok.save(path)
    records = [{"text": text(), "b": text()} for _ in range(n)]
    rows = rows_of(["-t", path, "--pair", "b", *args], records)
    for r, row in zip(records, rows or []):
        want = tok.encode(r["text"], r["b"])
        if not bad and (want.ids, bytes(want.type_ids)) != (row["tokens"], base64.b64decode(row["types"])):
            bad = f"{r}\n#   wants {want.ids} {want.type_ids}\n#   has   {row}"
    report(name, bad if rows else "dstok fails")


def offsets(name, args, tok, n=800, whole=False):
    """Offsets are theirs, in bytes; whole: of a byte's token they give the whole character."""
    bad = None
    tok.encode_special_tokens = True
    texts = [text() for _ in range(n)]
    rows = rows_of([*args, "--offsets"], [{"text": t} for t in texts])
    for t, row in zip(texts, rows or []):
        e, at = tok.encode(t), [0]
        for c in t:
            at.append(at[-1] + len(c.encode()))
        got = list(zip(row["offsets"][::2], row["offsets"][1::2]))
        if whole:
            got = [(a, b) if a == b else (max(x for x in at if x <= a), min(x for x in at if x >= b)) for a, b in got]
        if not bad and (e.ids != row["tokens"] or got != [(at[a], at[b]) for a, b in e.offsets]):
            bad = f"{t!r}\n#   wants {e.offsets}\n#   has   {got}"
    report(name, bad if rows else "dstok fails")


def unpacked(source, name):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(subprocess.run(["zstd", "-dqcf", source], capture_output=True).stdout)
    return os.path.join(folder, name)


data = os.environ.get("DS_TEST_DATA")
if data:
    v = f"{data}/tokenizers"
    for name, source, pattern in (("cl100k", "tiktoken/cl100k_base.tiktoken", "cl100k"), ("o200k", "tiktoken/o200k_base.tiktoken", "o200k"),
                                  ("Llama-3", "llama3/llama3.tiktoken", "llama3"), ("Qwen", "qwen/qwen.tiktoken", "qwen2"),
                                  ("Qwen as gpt2 cuts", "qwen/qwen.tiktoken", "gpt2")):
        found = [f for f in (f"{v}/{source}.zst", f"{v}/{source}") if os.path.exists(f)]
        if found:
            converted(name, unpacked(found[0], "ranks"), ["--pattern", pattern])
    unpacked(f"{v}/gpt2/vocab.bpe.zst", "vocab.bpe")
    converted("GPT-2", unpacked(f"{v}/gpt2/encoder.json.zst", "encoder.json"))
    converted("BERT", f"{v}/bert/bert-base-uncased.vocab.txt", ["--pattern", "bert"])
    converted("BERT cased", f"{v}/bert/bert-base-uncased.vocab.txt", ["--pattern", "bert-cased"])
    converted("Chinese BERT", f"{v}/bert/bert-base-chinese.vocab.txt", ["--pattern", "bert"])
    bert, llama = Tokenizer.from_file(os.path.join(folder, "c.json")), os.path.join(folder, "llama.json")
    offsets("Chinese BERT, offsets", ["-t", os.path.join(folder, "c.json")], bert)
    pairs("Chinese BERT, pairs", bert)
    for n in (8, 13, 32):
        bert.enable_truncation(n, strategy="longest_first")
        bert.enable_padding(length=n, pad_id=0, pad_token="[PAD]")
        pairs(f"pairs cut and padded to {n}", bert, args=["--seq", str(n)])
    bert.no_truncation()
    bert.no_padding()
    for post in (processors.RobertaProcessing(("[SEP]", 102), ("[CLS]", 101)), processors.BertProcessing(("[SEP]", 102), ("[CLS]", 101)),
                 processors.TemplateProcessing(single="[CLS] $A", pair="[CLS]:3 $A:2 [SEP]:1 [SEP]:4 $B:1 [CLS]",
                                               special_tokens=[("[CLS]", 101), ("[SEP]", 102)])):
        bert.post_processor = post
        pairs(f"pairs, {type(post).__name__}", bert)
    run(["info", "-t", f"{v}/llama2/tokenizer.model", "--write", llama], b"")
    offsets("Llama-2, offsets", ["-t", f"{v}/llama2/tokenizer.model"], Tokenizer.from_file(llama))
    ranks = unpacked(f"{v}/llama3/llama3.tiktoken.zst", "ranks")
    run(["info", "-t", ranks, "--pattern", "llama3", "--write", llama], b"")
    llama3 = Tokenizer.from_file(llama)
    offsets("Llama-3, offsets", ["-t", ranks, "--pattern", "llama3"], llama3, whole=True)
    llama3.add_tokens([AddedToken("foo", single_word=True), AddedToken("bar", rstrip=True), AddedToken("the", lstrip=True)])
    llama3.save(llama)
    offsets("added tokens, offsets", ["-t", llama], llama3, whole=True)
    # What tokenizers does by itself with a precompiled map and whole grapheme clusters, sentencepiece does not.
    plain = [t for t in (text() for _ in range(3000)) if not any(0x300 <= ord(c) < 0x370 or ord(c) > 0xffff or c in
             "\u200d\ufe0f\u0e33\u0e34\u093f\u094d\u0937\u0915\u0301\u1100\u1161\u11a8\u064e" for c in t) and "<" not in t]
    converted("Llama-2", f"{v}/llama2/tokenizer.model", texts=plain)
    # Of paths that are equally good, as in a run of one letter, it is rounding that decides: float or double.
    plain = [t for t in plain if not re.search(r"(.)\1\1", t)]
    for name in ("chinese_sp_20k", "test_ja_model", "test_model"):
        converted(name, f"{v}/sentencepiece/{name}.model", texts=plain)
    check("T5 as published", unpacked(f"{v}/t5/tokenizer.json.zst", "t5.json"), 1500)
print(f"1..{done}")
sys.exit(failed > 0)
