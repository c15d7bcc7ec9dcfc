"""What tests/peers/charset.sh runs: which charset a page is in, beside resiliparse. Prints rates.

PROGRAMS PAGES BOOK OUT: the folder of dsclean, one of HTML pages, one of a folder of HTML pages for each language.
"""
import glob
import html
import json
import os
import random
import re
import subprocess
import sys

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

programs, pages, book, out = sys.argv[1:5]
EACH = 120
LANGUAGES = {
    "zh-CN": ["gb18030"], "zh-TW": ["big5"], "ja-JP": ["shift_jis", "euc-jp"], "ko-KR": ["euc-kr"],
    "ru-RU": ["windows-1251", "koi8-r"], "el-GR": ["windows-1253"], "ar-MA": ["windows-1256"],
    "pl-PL": ["iso-8859-2", "windows-1250"], "tr-TR": ["windows-1254"], "cs-CZ": ["windows-1250"],
    "de-DE": ["windows-1252"], "fr-FR": ["windows-1252"], "es-ES": ["windows-1252"], "sv-SE": ["windows-1252"],
}
PYTHON = {"uhc": "cp949", "windows-949": "cp949", "windows-31j": "cp932", "x-mac-cyrillic": "mac-cyrillic"}


def texts(paths):
    """What dsclean makes of pages, by their names."""
    found = {}
    for i in range(0, len(paths), 200):
        done = subprocess.run([programs + "/dsclean", "-q", "--html", "strip", "--to", "jsonl", *paths[i:i + 200]],
                              capture_output=True, check=True)
        for line in done.stdout.decode().split("\n"):
            if line:
                record = json.loads(line)
                found[record["source"]] = record["text"]
    return found


def peer(page):
    name = map_encoding_to_html5(detect_encoding(page)).lower()
    try:
        return page.decode(PYTHON.get(name, name), "replace")
    except LookupError:
        return ""


def write(name, page):
    path = os.path.join(out, name)
    with open(path, "wb") as file:
        file.write(page)
    return path


def paragraphs(language):
    """Those that have letters of the language; every second one, for the others are what the guess was made of."""
    found = []
    for path in sorted(glob.glob(f"{book}/{language}/*.html")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for part in re.findall(r'<(?:p|div class="para")>(.*?)</(?:p|div)>', text, re.S)[1::2]:
            part = " ".join(html.unescape(re.sub(r"<[^>]*>", "", part)).split())
            if 40 <= len(part) <= 400 and sum(ord(c) > 127 and c.isalpha() for c in part) >= 3:
                found.append(part)
    random.Random(1).shuffle(found)
    return found


def short_pages():
    total = [0, 0, 0]
    for language, charsets in LANGUAGES.items():
        for charset in charsets:
            want, theirs = {}, 0
            for text in paragraphs(language):
                try:
                    inner = html.escape(text, False).encode(charset)
                except UnicodeEncodeError:
                    continue
                page = b'<html><head><title>x</title></head><body><div class="m"><p>' + inner + b"</p></div></body></html>"
                want[write(f"short-{language}-{charset}-{len(want)}.html", page)] = text
                theirs += text in html.unescape(peer(page))
                if len(want) == EACH:
                    break
            got = texts(list(want))
            ours = sum(got.get(path, "").strip() == text for path, text in want.items())
            total = [a + b for a, b in zip(total, (len(want), ours, theirs))]
            print(f"short pages {language} {charset}: of {len(want)} dsclean {ours} resiliparse {theirs}")
    print(f"short pages, all: of {total[0]} dsclean {total[1]} resiliparse {total[2]}")


def bare(page):
    """Without what says the charset."""
    page = re.sub(rb"<meta[^>]*charset[^>]*>", b"", page, flags=re.I)
    page = re.sub(rb"<\?xml[^>]*\?>", b"", page)
    return page.removeprefix(b"\xef\xbb\xbf")


def damaged_pages():
    draw = random.Random(2)
    found = {"whole": [], "a byte damaged": [], "cut": [], "damaged and cut": []}
    for path in sorted(glob.glob(pages + "/**/*.html", recursive=True)):
        with open(path, "rb") as file:
            page = bare(file.read())
        try:
            if page.decode().isascii():
                continue
        except UnicodeDecodeError:
            continue
        first = next(i for i, byte in enumerate(page) if byte > 127)
        high = [i for i in range(first, len(page)) if page[i] > 127]
        at = draw.choice(high)
        broken = page[:at] + bytes([draw.choice([0x41, 0x80, 0x92, 0xc3, 0xe9, 0xff, draw.randrange(1, 256)])]) + page[at + 1:]
        cut = draw.randrange(high[-1] // 2 + 1, len(page))
        found["whole"].append(page)
        found["a byte damaged"].append(broken)
        found["cut"].append(page[:cut])
        found["damaged and cut"].append(broken[:max(cut, at + 1)])
    for kind, all_pages in found.items():
        plain = [write(f"{kind[:3]}-{len(kind)}-{i}.html", page) for i, page in enumerate(all_pages)]
        marked = [write(f"{kind[:3]}-{len(kind)}-{i}-mark.html", b"\xef\xbb\xbf" + page) for i, page in enumerate(all_pages)]
        got, want = texts(plain), texts(marked)
        ours = sum(got[a] == want[b] for a, b in zip(plain, marked))
        theirs = sum(detect_encoding(page).lower().replace("-", "") in ("utf8", "ascii") for page in all_pages)
        print(f"pages in UTF-8 without a charset, {kind}: of {len(plain)} dsclean {ours} resiliparse {theirs}")


short_pages()
damaged_pages()
