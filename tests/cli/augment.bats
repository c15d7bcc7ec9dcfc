#!/usr/bin/env bats
# dsaug as a process: threads, translators that misbehave, the cache

load common
setup() { common_setup; }

eda() { dsaug --swap 0.2 --delete 0.1 -n 3 -q --to jsonl "$@"; }
# aug OPTIONS: translation of three texts, whatever comes back is kept
aug() {
	printf 'one text here\nanother text\n\nthe last\n' |
		dsaug -q --backtranslate --min-chrf 0 --max-chrf 100 --to text --back cat "$@"
}

@test "copies are the same for every -j, for every block size, and for parts of the input" {
	numbered 400 >in.jsonl
	eda -j 1 in.jsonl >1
	eda -j 4 in.jsonl | cmp - 1
	DS_BLOCK=700 eda -j 3 in.jsonl | cmp - 1
	{ head -n 150 in.jsonl | eda; tail -n +151 in.jsonl | eda; } | cmp - 1
	! eda --seed 2 in.jsonl | cmp -s - 1
}

@test "WordNet's synonyms keep the form of the word" {
	[ -f /usr/share/wordnet/index.noun ] || skip "wordnet-base is not installed"
	printf 'the children\n' | dsaug -q --synonym 1 -n 20 --to text | sort -u >out
	grep -qx 'the kids' out && ! grep -qvE 's$|children|people' out
	printf 'she bought\n' | dsaug -q --synonym 1 -n 20 --to text | grep -qx 'she purchased'
	printf 'they were running\n' | dsaug -q --synonym 1 -n 20 --to text >out
	! grep -vE 'ing( |$)' out
}

@test "labels are balanced, and all records stay" {
	for i in 1 2 3 4 5 6 7; do echo "{\"text\":\"some words of record $i here\",\"label\":\"many\"}"; done >in.jsonl
	for i in 1 2 3; do echo "{\"text\":\"a few words of record $i\",\"label\":\"few\"}"; done >>in.jsonl
	dsaug -q --swap 0.1 --label-balance --to jsonl in.jsonl >out
	[ "$(grep -c '"few"' out)" = 7 ] && [ "$(grep -c '"many"' out)" = 7 ]
	dsaug -q --swap 0.1 --label-balance=9 -j 3 --to jsonl in.jsonl >out
	[ "$(grep -c '"few"' out)" = 9 ] && [ "$(grep -c '"many"' out)" = 9 ]
	fails 2 "must be files" dsaug --swap 0.1 --label-balance - <in.jsonl
	# over seams of blocks and threads, bad records between them, the same
	for i in $(seq 200); do
		echo "{\"text\":\"some words of record $i here\",\"label\":$((i % 7 * (i % 3)))}"
		[ $((i % 31)) -gt 0 ] || echo "{"
	done >in.jsonl
	dsaug -q --swap 0.1 --label-balance --on-error skip -j 1 --to jsonl in.jsonl >one
	for block in 512 4096; do
		DS_BLOCK=$block dsaug -q --swap 0.1 --label-balance --on-error skip -j 3 --to jsonl in.jsonl | cmp - one
	done
	[ "$(wc -l <one)" -gt 300 ]
}

@test "a translator gets each sentence once, and lines come back in their places" {
	[ "$(aug --translator 'tr a-z A-Z')" = "$(printf 'ONE TEXT HERE\nANOTHER TEXT\nTHE LAST')" ]
	printf 'See http://a.b/c?d=e for {x}. 12!\nA second  line\n' >doc
	dsaug -q --split file --backtranslate --min-chrf 0 --max-chrf 100 --translator 'tee sent | tr a-z A-Z' \
		--back cat --to text doc >out
	printf 'SEE http://a.b/c?d=e FOR {x}. 12!\nA SECOND  LINE\n\n' | cmp - out
	[ "$(wc -l <sent)" = 2 ]
}

@test "batches, workers and persistent programs give the same" {
	numbered 300 >in.jsonl
	bt() { dsaug -q --backtranslate --min-chrf 0 --max-chrf 100 --any-language --to jsonl --back cat in.jsonl "$@"; }
	bt --translator 'tr e E' -j 1 >1
	[ "$(wc -l <1)" = 300 ]
	bt --translator 'tr e E' --batch 7 --workers 3 | cmp - 1
	bt --translator 'sed -u s/e/E/g' --persistent -j 3 | cmp - 1
}

@test "a translator that misbehaves is tried three times, then quoted" {
	fails 4 "--translator: failed 3 times: exited with 7: oops" aug --translator 'echo x >>n; echo oops >&2; exit 7'
	[ "$(wc -l <n)" = 3 ]
	fails 4 "it printed 1 line for 3" aug --translator 'head -n 1'
	fails 4 "it printed 6 lines for 3" aug --translator 'sed p'
	fails 4 "it printed over" aug --translator yes
	fails 4 "it printed 0 lines for 3" aug --translator 'cat >/dev/null'
	fails 4 "it printed 0 lines for 3" aug --translator true
	fails 4 "no sign of life for 1 s" aug --timeout 1 --translator 'tr a-z A-Z; sleep 60'
	fails 4 "no sign of life for 1 s" aug --timeout 1 --persistent --translator 'tr a-z A-Z'
	fails 4 "lines for 3" aug --persistent --translator 'while read -r l; do printf "%s\n%s\n" "$l" "$l"; done'
	fails 4 "not found" aug --translator no-such-translator
	fails 4 "no sign of life for 1 s" aug --timeout 1 --translator 'sleep 60'
	fails 4 "no sign of life for 1 s: b" aug --timeout 1 --translator 'cat >/dev/null; yes b >&2'
	fails 4 "ended by signal 9" aug --translator 'kill -9 $$'
	fails 4 "it ended before it had answered" aug --persistent --translator 'head -n 1'
	fails 4 "--back: failed 3 times" aug --translator cat --back false
}

@test "a translator that closes its input before all is written, and answers, is believed" {
	seq 1 40000 | sed 's/$/ words of a line/' >in
	dsaug -q --backtranslate --min-chrf 0 --max-chrf 100 --any-language --batch 40000 --back cat --to text \
		--translator 'exec <&-; seq 1 40000 | sed "s/$/ answers to a line/"' in >out
	[ "$(wc -l <out)" = 40000 ] && [ "$(tail -n 1 out)" = "40000 answers to a line" ]
}

@test "one that fails twice is no failure" {
	echo 'n=$(cat n 2>/dev/null); echo "x$n" >n; [ "$n" = xx ] || exit 1; tr a-z A-Z' >flaky
	aug --translator 'sh ./flaky' | grep -qx 'ANOTHER TEXT'
}

@test "answers that are garbage are left out, and so is what is too far, too near or in another language" {
	count() { dsaug --backtranslate --to text "$@" 2>&1 >/dev/null; }
	echo 'the house is very old and stands on the hill above the town' >in
	[[ $(count --translator 'printf "\\377\\376\\n"' --back cat in) == *"1 garbage"* ]]
	[[ $(count --translator 'echo' --back cat in) == *"1 garbage"* ]]
	[[ $(count --translator cat --back cat in) == *"1 too near"* ]]
	[[ $(count --translator 'echo zzz qqq xxx jjj kkk vvv www ppp yyy fff bbb ccc' --back cat in) == *"1 too far"* ]]
	[[ $(count --translator 'echo the' --back cat in) == *"1 length"* ]]
	[[ $(count --min-chrf 0 --translator 'echo la casa es muy vieja y esta en la colina sobre el pueblo' --back cat in) == *"1 language"* ]]
}

@test "the cache answers for the translator, also after it was cut short" {
	one() { aug --cache c --translator "$1"; }
	one 'echo x >>n; tr a-z A-Z' >1
	one 'echo x >>n; tr a-z A-Z' | cmp - 1
	[ "$(wc -l <n)" = 1 ]
	truncate -s -3 c
	one 'echo x >>n; tr a-z A-Z' | cmp - 1
	echo 'something else entirely' >c
	fails 2 "it is no journal" one cat
}

@test "options that do not go together are refused" {
	fails 2 "needs --translator and --back" dsaug --backtranslate --translator cat </dev/null
	fails 2 "go with --backtranslate" dsaug --swap 0.1 --back cat </dev/null
	fails 2 "goes alone" dsaug --backtranslate --translator cat --back cat --swap 0.1 </dev/null
	fails 2 "one answer" dsaug --backtranslate --translator cat --back cat -n 2 </dev/null
}

@test "apertium translates there and back" {
	command -v apertium >/dev/null || skip "apertium is not installed"
	printf 'The house is very big.\nI have two red cars and a dog\n' >in
	dsaug -q --backtranslate --translator 'apertium -u eng-spa' --back 'apertium -u spa-eng' --to text in >out
	[ -s out ] && ! grep -qxFf in out
}

@test "what was done to a record of many texts is told whole" {
	python3 -c 'import json; print(json.dumps({"messages": [{"role": "user", "content": "one two three four five six %d" % i} for i in range(40)]}))' >many.jsonl
	dsaug -q --delete 0.5 --swap 0.3 --field 'messages[].content' --to jsonl many.jsonl >out.jsonl
	python3 -c 'import json; how = json.load(open("out.jsonl"))["aug"].split("; "); assert len(how) > 30 and all(len(h.split()) >= 2 for h in how), how'
}
