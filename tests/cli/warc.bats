# warc.bats - WARC as crawlers write it: kinds of records, encodings and what is claimed of them

load common
setup() { common_setup; }

# jl [OPTION...] [FILE...]: the input as JSONL
jl() { dsrec import -q --to jsonl "$@"; }

# warc.py NAME: helpers to write records, and then the script on stdin
warc() {
	cat >warc.py <<-'END'
		import gzip, zlib, sys
		out = open(sys.argv[1], "wb")
		n = 0
		def rec(kind, uri, body, *more):
		    global n
		    n += 1
		    head = [b"WARC/1.0", b"WARC-Type: " + kind.encode(), b"WARC-Record-ID: <urn:%d>" % n,
		        b"WARC-Date: 2024-01-02T03:04:05Z", b"WARC-Target-URI: " + uri.encode(), *more,
		        b"Content-Length: %d" % len(body)]
		    out.write(b"\r\n".join(head) + b"\r\n\r\n" + body + b"\r\n\r\n")
		def http(name, body, *head, status=200, type=b"text/html", more=()):
		    lines = [b"HTTP/1.1 %d OK" % status] + ([b"Content-Type: " + type] if type else []) + list(head)
		    rec("response", "http://a.example/" + name, b"\r\n".join(lines) + b"\r\n\r\n" + body,
		        b"Content-Type: application/http; msgtype=response", *more)
		def raw(data):
		    z = zlib.compressobj(wbits=-15)
		    return z.compress(data) + z.flush()
		def chunks(*parts):
		    return b"".join(b"%x;q=1\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
	END
	{ cat warc.py -; } >make.py
	python3 make.py "$1"
}
# texts FILE...: "name: text" of every record, the name being the URI's last part
texts() {
	jl "$@" | python3 -c 'import json, sys
for line in sys.stdin:
    r = json.loads(line)
    print(r["source"].rsplit("/", 1)[1] + ": " + str(r.get("text")))'
}

@test "bodies are undone as they are, not as they are said to be" {
	warc a.warc <<-'END'
		TE, CE = b"Transfer-Encoding: chunked", b"Content-Encoding: "
		http("chunked", chunks(b"abc", b"de"), TE)
		http("not-chunked", b"<p>plain", TE)
		http("looks-chunked", b"20240101\nplain", TE)
		http("damaged-chunk", b"3\r\nabc\r\nzz\r\nmore", TE)
		http("no-last-chunk", b"3\r\nabc\r\n", TE)
		http("cut-chunk", b"3\r\nabc\r\nff\r\nde", TE)
		http("gzip", gzip.compress(b"zip"), CE + b"gzip")
		http("members", gzip.compress(b"one ") + gzip.compress(b"two"), CE + b"x-gzip")
		http("tail", gzip.compress(b"zip") + b"\0\0junk", CE + b"GZIP")
		http("not-gzip", b"<p>plain", CE + b"gzip")
		http("stray-control", b"<p>plain \x01" + b"." * 90, CE + b"gzip")
		http("zlib", zlib.compress(b"zlib body"), CE + b"deflate")
		http("raw", raw(b"raw body"), CE + b"deflate")
		http("not-deflate", b"x is plain, and so is this", CE + b"deflate")
		http("br", bytes.fromhex("1b0e00f8a5c4e44a904a6a857fba11"), CE + b"br")
		http("not-br", b"<p>plain text", CE + b"br")
		http("none", b"n", CE + b"none")
		http("identity", b"i", CE + b"Identity")
		http("word", b"w", CE + b"utf-8")
		http("empty", b"", CE + b"gzip")
		http("stacked", gzip.compress(zlib.compress(b"stack")), CE + b"deflate, gzip")
		http("two-lines", gzip.compress(zlib.compress(b"lines")), CE + b"deflate", CE + b"gzip")
		http("both", chunks(gzip.compress(b"both")[:9], gzip.compress(b"both")[9:]), TE, CE + b"gzip")
		http("transfer", chunks(gzip.compress(b"trans")), b"Transfer-Encoding: gzip, chunked")
		http("dechunked", gzip.compress(b"was joined"), TE, CE + b"gzip")
		http("folded", b"f", b"X: y", b" z: w", b"Content-Encoding:", b"\tidentity")
	END
	cat >want <<-'END'
		chunked: abcde
		not-chunked: <p>plain
		looks-chunked: 20240101
		plain
		damaged-chunk: abczz
		more
		no-last-chunk: abc
		cut-chunk: abcde
		gzip: zip
		members: one two
		tail: zip
		not-gzip: <p>plain
		stray-control: <p>plain ..........................................................................................
		zlib: zlib body
		raw: raw body
		not-deflate: x is plain, and so is this
		br: br body of text
		not-br: <p>plain text
		none: n
		identity: i
		word: w
		empty:
		stacked: stack
		two-lines: lines
		both: both
		transfer: trans
		dechunked: was joined
		folded: f
	END
	texts a.warc | tr -d '\001\r' | sed 's/ *$//' | diff want -
	for size in 1 700; do DS_BLOCK=$size texts a.warc | tr -d '\001\r' | sed 's/ *$//' | diff want -; done
	dsrec import a.warc -o a.dsr 2>summary
	grep -qF '(2 body cut short)' summary || { cat summary; return 1; }
}

@test "a body that cannot be decoded is a record error; a coding that nobody knows does not stop a run" {
	warc a.warc <<-'END'
		bad = bytearray(gzip.compress(bytes(range(32, 127)) * 40, mtime=0))
		bad[60] ^= 255
		http("good", b"good")
		http("bad", bytes(bad), b"Content-Encoding: gzip")
		http("last", b"last")
	END
	fails 1 "a.warc:2: the body cannot be decoded: gzip: " dsrec cat a.warc
	[ "$(texts --on-error skip a.warc)" = $'good: good\nlast: last' ]
	jl --on-error reject=rejects a.warc >out
	[ "$(grep -c '^WARC/1.0' rejects)" = 1 ]
	warc b.warc <<-'END'
		http("foo", bytes(range(256)), b"Content-Encoding: foo")
		http("last", b"last")
	END
	[ "$(texts b.warc)" = "last: last" ]
	dsrec import b.warc -o b.dsr 2>summary
	grep -qF '1 record in, 1 out (1 unknown encoding skipped)' summary
	[ "$(texts --on-error reject=foo b.warc)" = "last: last" ]
	grep -q 'Content-Encoding: foo' foo
	fails 1 "is larger than --max-record" dsrec cat --max-record 1000 <(warc - <<<'http("bomb", gzip.compress(b"x" * 5000), b"Content-Encoding: gzip")'; cat ./-)
}

@test "records that are no documents are passed over, and counted by kind" {
	warc a.warc <<-'END'
		rec("warcinfo", "", b"software: x")
		rec("request", "http://a.example/r", b"GET / HTTP/1.1\r\n\r\n", b"Content-Type: application/http; msgtype=request")
		rec("response", "dns:a.example", b"20240101\na.example. 300 IN A 1.2.3.4", b"Content-Type: text/dns")
		rec("resource", "dns:b.example", b"b.example. 300 IN A 1.2.3.4", b"Content-Type: text/dns")
		rec("revisit", "http://a.example/v", b"HTTP/1.1 200 OK\r\n\r\n", b"WARC-Profile: http://x")
		rec("metadata", "http://a.example/m", b"via: x", b"Content-Type: application/warc-fields")
		rec("continuation", "http://a.example/c", b"rest", b"WARC-Segment-Number: 2")
		http("page", b"page")
		http("style", b"\x89PNG", type=b"image/png")
		http("xhtml", b"xhtml", type=b"application/xhtml+xml; charset=utf-8")
		http("odd", b"odd", type=b"TEXT/HTML , text/html")
		http("unsaid", b"unsaid", type=None)
		http("unsaid-bytes", b"\0\1\2", type=None)
		http("nonsense", b"nonsense", type=b"unknown")
		http("identified", b"%PDF-1.4", type=None, more=[b"WARC-Identified-Payload-Type: application/pdf"])
		rec("resource", "file:///a.example/res", b"res", b"Content-Type: text/plain; charset=us-ascii")
		rec("resource", "file:///a.example/zip", b"PK", b"Content-Type: application/zip")
		rec("conversion", "http://a.example/conv", b"conv", b"Content-Type: text/plain")
		rec("response", "gopher://a.example/goph", b"no http at all", b"Content-Type: text/plain")
	END
	diff <(texts a.warc) - <<-'END'
		page: page
		xhtml: xhtml
		odd: odd
		unsaid: unsaid
		nonsense: nonsense
		res: res
		conv: conv
		goph: no http at all
	END
	dsrec import a.warc -o a.dsr 2>summary
	grep -qF '8 records in, 8 out (1 warcinfo skipped, 1 request skipped, 1 metadata skipped, 1 revisit skipped, 2 dns skipped, 1 other type skipped, 4 not text skipped)' summary
	dsrec log a.dsr | grep -q '4 not text skipped\|not text skipped *4'
	jl --media all a.warc | grep -F '"body":"iVBORw=="' | grep -qF '"media":"image/png"'
	[ "$(jl --media all a.warc | wc -l)" = 12 ]
	[ "$(texts --media text a.warc | wc -l)" = 8 ]
}

@test "meta has date, type, status, media type and charset, and says what was cut" {
	warc a.warc <<-'END'
		http("p", b"x", type=b'Text/HTML;Charset="ISO-8859-2"; x=y')
		http("q", gzip.compress(b"all of it" * 99, 0)[:40], b"Content-Encoding: gzip", type=b"text/plain", status=206, more=[b"WARC-Truncated: length"])
		http("r", gzip.compress(b"all of it" * 99, 0)[:40], b"Content-Encoding: gzip", type=None)
		rec("conversion", "http://a.example/c", b"c", b"Content-Type: text/plain; charset=utf-8")
	END
	jl a.warc | python3 -c 'import json, sys
for line in sys.stdin: print(json.dumps(json.loads(line)["meta"]))' >got
	diff got - <<-'END'
		{"date": "2024-01-02T03:04:05Z", "type": "response", "status": 200, "media": "text/html", "charset": "iso-8859-2"}
		{"date": "2024-01-02T03:04:05Z", "type": "response", "status": 206, "media": "text/plain", "truncated": "length"}
		{"date": "2024-01-02T03:04:05Z", "type": "response", "status": 200, "truncated": "unspecified"}
		{"date": "2024-01-02T03:04:05Z", "type": "conversion"}
	END
	[ "$(texts a.warc | sed -n 3p)" = "r: all of itall of itall of " ] # 15 bytes of header, 25 of text
}

@test "text of a server is in its charset, with its references undone and its tags kept" {
	warc a.warc <<-'END'
		http("plain.html", "x &amp; <b>y</b> caf\u00e9".encode("latin-1"), type=b"text/plain; charset=iso-8859-1")
		http("page", "<p>caf\u00e9 &amp;amp; <b>y</b>".encode("latin-1"), type=b"text/html; charset=iso-8859-1")
	END
	diff <(dsclean -q --to text a.warc) - <<-'END'
		x & <b>y</b> café
		café &amp; y
	END
}

@test "--status keeps responses with such a status, and what had none" {
	warc a.warc <<-'END'
		for status in 200, 204, 301, 404: http(str(status), b"x", status=status)
		rec("conversion", "http://a.example/conv", b"x")
		rec("response", "http://a.example/h2", b"HTTP/2 200\r\n\r\nx")
		rec("response", "http://a.example/icy", b"HTTP/1.1 200\r\nContent-Type: text/html")
	END
	list() { texts "$@" a.warc | cut -d: -f1 | tr '\n' ' '; }
	[ "$(list)" = "200 204 301 404 conv h2 icy " ]
	[ "$(list --status 200)" = "200 conv h2 icy " ]
	[ "$(list --status 3xx,404)" = "301 404 conv " ]
	dsclean a.warc --status 2xx -o a.dsr 2>summary
	grep -qF '2 other status skipped' summary
	for bad in '' 20 2000 2xx, 200+404; do fails 2 "--status" dsrec cat a.warc --status "$bad"; done
	fails 2 "--media" dsrec cat a.warc --media pictures
}

@test "lines end in LF alone, fields are written in any case, a record's damage costs that record" {
	printf 'WARC/0.18\nwarc-type: Response\nwarc-target-uri: <http://a.example/lf>\nCONTENT-LENGTH: 24\n\nHTTP/1.0 200\nA: b\n\nbody\n\n\n\nWARC/1.0\nrubbish\n\nmore\nWARC/1.1\nWARC-Type: conversion\nWARC-Target-URI: http://a.example/c\nContent-Length: 1\n\nx\n\n' >a
	fails 1 "a:2: not a WARC record" dsrec cat a
	[ "$(texts --on-error skip a)" = $'lf: body\n\nc: x' ]
}
