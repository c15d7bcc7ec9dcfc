"""Records a second of dsaug and nlpaug on the same lines, one core each. Usage: aug.py FOLDER_WITH_text"""
import gzip
import os
import re
import resource
import shutil
import subprocess
import sys

WORDNET = "/usr/share/wordnet"


def nltk_folder(work):
    """The Debian package's files as NLTK wants them: copies, and the file of names from its manual."""
    folder = os.path.join(work, "nltk_data", "corpora", "wordnet")
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(WORDNET):
        shutil.copy(os.path.join(WORDNET, name), folder)
    with gzip.open("/usr/share/man/man5/lexnames.5WN.gz", "rt") as f:
        rows = re.findall(r"^(\d\d)\s+(\S+)", f.read(), re.M)
    pos = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}
    with open(os.path.join(folder, "lexnames"), "w") as f:
        for number, name in rows:
            f.write("%s\t%s\t%d\n" % (number, name, pos[name.split(".")[0]]))
    return os.path.dirname(os.path.dirname(folder))


def peer(lines, folder):
    import nltk
    nltk.data.path.insert(0, folder)
    # The tagger is NLTK's; its model is not in PyPI, so it is trained on tags made from endings: the work is the same.
    from nltk.tag.perceptron import PerceptronTagger
    tagger = PerceptronTagger(load=False)
    tag = {"s": "NNS", "g": "VBG", "d": "VBD", "y": "RB", "e": "JJ", "t": "VB"}
    tagger.train([[(w, tag.get(w[-1], "NN")) for w in t.split()] for t in lines], nr_iter=2)
    nltk.pos_tag = lambda words, *a, **k: tagger.tag(words)
    nltk.download = lambda *a, **k: True
    nltk.data.find = (lambda find: lambda name, *a: None if "tagger" in name else find(name, *a))(nltk.data.find)
    # Numbers of other versions of WordNet, from a file that the package lacks and English does not need.
    from nltk.corpus.reader.wordnet import WordNetCorpusReader
    WordNetCorpusReader.map_wn = lambda *a: {}
    import nlpaug.augmenter.word as naw
    steps = [naw.SynonymAug(aug_src="wordnet", aug_p=0.1), naw.RandomWordAug(action="swap", aug_p=0.1),
             naw.RandomWordAug(action="delete", aug_p=0.1)]

    def once(text):
        for step in steps:
            got = step.augment(text)
            text = (got[0] if isinstance(got, list) else got) if got else text
        return text

    once(lines[0])
    best = 0
    for _ in range(3):
        start = os.times()
        for line in lines:
            once(line)
        end = os.times()
        best = max(best, len(lines) / (end.user + end.system - start.user - start.system))
    return best


def ours(path, n):
    best = 0
    for _ in range(3):
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["dsaug", "-q", "-j", "1", "--synonym", "0.1", "--swap", "0.1", "--delete", "0.1",
                        "--to", "text", path], check=True, stdout=subprocess.DEVNULL)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = max(best, n / (end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime))
    return best


def main():
    work = sys.argv[1]
    path = os.path.join(work, "text")
    with open(path, encoding="utf-8", errors="replace") as f:
        lines = [t.strip() for t in f if len(t.split()) > 3]
    a, b = ours(path, len(lines)), peer(lines[:500], nltk_folder(work))
    print("%-34s %8.0f /s    %8.0f /s      %.0f" % ("synonyms, swaps, deletion", a, b, a / b))


main()
