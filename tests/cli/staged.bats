#!/usr/bin/env bats
# dsdedup as four runs over a folder: sign, band, cluster, filter

bats_require_minimum_version 1.5.0

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
	for part in 1 2 3; do
		awk -v part=$part 'BEGIN {
			srand(7)
			for (i = 0; i < 1500; i++) {
				kind = rand()
				if (i && kind < 0.1) t = old[int(rand() * i)]
				else if (i && kind < 0.3) { t = old[int(rand() * i)]; sub(/ w[0-9]+ /, " changed ", t) }
				else { t = "start"; for (k = 0; k < 40; k++) t = t " w" int(rand() * 5000) " and" }
				old[i] = t
				if (int(i / 500) + 1 != part) continue
				id = i % 3 ? "\"id\":\"r" i "\"," : ""
				print "{" id "\"n\":" i % 17 ",\"text\":\"" t "\"}"
			}
			print "{\"title\":\"no text\"}"
		}' >p$part.jsonl
	done
}

staged() { # options of sign; the others from the environment
	rm -rf s
	# shellcheck disable=SC2086 # lists of options
	dsdedup sign -q $1 p1.jsonl p2.jsonl p3.jsonl -o s && dsdedup band $MORE s &&
		dsdedup cluster $MORE s --clusters c2 &&
		dsdedup filter -q s $FILTER p1.jsonl p2.jsonl p3.jsonl --to jsonl >o2
}

# The same options in one run: the same records and clusters.
same() {
	staged "$1"
	# shellcheck disable=SC2086
	dsdedup -q $1 $FILTER p1.jsonl p2.jsonl p3.jsonl --to jsonl >o1
	# shellcheck disable=SC2086
	dsdedup -q $1 $FILTER p1.jsonl p2.jsonl p3.jsonl --clusters c1 --to jsonl >/dev/null
	cmp o1 o2 && cmp c1 c2
	[ "$(wc -l <o2)" -gt 800 ] && [ "$(wc -l <c2)" -gt 100 ]
}

@test "a staged run keeps the same records as one run" {
	same ""
	same "--method exact"
	same "--method simhash --distance 3"
	same "--threshold 0.6 --verify --ngram 3"
	head -n 20 p3.jsonl >evil.jsonl
	same "--against evil.jsonl"
}

@test "it marks, and keeps another than the first, as one run does" {
	FILTER=--mark same ""
	grep -q dup_of o2
	same "--keep longest"
	same "--keep max:n"
}

@test "memory and threads change nothing" {
	staged "" && cp o2 before
	MORE="--memory 1K -j 1" staged "-j 1"
	cmp before o2
	MORE="--memory 100K -j 5" staged "-j 5"
	cmp before o2
	DS_BLOCK=512 staged ""
	diff <(grep -o '"text":"[^"]*' before) <(grep -o '"text":"[^"]*' o2)
}

@test "what is there and whole is not made again" {
	staged ""
	touch -d '2001-01-01' s/*
	dsdedup sign -q p1.jsonl p2.jsonl p3.jsonl -o s && dsdedup band s && dsdedup cluster s
	[ -z "$(find s -type f -newermt 2002-01-01)" ]
	head -c 2000 s/band-00002.dsr >cut && cp cut s/band-00002.dsr
	dsdedup band s
	[ "$(find s -type f -newermt 2002-01-01)" = s/band-00002.dsr ]
}

@test "a stage refuses by name what is cut, unsorted or of other signatures" {
	staged ""
	head -c 2000 s/band-00002.dsr >cut && cp cut s/band-00002.dsr
	rm s/cluster.dsr
	run ! dsdedup cluster s
	[ "$status" = 3 ] && [[ $output == *s/band-00002.dsr* ]]
	cp s/band-00001.dsr s/band-00002.dsr
	run ! dsdedup cluster s
	[ "$status" = 1 ] && [[ $output == *s/band-00002.dsr* ]]
	rm s/band-00002.dsr
	run ! dsdedup cluster s
	[ "$status" = 4 ] && [[ $output == *s/band-00002.dsr* ]]
	dsdedup band s && dsdedup cluster s
	dsdedup sign -q --threshold 0.6 p1.jsonl p2.jsonl -o t
	cp t/sign-00001.dsr s/sign-00001.dsr
	run ! dsdedup band s
	[ "$status" = 1 ] && [[ $output == *s/sign-00001.dsr* ]]
	rm s/sign-00001.dsr
	run ! dsdedup band s
	[ "$status" = 1 ] && [[ $output == *"input 1"* ]]
}

@test "filter wants the records that were signed" {
	staged ""
	run ! dsdedup filter -q s p1.jsonl p2.jsonl --to jsonl
	[ "$status" = 1 ]
	run ! dsdedup filter -q s p2.jsonl p1.jsonl p3.jsonl --to jsonl
	[ "$status" = 1 ] && [[ $output == *"not the one that was signed"* ]]
	run ! dsdedup filter -q s p1.jsonl p2.jsonl p3.jsonl p1.jsonl --to jsonl
	[ "$status" = 1 ]
}

@test "a record that stays comes again by the size of its cluster" {
	for n in 1 2 3 4 5 6 99 100; do
		for ((i = 0; i < n; i++)); do echo "{\"n\":$i,\"text\":\"of $n\"}"; done
	done | shuf --random-source=<(yes) >in.jsonl
	echo '{"title":"no text"}' >>in.jsonl
	dsdedup sign -q --keep max:n in.jsonl -o s && dsdedup band s && dsdedup cluster s --sizes
	copies() { dsdedup filter -q s in.jsonl --to jsonl "$@" >out; for n in 1 2 3 4 5 6 99 100; do grep -c "\"n\":$((n - 1)),.*of $n\"" out; done | tr '\n' ' '; }
	[ "$(copies)" = "1 1 1 1 1 1 1 1 " ]
	[ "$(copies --rehydrate fineweb2)" = "1 2 3 3 5 5 5 8 " ]
	[ "$(grep -c title out)" -eq 1 ] && [ "$(wc -l <out)" -eq 33 ]
	[ "$(copies --rehydrate 4:2,100:1)" = "1 1 1 2 2 2 2 1 " ]
	dsdedup filter s in.jsonl --rehydrate fineweb2 -o o.dsr 2>err
	grep -q ', 24 copies added$' err
	cp out one && DS_BLOCK=256 copies -j 3 --rehydrate fineweb2 >/dev/null
	[ "$(wc -l <out)" -eq 33 ]
}

@test "an input without records goes through all stages, one without texts ends at the first" {
	: >empty.jsonl
	dsdedup sign -q empty.jsonl -o z && dsdedup band z && dsdedup cluster z --sizes --clusters c
	dsdedup filter z empty.jsonl --rehydrate fineweb2 --to jsonl -o out 2>err
	cmp empty.jsonl out
	[[ $(cat err) != *';'[\ ]','* ]]
	[ "$(cat c)" = "$(printf 'cluster\tid')" ]
	printf '{"a":1}\n{"a":2}\n' >no-text.jsonl
	run -1 dsdedup sign -q no-text.jsonl -o y
	[[ $output == *"no record has the field 'text'; there is a"* ]]
}

@test "--rehydrate says what it lacks" {
	echo '{"text":"a"}' >in.jsonl
	dsdedup sign -q in.jsonl -o s && dsdedup band s && dsdedup cluster s
	run -2 dsdedup filter -q s in.jsonl --rehydrate fineweb2
	[[ $output == *'s/cluster.dsr: has no sizes'* ]]
	dsdedup cluster s --sizes
	for rule in x 1 1: :2 2:1,1:2 0:1 1:0 1:1001 1:1, ''; do
		run -2 dsdedup filter -q s in.jsonl --rehydrate "$rule"
		[[ $output == *"--rehydrate '$rule': it is fineweb2, or"* ]]
	done
	run -2 dsdedup filter -q s in.jsonl --rehydrate 1:2 --mark
}

@test "stages that are killed go on where they were" {
	staged "" && cp o2 before
	rm -rf s
	for t in 0.02 0.04 0.06 0.08 0.1 0.15; do
		timeout -s KILL "$t" dsdedup sign -q p1.jsonl p2.jsonl p3.jsonl -o s || true
	done
	dsdedup sign -q p1.jsonl p2.jsonl p3.jsonl -o s
	for t in 0.02 0.04 0.06 0.08; do timeout -s KILL "$t" dsdedup band s || true; done
	dsdedup band s
	for t in 0.01 0.02 0.04; do timeout -s KILL "$t" dsdedup cluster s || true; done
	dsdedup cluster s
	for t in 0.01 0.02 0.04; do timeout -s KILL "$t" dsdedup filter -q s p1.jsonl p2.jsonl p3.jsonl --to jsonl -o o3 || true; done
	dsdedup filter -q s p1.jsonl p2.jsonl p3.jsonl --to jsonl -o o3
	cmp before o3
}

@test "what cannot be read of several inputs is all in one reject file, also when signing goes on" {
	for part in 1 2; do echo "{\"text\":broken $part" >>p$part.jsonl; done
	dsdedup sign -q --on-error reject=bad p1.jsonl p2.jsonl p3.jsonl -o s
	printf '{"text":broken %d\n' 1 2 | cmp - bad
	rm bad s/sign-00001.dsr
	dsdedup sign -q --on-error reject=bad p1.jsonl p2.jsonl p3.jsonl -o s
	printf '{"text":broken %d\n' 1 2 | cmp - bad
	dsdedup band s && dsdedup cluster s && dsdedup filter -q --on-error skip s p1.jsonl p2.jsonl p3.jsonl >out.dsr
}

@test "labels are kept apart as in one run, and counts of both agree" {
	sed -i 's/"n":\([0-9]*\)/"n":\1,"label":\1/' p1.jsonl p2.jsonl p3.jsonl
	same "--keep-labels"
	[ "$(wc -l <o1)" -gt "$(dsdedup -q p1.jsonl p2.jsonl p3.jsonl --to jsonl | wc -l)" ]
	dsdedup -q --keep-labels p1.jsonl --index i >/dev/null
	run -2 --separate-stderr dsdedup -q p1.jsonl --index i
	[[ $stderr == *"made with another --keep-labels" ]]
}
