#!/usr/bin/env bats
# dsserve over HTTP: what is answered, what is refused, and how it begins and ends

load common
load serve

setup_file() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	serve_model
}

setup() {
	common_setup
	M=$BATS_FILE_TMPDIR/m
}

teardown() {
	[ -z "${PID:-}" ] || kill -KILL "$PID" 2>/dev/null || true
}

@test "completions: whole, echoed with log probabilities, streamed, by text and by ids" {
	serve_start --name tiny
	[ "$(code -d '{"model":"tiny","prompt":"row 3","max_tokens":6,"temperature":0,"logprobs":2,"echo":true}' /v1/completions)" = 200 ]
	has "j['object'] == 'text_completion' and j['model'] == 'tiny' and j['choices'][0]['text'].startswith('row 3')"
	has "j['usage']['completion_tokens'] == 6 or j['choices'][0]['finish_reason'] == 'stop'"
	has "j['choices'][0]['logprobs']['token_logprobs'][0] is None and j['choices'][0]['logprobs']['top_logprobs'][0] is None"
	has "all(x <= 0 for x in j['choices'][0]['logprobs']['token_logprobs'][1:])"
	has "all(max(t.values()) >= x for x, t in list(zip(j['choices'][0]['logprobs']['token_logprobs'], j['choices'][0]['logprobs']['top_logprobs']))[1:])"
	has "len(set(map(len, (j['choices'][0]['logprobs'][k] for k in ('tokens', 'token_logprobs', 'top_logprobs', 'text_offset'))))) == 1"
	python3 -c 'import json; print(json.load(open("body"))["choices"][0]["text"], end="")' >whole
	curl -sN -d '{"prompt":"row 3","max_tokens":6,"temperature":0,"stream":true,"echo":true,"stream_options":{"include_usage":true}}' "$URL/v1/completions" >sse
	python3 - <<-'P'
		import json
		lines = [l for l in open("sse") if l.strip()]
		assert all(l.startswith("data: ") for l in lines) and lines[-1] == "data: [DONE]\n"
		chunks = [json.loads(l[6:]) for l in lines[:-1]]
		text = "".join(c["choices"][0]["text"] for c in chunks if c["choices"])
		assert text == open("whole", newline="").read(), text
		assert chunks[-1]["usage"]["total_tokens"] > 0 and chunks[-1]["choices"] == [] and chunks[0]["usage"] is None
	P
	[ "$(code -d '{"prompt":[[1,2],[3]],"n":2,"max_tokens":2,"seed":1,"return_token_ids":true}' /v1/completions)" = 200 ]
	has "[c['index'] for c in j['choices']] == [0, 1, 2, 3] and j['choices'][2]['prompt_token_ids'] == [3]"
	serve_stop
}

@test "what a request gets does not depend on what runs beside it" {
	serve_start --slots 3
	ask='{"prompt":"row 5 of","max_tokens":20,"temperature":1.5,"seed":11,"ignore_eos":true}'
	curl -s -d "$ask" "$URL/v1/completions" | python3 -c 'import json,sys; print(json.load(sys.stdin)["choices"])' >alone
	pids=()
	for i in $(seq 12); do
		curl -s -d "$ask" "$URL/v1/completions" -o "r$i" & pids+=($!)
		curl -s -d "{\"prompt\":\"row $i and $i\",\"max_tokens\":$((i * 3)),\"seed\":$i}" "$URL/v1/completions" -o other & pids+=($!)
	done
	wait "${pids[@]}"
	for i in $(seq 12); do
		python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["choices"])' "r$i" | cmp - alone
	done
	serve_stop
}

@test "what dsgen writes is what is served" {
	serve_start --slots 8
	printf 'row 7 of a\nrow 8\n' | dsgen -m "$M" --temperature 0 --max-tokens 12 --to jsonl -q >said
	python3 - "$URL" <<-'P'
		import json, sys, urllib.request
		for l in open("said"):
		    r = json.loads(l)
		    q = json.dumps({"prompt": r["text"], "max_tokens": 12, "temperature": 0}).encode()
		    a = json.load(urllib.request.urlopen(sys.argv[1] + "/v1/completions", q))
		    assert a["choices"][0]["text"] == r["pred"], (a, r)
	P
	serve_stop
}

@test "stop strings, biases, penalties and lengths do what they say" {
	serve_start
	[ "$(code -d '{"prompt":"row","max_tokens":30,"temperature":0,"ignore_eos":true}' /v1/completions)" = 200 ]
	stop=$(python3 -c 'import json; t = json.load(open("body"))["choices"][0]["text"]; print(json.dumps(next(t[i:i + 2] for i in range(len(t)) if t[i:i + 2].isascii())))')
	all=$(python3 -c 'import json; t = json.load(open("body"))["choices"][0]["text"]; print(json.dumps(t))')
	[ "$(code -d "{\"prompt\":\"row\",\"max_tokens\":30,\"temperature\":0,\"ignore_eos\":true,\"stop\":[$stop]}" /v1/completions)" = 200 ]
	has "j['choices'][0]['finish_reason'] == 'stop' and $stop not in j['choices'][0]['text'] and $all.startswith(j['choices'][0]['text'])"
	[ "$(code -d '{"prompt":"row","max_tokens":5,"logit_bias":{"65":100},"logprobs":1}' /v1/completions)" = 200 ]
	has "len(set(j['choices'][0]['logprobs']['tokens'])) == 1 and j['choices'][0]['finish_reason'] == 'length'"
	[ "$(code -d '{"prompt":"row","max_tokens":1000,"ignore_eos":true}' /v1/completions)" = 200 ]
	has "j['usage']['total_tokens'] == 96 and j['choices'][0]['finish_reason'] == 'length'"
	[ "$(code -d '{"prompt":"row","max_tokens":0,"echo":true,"logprobs":0}' /v1/completions)" = 200 ]
	has "j['choices'][0]['text'] == 'row' and j['usage']['completion_tokens'] == 0"
	[ "$(code -d '{"prompt":"","max_tokens":2}' /v1/completions)" = 200 ]
	serve_stop
}

@test "chat answers, whole and streamed" {
	serve_start
	[ "$(code -d '{"messages":[{"role":"system","content":"be"},{"role":"user","content":[{"type":"text","text":"hi"}]}],"max_tokens":4,"logprobs":true,"top_logprobs":2}' /v1/chat/completions)" = 200 ]
	has "j['object'] == 'chat.completion' and j['choices'][0]['message']['role'] == 'assistant'"
	has "len(j['choices'][0]['logprobs']['content'][0]['top_logprobs']) == 2"
	curl -sN -d '{"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":4,"stream":true}' "$URL/v1/chat/completions" >sse
	grep -q '"delta":{"role":"assistant","content":""}' sse && grep -q '"object":"chat.completion.chunk"' sse && tail -n 2 sse | grep -q 'DONE'
	serve_stop
}

@test "vectors are those of dsgen --embed, as numbers and as base64; tokens go there and back" {
	serve_start
	echo "row 3 of" | dsgen -m "$M" --embed --to jsonl -q >said
	[ "$(code -d '{"input":["row 3 of","x"]}' /v1/embeddings)" = 200 ]
	cp body plain
	[ "$(code -d '{"input":[[1,2,3],[4]],"encoding_format":"base64"}' /v1/embeddings)" = 200 ]
	python3 - <<-'P'
		import base64, json, struct
		want = json.loads(open("said").readline())["embedding"]
		got = json.load(open("plain"))
		assert max(abs(a - b) for a, b in zip(want, got["data"][0]["embedding"])) < 1e-6 and len(got["data"]) == 2
		assert got["usage"]["prompt_tokens"] == got["usage"]["total_tokens"] > 1
		v = struct.unpack("<32f", base64.b64decode(json.load(open("body"))["data"][0]["embedding"]))
		assert abs(sum(x * x for x in v) - 1) < 1e-5
	P
	[ "$(code -d '{"prompt":"row 3 of"}' /tokenize)" = 200 ]
	ids=$(python3 -c 'import json; print(json.load(open("body"))["tokens"])')
	[ "$(code -d "{\"tokens\":$ids}" /detokenize)" = 200 ] && has "j['prompt'] == 'row 3 of'"
	[ "$(code -d '{"prompt":"a<|endoftext|>","return_token_strs":true}' /tokenize)" = 200 ] && has "j['token_strs'] == ['a', '<|endoftext|>']"
	[ "$(code /tokenizer_info)" = 200 ] && has "j['eos_token'] == '<|endoftext|>' and j['model_max_length'] == 96"
	serve_stop
}

@test "an encoder gives vectors and labels, and continues nothing" {
	printf '{"text":"row %s","label":"%s"}\n' 1 odd 2 even >l.jsonl
	dstok -q -t "$BATS_FILE_TMPDIR/tok.json" l.jsonl -o l.dsr
	dstrain --model bert --set hidden_size=32,num_hidden_layers=1,num_attention_heads=2,max_position_embeddings=32 --task cls \
		--seq 8 --batch-tokens 16 --max-steps 1 --out c l.dsr -q
	MODEL=c serve_start
	[ "$(code -d '{"input":["row 1","row 2","row 3"]}' /classify)" = 200 ]
	has "[d['index'] for d in j['data']] == [0, 1, 2] and j['data'][0]['label'] in ('odd', 'even') and abs(sum(j['data'][0]['probs']) - 1) < 1e-6"
	[ "$(code -d '{"input":"row 1"}' /v1/embeddings)" = 200 ]
	has "len(j['data'][0]['embedding']) == 32"
	[ "$(code -d '{"prompt":"row"}' /v1/completions)" = 400 ] && has "'encoder' in j['error']['message']"
	[ "$(code -d '{"input":"'"$(printf 'row %.0s' $(seq 40))"'"}' /v1/embeddings)" = 400 ] && has "j['error']['code'] == 'context_length_exceeded'"
	serve_stop
}

# bad STATUS PARAM BODY PATH
bad() {
	[ "$(code -d "$3" "$4")" = "$1" ] || { echo "$3: $(cat body)"; return 1; }
	has "j['error']['message'] and j['error']['type'] and (j['error']['param'] or '') == '$2'"
}

@test "wrong requests are refused by what is wrong with them" {
	serve_start --max-body 64K --queue 4
	c=/v1/completions
	bad 400 "" '{"prompt":' $c
	bad 400 "" '[]' $c
	bad 400 "" '' $c
	bad 400 prompt '{}' $c
	bad 400 prompt '{"prompt":3}' $c
	bad 400 prompt '{"prompt":[1,"a"]}' $c
	bad 400 prompt '{"prompt":["a",1]}' $c
	bad 400 prompt '{"prompt":[300]}' $c
	bad 400 prompt '{"prompt":[]}' $c
	bad 400 prompt '{"prompt":[-1]}' $c
	bad 400 temperature '{"prompt":"a","temperature":"hot"}' $c
	bad 400 temperature '{"prompt":"a","temperature":-1}' $c
	bad 400 top_p '{"prompt":"a","top_p":0}' $c
	bad 400 n '{"prompt":"a","n":0}' $c
	bad 400 n '{"prompt":"a","n":5}' $c
	bad 400 best_of '{"prompt":"a","best_of":3}' $c
	bad 400 suffix '{"prompt":"a","suffix":"z"}' $c
	bad 400 max_tokens '{"prompt":"a","max_tokens":-3}' $c
	bad 400 max_tokens '{"prompt":"a","max_tokens":1.5}' $c
	bad 400 logprobs '{"prompt":"a","logprobs":21}' $c
	bad 400 stop '{"prompt":"a","stop":[1]}' $c
	bad 400 logit_bias '{"prompt":"a","logit_bias":{"x":1}}' $c
	bad 400 logit_bias '{"prompt":"a","logit_bias":{"3":1000}}' $c
	bad 400 temprature '{"prompt":"a","temprature":1}' $c
	bad 400 stream_options '{"prompt":"a","stream_options":{"include_usage":true}}' $c
	bad 404 model '{"prompt":"a","model":"other"}' $c
	bad 400 messages '{"messages":[]}' /v1/chat/completions
	bad 400 messages '{"messages":[{"role":"king","content":"a"}]}' /v1/chat/completions
	bad 400 tools '{"messages":[{"role":"user","content":"a"}],"tools":[{}]}' /v1/chat/completions
	bad 400 response_format '{"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_object"}}' /v1/chat/completions
	bad 400 top_logprobs '{"messages":[{"role":"user","content":"a"}],"top_logprobs":2}' /v1/chat/completions
	bad 400 input '{"input":[]}' /v1/embeddings
	bad 400 dimensions '{"input":"a","dimensions":5}' /v1/embeddings
	bad 400 encoding_format '{"input":"a","encoding_format":"hex"}' /v1/embeddings
	bad 400 model '{"input":"a"}' /classify
	bad 400 tokens '{"tokens":"a"}' /detokenize
	bad 404 "" '{}' /v1/nothing
	[ "$(code -X PUT /v1/models)" = 405 ] && [ "$(code /v1/completions)" = 405 ]
	[ "$(code /v1/models/other)" = 404 ] && [ "$(code /v1/models/m)" = 200 ]
	printf '{"prompt":"%s"}' "$(printf 'a %.0s' $(seq 500))" >long
	[ "$(code -d @long $c)" = 400 ] && has "j['error']['code'] == 'context_length_exceeded'"
	head -c 100000 /dev/zero | tr '\0' a >huge
	[ "$(code -d @huge $c)" = 413 ] && has "j['error']['code'] == 'request_too_large'"
	[ "$(code -H 'Transfer-Encoding: chunked' -d @huge $c)" = 413 ]
	# all of it leaves the server as it was
	[ "$(code -d '{"prompt":"row","max_tokens":1,"user":"me","stop":null}' $c)" = 200 ]
	serve_stop
}

@test "tokens let in, and only they do; SIGHUP reads them anew" {
	printf '# ours\nsecret-one\nsecret-two\n' >keys
	serve_start --tokens keys
	[ "$(code /v1/models)" = 401 ] && has "j['error']['code'] == 'invalid_api_key'"
	[ "$(code -H 'Authorization: Bearer secret' /v1/models)" = 401 ]
	[ "$(code -H 'Authorization: secret-one' /v1/models)" = 401 ]
	[ "$(code -H 'Authorization: Bearer secret-two' /v1/models)" = 200 ]
	[ "$(code -d '{"prompt":"a"}' /v1/completions)" = 401 ] && [ "$(code /metrics)" = 401 ]
	[ "$(code /health)" = 200 ] && [ "$(code /ready)" = 200 ]
	echo secret-three >keys
	kill -HUP "$PID"
	for _ in $(seq 100); do [ "$(code -H 'Authorization: Bearer secret-three' /v1/models)" = 200 ] && break; sleep 0.1; done
	[ "$(code -H 'Authorization: Bearer secret-three' /v1/models)" = 200 ]
	[ "$(code -H 'Authorization: Bearer secret-one' /v1/models)" = 401 ]
	serve_stop
	: >none
	fails 2 "no token in it" dsserve -m "$M" --http 127.0.0.1:0 --tokens none
}

@test "a full queue is 429 with the time to come back; a deadline is 504; a client that leaves is forgotten" {
	serve_start --slots 1 --queue 1 --deadline 30
	long='{"prompt":"row","max_tokens":90,"ignore_eos":true,"n":1}'
	python3 - "$URL" "$long" <<-'P'
		import http.client, json, socket, sys, threading, time, urllib.parse
		host = urllib.parse.urlparse(sys.argv[1]).netloc
		seen = []
		def ask():
		    c = http.client.HTTPConnection(host, timeout=60)
		    c.request("POST", "/v1/completions", sys.argv[2])
		    r = c.getresponse()
		    seen.append((r.status, r.getheader("Retry-After"), r.getheader("retry-after-ms")))
		    r.read()
		for _ in range(50):
		    threads = [threading.Thread(target=ask) for _ in range(24)]
		    [t.start() for t in threads]
		    [t.join() for t in threads]
		    if any(s == 429 for s, _, _ in seen):
		        break
		assert {s for s, _, _ in seen} == {200, 429}, seen
		assert all(int(a) >= 1 and int(m) >= 1 for s, a, m in seen if s == 429), seen
		# clients that leave in the middle do not keep the one slot
		for _ in range(10):
		    c = http.client.HTTPConnection(host, timeout=60)
		    c.request("POST", "/v1/completions", json.dumps({"prompt": "row", "max_tokens": 90, "ignore_eos": True, "stream": True}))
		    c.getresponse().read(10)
		    c.sock.shutdown(socket.SHUT_RDWR)
		    c.close()
		for _ in range(300):
		    seen.clear()
		    ask()
		    if seen[0][0] == 200:
		        break
		    time.sleep(0.1)
		assert seen[0][0] == 200, seen
	P
	serve_stop
	serve_start --slots 1 --deadline 0.000001
	[ "$(code -d "$long" /v1/completions)" = 504 ] && has "j['error']['code'] == 'deadline_exceeded'"
	serve_stop
}

@test "SIGTERM finishes what runs, takes nothing new, and ends with 0" {
	serve_start --slots 1 --access-log log
	for i in 1 2 3 4 5 6; do
		curl -s -d '{"prompt":"row","max_tokens":90,"ignore_eos":true}' "$URL/v1/completions" -o "r$i" -w '%{http_code}\n' >>codes &
	done
	sleep 0.2
	kill -TERM "$PID"
	wait "$PID"
	PID=
	wait
	[ "$(grep -c 200 codes)" -ge 1 ]
	! grep -qv -e 200 -e 503 -e 000 codes
	python3 -c 'import json; assert all(json.loads(l)["id"] for l in open("log"))'
}

@test "metrics, the document and the page" {
	serve_start
	[ "$(code -d '{"prompt":"row","max_tokens":3}' /v1/completions)" = 200 ]
	[ "$(code /metrics)" = 200 ] && grep -q '^vllm:generation_tokens_total{model_name="m"} [1-3]$' body && grep -q '^# TYPE vllm:e2e_request_latency_seconds histogram$' body
	[ "$(code /openapi.json)" = 200 ]
	has "j['paths']['/v1/completions']['post']['requestBody']['content']['application/json']['schema']['properties']['temperature']['maximum'] == 100"
	[ "$(code /)" = 200 ] && grep -q '<html' body && ! grep -q 'https\?://' body
	curl -si -H 'x-request-id: mine-7' "$URL/health" | grep -qi '^x-request-id: mine-7'
	serve_stop
}

@test "what cannot be served is said in one line" {
	fails 2 "name the model" dsserve --http 0
	fails 2 "say where to listen" dsserve -m "$M"
	fails 2 "is not [HOST:]PORT" dsserve -m "$M" --http 127.0.0.1:http
	fails 4 "no-such" dsserve -m no-such --http 127.0.0.1:0
	fails 2 "belong together" dsserve -m "$M" --http 127.0.0.1:0 --tls-cert x
	fails 2 "--context 97, the model's is 96" dsserve -m "$M" --http 127.0.0.1:0 --context 97
	serve_start
	fails 4 "Address already in use" dsserve -m "$M" --http "${URL#http://}"
	serve_stop
}
