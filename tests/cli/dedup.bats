#!/usr/bin/env bats
# dsdedup as a process: threads, files beside the output, readers that go away

bats_require_minimum_version 1.5.0

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
}

# 3,000 records: most of them new, some copies, some with a word changed.
many() {
	awk 'BEGIN {
		srand(5)
		for (i = 0; i < 3000; i++) {
			kind = rand()
			if (i && kind < 0.1) t = old[int(rand() * i)]
			else if (i && kind < 0.3) { t = old[int(rand() * i)]; sub(/ w[0-9]+ /, " changed ", t) }
			else { t = "start"; for (k = 0; k < 60; k++) t = t " w" int(rand() * 5000) " and" }
			old[i] = t
			print "{\"id\":\"r" i "\",\"text\":\"" t "\"}"
		}
	}'
}

@test "the output is the same bytes for every -j" {
	many >in.jsonl
	for j in 1 2 5; do dsdedup -q -j "$j" in.jsonl -o "out$j.dsr"; done
	cmp out1.dsr out2.dsr && cmp out1.dsr out5.dsr
	DS_CPU=scalar dsdedup -q in.jsonl -o scalar.dsr
	DS_CPU=avx2 dsdedup -q in.jsonl -o avx2.dsr
	cmp out1.dsr scalar.dsr && cmp out1.dsr avx2.dsr
}

@test "records are the same whatever the size of blocks" {
	many >in.jsonl
	dsdedup -q in.jsonl --to jsonl >one
	DS_BLOCK=512 dsdedup -q -j 3 in.jsonl --to jsonl >two
	cmp one two
	n=$(wc -l <one)
	[ "$n" -gt 1800 ] && [ "$n" -lt 2600 ]
}

@test "--mark and --clusters agree, and with what is dropped" {
	many >in.jsonl
	dsdedup -q in.jsonl --to jsonl >kept
	dsdedup -q --mark --clusters c.tsv in.jsonl --to jsonl >marked
	grep -v dup_of marked | cmp - kept
	[ "$(head -n 1 c.tsv)" = "$(printf 'cluster\tid')" ]
	# Each marked record is in the cluster of the one it names.
	sed -n 's/.*"id":"\([^"]*\)".*"dup_of":"\([^"]*\)".*/\1 \2/p' marked |
		awk 'NR == FNR { c[$2] = $1; next } !($1 in c) || c[$1] != c[$2] { print; bad = 1 } END { exit bad }' c.tsv -
	# A cluster is named by its first member, which comes first.
	awk 'NR > 1 && !($1 in seen) { seen[$1] = 1; if ($1 != $2) bad = 1 } END { exit bad }' c.tsv
}

@test "--tag: the bytes of any -j, and --mark with more" {
	many >in.jsonl
	for j in 1 3; do dsdedup -q --tag -j "$j" in.jsonl --to jsonl >tagged$j; done
	cmp tagged1 tagged3
	dsdedup -q --mark in.jsonl --to jsonl >marked
	sed 's/,"minhash":\[[^]]*\]//; s/,"jaccard":[0-9.]*//' tagged1 | cmp - marked
	# Each that is marked reaches the threshold, and some are less than the same.
	sed -n 's/.*"jaccard":\([0-9.]*\).*/\1/p' tagged1 >j
	[ "$(wc -l <j)" -eq "$(grep -c dup_of marked)" ]
	awk '$1 < 0.8 || $1 > 1 { exit 1 } $1 < 1 { n++ } END { exit !n }' j
	# With all shingles kept, still 512 at most; what one run left another replaces.
	awk 'BEGIN { for (i = 0; i < 2000; i++) printf "w%d ", i * i }' |
		dsdedup -q --tag --verify --to jsonl >long
	[ "$(sed 's/.*"minhash":\[\([^]]*\)\].*/\1/' long | tr , '\n' | wc -l)" -eq 512 ]
	dsdedup -q --tag tagged1 --from jsonl --to jsonl | cmp - tagged1
}

@test "an index makes two runs into one" {
	many >in.jsonl
	dsdedup -q in.jsonl --to jsonl >whole
	head -n 1300 in.jsonl | dsdedup -q --index seen.idx --to jsonl >parts
	[ ! -e seen.idx~ ]
	tail -n +1301 in.jsonl | dsdedup -q --index seen.idx --to jsonl >>parts
	cmp whole parts
	[ -s seen.idx~ ]
	cp seen.idx before
	dsdedup -q --index seen.idx in.jsonl --to jsonl >none
	[ ! -s none ]
	cmp seen.idx~ before
}

@test "an index is left alone where the run fails" {
	echo '{"text":"a"}' | dsdedup -q --index i --to jsonl
	cp i before
	run -1 dsdedup -q --from jsonl --index i <<<'{"text":'
	cmp i before && [ ! -e i~ ]
	run -4 dsdedup -q --index i missing.jsonl
	cmp i before
}

@test "a second run at the same index is refused, and a lock that was left is none" {
	mkfifo slow
	dsdedup -q --from jsonl --index i --to jsonl slow >out &
	exec 9>slow
	echo '{"text":"a"}' >&9
	until [ -e i.lock ]; do sleep 0.02; done
	run -2 --separate-stderr dsdedup -q --index i --to jsonl <<<'{"text":"b"}'
	[ "$stderr" = "dsdedup: i: another run is using it" ]
	exec 9>&-
	wait
	[ "$(cat out)" = '{"text":"a"}' ] && [ -s i ] && [ ! -e i.lock ]
	touch i.lock
	dsdedup -q --index i --to jsonl <<<'{"text":"b"}' >more
	[ -s more ] && [ ! -e i.lock ]
}

@test "an index that is damaged or of other options is refused by name" {
	echo '{"text":"a"}' | dsdedup -q --index i --to jsonl
	head -c 200 i >cut
	run -3 --separate-stderr dsdedup --index cut <<<a
	[ "$stderr" = "dsdedup: cut: a damaged index" ]
	run -2 --separate-stderr dsdedup --index i --ngram 4 <<<a
	[ "$stderr" = "dsdedup: i: the index was made with another --ngram" ]
	head -c 400 /dev/zero | tr '\0' x >zero
	run -1 --separate-stderr dsdedup --index zero <<<a
	[ "$stderr" = "dsdedup: zero: not an index of dsdedup" ]
}

@test "a damaged stream is said once and leaves no output" {
	many | dsdedup -q -o a.dsr
	head -c 3000 a.dsr >cut.dsr
	run -3 --separate-stderr dsdedup -o b.dsr cut.dsr
	[ "${#stderr_lines[@]}" -eq 1 ] && [ ! -e b.dsr ]
}

@test "a reader that goes away is 141" {
	for i in 1 2 3 4; do many; done >in.jsonl
	set +e
	dsdedup --threshold 1 --method exact --mark -q in.jsonl --to jsonl 2>err | head -n 1 >/dev/null
	[ "${PIPESTATUS[0]}" -eq 141 ] && [ ! -s err ]
}

@test "a long text, a text of one word, and bytes that are not UTF-8" {
	head -c 3000000 /dev/zero | tr '\0' a >long
	(cat long; echo; cat long; echo; printf 'caf\351 \377\376\ncaf\351 \377\376\n') >in.txt
	dsdedup -q --to text in.txt >out
	[ "$(wc -c <out)" -eq 3000009 ]
}

@test "--against drops what shares 13 units, also in other case and punctuation" {
	w="one two three four five six seven eight nine ten eleven twelve thirteen"
	echo "{\"text\":\"${w^^}!\"}" >eval.jsonl
	printf '{"text":"so, %s."}\n{"text":"so, %s"}\n' "${w// / - }" "${w#one }" >in.jsonl
	run dsdedup -q --against eval.jsonl --to text in.jsonl
	[ "$output" = "so, ${w#one }" ]
	run -4 dsdedup -q --against absent.jsonl in.jsonl
}

@test "--share drops what has that share of a text of --against" {
	q="what is the capital of France and which river flows through it"
	printf '{"text":"%s?"}\n{"text":"What is the capital of Peru?"}\n{"text":"hi"}\n' "$q" >eval.jsonl
	filler="some words that stand before and after what is looked for here"
	printf '{"text":"%s, %s: %s"}\n' "$filler" "${q^^}" "$filler" >in.jsonl
	printf '{"text":"%s %s"}\n' "$filler" "${q/river/stream}" >>in.jsonl
	printf '{"text":"hi, what is the capital of Spain, %s"}\n' "$filler" >>in.jsonl
	left() { dsdedup -q --against eval.jsonl "$@" --to jsonl in.jsonl | wc -l; }
	[ "$(left --share 1)" = 2 ]
	[ "$(left --share 0.8)" = 2 ]
	[ "$(left --share 0.3)" = 1 ]
	[ "$(left -j 3 --share 0.3)" = 1 ]
	mkdir s
	dsrec import -q in.jsonl -o in.dsr
	dsdedup sign -q --against eval.jsonl --share 0.3 in.dsr -o s
	dsdedup band -q s
	dsdedup cluster -q s
	[ "$(dsdedup filter -q s in.dsr --to jsonl | wc -l)" = 1 ]
	run -2 dsdedup -q --share 2 --against eval.jsonl in.jsonl
	run -2 dsdedup -q --share 0.5 in.jsonl
}

@test "--keep takes the longest or the best of a cluster, the earlier of equals" {
	cat >k.jsonl <<'END'
{"id":"a","text":"one two three four five","s":1}
{"id":"b","text":"one, two, three, four, five.","s":2}
{"id":"z","text":"zz"}
{"id":"c","text":"ONE two three four five","s":7.5}
{"id":"d","text":"zz","s":-1}
{"id":"e","n":1}
END
	kept() { dsdedup -q "$@" k.jsonl --to jsonl | sed 's/{"id":"\(.\)".*/\1/' | tr -d '\n'; }
	[ "$(kept)" = aze ]
	[ "$(kept --keep longest)" = bze ]
	[ "$(kept --keep max:s)" = cde ]
	[ "$(DS_BLOCK=64 kept -j 3 --keep max:s)" = cde ]
	[ "$(dsdedup -q --keep max:s --mark k.jsonl --to jsonl | grep -c '"dup_of":"c"')" -eq 2 ]
	dsdedup --keep longest k.jsonl --to jsonl 2>err >/dev/null
	grep -q '6 records in, 3 out (1 exact, 2 near, 1 without text)' err
}

@test "--keep needs an input that can be read twice, and numbers" {
	echo '{"text":"a","s":"x"}' >k.jsonl
	run -2 --separate-stderr dsdedup --keep longest <k.jsonl
	[ "$stderr" = "dsdedup: --keep reads its input twice, and stdin can be read once" ]
	run -1 --separate-stderr dsdedup --keep max:s k.jsonl
	[[ $stderr == *"field 's' is no number" ]] && [ "${#stderr_lines[@]}" -eq 1 ]
	run -2 dsdedup --keep shortest k.jsonl
	run -2 dsdedup --keep longest --scope line k.jsonl
}

@test "--stats and -v say how much repeats and name the largest clusters" {
	printf '{"id":"%s","text":"%s"}\n' a 'one two three four five' b 'One\n two three four five' c other d 'ONE TWO THREE FOUR FIVE.' f other >in.jsonl
	dsdedup -v --stats s.json in.jsonl --to jsonl 2>err >out
	grep -q '"clusters":{"n":2,"members":5,"largest":\[{"members":3,"like":"b","begins":"One two three four five"}' s.json
	grep -q '"repeats":3,' s.json
	grep -q '2 clusters with 5 members, the largest:$' err
	grep -q '  3  like b  *One two three four five$' err
	dsdedup -q in.jsonl --to jsonl | cmp - out
	dsdedup -q --keep longest in.jsonl --to jsonl --stats k.json >/dev/null
	grep -q '"clusters":{"n":2,"members":5,' k.json
}

@test "an index names the option that is another, whichever it is" {
	other() { # WORD OPTION...: an index made by default is refused by that word
		local word=$1
		shift
		run -2 --separate-stderr dsdedup -q --index i "$@" in.jsonl
		[ "$stderr" = "dsdedup: i: the index was made with another $word" ]
	}
	echo '{"text":"a b c d e f g"}' >in.jsonl
	dsdedup -q --index i in.jsonl --to jsonl
	cp i before
	other --threshold --threshold 0.5
	other --bands --bands 20
	other --ngram --ngram 6
	other --unit --unit char
	other --perm --perm 128
	other --seed --seed 7
	other --verify --verify
	other --scope --scope line
	other '--method minhash' --method exact
	other '--method exact' --method minhash
	other '--method simhash' --method exact,simhash
	cmp i before
	dsdedup -q --index s --method simhash in.jsonl --to jsonl
	run -2 --separate-stderr dsdedup --index s --method simhash --distance 2 in.jsonl
	[[ $stderr == *"made with another --distance" ]]
}

@test "an index with one byte changed, or cut anywhere, is refused and stays" {
	many | head -n 20 >in.jsonl
	dsdedup -q --index i in.jsonl --to jsonl >/dev/null
	size=$(stat -c %s i)
	for at in 3 17 40 130 140 500 $((size / 2)) $((size - 9)) $((size - 1)); do
		cp i bad
		printf '\377' | dd of=bad bs=1 seek="$at" conv=notrunc status=none
		cmp -s i bad && printf '\376' | dd of=bad bs=1 seek="$at" conv=notrunc status=none
		cp bad kept
		run --separate-stderr dsdedup -q --index bad in.jsonl -o out.dsr
		[ "$status" -ge 1 ] && [ "$status" -le 3 ] && [ "${#stderr_lines[@]}" -eq 1 ]
		[[ $stderr == "dsdedup: bad: "* ]] && [ ! -e out.dsr ]
		cmp bad kept
	done
	for n in 0 1 15 16 100 136 $((size / 3)) $((size - 8)) $((size - 1)); do
		head -c "$n" i >cut
		run -3 --separate-stderr dsdedup -q --index cut in.jsonl -o out.dsr
		[ "$stderr" = "dsdedup: cut: a damaged index" ] && [ ! -e out.dsr ]
	done
	cat i i >twice
	run -3 dsdedup -q --index twice in.jsonl
}

@test "a run with an index that is killed leaves the index as it was" {
	for i in 1 2 3; do many; done >in.jsonl
	head -n 100 in.jsonl | dsdedup -q --index i --to jsonl >/dev/null
	cp i before
	for t in 0.01 0.03 0.06 0.1 0.15 0.2; do
		timeout -s KILL "$t" dsdedup -q --index i in.jsonl -o out.dsr || true
		[ -e out.dsr ] || cmp i before || dsdedup -q --index i in.jsonl -o out.dsr
		dsdedup -q --index i --to jsonl </dev/null
		cp before i
		rm -f out.dsr
	done
}
