#!/usr/bin/env bats
# --field: paths into records, and what happens where nothing is at their end

load common
setup() {
	common_setup
	cat >chat.jsonl <<-'END'
		{"id":1,"messages":[{"role":"user","content":"one two three four five six"},{"role":"assistant","content":null,"n":1.50}]}
		{"id":2,"messages":[{"role":"user","content":[{"type":"text","text":"one two three four five six"},{"type":"image_url","image_url":{"url":"u"}}]}]}
		{"id":3,"meta":{"text":"seven"}}
	END
	printf '{"question":"who is it","answer":"nobody"}\n{"question":"why","answer":"so"}\n' >other.jsonl
}

@test "where no record has the field, every program ends with 1 and names those there are" {
	for run in dsclean "dsclean --pii mask" dsdedup "dsdedup --scope line" "dsaug --swap 0.5" dstok "dstok --offsets" "dstok --seq 8" "dstok count" \
		"dstok train -V 300 -o t" "dsrec export --to text" "dsrec stat --field text" "dsdedup --keep longest"; do
		fails 1 "no record has the field 'text'; there are question, answer (--field names another)" $run other.jsonl
	done
	fails 1 "no record has the field 'a.b'" dsdedup --field a.b other.jsonl
	fails 1 "no record has the field 'score'; there are" dsdedup --field question --keep max:score other.jsonl
	fails 1 "no record has the field 'pred'; there are question, answer" dseval bleu other.jsonl
	fails 1 "messages[].role, messages[].content" dsdedup chat.jsonl
	! [ -e t ]
	dsdedup other.jsonl -o out.dsr 2>/dev/null || true
	! [ -e out.dsr ]
	: >empty.jsonl
	dsdedup -q empty.jsonl -o out.dsr
}

@test "where no record has a field, the threads and the seams of blocks say the same" {
	numbered 3000 | sed 's/"text"/"body"/' >many.jsonl
	for j in 1 3; do
		DS_BLOCK=512 run -1 --separate-stderr dsdedup -j $j many.jsonl -o out.dsr
		[ "$stderr" = "dsdedup: no record has the field 'text'; there are id, body, label (--field names another)" ]
	done
	echo '{"text":"one"}' >>many.jsonl
	DS_BLOCK=512 dsdedup -j 3 many.jsonl -o out.dsr 2>err
	grep -q '3,000 without text' err
	dsrec log out.dsr | grep -q 'without text'
}

@test "a path leads into values: counted, compared and encoded" {
	[ "$(dstok count -q --field 'messages[].content' chat.jsonl --json | grep -o '"records":[0-9]*')" = '"records":2' ]
	dsdedup --field 'messages[].content' chat.jsonl --to jsonl 2>err >out
	[ "$(wc -l <out)" -eq 2 ]
	grep -q '1 without messages' err
	[ "$(dstok -q --field meta.text chat.jsonl | dstok decode -q --to text | tail -n 1)" = seven ]
	[ "$(dsrec export -q --to text --field meta.text chat.jsonl | tail -n 1)" = seven ]
	dsrec stat --field 'messages[0].role' chat.jsonl --to tsv | grep -q '^field.messages\[0\].role.present.2$'
	dsrec split -q --by 1,1 --field 'messages[].content' chat.jsonl -o a.jsonl,b.jsonl
	[ "$(cat a.jsonl b.jsonl | wc -l)" -eq 3 ]
	fails 2 "--field a..b" dsdedup --field a..b chat.jsonl
	fails 2 "--split cuts one column" dsdedup --split line --field meta.text chat.jsonl
}

@test "several fields are one text, in their order" {
	printf '{"a":"x","b":"y"}\n{"a":"y","b":"x"}\n{"a":"x","b":"y","c":1}\n{"a":"x"}\n' >two.jsonl
	[ "$(dsrec export -q --to text --field b --field a two.jsonl | head -n 2)" = $'y\nx' ]
	[ "$(dsdedup -q --field a --field b two.jsonl --to jsonl | wc -l)" -eq 3 ]
	[ "$(dsdedup -q --field a two.jsonl --to jsonl | wc -l)" -eq 2 ]
	dsdedup -q --field a --field b two.jsonl -o o.dsr
	dsrec log o.dsr | grep -q -- '--field=a --field=b'
	dsdedup -q --field text two.jsonl -o o.dsr 2>/dev/null || true
	printf '{"text":"x"}\n' | dsdedup -q --field text -o o.dsr
	! dsrec log o.dsr | grep -q -- '--field'
}

@test "what is cut or changed within a value leaves the rest of it as it was" {
	printf '%s\n' '{"m":[{"v":"same\nown","n":1.50,"z":null},{"n":2e3,"v":"other"}]}' \
		'{"m":[{"v":"same\nmore","e":"caf\u00e9"}]}' '{"m":[{"v":"same"}]}' >v.jsonl
	dsdedup -q --scope line --field 'm[].v' v.jsonl --to jsonl >out
	cat >want <<-'END'
		{"m":[{"v":"same\nown","n":1.50,"z":null},{"n":2e3,"v":"other"}]}
		{"m":[{"v":"more","e":"caf\u00e9"}]}
	END
	diff want out
	printf '{"m":[{"v":"one two three four","n":1.50,"z":null},{"v":"x"}]}\n' >w.jsonl
	dsaug -q --swap 0.5 --field 'm[].v' w.jsonl --to jsonl >out
	grep -q '"n":1.50,"z":null},{"v":"x"}\]' out
	grep -q '"aug":"swap' out
	! grep -q 'one two three four' out
}

@test "lines are cut out of records beside bad ones, and of texts in columns of several types" {
	printf '{"text":"a\\nb\\na"}\n{"text":5}\n{"text":"b\\nc"}\n' |
		dsdedup -q --scope line --on-error skip --to jsonl >out
	diff - out <<-'END'
		{"text":"a\nb"}
		{"text":"c"}
	END
}

@test "--against finds the text of the other file, or says which to name" {
	printf 'one two three four five six seven eight nine ten eleven twelve thirteen fourteen\nshort\n' >in.txt
	printf '{"id":"q1","question":"one two three four five six seven eight nine ten eleven twelve thirteen"}\n' >one.jsonl
	[ "$(dsdedup -q --against one.jsonl in.txt --to text)" = short ]
	sed 's/"id":"q1"/"answer":"no"/' one.jsonl >two.jsonl
	fails 1 "no record has the field 'text'; there are answer, question (--against-field names another)" \
		dsdedup --against two.jsonl in.txt
	[ "$(dsdedup -q --against two.jsonl --against-field question in.txt --to text)" = short ]
	printf '{"turns":[{"v":"one two three four five six seven eight nine ten eleven twelve thirteen"}]}\n' >nest.jsonl
	[ "$(dsdedup -q --against nest.jsonl --against-field 'turns[].v' in.txt --to text)" = short ]
}

@test "chats are cleaned in each text and judged as a whole" {
	cat >t.jsonl <<-'END'
		{"id":1,"conversations":[{"from":"human","value":"write to a.b@example.org  now ","w":1.50},{"from":"gpt","value":null},{"from":"gpt","value":"caf\u00e9"}]}
		{"id":2,"conversations":[{"from":"human","value":""},{"from":"gpt","value":""}]}
		{"id":3,"conversations":[{"value":"short"},{"value":"spam here"}]}
	END
	f=(-q --to jsonl --field 'conversations[].value')
	dsclean "${f[@]}" --default --pii mask t.jsonl >out
	head -n 1 out | cmp - <(sed -n 's/a\.b@example.org  now /[email] now/p' t.jsonl)
	[ "$(wc -l <out)" -eq 2 ]
	[ "$(dsclean "${f[@]}" --min-chars 12 t.jsonl | wc -l)" -eq 2 ]
	[ "$(dsclean "${f[@]}" --drop-regex spam t.jsonl | wc -l)" -eq 2 ]
	dsclean "${f[@]}" --utf8 fix t.jsonl | cmp - t.jsonl
	[ "$(dsclean "${f[@]}" --lower t.jsonl | dsclean "${f[@]}" --lower | sha256sum)" = "$(dsclean "${f[@]}" --lower t.jsonl | sha256sum)" ]
	dsclean "${f[@]}" --tag --min-chars 12 t.jsonl | grep -c '"rejected":"min-chars"' | grep -qx 1
	printf '{"title":"A  b","body":"C  d","n":1}\n' >two.jsonl
	[ "$(dsclean -q --to jsonl --field title --field body --space two.jsonl)" = '{"title":"A b","body":"C d","n":1}' ]
	fails 1 "no record has the field 'label'" dsclean --labels sentiment two.jsonl
}
