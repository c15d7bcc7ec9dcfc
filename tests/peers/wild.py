"""wild.py - pages of web archives and WebDataset shards, record for record as other readers see them

WARC: the shared pages (DS_TEST_DATA) and bodies made here, sent and claimed in all the ways of the wild, read
by warcio, FastWARC and dsrec. Text must be the same bytes, but for the differences listed in KNOWN, which
are printed with their reasons. WebDataset: shards of webdataset's own writer are read here, ours there.
Articles of the shared pages beside trafilatura's, by the strings that must and must not be in them.
"""
import gzip, io, json, os, random, subprocess, sys, tarfile, tempfile, zlib

import brotli
from fastwarc.warc import ArchiveIterator as FastIterator, WarcRecordType
from warcio.archiveiterator import ArchiveIterator

seed = int(sys.argv[1])
rng = random.Random(seed)
tmp = tempfile.TemporaryDirectory()
done = 0
failed = 0


def check(good, what):
    global done, failed
    done += 1
    failed += not good
    print(("ok" if good else "not ok"), done, "-", what)


def dsrec(*args, **kw):
    return subprocess.run(["dsrec", *args], check=True, capture_output=True, **kw).stdout


def pages():
    """Real pages where the shared data is, else made ones."""
    data = os.environ.get("DS_TEST_DATA")
    path = data and os.path.join(data, "html", "trafilatura-pages.tar.zst")
    if not path or not os.path.exists(path):
        for i in range(60):
            yield b"<!DOCTYPE html><p>page %d " % i + bytes(rng.choices(range(32, 256), k=rng.randrange(1, 9000)))
        return
    raw = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout
    for member in (tar := tarfile.open(fileobj=io.BytesIO(raw))):
        if member.isfile():
            yield tar.extractfile(member).read()


def chunked(b):
    parts = []
    while b:
        n = rng.randrange(1, 9000)
        parts.append(b"%x\r\n%s\r\n" % (len(b[:n]), b[:n]))
        b = b[n:]
    return b"".join(parts) + b"0\r\n\r\n"


def raw_deflate(b):
    z = zlib.compressobj(wbits=-15)
    return z.compress(b) + z.flush()


CE, TE = b"Content-Encoding: ", b"Transfer-Encoding: chunked"
WAYS = {
    "plain": lambda b: (b, []),
    "identity": lambda b: (b, [CE + b"identity"]),
    "none": lambda b: (b, [CE + b"none"]),
    "a word": lambda b: (b, [CE + b"UTF-8"]),
    "gzip": lambda b: (gzip.compress(b), [CE + b"gzip"]),
    "x-gzip": lambda b: (gzip.compress(b), [CE + b"x-gzip"]),
    "zlib": lambda b: (zlib.compress(b), [CE + b"deflate"]),
    "deflate": lambda b: (raw_deflate(b), [CE + b"deflate"]),
    "br": lambda b: (brotli.compress(b, quality=4), [CE + b"br"]),
    "chunked": lambda b: (chunked(b), [TE]),
    "chunked gzip": lambda b: (chunked(gzip.compress(b)), [TE, CE + b"gzip"]),
    "claims chunked": lambda b: (b"<!-- -->" + b, [TE]),
    "claims gzip": lambda b: (b"<!-- -->" + b, [CE + b"gzip"]),
    "claims br": lambda b: (b"<!-- -->" + b, [CE + b"br"]),
    "cut chunk": lambda b: (chunked(b)[:-9], [TE]),
    "damaged chunk": lambda b: (b"5\r\nhello\r\nzz\r\n" + b, [TE]),
    "cut gzip": lambda b: (gzip.compress(b)[:-20], [CE + b"gzip"]),
    "stacked": lambda b: (brotli.compress(gzip.compress(b), quality=4), [CE + b"gzip, br"]),
}
# Bodies that a peer gives otherwise, and why; all others must be the same.
KNOWN = {
    ("warcio", "x-gzip"): "left packed",
    ("warcio", "br"): "an error with the brotli package of today",
    ("warcio", "stacked"): "no coding of a list is undone",
    ("warcio", "claims br"): "nothing comes of a body that is said to be br and is not",
    ("FastWARC", "none"): "an error: unsupported",
    ("FastWARC", "a word"): "an error: unsupported",
    ("FastWARC", "x-gzip"): "an error: unsupported",
    ("FastWARC", "deflate"): "an error where it is bare",
    ("FastWARC", "claims chunked"): "an error",
    ("FastWARC", "claims gzip"): "an error",
    ("FastWARC", "claims br"): "an error",
    ("FastWARC", "cut chunk"): "an error",
    ("FastWARC", "damaged chunk"): "an error",
}


def record(kind, uri, body, *head):
    lines = [b"WARC/1.0", b"WARC-Type: " + kind, b"WARC-Record-ID: <urn:uuid:%s>" % uri, b"WARC-Date: 2024-01-02T03:04:05Z",
             b"WARC-Target-URI: " + uri, *head, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body + b"\r\n\r\n"


def write_warc(path):
    """Every page one way, in turn; small bodies every way; other kinds of records between them."""
    ways = list(WAYS)
    all_pages = [(i, p) for i, p in enumerate(pages())]
    jobs = [(ways[i % len(ways)], p) for i, p in all_pages]
    jobs += [(w, b"<p>small \xc3\xa9 %d" % i) for i, w in enumerate(ways)]
    with open(path, "wb") as f:
        f.write(record(b"warcinfo", b"info", b"software: x\r\n", b"Content-Type: application/warc-fields"))
        for i, (way, page) in enumerate(jobs):
            uri = b"http://a.example/%d/%s" % (i, way.replace(" ", "-").encode())
            body, head = WAYS[way](page)
            http = b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Type: text/html", *head]) + b"\r\n\r\n" + body
            if i % 7 == 0:
                f.write(record(b"request", uri, b"GET / HTTP/1.1\r\n\r\n", b"Content-Type: application/http; msgtype=request"))
                f.write(record(b"response", b"dns:a.example", b"a.example. 3 IN A 1.2.3.4\r\n", b"Content-Type: text/dns"))
                f.write(record(b"revisit", uri, b"HTTP/1.1 304 Not Modified\r\n\r\n", b"Content-Type: application/http; msgtype=response"))
                f.write(record(b"metadata", uri, b"via: x\r\n", b"Content-Type: application/warc-fields"))
            f.write(record(b"response", uri, http, b"Content-Type: application/http; msgtype=response"))
    return jobs


def way_of(uri):
    return uri.rsplit("/", 1)[1].replace("-", " ").replace("x gzip", "x-gzip")


def by_warcio(path):
    with open(path, "rb") as f:
        for r in ArchiveIterator(f):
            if r.rec_type == "response" and r.http_headers:
                try:
                    yield r.rec_headers.get_header("WARC-Target-URI"), r.content_stream().read()
                except Exception as why:
                    yield r.rec_headers.get_header("WARC-Target-URI"), repr(why).encode()


def by_fastwarc(path):
    """One record at a time, since FastWARC does not go on behind one that it cannot decode."""
    with open(path, "rb") as f:
        plain = [(r.rec_headers.get_header("WARC-Target-URI"), r.raw_stream.read())
                 for r in ArchiveIterator(f, no_record_parse=True) if r.rec_type == "response"]
    for uri, content in plain:
        if not content.startswith(b"HTTP/"):
            continue
        one = record(b"response", uri.encode(), content, b"Content-Type: application/http; msgtype=response")
        try:
            for r in FastIterator(io.BytesIO(one), record_types=WarcRecordType.response, parse_http=True, auto_decode="all"):
                yield uri, r.reader.read()
        except Exception as why:
            yield uri, repr(why).encode()


def warc():
    path = os.path.join(tmp.name, "a.warc")
    jobs = write_warc(path)
    ours = {}
    for line in dsrec("import", "-q", "--to", "jsonl", path).splitlines():
        r = json.loads(line)
        ours[r["source"]] = r["text"]
    check(len(ours) == len(jobs), "%d pages of %d come, and nothing stops" % (len(ours), len(jobs)))
    for name, reader in ("warcio", by_warcio), ("FastWARC", by_fastwarc):
        same, differ = 0, {}
        for uri, body in reader(path):
            if ours.get(uri) == body.decode("utf-8", "replace"):
                same += 1
            else:
                differ.setdefault(way_of(uri), []).append(body[:40])
        unknown = [w for w in differ if not KNOWN.get((name, w))]
        for way in differ:
            print("# %s: %d bodies, '%s': %s" % (name, len(differ[way]), way, KNOWN.get((name, way)) or differ[way][0]))
        check(not unknown, "%d bodies are those of %s, %d differ in known ways" % (same, name, sum(map(len, differ.values()))))
    packed = path + ".gz"
    with open(path, "rb") as f, open(packed, "wb") as g:
        for part in f.read()[len(b"WARC/1.0\r\n"):].split(b"\r\n\r\nWARC/1.0\r\n"):
            g.write(gzip.compress(b"WARC/1.0\r\n" + part + b"\r\n\r\n", 1))
    check(dsrec("import", "-q", "--to", "jsonl", "--on-error", "skip", packed).count(b"\n") == len(jobs), "the same of members of gzip")


def sniffed():
    """Charsets in headers, beside resiliparse's decoding by the same header."""
    from resiliparse.parse.encoding import bytes_to_str
    text = "Zażółć gęślą jaźń, 短い文, café, здравствуйте"
    good = 0
    names = ["utf-8", "iso-8859-2", "windows-1251", "shift_jis", "gb18030", "koi8-r", "windows-1252", "euc-jp", "gbk"]
    path = os.path.join(tmp.name, "charset.warc")
    with open(path, "wb") as f:
        for name in names:
            body = b"<!DOCTYPE html><p>" + text.encode(name, "ignore")
            http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=%s\r\n\r\n" % name.encode() + body
            f.write(record(b"response", b"http://a.example/" + name.encode(), http, b"Content-Type: application/http"))
    out = subprocess.run(["dsclean", "-q", "--to", "jsonl", path], check=True, capture_output=True).stdout
    for name, line in zip(names, out.splitlines()):
        want = bytes_to_str(text.encode(name, "ignore"), name).strip()
        same = json.loads(line)["text"] == want
        good += same
        if not same:
            print("# %s: %r, resiliparse %r" % (name, json.loads(line)["text"], want))
    check(good == len(names), "%d of %d charsets of headers decode as resiliparse does" % (good, len(names)))


def webdatasets():
    import webdataset as wds
    path = os.path.join(tmp.name, "theirs.tar")
    samples = [{"__key__": "k%04d" % i, "txt": "text %d é" % i, "cls": i % 7, "json": {"n": i, "s": ["x"] * (i % 3)}} for i in range(300)]
    with wds.TarWriter(path) as w:
        for s in samples:
            w.write(s)
    ours = [json.loads(line) for line in dsrec("import", "-q", "--to", "jsonl", path).splitlines()]
    want = [{"id": s["__key__"], "text": s["txt"], "label": s["cls"], **s["json"]} for s in samples]
    check(sorted(map(repr, map(sorted_items, ours))) == sorted(map(repr, map(sorted_items, want))), "300 samples of webdataset's writer come in")
    records = [{"id": rng.choice(["a", "b", "000000003", "x.y", "k%d" % i]), "text": "t%d" % i, "label": i % 3, "n": i} for i in range(400)]
    back = os.path.join(tmp.name, "ours.tar")
    dsrec("export", "-q", "--to", "wds", "--from", "jsonl", "-o", back, input="".join(json.dumps(r) + "\n" for r in records).encode())
    got = []
    for s in wds.WebDataset(back, shardshuffle=False, empty_check=False):
        j = json.loads(s.get("json", b"{}"))
        got.append({"id": j.pop("id", s["__key__"]), "text": s["txt"].decode(), "label": int(s["cls"]), **j})
    check(got == records, "400 records, ids that repeat among them, are what webdataset reads")


def string_f1(texts, truth):
    """F1 of the strings that must (with) and must not (without) be in each page's article."""
    hits = wrong = wanted = 0
    for row in truth:
        got = " ".join(texts[row["file"]].split())
        hits += sum(w in got for w in row["with"])
        wrong += sum(w in got for w in row["without"])
        wanted += len(row["with"])
    precision, recall = hits / max(hits + wrong, 1), hits / wanted
    return 2 * precision * recall / max(precision + recall, 1e-9)


def articles():
    """The article of every third page, beside trafilatura's."""
    data = os.environ.get("DS_TEST_DATA")
    truth = data and os.path.join(data, "html", "trafilatura-truth.jsonl")
    if not truth or not os.path.exists(truth):
        print("# articles: skipped, no DS_TEST_DATA")
        return
    import trafilatura
    raw = subprocess.run(["zstd", "-dc", os.path.join(data, "html", "trafilatura-pages.tar.zst")], check=True, capture_output=True).stdout
    tar = tarfile.open(fileobj=io.BytesIO(raw))
    bodies = {os.path.basename(m.name): tar.extractfile(m).read() for m in tar if m.isfile()}
    with open(truth, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f][::3]
    for row in rows:
        row["file"] = os.path.basename(row["file"])
    rows = [r for r in rows if r["file"] in bodies]
    theirs = {r["file"]: trafilatura.extract(bodies[r["file"]]) or "" for r in rows}
    ours = {}
    for file in theirs:
        out = subprocess.run(["dsclean", "-q", "--html", "main", "--from", "html", "--to", "jsonl"], input=bodies[file], check=True, capture_output=True)
        ours[file] = "".join(json.loads(line)["text"] for line in out.stdout.splitlines())
    a, b = string_f1(ours, rows), string_f1(theirs, rows)
    check(a > b - 0.05, "articles of %d pages: F1 %.3f, trafilatura's %.3f" % (len(theirs), a, b))


def sorted_items(d):
    return sorted(d.items())


warc()
sniffed()
webdatasets()
articles()
print("1..%d" % done)
sys.exit(failed > 0)
