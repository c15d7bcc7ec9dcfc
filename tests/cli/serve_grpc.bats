#!/usr/bin/env bats
# dsserve over gRPC: KServe's inference, health and reflection, by curl's HTTP/2 and protoc's own encoder

load common
load serve

setup_file() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	serve_model
}

setup() {
	common_setup
	PROTO=$ROOT/tools/serve/proto
	INFERENCE=/inference.GRPCInferenceService
}

teardown() {
	[ -z "${PID:-}" ] || kill -KILL "$PID" 2>/dev/null || true
}

start() {
	serve_start --grpc 127.0.0.1:0 "$@"
	GRPC=$(sed -n 's/.*grpc:\/\/\(.*\)/\1/p' err)
}

# frame: a message on stdin as gRPC puts it on the wire
frame() {
	python3 -c 'import struct,sys; b = sys.stdin.buffer.read(); sys.stdout.buffer.write(struct.pack(">BI", 0, len(b)) + b)'
}

# unframe: the messages behind one another, each in a file reply.N
unframe() {
	rm -f reply.*
	python3 -c '
import struct
b, i = open("raw", "rb").read(), 0
while b:
    n = struct.unpack(">I", b[1:5])[0]
    open("reply.%d" % i, "wb").write(b[5:5 + n])
    b, i = b[5 + n:], i + 1'
}

# call METHOD [CURL OPTIONS]: sends ./request; the status is in $code, messages in reply.0 …
call() {
	curl -s --http2-prior-knowledge -D headers -o raw -H 'content-type: application/grpc' -H 'te: trailers' "${@:2}" \
		--data-binary @request "http://$GRPC$1"
	code=$(tr -d '\r' <headers | sed -n 's/^grpc-status: //p')
	unframe
}

# ask METHOD FILE.proto TYPE REPLY TEXT: encodes, calls, decodes into ./said
ask() {
	printf '%s' "$5" | protoc --proto_path="$PROTO" --encode="$3" "$2" | frame >request
	call "$1"
	[ -e reply.0 ] || return 0
	for r in reply.*; do protoc --proto_path="$PROTO" --decode="$4" "$2" <"$r"; done >said
}

infer() {
	ask "$INFERENCE/ModelInfer" inference.proto inference.ModelInferRequest inference.ModelInferResponse "$1"
}

@test "the server, its model and its health are told" {
	start
	: | frame >request
	for m in ServerLive ServerReady; do
		call "$INFERENCE/$m"
		[ "$code" = 0 ] && [ "$(od -An -tx1 reply.0 | tr -d ' \n')" = 0801 ]
	done
	ask "$INFERENCE/ModelReady" inference.proto inference.ModelReadyRequest inference.ModelReadyResponse 'name: "m"'
	grep -q 'ready: true' said
	ask "$INFERENCE/ModelMetadata" inference.proto inference.ModelMetadataRequest inference.ModelMetadataResponse 'name: "m"'
	grep -q 'name: "text_output"' said && grep -q 'datatype: "BYTES"' said
	ask "$INFERENCE/ModelMetadata" inference.proto inference.ModelMetadataRequest inference.ModelMetadataResponse 'name: "n"'
	[ "$code" = 5 ]
	ask /grpc.health.v1.Health/Check health.proto grpc.health.v1.HealthCheckRequest grpc.health.v1.HealthCheckResponse ''
	[ "$code" = 0 ] && grep -q 'status: SERVING' said
	ask /grpc.health.v1.Health/Check health.proto grpc.health.v1.HealthCheckRequest grpc.health.v1.HealthCheckResponse 'service: "x"'
	[ "$code" = 5 ]
	serve_stop
}

@test "texts and vectors are what HTTP gives, whichever way the tensors are written" {
	start
	[ "$(code -d '{"prompt":["row 3","row 4"],"max_tokens":6,"seed":5}' /v1/completions)" = 200 ]
	infer 'model_name: "m" id: "q7" parameters { key: "seed" value { int64_param: 5 } }
		inputs { name: "text_input" datatype: "BYTES" shape: 2 contents { bytes_contents: "row 3" bytes_contents: "row 4" } }
		inputs { name: "max_tokens" datatype: "INT32" shape: 1 contents { int_contents: 6 } }'
	[ "$code" = 0 ] && grep -q 'id: "q7"' said
	cp reply.0 typed
	infer 'model_name: "m" id: "q7" inputs { name: "text_input" datatype: "BYTES" shape: [2, 1] } inputs { name: "max_tokens" datatype: "INT64" shape: 1 }
		inputs { name: "seed" datatype: "UINT64" shape: 1 }
		raw_input_contents: "\005\000\000\000row 3\005\000\000\000row 4" raw_input_contents: "\006\000\000\000\000\000\000\000" raw_input_contents: "\005\000\000\000\000\000\000\000"'
	[ "$code" = 0 ] && cmp reply.0 typed
	python3 - <<-'P'
		import json
		raw = open("typed", "rb").read()
		for c in json.load(open("body"))["choices"]:
		    t = c["text"].encode()
		    assert "\ufffd" in c["text"] or len(t).to_bytes(4, "little") + t in raw, c
	P
	infer 'model_name: "m" outputs { name: "embedding" } inputs { name: "input_ids" datatype: "INT64" shape: [1, 3] contents { int64_contents: [1, 2, 3] } }'
	[ "$code" = 0 ] && grep -q 'shape: 32' said && grep -q 'datatype: "FP32"' said
	serve_stop
}

@test "log probabilities are those that HTTP gives" {
	start
	infer 'model_name: "m" parameters { key: "max_tokens" value { int64_param: 5 } } parameters { key: "logprobs" value { int64_param: 2 } } parameters { key: "temperature" value { double_param: 0 } } inputs { name: "text_input" datatype: "BYTES" shape: 1 contents { bytes_contents: "row" } }'
	[ "$code" = 0 ]
	curl -s "$URL/v1/completions" -d '{"prompt":"row","max_tokens":5,"logprobs":2,"temperature":0}' >http.json
	python3 - <<-'P'
		import json, re, struct
		def fields(b):
		    i = 0
		    def varint():
		        nonlocal i
		        v = s = 0
		        while True:
		            v |= (b[i] & 127) << s; s += 7; i += 1
		            if b[i - 1] < 128: return v
		    while i < len(b):
		        k = varint()
		        n = varint()
		        if k & 7 == 2:
		            yield k >> 3, b[i:i + n]; i += n
		names, raw = [], []
		for k, v in fields(open("reply.0", "rb").read()):
		    if k == 5: names.append(dict(fields(v))[1].decode())
		    if k == 6: raw.append(v)
		got = dict(zip(names, raw))
		want = json.load(open("http.json"))["choices"][0]["logprobs"]
		p = struct.unpack("<%df" % (len(got["logprobs"]) // 4), got["logprobs"])
		top = struct.unpack("<%df" % (len(got["top_logprobs"]) // 4), got["top_logprobs"])
		ids = struct.unpack("<%dq" % (len(got["output_ids"]) // 8), got["output_ids"])
		assert len(p) == len(ids) == len(want["token_logprobs"]) and len(top) == 2 * len(p), got
		assert all(abs(a - b) < 1e-5 for a, b in zip(p, want["token_logprobs"])), (p, want)
		assert all(abs(top[2 * i] - p[i]) < 1e-6 for i in range(len(p))), (top, p)
	P
	infer 'model_name: "m" outputs { name: "logprobs" } parameters { key: "max_tokens" value { int64_param: 3 } } inputs { name: "text_input" datatype: "BYTES" shape: [2] contents { bytes_contents: "row", bytes_contents: "row your" } }'
	[ "$code" = 0 ] && [ "$(grep -c 'shape: 3' said)" = 2 ] && ! grep -q top_ids said
	serve_stop
}

@test "a stream gives pieces, then a last answer; bad requests in it are told and it goes on" {
	start
	p="protoc --proto_path=$PROTO --encode=inference.ModelInferRequest inference.proto"
	text='inputs { name: "text_input" datatype: "BYTES" shape: 1 contents { bytes_contents: "row" } }'
	{
		echo "model_name: \"m\" $text parameters { key: \"stream\" value { bool_param: true } }" | $p | frame
		echo 'model_name: "other"' | $p | frame
		echo "model_name: \"m\" $text parameters { key: \"max_tokens\" value { int64_param: 2 } }" | $p | frame
	} >request
	call "$INFERENCE/ModelStreamInfer"
	[ "$code" = 0 ]
	n=$(find . -name 'reply.*' | wc -l)
	[ "$n" -ge 4 ]
	for r in $(seq 0 $((n - 1))); do protoc --proto_path="$PROTO" --decode=inference.ModelStreamInferResponse inference.proto <"reply.$r"; done >said
	[ "$(grep -c triton_final_response said)" = 2 ]
	grep -q "error_message: \"there is no model" said
	serve_stop
}

@test "reflection lists the services and gives their files" {
	start
	q="grpc.reflection.v1.ServerReflectionRequest" a="grpc.reflection.v1.ServerReflectionResponse"
	for v in v1 v1alpha; do
		ask /grpc.reflection.$v.ServerReflection/ServerReflectionInfo reflection_v1.proto $q $a 'list_services: ""'
		[ "$code" = 0 ] && grep -q 'name: "inference.GRPCInferenceService"' said && grep -q 'name: "grpc.health.v1.Health"' said
	done
	ask /grpc.reflection.v1.ServerReflection/ServerReflectionInfo reflection_v1.proto $q $a 'file_containing_symbol: "inference.ModelInferRequest.InferInputTensor"'
	grep -q 'inference.proto' said
	ask /grpc.reflection.v1.ServerReflection/ServerReflectionInfo reflection_v1.proto $q $a 'file_containing_symbol: "inference.No"'
	grep -q 'error_code: 5' said
	serve_stop
}

# refused CODE TEXT: that is what a request ends with
refused() {
	infer "$2"
	[ "$code" = "$1" ] || { echo "$2: $code"; return 1; }
}

@test "wrong requests get gRPC's codes, and nothing else happens" {
	start --tokens <(echo secret)
	: | frame >request
	call "$INFERENCE/ServerLive" && [ "$code" = 0 ]
	call "$INFERENCE/ServerMetadata" && [ "$code" = 16 ]
	call "$INFERENCE/ServerMetadata" -H 'authorization: Bearer secret' && [ "$code" = 0 ]
	serve_stop
	start --max-body 64K
	text='inputs { name: "text_input" datatype: "BYTES" shape: 1 contents { bytes_contents: "row" } }'
	refused 5 "model_name: \"n\" $text"
	refused 5 "model_name: \"m\" model_version: \"2\" $text"
	refused 3 'model_name: "m"'
	refused 3 "model_name: \"m\" $text outputs { name: \"nothing\" }"
	refused 3 "model_name: \"m\" $text outputs { name: \"text_output\" } outputs { name: \"embedding\" }"
	refused 3 "model_name: \"m\" $text parameters { key: \"heat\" value { double_param: 1 } }"
	refused 3 "model_name: \"m\" $text parameters { key: \"temperature\" value { string_param: \"hot\" } }"
	refused 3 "model_name: \"m\" $text parameters { key: \"stream\" value { bool_param: true } }"
	refused 3 'model_name: "m" inputs { name: "text_input" datatype: "BYTES" shape: 2 contents { bytes_contents: "row" } }'
	refused 3 'model_name: "m" inputs { name: "text_input" datatype: "BYTES" shape: -1 }'
	refused 3 'model_name: "m" inputs { name: "text_input" datatype: "BYTES" shape: 1 } raw_input_contents: "\377\377\377\377row"'
	refused 3 'model_name: "m" inputs { name: "text_input" datatype: "TEXT" shape: 1 }'
	refused 3 'model_name: "m" inputs { name: "text_input" datatype: "BYTES" shape: 9223372036854775807 shape: 9223372036854775807 }'
	refused 3 'model_name: "m" inputs { name: "input_ids" datatype: "INT64" shape: [1, 1] contents { int64_contents: 99999 } }'
	refused 3 'model_name: "m" inputs { name: "input_ids" datatype: "INT64" shape: [1, 0] }'
	refused 3 'model_name: "m" inputs { name: "input_ids" datatype: "FP32" shape: [1, 1] contents { fp32_contents: 1 } }'
	printf '\377\377\377\377\377' | frame >request
	call "$INFERENCE/ModelInfer" && [ "$code" = 3 ]
	call /no.Service/Method && [ "$code" = 12 ]
	: >request
	call "$INFERENCE/ModelInfer" && [ "$code" = 3 ]
	head -c 100000 /dev/zero | frame >request
	call "$INFERENCE/ModelInfer" && [ "$code" = 8 ]
	infer "model_name: \"m\" $text" && [ "$code" = 0 ]
	serve_stop
}

@test "peers that vanish, and bytes that are no HTTP/2, leave the server as it was" {
	start
	python3 - "$GRPC" <<-'P'
		import os, socket, struct, sys
		host, port = sys.argv[1].split(":")
		def frame(kind, flags, stream, body=b""):
		    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body
		hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
		path = b"/inference.GRPCInferenceService/ModelInfer"
		head = b"\x83\x86\x44" + bytes([len(path)]) + path + b"\x41\x01x\x5f\x10application/grpc\x40\x02te\x08trailers"
		for i in range(300):
		    s = socket.create_connection((host, int(port)))
		    if i % 6 == 0:
		        s.sendall(os.urandom(200))
		    elif i % 6 == 1:
		        s.sendall(hello + frame(1, 4, 1, head))                      # no message, no end
		    elif i % 6 == 2:
		        s.sendall(hello + frame(1, 5, 1, head))                      # the end, without a message
		    elif i % 6 == 3:
		        s.sendall(hello + frame(1, 4, 1, head) + frame(0, 0, 1, b"\x00\x00\x00\x10\x00ab"))
		    elif i % 6 == 4:
		        s.sendall(hello + b"".join(frame(1, 4, 2 * k + 1, head) + frame(3, 0, 2 * k + 1, b"\0\0\0\x08") for k in range(100)))
		    else:
		        s.sendall(hello[:i % 24])
		    s.close()
	P
	kill -0 "$PID"
	infer 'model_name: "m" inputs { name: "text_input" datatype: "BYTES" shape: 1 contents { bytes_contents: "row" } }'
	[ "$code" = 0 ]
	serve_stop
}
