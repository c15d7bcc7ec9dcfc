"""What bench/clean.sh runs: times dsclean, resiliparse and trafilatura on the same pages, and scores their articles."""
import collections
import json
import os
import re
import resource
import subprocess
import sys
import time

import trafilatura
from resiliparse.extract.html2text import extract_plain_text

pages, out, programs, truth = sys.argv[1:5]
ROUNDS, COPIES, SAMPLE = 5, 4, 12


def read_pages():
    found = {}
    for folder, _, names in sorted(os.walk(pages)):
        for name in sorted(names):
            if name.endswith((".html", ".htm")) and not name.startswith("expected"):
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    try:
                        found[os.path.relpath(path, pages)] = f.read().decode()
                    except UnicodeDecodeError:
                        pass  # a decoded page has no charset to be found: only UTF-8 is compared
    return found


def stream(name, texts, copies, named):
    """Writes texts as a stream of records, which have their file's name where named; returns its path and its bytes of text."""
    lines, path = os.path.join(out, name + ".jsonl"), os.path.join(out, name + ".dsr")
    with open(lines, "w", encoding="utf-8") as f:
        for _ in range(copies):
            for source, text in texts.items():
                f.write(json.dumps({"text": text, "source": source} if named else {"text": text}) + "\n")
    subprocess.run([programs + "/dsrec", "import", "-q", lines, "-o", path], check=True)
    os.remove(lines)
    return path, copies * sum(len(t.encode()) for t in texts.values())


def program_seconds(path, *rules):
    command = [programs + "/dsclean", "-q", "-j", "1", *rules, path, "-o", "/dev/null", "--to", "jsonl"]
    best = 1e9
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def peer_seconds(work, texts, rounds=2):
    best = 1e9
    for _ in range(rounds):
        start = time.process_time()
        for text in texts:
            work(text)
        best = min(best, time.process_time() - start)
    return best


def rate(name, ours, peer=None, peer_name=""):
    line = f"{name:38} {ours / 1e6:7.0f} MB/s"
    print(line if peer is None else f"{line} {peer / 1e6:9.1f} MB/s {peer_name:14} {ours / peer:7.1f}")


def words(text):
    return collections.Counter(re.findall(r"\w+", text.lower()))


def f1(got, want):
    a, b = words(want), words(got)
    both = sum((a & b).values())
    return 2 * both / (sum(a.values()) + sum(b.values())) if both else 0


def score(texts, name, extract):
    """Mean token-F1 against the cleaned articles; precision and recall of the strings that must and must not be there."""
    whole, hits, wrong, wanted, n = 0, 0, 0, 0, 0
    for row in map(json.loads, open(truth + "/readability-truth.jsonl", encoding="utf-8")):
        if os.path.normpath(row["file"]) in texts:
            whole += f1(extract(os.path.normpath(row["file"])), row["text"])
            n += 1
    for row in map(json.loads, open(truth + "/trafilatura-truth.jsonl", encoding="utf-8")):
        file = "html/" + row["file"]
        if file in texts:
            got = re.sub(r"\s+", " ", extract(file))
            hits += sum(w in got for w in row["with"])
            wrong += sum(w in got for w in row["without"])
            wanted += len(row["with"])
    precision, recall = hits / max(hits + wrong, 1), hits / max(wanted, 1)
    both = 2 * precision * recall / (precision + recall)
    print(f"{name:14} token-F1 {whole / max(n, 1):.3f} on {n} articles; strings: "
          f"precision {precision:.3f} recall {recall:.3f} F1 {both:.3f}")


def plain(text):
    return extract_plain_text(text, preserve_formatting=True)


def main_content(text):
    return extract_plain_text(text, preserve_formatting=True, main_content=True)


def traf(text):
    return trafilatura.extract(text) or ""


def speed(texts):
    path, size = stream("pages", texts, COPIES, True)
    one = size / COPIES
    print(f"{len(texts)} pages, {one / 1e6:.0f} MB")
    strip = size / program_seconds(path, "--html", "strip")
    rate("html strip, resiliparse", strip, one / peer_seconds(plain, texts.values()), "resiliparse")
    main = size / program_seconds(path, "--html", "main")
    rate("html main, resiliparse main_content", main,
         one / peer_seconds(main_content, texts.values()), "resiliparse")
    some = list(texts.values())[::SAMPLE]
    rate("html main, trafilatura", main,
         sum(len(t.encode()) for t in some) / peer_seconds(traf, some, 1), "trafilatura")


RARE = [r"s/\bsponsored content\b/ /i", r"s/lorem ipsum.*$//m", r"s/\d{3}-\d{4}-\d{4}/[phone]/",
        r"s/https?:\/\/t\.co\/\w+/[link]/", r"s/(?i)all rights reserved\.?//", r"s/\[citation needed\]//",
        r"s/^Advertisement$//m", r"s/(foo|bar)baz+qux/x/", r"s/\x{fffc}//", r"s/begin_of_text|end_of_text//"]


def rules(texts):
    path, size = stream("web", texts, COPIES * 4, False)
    rest = program_seconds(path, "--max-chars", "1000000000")
    plainly = program_seconds(path, "--default")
    more = program_seconds(path, "--default", *[w for r in RARE for w in ("--regex", r)])
    rate("default rules, web text", size / plainly)
    print(f"  of which reading and writing the records take {100 * rest / plainly:.0f} %")
    print(f"ten more regex rules: {more / plainly:.2f} of the time")


texts = read_pages()
speed(texts)
stripped = {k: plain(v) for k, v in texts.items()}
rules(stripped)
if truth:
    done = subprocess.run([programs + "/dsclean", "-q", "--html", "main", "--to", "jsonl", os.path.join(out, "pages.dsr")],
                          check=True, capture_output=True)
    ours = {}
    for line in done.stdout.decode().rstrip("\n").split("\n"):
        record = json.loads(line)
        ours[record["source"]] = record["text"]
    score(texts, "dsclean", lambda file: ours[file])
    score(texts, "resiliparse", lambda file: main_content(texts[file]))
    if os.environ.get("SLOW"):
        score(texts, "trafilatura", lambda file: traf(texts[file]))
