#!/usr/bin/env bats
# The C API as others find it: installed, found by pkg-config, its examples built and run

load common
setup() {
	common_setup
	examples=${BUILD:-$ROOT/build}/example
}

@test "count and make read and write streams, and a cut one is an error" {
	printf 'one\n\nthree words here\n' | "$examples/make" >m.dsr
	[ "$(dsrec cat -q --to jsonl m.dsr | tail -n 1)" = '{"text":"three words here","line":2,"score":16.0}' ]
	[[ $(dsrec log m.dsr) == *"make"*3* ]]
	[ "$("$examples/count" m.dsr)" = "m.dsr: 3 records, 3 with text, 19 bytes" ]
	head -c 300 m.dsr >cut.dsr
	fails 3 "input ended early" "$examples/count" cut.dsr
}

@test "complete writes what dsgen does" {
	head -n 60 "$ROOT/LICENSE" >t.txt
	dstok train -q -V 400 t.txt -o t.json
	dstok -q -t t.json --seq 32 t.txt -o t.dsr
	dstrain -q --model gpt2 --set n_layer=1,n_embd=16,n_head=2 --batch-tokens 64 --max-steps 8 --out run t.dsr
	[ "$("$examples/complete" run 'You may')" = "You may$(echo 'You may' | dsgen -m run --max-tokens 24 --temperature 0 -q --to jsonl --from text | python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["pred"])')" ]
	fails 4 "nowhere" "$examples/complete" nowhere x
}

@test "programs are built against what was installed, by pkg-config alone" {
	not_sanitized
	command -v pkg-config >/dev/null || skip "no pkg-config"
	[ -z "${BUILD:-}" ] || [ "$BUILD" = build ] || [ "$BUILD" = "$ROOT/build" ] || skip "not the usual build"
	make -s -C "$ROOT" install-dev DESTDIR= PREFIX="$PWD/there" >/dev/null 2>&1
	export PKG_CONFIG_PATH=$PWD/there/lib/pkgconfig
	[ "$(pkg-config --modversion libds)" = "$(dsrec --version | awk '{ print $NF }')" ]
	# shellcheck disable=SC2046 # flags
	gcc -o count there/share/doc/libds-dev/examples/count.c $(pkg-config --cflags --libs --static libds)
	printf 'x\n' | dsrec import -q -o x.dsr
	[ "$(./count x.dsr)" = "x.dsr: 1 records, 1 with text, 1 bytes" ]
	# Every header that is installed finds what it includes.
	for h in record/pipe.h infer/slots.h train/trainer.h model/engine.h; do
		echo "#include \"$h\"" | gcc $(pkg-config --cflags libds) -fsyntax-only -x c -
	done
}
