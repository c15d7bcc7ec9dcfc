"""eval.py - random records scored by dseval and by the reference implementations, digit for digit

Usage: eval.py DSEVAL [SEED]. Texts are words and punctuation that tokenizers disagree on, changed at random.
"""
import json
import random
import subprocess
import sys

import numpy as np
import scipy.stats
import sklearn.metrics as sk
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF, TER

dseval, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7
rnd = random.Random(seed)
compared = differ = 0
WORDS = """the a dog man house running generalizations nationally conditional skies dying happily flies ran red blue
over under near who which sees eaten communism relational triplicate adjustable probate controlling hoping""".split()
ODD = ["(hi)", "“x”", "3.14", "U.S.", "$1,000", "naïve—", "5-6", "&quot;", "ÀB", "a+b", "…", "x,y", "我爱北京。", "€5", "don't"]


def score(records, *names):
    lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
    run = subprocess.run([dseval, *names, "--to", "json", "-q"], input=lines.encode(), capture_output=True)
    if run.returncode:
        sys.exit(f"{names}: {run.stderr.decode()}")
    return [m["score"] for m in json.loads(run.stdout)["metrics"]]


def same(what, got, want, within=1e-9):
    global compared, differ
    compared += 1
    if abs(got - want) > within:
        differ += 1
        print(f"not the same: {what}: {got!r}, the reference says {want!r}")


def sentence():
    return " ".join(rnd.choice(WORDS if rnd.random() < 0.9 else ODD) for _ in range(rnd.randint(1, 25)))


def changed(text):
    words = text.split()
    for _ in range(rnd.randint(0, 6)):
        i, k = rnd.randrange(len(words)), rnd.randrange(4)
        if k == 0 and len(words) > 1:
            del words[i]
        elif k == 1:
            words.insert(i, rnd.choice(words))
        elif k == 2:
            run = words[i:i + rnd.randint(1, 4)]
            del words[i:i + len(run)]
            j = rnd.randint(0, len(words))
            words[j:j] = run
        else:
            words[i] = rnd.choice(ODD)
    return " ".join(words)


def translation():
    texts = [sentence() for _ in range(400)]
    records = [{"pred": changed(t), "ref": [changed(t), changed(t)]} for t in texts]
    hyps, refs = [r["pred"] for r in records], [[r["ref"][k] for r in records] for k in (0, 1)]
    for tok in ("13a", "intl", "zh", "char", "none"):
        for smooth in ("exp", "floor", "add-k", "none"):
            want = BLEU(tokenize=tok, smooth_method=smooth).corpus_score(hyps, refs).score
            same(f"bleu:{tok}:smooth={smooth}", score(records, f"bleu:{tok}:smooth={smooth}")[0], want)
    same("bleu:lc:order=6", score(records, "bleu:lc:order=6")[0],
         BLEU(lowercase=True, max_ngram_order=6).corpus_score(hyps, refs).score)
    for order, name in ((0, "chrf"), (2, "chrf++")):
        got = score(records, name, name + ":lc", name + ":space")
        same(name, got[0], CHRF(word_order=order).corpus_score(hyps, refs).score)
        same(name + ":lc", got[1], CHRF(word_order=order, lowercase=True).corpus_score(hyps, refs).score)
        same(name + ":space", got[2], CHRF(word_order=order, whitespace=True).corpus_score(hyps, refs).score)
    same("ter", score(records, "ter")[0], TER().corpus_score(hyps, refs).score)
    for r in records[:60]:
        one = [[x] for x in r["ref"]]
        got = score([r], "ter", "bleu:eff")
        same(f"ter of {r}", got[0], TER().corpus_score([r["pred"]], one).score)
        same(f"bleu:eff of {r}", got[1], BLEU(effective_order=True).corpus_score([r["pred"]], one).score)
    for _ in range(15):
        text = " ".join(sentence() for _ in range(8))
        shuffled = text.split()
        rnd.shuffle(shuffled)
        for hyp in (changed(changed(text)), " ".join(shuffled), text.split()[0]):
            same("ter of a long text", score([{"pred": hyp, "ref": text}], "ter")[0], TER().corpus_score([hyp], [[text]]).score)


def summaries():
    names = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    for stem in (False, True):
        scorer = rouge_scorer.RougeScorer(names, use_stemmer=stem)
        records = []
        for _ in range(300):
            ref = "\n".join(sentence() for _ in range(rnd.randint(1, 4)))
            records.append({"pred": "\n".join(changed(t) for t in ref.split("\n")), "ref": ref})
        two = [{"pred": r["pred"], "ref": [r["ref"], records[i - 1]["ref"]]} for i, r in enumerate(records)]
        typed = [n + (":stem" if stem else "") for n in names]
        for name, one, both in zip(names, score(records, *typed), score(two, *typed)):
            same(name, one, np.mean([scorer.score(r["ref"], r["pred"])[name].fmeasure for r in records]))
            same(name + ", two references", both,
                 np.mean([scorer.score_multi(r["ref"], r["pred"])[name].fmeasure for r in two]))


def classes():
    for k, labels in ((2, ["neg", "pos"]), (3, ["a", "b", "c"]), (5, ["0", "1", "2", "3", "4"])):
        truth = [rnd.randrange(k) for _ in range(500)]
        pred = [t if rnd.random() < 0.6 else rnd.randrange(k) for t in truth]
        # Sixteenths: exact as floats, with many ties, and every row sums to 1.
        p = np.array([np.bincount([t if rnd.random() < 0.3 else rnd.randrange(k) for _ in range(16)], minlength=k) for t in truth]) / 16
        records = [{"label": labels[t], "pred": labels[x], "score": [float(v) for v in row] if k > 2 else float(row[1])}
                   for t, x, row in zip(truth, pred, p)]
        for average in ("macro", "micro", "weighted"):
            for name, f in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
                same(f"{name}:{average} of {k}", score(records, f"{name}:{average}")[0], f(truth, pred, average=average))
        got = score(records, "mcc", "kappa", "kappa:linear", "kappa:quadratic", "log-loss", "average-precision")
        same("mcc", got[0], sk.matthews_corrcoef(truth, pred))
        for i, weights in enumerate((None, "linear", "quadratic")):
            same(f"kappa {weights}", got[1 + i], sk.cohen_kappa_score(truth, pred, weights=weights))
        same("log-loss", got[4], sk.log_loss(truth, p, labels=list(range(k))))
        if k == 2:
            same("average-precision", got[5], sk.average_precision_score(truth, p[:, 1]))
            binary = score(records, "f1", "precision", "recall", "auc", "brier")
            for g, f in zip(binary, (sk.f1_score, sk.precision_score, sk.recall_score)):
                same(f.__name__, g, f(truth, pred))
            same("auc", binary[3], sk.roc_auc_score(truth, p[:, 1]))
            same("brier", binary[4], sk.brier_score_loss(truth, p[:, 1]))
            continue
        same("average-precision", got[5], sk.average_precision_score(np.eye(k)[truth], p, average="macro"))
        for scheme in ("ovr", "ovo"):
            for average in ("macro", "weighted"):
                same(f"auc:{scheme}:{average}", score(records, f"auc:{scheme}:{average}")[0],
                     sk.roc_auc_score(truth, p, multi_class=scheme, average=average))
    x = [rnd.random() for _ in range(300)]
    y = [round(v + rnd.random(), 1) for v in x]
    got = score([{"pred": a, "label": b} for a, b in zip(x, y)], "pearson", "spearman")
    same("pearson", got[0], scipy.stats.pearsonr(x, y)[0])
    same("spearman", got[1], scipy.stats.spearmanr(x, y)[0])


translation()
summaries()
classes()
print(f"eval: seed {seed}, {compared} figures compared, {differ} differ")
sys.exit(differ > 0)
