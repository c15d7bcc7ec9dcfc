#!/usr/bin/env bats
# What every program does the same: options, help, exit codes, output files

load common
setup() { common_setup; }

@test "every program prints help that fits a screen and names three examples" {
	for p in $(programs); do
		run -0 "$p" --help
		[ "${#lines[@]}" -le 40 ] || { echo "$p: ${#lines[@]} lines"; return 1; }
		[ "$(grep -c '^  \$ ' <<<"$output")" -eq 3 ] || { echo "$p: not three examples"; return 1; }
		[[ ${lines[-1]} == "  \$ "* ]]
	done
}

@test "every program prints its version in one line" {
	for p in $(programs); do
		run -0 "$p" --version
		[[ $output =~ ^$p\ \(dstools\)\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	done
}

@test "an unknown option is exit 2 and names the nearest" {
	for p in $(programs); do
		fails 2 "$p: unknown option '--verbse', the nearest is '--verbose'" "$p" --verbse
	done
}

@test "an unknown command names the nearest" {
	fails 2 "dsrec: unknown command 'chekc', the nearest is check" dsrec chekc x
}

@test "a program that would wait for a person to type prints its help and exits 2" {
	command -v script >/dev/null || skip "no script(1)"
	run on_terminal "dsrec cat"
	[ "$status" -eq 2 ]
	[[ $output == *"usage: dsrec cat"* ]]
}

@test "a stream is not printed on a terminal; a preview is" {
	command -v script >/dev/null || skip "no script(1)"
	numbered 3 >in.jsonl
	run -0 on_terminal "dsrec cat in.jsonl"
	[[ $output == *"record 1 of many"* ]]
	[[ $output != *DSR* ]]
}

@test "a missing file is exit 4 and named" {
	fails 4 "none.jsonl: No such file or directory" dsrec cat none.jsonl
}

@test "a folder as output is exit 4" {
	numbered 3 >in.jsonl
	mkdir out.dsr
	fails 4 "out.dsr: is a folder" dsrec cat in.jsonl -o out.dsr
}

@test "a full device is exit 4" {
	numbered 3 >in.jsonl
	fails 4 "No space left on device" dsrec cat in.jsonl -o /dev/full
	fails 4 "No space left on device" bash -c 'dsrec cat in.jsonl --to jsonl >/dev/full'
	fails 4 "No space left on device" bash -c 'dsrec --help >/dev/full'
}

@test "a closed stdout is exit 4" {
	numbered 3 >in.jsonl
	fails 4 "cannot write stdout" bash -c 'dsrec cat in.jsonl --to jsonl >&-'
}

@test "a reader that goes away is exit 141 without a word" {
	numbered 200000 >in.jsonl
	run --separate-stderr bash -c 'dsrec cat in.jsonl --to jsonl -q | head -c 100 >/dev/null; exit ${PIPESTATUS[0]}'
	[ "$status" -eq 141 ]
	[ -z "$stderr" ]
}

@test "a failed run leaves neither the output nor a temporary file" {
	numbered 3000 >in.jsonl
	echo '{"text":' >>in.jsonl
	fails 1 "in.jsonl:3001" dsrec cat in.jsonl -o out.dsr
	[ "$(ls -A | tr '\n' ' ')" = "in.jsonl " ]
}

@test "an old output stays as it was when a run fails" {
	echo old >out.dsr
	fails 1 "" bash -c 'echo "{" | dsrec import --from jsonl - -o out.dsr'
	[ "$(cat out.dsr)" = old ]
}

@test "SIGTERM removes the temporary file and ends as that signal does" {
	mkfifo in
	dsrec cat --from jsonl in -o out.dsr & pid=$!
	exec 7>in
	numbered 10 >&7
	for _ in $(seq 1200); do ls -A | grep -q '^\.out\.dsr' && break; sleep 0.05; done
	ls -A | grep -q '^\.out\.dsr' || sleep 1
	kill -TERM $pid
	rc=0
	wait $pid || rc=$?
	exec 7>&-
	[ "$rc" -eq 143 ]
	[ "$(ls -A | tr '\n' ' ')" = "in " ]
}

@test "an output may be a FIFO, which is written directly" {
	numbered 5 >in.jsonl
	mkfifo pipe
	cat pipe >got & reader=$!
	dsrec cat in.jsonl --to jsonl -o pipe -q
	wait $reader
	[ -p pipe ]
	[ "$(wc -l <got)" -eq 5 ]
}

@test "an output may be its own input" {
	numbered 5000 >in.jsonl
	dsrec import in.jsonl -q -o a.dsr
	dsrec head -n 7 a.dsr -q -o a.dsr
	[ "$(dsrec cat a.dsr --to jsonl -q | wc -l)" -eq 7 ]
}

@test "-q is silent, and without it there is one summary line" {
	numbered 5 >in.jsonl
	run --separate-stderr dsrec cat in.jsonl --to jsonl -q
	[ -z "$stderr" ]
	run --separate-stderr dsrec cat in.jsonl --to jsonl
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == "dsrec: 5 records in, 5 out"* ]]
}

@test "--stats writes the summary as JSON" {
	numbered 5 >in.jsonl
	for command in cat "head -n 3" shuf; do
		dsrec $command in.jsonl --stats stats.json -q >/dev/null
		python3 -c 'import json,sys; s = json.load(open("stats.json")); assert s["program"] == "dsrec" and s["records_in"] == 5'
	done
}

@test "--on-error skip goes on, reject keeps the offender, both end with 0" {
	printf '{"text":"a"}\nnot json\n{"text":"b"}\n' >in.jsonl
	run --separate-stderr dsrec cat in.jsonl --on-error skip --to jsonl
	[ "$status" -eq 0 ] && [ "${#lines[@]}" -eq 2 ]
	[[ $stderr == *"1 bad"* ]]
	for command in cat head shuf; do
		run --separate-stderr dsrec $command in.jsonl --on-error reject=rejected --to jsonl
		[ "$status" -eq 0 ] && [ "${#lines[@]}" -eq 2 ]
		[[ $stderr == *"1 bad"* ]]
		[ "$(cat rejected)" = "not json" ]
	done
}

@test "completions for bash load and offer commands and options" {
	"$ROOT"/scripts/completions bash "$(command -v dsrec)" >completion
	run -0 bash -c 'source completion; COMP_WORDS=(dsrec sp); COMP_CWORD=1; _dsrec; echo "${COMPREPLY[@]}"
		COMP_WORDS=(dsrec split --b); COMP_CWORD=2; _dsrec; echo "${COMPREPLY[@]}"
		COMP_WORDS=(dsrec cat --to js); COMP_CWORD=3; _dsrec; echo "${COMPREPLY[@]}"'
	[ "${lines[0]}" = split ] && [ "${lines[1]}" = --by ] && [ "${lines[2]}" = jsonl ]
}

@test "arguments are recorded in one spelling, without paths and threads" {
	numbered 50 >in.jsonl
	dsrec shuf --seed=7 --memory 2M in.jsonl -q -o a.dsr
	dsrec shuf -o b.dsr --seed 7 -q --stats s.json --from jsonl ./in.jsonl
	dsrec shuf -o c.dsr --seed 7 -q in.jsonl
	[ "$(dsrec log a.dsr --to tsv | cut -f 3 | tail -n 1)" = "shuf --seed=7" ]
	[ "$(dsrec log b.dsr --to tsv | cut -f 3 | tail -n 1)" = "shuf --from=jsonl --seed=7" ]
	cmp a.dsr c.dsr
}

@test "gzip and zstd are undone; a name that contradicts its content is exit 3" {
	numbered 20 >in.jsonl
	gzip -k in.jsonl
	zstd -q in.jsonl
	[ "$(cat in.jsonl.gz in.jsonl.gz | dsrec cat --to jsonl -q | wc -l)" -eq 40 ]
	[ "$(dsrec cat in.jsonl.zst --to jsonl -q | wc -l)" -eq 20 ]
	cp in.jsonl wrong.jsonl.zst
	fails 3 "wrong.jsonl.zst" dsrec cat wrong.jsonl.zst --to jsonl
	head -c 100 in.jsonl.gz >cut.jsonl.gz
	fails 3 "cut.jsonl.gz" dsrec cat cut.jsonl.gz --to jsonl
}
