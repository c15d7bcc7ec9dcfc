# outputs.bats - what a run leaves behind: all of its outputs or none, whatever ends it
load common
setup() {
	common_setup
	numbered 300 >in.jsonl
	printf '{"text":"precious"}\n' | dsrec import --from jsonl -q -o kept.dsr
	cp kept.dsr was.dsr
}

# Nothing was replaced, and no temporary file is left.
untouched() {
	cmp kept.dsr was.dsr
	[ -z "$(find . -name '.*.??????')" ] || { find . -name '.*'; return 1; }
}

@test "a writer that died before its first byte is a writer that died" {
	for tool in dsclean dsdedup dstok dsaug "dsrec cat" "dsrec shuf" "dsrec head"; do
		run --separate-stderr bash -c "true | $tool -q -o kept.dsr"
		[ "$status" -eq 3 ] && [ "${#stderr_lines[@]}" -eq 1 ] && [[ $stderr == *"before its first byte"* ]]
		untouched
	done
	true | dsdedup -q --from jsonl -o none.dsr
	dsdedup -q -o none.dsr </dev/null
	: >none.txt
	dsdedup -q none.txt -o none.dsr
	dsrec check -q none.dsr
	dsrec import --exec true -q -o none.dsr
}

@test "whatever stops a program, the reader of its stream is told" {
	local c
	for c in "dsclean none.jsonl" "dsclean --labels none.map in.jsonl" "dstok -t none.json in.jsonl" \
		"dsdedup --against none.txt in.jsonl" "dsaug --synonyms none.tsv --synonym 0.1 in.jsonl" \
		"dsgen -m none in.jsonl" "dsrec cat none.dsr" "dsrec shuf none.dsr"; do
		run --separate-stderr bash -c "$c 2>first | dsdedup -q -o kept.dsr; echo \${PIPESTATUS[@]}"
		[ "${output##* }" = 3 ] || { echo "$c: $output $stderr"; return 1; }
		[[ $stderr == *"the program that wrote this failed: "*none* ]] || { echo "$c: $stderr"; return 1; }
		[ "$(wc -l <first)" -eq 1 ]
		untouched
	done
	# Not where it writes something else.
	run -4 bash -c "dsclean none.jsonl --to jsonl 2>/dev/null"
	[ -z "$output" ]
}

@test "the last of three programs says which one failed first, and why, once" {
	run --separate-stderr bash -c "dsclean none.jsonl 2>/dev/null | dsaug -q --delete 0.1 2>second | dsdedup -q -o kept.dsr"
	[ "$status" -eq 3 ] && [ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *": the program that wrote this failed: dsclean: none.jsonl: No such file or directory" ]]
	[ "${stderr#*the program that wrote}" = "${stderr##*the program that wrote}" ]
	[ "$(sed 's/.*failed/failed/' second)" = "${stderr##*this }" ]
	untouched
}

@test "one is one record, and two are two records" {
	local n c word
	numbered 2 >2.jsonl
	head -n 1 2.jsonl >1.jsonl
	for n in 1 2; do
		[ $n = 1 ] && word=record || word=records
		for c in "dsclean" "dsdedup" "dsaug --delete 0.1" "dsrec cat" "dsrec head" "dsrec shuf"; do
			run --separate-stderr bash -c "$c $n.jsonl -o out.dsr"
			[[ $stderr == *": $n $word in, "* ]] || { echo "$c: $stderr"; return 1; }
		done
		run --separate-stderr dsrec check out.dsr
		[[ $stderr == *"whole, 1 block, $n $word" ]]
		[[ $(dsrec stat out.dsr) == "$n $word in 1 block, "* ]]
	done
}

@test "DS_TRACE=err shows the line that raised an error, and those that passed it on" {
	run --separate-stderr env DS_TRACE=err dsclean -q --to jsonl none.jsonl
	[ "$status" -eq 4 ]
	[[ $stderr == *" lib/record/walk.c:"*": raised, code 4: none.jsonl: No such"* ]]
	[[ $stderr != *err.c* ]]
	head -c 300 kept.dsr >cut.dsr
	run --separate-stderr env DS_TRACE=err dsclean -q --to jsonl cut.dsr
	[ "$status" -eq 3 ]
	[[ $stderr == *" lib/record/"*": raised, code 3: "*" lib/record/"*": passed on, code 3: cut.dsr: "* ]]
	[[ $stderr != *err.c* ]]
}

@test "an output that cannot be made is found before anything is read" {
	local c
	mkdir there
	# Inputs that are not there would be named if they had been looked at.
	for c in "dsclean none -o no/out" "dsclean none -o there" "dsclean none -o out --rejected no/out" \
		"dsclean none -o out --stats there" "dsrec cat none --on-error reject=no/out" "dsdedup none --clusters there" \
		"dstok train -V 300 none -o no/out" "dstok train -V 300 none -o there" "dsexport onnx -m none -o no/out" \
		"dseval wer none -o no/out" "dsaug none --cache there --delete 0.1"; do
		run --separate-stderr $c
		[ "$status" -eq 4 ] && [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$c: $status $stderr"; return 1; }
		[[ $stderr == *": no/out: No such file or directory" || $stderr == *": there: is a folder" ]] ||
			{ echo "$c: $stderr"; return 1; }
	done
	fails 2 "-o: a name is not empty" dsclean none -o ""
	fails 2 "--stats: a name is not empty" dsclean none --stats ""
	fails 4 "none: No such file" dsclean none -o there/out
	ln -s there/out link
	fails 4 "none: No such file" dsclean none -o link
	ln -sf no/out link
	fails 4 "link: No such file" dsclean none -o link
	run --separate-stderr bash -c "dsclean in.jsonl --stats no/out 2>/dev/null | dsdedup -q -o kept.dsr"
	[ "$status" -eq 3 ] && [[ $stderr == *"failed: dsclean: no/out: No such file or directory" ]]
	untouched
}

@test "ids, labels, languages and classes of others move no cursor" {
	printf '{"id":"a\\u001b[2Jb","text":"one  two","label":"pos\\u001b[31m","lang":"x\\u001b[1m"}\n' >esc.jsonl
	dsclean --explain --space --labels sentiment esc.jsonl >shown 2>&1
	grep -q 'record a?\[2Jb of' shown
	dstok train -q -V 300 in.jsonl -o t.json
	dstok count -t t.json --languages esc.jsonl >>shown
	dstok count -t t.json --languages --to tsv esc.jsonl >>shown
	[ "$(grep -c 'lang.x?\[1m' shown)" = 2 ]
	printf '{"pred":"p\\u001b[31m","label":"p\\u001b[31m"}\n{"pred":"q","label":"q"}\n' >c.jsonl
	dseval confusion c.jsonl >>shown
	dseval f1 --to tsv c.jsonl >>shown
	grep -q 'p?\[31m: 1 0; q: 0 1' shown
	! grep -q $'\033' shown
}

@test "two outputs of one name, and an input as a second output, are refused" {
	ln -s out link
	mkdir there
	local c
	for c in "dsclean in.jsonl -o out --rejected out" "dsclean in.jsonl -o out --stats ./out" \
		"dsclean in.jsonl -o there/../out --on-error reject=link" "dsclean in.jsonl --rejected in.jsonl -o out" \
		"dsdedup in.jsonl --clusters out -o out" "dsdedup in.jsonl --index x -o x" \
		"dsrec cat in.jsonl --stats in.jsonl" "dsrec cat in.jsonl --on-error reject=-" \
		"dsrec split --by 1,1 in.jsonl -o a,./a" "dsrec split --by 1,1 in.jsonl -o a,b --stats b" \
		"dsclean in.jsonl --labels map --label-table map -o out"; do
		echo 'a: b' >map
		run --separate-stderr $c
		[ "$status" -eq 2 ] && [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$c: $status $stderr"; return 1; }
		[ ! -e out ] && [ "$(wc -l <in.jsonl)" -eq 300 ] && [ "$(cat map)" = 'a: b' ]
	done
	dsclean -q in.jsonl -o in.jsonl # alone it may be
	dsrec cat -q in.jsonl -o /dev/null --stats /dev/null
}

@test "a second output that cannot be written leaves the first as it was" {
	fails 4 "none/s" dsclean in.jsonl -o kept.dsr --stats none/s
	untouched
	fails 4 "/dev/full" dsdedup in.jsonl -o kept.dsr --clusters /dev/full
	untouched
	fails 4 "none/t" dsclean in.jsonl --labels sentiment --label-table none/t -o kept.dsr
	untouched
	echo '{bad' >>in.jsonl
	fails 1 "in.jsonl:301" dsdedup in.jsonl -o kept.dsr --clusters c --index i --stats s
	untouched
	[ ! -e c ] && [ ! -e i ] && [ ! -e s ]
}

@test "a limit on the size of files is an error like a full disk" {
	yes '{"text":"some words"}' | head -20000 >big.jsonl
	for c in "dsrec import" "dsclean" "dsrec cat --to dsr" "dsdedup --method exact --mark"; do
		fails 4 "File too large" bash -c "ulimit -f 8; exec $c big.jsonl -o kept.dsr"
		untouched
	done
}

@test "an input that is cut while it is mapped is exit 4, for any thread that meets it" {
	numbered 60000 >big.jsonl
	export DS_BLOCK=50000 # so that much of it is not read yet when the pipe is full
	mkfifo out
	for j in 1 8; do
		cp big.jsonl cut.jsonl
		{ head -c 1 >/dev/null; truncate -s 4096 cut.jsonl; cat >/dev/null; } <out &
		run --separate-stderr dsrec import -j $j cut.jsonl --on-error reject=kept.dsr -o out
		wait
		[ "$status" -eq 4 ] && [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$j: $status $stderr"; return 1; }
		untouched
	done
}

@test "a file that happens to be named like the lock of an index stays" {
	echo mine >index.lock
	dsdedup -q in.jsonl --index index -o out
	[ "$(cat index.lock)" = mine ]
	rm index.lock
	dsdedup -q in.jsonl --index index -o out
	[ ! -e index.lock ]
	printf 'dstools lock\n' >index.lock # of a run that was killed
	dsdedup -q in.jsonl --index index -o out
	[ ! -e index.lock ]
}

@test "signatures of a file that changed in its middle are made anew" {
	numbered 3000 >mid.jsonl
	dsdedup sign -q mid.jsonl -o s
	sum=$(cksum <s/sign-00000.dsr)
	dsdedup sign -q mid.jsonl -o s
	[ "$(cksum <s/sign-00000.dsr)" = "$sum" ]
	sed -i '1500s/record/RECORD/' mid.jsonl
	dsdedup sign -q mid.jsonl -o s
	[ "$(cksum <s/sign-00000.dsr)" != "$sum" ]
}
