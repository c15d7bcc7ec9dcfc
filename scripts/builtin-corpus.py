"""What scripts/builtin-tokenizer.sh trains on, out of unpacked packages: builtin-corpus.py ROOT WORDFREQ OUT

ROOT holds a folder for each Debian package, WORDFREQ the folder of the Python package wordfreq. Written to OUT are
words-en.txt and words-zh.txt (how often a word is in the language, by writing it that often), messages-LANGUAGE.txt
and pages-LANGUAGE.txt (what programs say, and their help), prose-en.txt and prose-zh.txt (games and fortunes) and
code.txt. The same packages give the same bytes.
"""
import collections
import glob
import gettext
import gzip
import hashlib
import html
import os
import re
import sys

WORDS = 2e7  # in a word list, before the rare ones are left out
FILE_BYTES = 40000  # of a source file: long tables are no language
HAN = re.compile("[\u3400-\u9fff]")

# package, which files, megabytes of them at most
CODE = [
    ("linux-source-6.1", r"/(kernel|mm|fs|net|ipc|block|init|security|crypto)/.*\.[ch]$", 8),
    ("linux-source-6.1", r"/lib/(?!zlib|lz4|zstd|xz|lzo)[^/]*\.[ch]$", 1),
    ("libboost1.74-dev", r"\.[hi]pp$", 1),
    ("libabsl-dev", r"\.h$", 2),
    ("googletest", r"\.(cc|h)$", 2),
    ("libstdc++-12-dev", r"/include/.*[a-z_]+(\.h|\.tcc)?$", 1),
    ("libeigen3-dev", r"/Eigen/src/.*\.h$", 1),
    ("python3-django", r"\.py$", 2),
    ("python3-sympy", r"\.py$", 1),
    ("python3-numpy", r"\.py$", 1),
    ("python3-twisted", r"\.py$", 2),
    ("python3-sqlalchemy", r"\.py$", 1),
    ("mercurial-common", r"\.py$", 2),
    ("golang-1.19-src", r"/src/.*\.go$", 5),
    ("rust-src", r"/library/.*\.rs$", 3),
    ("librust-tokio-dev", r"\.rs$", 2),
    ("node-typescript", r"\.[jt]s$", 1),
    ("eslint", r"\.js$", 2),
    ("node-babel7", r"\.js$", 2),
    ("libjs-three", r"\.js$", 1),
    ("libruby3.1", r"\.rb$", 2),
    ("ruby-activerecord", r"\.rb$", 1),
    ("perl-modules-5.36", r"\.p[ml]$", 2),
    ("bash-completion", r"/completions/", 1),
    ("git", r"/git-core/git-|\.sh$", 1),
]


def code(root, out):
    for package, names, megabytes in CODE:
        base = os.path.join(root, package)
        found = [os.path.join(d, n) for d, _, files in os.walk(base) for n in files]
        found = [p for p in found if re.search(names, p[len(base):]) and os.path.isfile(p) and not os.path.islink(p)]
        # By hash: some of every folder, and the same ones each time.
        found.sort(key=lambda p: hashlib.md5(p[len(base):].encode()).digest())
        left = megabytes * 1000000
        for p in found:
            with open(p, "rb") as f:
                text = f.read(FILE_BYTES).decode("utf-8", "ignore").encode()
            if b"\0" in text or max(map(len, text.split(b"\n"))) > 2000:  # binary, or made small for the web
                continue
            left -= len(text)
            if left < 0:
                break
            out.write(text + b"\n")


def messages(root, language):
    """(original, translation) of every message there is in this language."""
    for name in sorted(glob.glob(f"{root}/*/usr/share/locale/{language}/LC_MESSAGES/*.mo")):
        with open(name, "rb") as f:
            catalog = gettext.GNUTranslations(f)._catalog
        for original, translation in catalog.items():
            original = original if isinstance(original, str) else original[0]
            yield tuple(re.sub(r"<[^>]*>", "", s) for s in (original.split("\x04")[-1], translation))


def pages(root, language):
    for name in sorted(glob.glob(f"{root}/gnome-user-docs/usr/share/help/{language}/**/*.page", recursive=True)):
        with open(name, encoding="utf-8") as f:
            text = f.read()
        text = re.sub(r"(?s)<(info|revision|credit|license)\b.*?</\1>|<[^>]*>", "", text)
        yield re.sub(r"\n\s+", "\n", html.unescape(text))


def unpack(b):
    """The one value of a msgpack file; what wordfreq's files use of it."""
    at = 0

    def value():
        nonlocal at
        tag = b[at]
        at += 1
        if tag < 0x80:
            return tag
        if tag < 0x90:
            return {value(): value() for _ in range(tag & 15)}
        if tag < 0xA0:
            return [value() for _ in range(tag & 15)]
        if tag < 0xC0:
            n = tag & 31
        elif tag in (0xD9, 0xDA, 0xDB, 0xDC, 0xDD):
            bytes_of_n = 1 << (tag - 0xD9) if tag < 0xDC else 2 << (tag - 0xDC)
            n = int.from_bytes(b[at:at + bytes_of_n], "big")
            at += bytes_of_n
        else:
            raise ValueError(f"msgpack type {tag:#x}")
        if tag in (0xDC, 0xDD):
            return [value() for _ in range(n)]
        s = b[at:at + n].decode()
        at += n
        return s

    return value()


def counts(wordfreq, language):
    """(word, how often in WORDS words), the commonest first. The file's nth list holds the words of 10^(-n/100)."""
    with gzip.open(f"{wordfreq}/data/large_{language}.msgpack.gz") as f:
        lists = unpack(f.read())
    for n, words in enumerate(lists[1:]):
        for w in words:
            yield w, WORDS * 10 ** (-n / 100)


def words_en(wordfreq, prose, out):
    """The list is in lower case: capitals as often as prose has them. Twelve words a line, so that one begins it."""
    case = collections.defaultdict(collections.Counter)
    for name in prose:
        with open(name, encoding="utf-8", errors="replace") as f:
            for w in re.findall("[A-Za-z]+", f.read()):
                case[w.lower()][w] += 1
    line = []
    for word, n in counts(wordfreq, "en"):
        if n < 1.5:
            break
        if not re.fullmatch("[a-z]+", word):
            continue
        forms = case.get(word) or {word: 1}
        for form, seen in sorted(forms.items(), key=lambda x: (-x[1], x[0]))[:3]:
            for _ in range(round(n * seen / sum(forms.values()))):
                line.append(form)
                if len(line) == 12:
                    out.write(" ".join(line) + "\n")
                    line = []


def words_zh(wordfreq, out):
    """A word a line: Chinese has no spaces, and the tokenizer's pattern would take one for a part of the word."""
    for word, n in counts(wordfreq, "zh"):
        if n < 1.5:
            break
        if re.fullmatch("[\u3400-\u9fff]+", word):
            out.write((word + "\n") * round(n))


def main(root, wordfreq, to):
    def text(name):
        return open(os.path.join(to, name), "w", encoding="utf-8", errors="surrogateescape")

    with open(os.path.join(to, "code.txt"), "wb") as out:
        code(root, out)
    for language in ("zh_CN", "zh_TW"):
        with text(f"messages-{language}.txt") as out:
            out.writelines(t + "\n" for _, t in messages(root, language) if len(HAN.findall(t)) * 2 > len(t) > 8)
    with text("messages-en.txt") as out:
        out.writelines(o + "\n" for o, _ in messages(root, "zh_CN") if len(o) > 60)
    for language in ("C", "zh_CN"):
        with text(f"pages-{language}.txt") as out:
            out.writelines(pages(root, language))
    crawl = f"{root}/crawl-common/usr/share/crawl/dat"
    for language, names in (("en", glob.glob(f"{crawl}/descript/*.txt") + glob.glob(f"{crawl}/database/*.txt") +
                             glob.glob(f"{root}/fortunes*/usr/share/games/fortunes/*")),
                            ("zh", glob.glob(f"{crawl}/descript/zh/*.txt"))):
        with text(f"prose-{language}.txt") as out:
            for name in sorted(names):
                if not name.endswith((".dat", ".u8")):
                    with open(name, encoding="utf-8", errors="ignore") as f:
                        out.write(f.read())
    english = [p for p in sorted(glob.glob(f"{to}/*.txt")) if re.search(r"/(html-en|[a-z]+-en|pages-C)\.txt$", p)]
    with text("words-en.txt") as out:
        words_en(wordfreq, english, out)
    with text("words-zh.txt") as out:
        words_zh(wordfreq, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
