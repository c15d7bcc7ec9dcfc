#!/usr/bin/env bats
# The pipelines as a stranger meets them: what they refuse, what they leave out, and that a run goes on where it was

load common
# One run on a mixed folder, which several tests look at.
setup_file() {
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	setup
	own_folder '我的 folder'
	short '我的 folder' --out '结果 1' >log 2>&1 || cat log
}
setup() {
	common_setup
	export DS_BIN=${BUILD:-$ROOT/build}/bin
	personal=$ROOT/pipelines/personal.sh
	shared=$BATS_FILE_TMPDIR/work
}

# own_folder DIR: files of every kind, a few of them useless
own_folder() {
	mkdir -p "$1/日记 二"
	head -n 60 "$ROOT/LICENSE" >"$1/a licence.txt"
	head -n 40 "$ROOT/README.md" >"$1/日记 二/read me.md"
	printf '<html><body><article><p>%s</p></article></body></html>' "$(head -n 20 "$ROOT/CONTRIBUTING.md")" >"$1/page.html"
	awk 'BEGIN { for (i = 0; i < 60; i++) printf "{\"messages\":[{\"role\":\"user\",\"content\":\"what is %d and %d\"},{\"role\":\"assistant\",\"content\":\"it is %d\"}]}\n", i, i + 1, 2 * i + 1 }' >"$1/chats.jsonl"
	printf 'id,note\n1,a note of some length about nothing at all\n2,another note of some length about it\n' >"$1/notes.csv"
	tar -cf "$1/old.tar" -C "$ROOT/docs" clean.md
	printf '{"text":"cut' >"$1/broken.jsonl"
	head -c 4000 "$DS_BIN/dsrec" >"$1/program"
	printf 'x' >"$1/picture.jpg"
	: >"$1/empty.txt"
}
# short ARGS…: personal.sh with a training of seconds
short() { "$personal" "$@" --epochs 1; }

@test "every pipeline has a --help that shows how it is called, and refuses what it does not know" {
	for p in $(grep -l '^# Usage: .*--out DIR' "$ROOT"/pipelines/*.sh); do
		run "$p" --help
		[ "$status" -eq 0 ] && [[ $output == *"Usage: $(basename "$p") "* ]] || { echo "$p: $output"; return 1; }
		fails 2 "'--nonsense' is no option" "$p" --nonsense
	done
}

@test "personal.sh says what is missing or wrong in one line" {
	mkdir empty
	fails 2 "--out DIR is missing" "$personal" empty
	fails 2 "--out wants a value" "$personal" empty --out
	fails 2 "a folder is missing" "$personal" --out x
	fails 4 "nowhere: not there" "$personal" nowhere --out x
	fails 2 "whole number" "$personal" empty --out x --minutes none
	fails 2 "no model directory" "$personal" empty --out x --model empty
	[ ! -e x ]
	fails 1 "nothing in it to learn from" "$personal" empty --out x
}

@test "personal.sh ends with 1 where a folder has pictures and programs alone, and looks again once it has text" {
	mkdir 'only 图片'
	printf 'x' >'only 图片/a.jpg'
	head -c 4000 "$DS_BIN/dsrec" >'only 图片/b'
	run --separate-stderr short 'only 图片' --out out
	[ "$status" -eq 1 ] && [[ $stderr == *"nothing in it to learn from"* ]]
	grep -q 'not text: a program' out/left-out.tsv
	cp "$ROOT/LICENSE" 'only 图片/c.txt'
	short 'only 图片' --out out
	[ -s out/model/config.json ]
}

@test "personal.sh makes a model of a mixed folder, names what it left out, and its rerun does nothing twice" {
	cd "$shared"
	local f
	for f in config.json model.safetensors tokenizer.json chat_template.jinja; do [ -s "结果 1/model/$f" ]; done
	for f in broken.jsonl program picture.jpg empty.txt; do grep -q "/$f	" "结果 1/left-out.tsv"; done
	[ "$(wc -l <"结果 1/left-out.tsv")" -eq 4 ]
	dsrec cat --to text "结果 1/work/documents.dsr" >all.txt
	grep -q 'a note of some length' all.txt && grep -q 'Apache License' all.txt && grep -q 'A thing is added' all.txt && grep -q dsclean all.txt
	[ "$(dsrec stat --json "结果 1/work/chats-messages-train.dsr" | grep -o '"records":[0-9]*')" != '"records":60' ]
	sum=$(md5sum <"结果 1/model/model.safetensors")
	run short '我的 folder' --out '结果 1'
	[ "$status" -eq 0 ] && [[ $output != *"dstrain: done"* ]]
	[ "$(md5sum <"结果 1/model/model.safetensors")" = "$sum" ]
	fails 2 "other settings" "$personal" '我的 folder' --out '结果 1' --epochs 2
	cp -r '结果 1' changed
	echo more >'我的 folder/more.txt'
	run short '我的 folder' --out changed
	rm '我的 folder/more.txt'
	[ "$status" -eq 0 ] && [[ $output == *"has changed since"* ]]
}

@test "personal.sh that was stopped goes on, and its model is that of a run that was not" {
	cd "$shared"
	perl -e 'setpgrp; exec @ARGV' "$personal" '我的 folder' --out cut --epochs 1 >cut.log 2>&1 &
	local pid=$!
	# While it trains; a run that was quicker is a whole one.
	while kill -0 $pid 2>/dev/null && [ ! -e cut/work/docs/log.jsonl ]; do sleep 0.05; done
	kill -TERM -$pid 2>/dev/null || true
	wait $pid || [[ $(cat cut.log) == *"the same command goes on"* ]]
	short '我的 folder' --out cut >/dev/null 2>&1
	[ "$(cat cut/work/docs.steps)" = "$(cat '结果 1/work/docs.steps')" ] || skip "the machine was too slow for all steps"
	cmp '结果 1/work/docs-model/model.safetensors' cut/work/docs-model/model.safetensors
}

@test "personal.sh --model goes on from a model directory" {
	cd "$shared"
	run "$personal" '我的 folder' --model '结果 1/model' --out second --epochs 1 --tune lora --clean '--pii mask'
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	[ -s second/model/model.safetensors ] && [ ! -e second/model/adapter_config.json ]
	cmp '结果 1/model/tokenizer.json' second/model/tokenizer.json
	[ -s second/work/docs.before ] && [ -s second/work/docs.after ]
}

@test "a disk without room is said before anything begins" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir small
	unshare -m true 2>/dev/null || skip "no mount here"
	mkdir folder
	cp "$ROOT/LICENSE" folder/a.txt
	fails 4 "are free on this disk" unshare -m bash -c 'mount -t tmpfs -o size=4m none small && exec "$0" folder --out small/out >/dev/null' "$personal"
}

@test "personal.sh --dry-run says how long it takes, and leaves nothing" {
	mkdir folder && cp "$ROOT/LICENSE" folder/a.txt
	run "$personal" folder --out out --dry-run
	[ "$status" -eq 0 ] && [[ $output == *"to train"* ]] && [ ! -e out ]
}

@test "chats as ChatGPT exports them are read along the branch that was kept" {
	python3 -c 'import json' 2>/dev/null || skip "no python3"
	cat >conversations.json <<-'END'
		[{"title": "t", "current_node": "c", "mapping": {
		"a": {"message": {"author": {"role": "user"}, "content": {"parts": ["hello"]}}, "parent": null},
		"b": {"message": {"author": {"role": "assistant"}, "content": {"parts": ["left"]}}, "parent": "a"},
		"c": {"message": {"author": {"role": "assistant"}, "content": {"parts": ["kept"]}}, "parent": "a"}}}]
	END
	[ "$(dsrec import --from json conversations.json --to jsonl -q | "$ROOT/pipelines/chatgpt.py")" = \
		'{"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "kept"}]}' ]
}
