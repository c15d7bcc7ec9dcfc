#!/usr/bin/env bats
# Every pipeline with --demo, minutes each: make check-pipelines

load ../cli/common
setup() {
	common_setup
	export DS_BIN=${BUILD:-$ROOT/build}/bin
}
# demo NAME RESULT…: the pipeline ends well and left the results; its rerun does nothing
demo() {
	local name=$1
	shift
	timeout 1800 "$ROOT/pipelines/$name.sh" --demo --out out >log 2>&1 || { tail -n 30 log; return 1; }
	local f
	for f; do [ -s "out/$f" ] || { echo "no $f"; return 1; }; done
	grep -q 'What this will do' log && grep -q 'What became of the data' log && grep -q 'what to do next' log
	timeout 600 "$ROOT/pipelines/$name.sh" --demo --out out >again 2>&1
	! grep -q 'dstrain: done' again
}

@test "personal.sh" {
	demo personal model/config.json model/chat_template.jinja work/docs.before work/docs.end work/chats.after left-out.tsv
	awk -v a="$(cat out/work/docs.after)" -v b="$(cat out/work/docs.before)" 'BEGIN { exit !(a < b) }'
}
@test "pretrain.sh" { demo pretrain model/config.json model/model.safetensors work/docs.after; }
@test "finetune-lora.sh" { demo finetune-lora model/config.json adapter/adapter_config.json work/chats.before work/chats.after; }
@test "classify.sh" {
	command -v wn >/dev/null || [ -d /usr/share/wordnet ] || skip "no WordNet"
	demo classify model/config.json scores.txt plots/confusion.svg
}
@test "backtranslate.sh" {
	command -v apertium >/dev/null || skip "no apertium"
	demo backtranslate augmented.dsr
}
@test "multimodal.sh" { demo multimodal model/config.json work/clip.after; }
@test "domain-medical.sh" {
	[ -d /usr/share/wordnet ] || skip "no WordNet"
	demo domain-medical model/config.json work/docs.before work/docs.after work/general.after
}
@test "code-model.sh" { demo code-model model/config.json work/docs.after; }
