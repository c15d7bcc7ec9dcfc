# serve.bash - a server of a small model for the tests of dsserve: load serve; setup() { serve_setup; }

# A model of one layer in $BATS_FILE_TMPDIR/m, made once a file.
serve_model() {
	cd "$BATS_FILE_TMPDIR" || return 1
	for i in $(seq 60); do
		echo "row $i of a small text, $((i * 7 % 13)) and more"
	done >t.txt
	dstok train -q -V 300 --special '<|endoftext|>' t.txt -o tok.json
	dstok -q -t tok.json --seq 32 t.txt -o s.dsr
	dstrain --model gpt2 --set n_layer=1,n_embd=32,n_head=2,n_positions=96,initializer_range=0.2 \
		--max-steps 2 --out m s.dsr -q
}

# serve_start [OPTIONS]: sets URL and PID; the server ends with the test
serve_start() {
	: >err
	dsserve -m "${MODEL:-$BATS_FILE_TMPDIR/m}" --http 127.0.0.1:0 -j 2 "$@" >out 2>err 3>&- &
	PID=$!
	for _ in $(seq 600); do
		URL=$(sed -n 's/^dsserve: .* at \(http[^ ,]*\).*/\1/p' err)
		[ -z "$URL" ] || return 0
		kill -0 "$PID" || { cat err; return 1; }
		sleep 0.1
	done
	return 1
}

serve_stop() {
	[ -z "${PID:-}" ] || { kill -TERM "$PID" && wait "$PID"; }
}

# code [CURL OPTIONS] PATH: the status; the body is in ./body
code() {
	curl -s -o body -w '%{http_code}' "${@:1:$#-1}" "$URL${!#}"
}

# has PYTHON: it holds of the body, which is j (JSON)
has() {
	python3 -c "import json,sys; j = json.load(open('body')); assert $1, j"
}
