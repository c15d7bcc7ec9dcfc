#!/usr/bin/env bats
# dsserve among clients that mean no good, or have none: slow, idle, huge, vanished

load common
load serve

setup_file() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	serve_model
}

setup() {
	common_setup
}

teardown() {
	[ -z "${PID:-}" ] || kill -KILL "$PID" 2>/dev/null || true
}

# answers: one request is served as ever
answers() {
	[ "$(code -d '{"prompt":"row","max_tokens":2}' /v1/completions)" = 200 ]
}

@test "a client that sends a byte now and then is cut off, others are served meanwhile" {
	serve_start --idle 1
	python3 - "$URL" <<-'P'
		import json, socket, sys, time, urllib.parse, urllib.request
		at = urllib.parse.urlparse(sys.argv[1])
		slow = [socket.create_connection((at.hostname, at.port)) for _ in range(40)]
		for i, s in enumerate(slow):
		    s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\n" + (b"Content-Length: 100\r\n\r\n{" if i % 2 else b""))
		open_, began = set(slow), time.time()
		while open_ and time.time() - began < 60:
		    q = json.dumps({"prompt": "row", "max_tokens": 1}).encode()
		    assert urllib.request.urlopen(sys.argv[1] + "/v1/completions", q).status == 200
		    for s in list(open_):
		        try:
		            s.sendall(b"x")
		            s.settimeout(0.001)
		            if s.recv(100) == b"":
		                open_.discard(s)
		        except TimeoutError:
		            pass
		        except OSError:
		            open_.discard(s)
		    time.sleep(0.2)
		assert not open_, len(open_)
	P
	answers
	serve_stop
}

@test "five thousand idle connections keep nobody out" {
	serve_start --idle 600
	python3 - "$URL" <<-'P'
		import json, resource, socket, sys, urllib.parse, urllib.request
		at = urllib.parse.urlparse(sys.argv[1])
		hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
		most = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
		resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
		n = min(5000, most // 2)
		idle = [socket.create_connection((at.hostname, at.port)) for _ in range(n)]
		q = json.dumps({"prompt": "row", "max_tokens": 1}).encode()
		assert urllib.request.urlopen(sys.argv[1] + "/v1/completions", q).status == 200
	P
	answers
	serve_stop
}

@test "headers of ten megabytes, broken requests and random bytes end their connection alone" {
	serve_start
	python3 - "$URL" <<-'P'
		import os, socket, sys, urllib.parse
		at = urllib.parse.urlparse(sys.argv[1])
		def send(data):
		    s = socket.create_connection((at.hostname, at.port))
		    s.settimeout(20)
		    try:
		        s.sendall(data)
		        return s.recv(100)
		    except OSError:
		        return b""
		    finally:
		        s.close()
		got = send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (10 << 20) + b"\r\n\r\n")
		assert got == b"" or b" 4" in got, got
		for bad in (b"GET\r\n\r\n", b"\0" * 1000, b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
		            b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
		            b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		            b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n{}   ",
		            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
		    assert b" 200 " not in send(bad), bad
		for i in range(200):
		    send(os.urandom(300) + b"\r\n\r\n")
	P
	answers
	serve_stop
}

@test "bodies that are hard to read are refused, one after the other" {
	serve_start
	for body in "$(printf '[%.0s' $(seq 2000))" '{"prompt":"\ud800"}' "$(printf '{"prompt":"a","stop":[%s"x"]}' "$(printf '"y",%.0s' $(seq 100))")" \
		'{"prompt":"a","prompt":"b"}' '{"prompt":"a","temperature":1e999}' '{"prompt":"a","max_tokens":9223372036854775808}' '{"prompt":"a"}{}'; do
		printf '%s' "$body" >request
		c=$(code -d @request /v1/completions)
		[ "$c" = 400 ] || [ "$c" = 200 ] || { echo "$c: $body"; return 1; }
	done
	printf '{"prompt":"a\0b","max_tokens":1}' >request
	[ "$(code --data-binary @request /v1/completions)" = 400 ]
	printf '{"prompt":"a\\u0000b","max_tokens":1}' >request
	[ "$(code -d @request /v1/completions)" = 200 ]
	answers
	serve_stop
}

@test "clients that come and go at random leave nothing behind" {
	serve_start --slots 4 --queue 64
	python3 - "$URL" <<-'P'
		import http.client, json, random, sys, threading, urllib.parse
		host = urllib.parse.urlparse(sys.argv[1]).netloc
		seen = {}
		def client(seed):
		    r = random.Random(seed)
		    for _ in range(30):
		        c = http.client.HTTPConnection(host, timeout=60)
		        path, body = r.choice([
		            ("/v1/completions", {"prompt": "row " * r.randrange(1, 12), "max_tokens": r.randrange(60), "stream": r.random() < 0.5, "n": r.choice([1, 1, 3])}),
		            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}),
		            ("/v1/embeddings", {"input": ["row"] * r.randrange(1, 9)}), ("/tokenize", {"prompt": "row"}), ("/v1/completions", {"prompt": 5})])
		        try:
		            c.request("POST", path, json.dumps(body))
		            if r.random() < 0.3:
		                c.sock.close()
		                continue
		            a = c.getresponse()
		            a.read(r.randrange(200)) if r.random() < 0.3 else a.read()
		            seen[a.status] = seen.get(a.status, 0) + 1
		        finally:
		            c.close()
		threads = [threading.Thread(target=client, args=(i,)) for i in range(12)]
		[t.start() for t in threads]
		[t.join() for t in threads]
		assert set(seen) <= {200, 400, 429} and seen[200] > 50, seen
	P
	for _ in $(seq 100); do
		[ "$(code /metrics)" = 200 ]
		grep -q '^vllm:num_requests_running{[^}]*} 0$' body && grep -q '^vllm:num_requests_waiting{[^}]*} 0$' body && break
		sleep 0.1
	done
	grep -q '^vllm:num_requests_running{[^}]*} 0$' body
	answers
	serve_stop
}

@test "HTTPS and gRPC over TLS, with one certificate" {
	command -v openssl >/dev/null || skip "no openssl"
	openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null
	serve_start --tls-cert cert.pem --tls-key key.pem --grpc 127.0.0.1:0
	port=${URL##*:}
	curl -s --cacert cert.pem "https://localhost:$port/ready" --resolve "localhost:$port:127.0.0.1" | grep -q ready
	! curl -s "http://127.0.0.1:$port/ready" | grep -q ready
	printf '\0\0\0\0\0' >request
	grpc=$(sed -n 's/.*grpc:\/\/.*:\([0-9]*\)$/\1/p' err)
	curl -s --http2 --cacert cert.pem --resolve "localhost:$grpc:127.0.0.1" -H 'content-type: application/grpc' -H 'te: trailers' -D headers -o raw \
		--data-binary @request "https://localhost:$grpc/inference.GRPCInferenceService/ServerLive"
	grep -q 'grpc-status: 0' headers
	serve_stop
	echo no >key.pem
	fails 4 "HTTPS" dsserve -m "$BATS_FILE_TMPDIR/m" --http 127.0.0.1:0 --tls-cert cert.pem --tls-key key.pem
}
