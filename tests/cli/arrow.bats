# arrow.bats - Arrow IPC in and out

load common
setup() { common_setup; }

nested() {
	cat <<-'END2'
		{"id":1,"s":"aé","f":1.5,"b":true,"m":[{"role":"user","n":[1,2]},{"role":"tool","n":[]}],"tokens":[1,70000],"embedding":[0.25],"mask":"AAE=","j":1}
		{"id":-2,"s":null,"f":-0.0,"b":null,"m":[],"tokens":[],"embedding":null,"mask":null,"j":"a"}
		{"id":3,"s":"","f":null,"b":false,"m":null,"tokens":null,"embedding":[],"mask":"","j":[1,{"k":null}]}
		{"id":4,"s":"x","f":0.1,"b":false,"m":[{"role":null,"n":null}],"tokens":[7],"embedding":[-1.5,2.0],"mask":"AA==","j":null}
	END2
}

@test "records of every type come back from Arrow files and streams, packed or not" {
	nested >a.jsonl
	local name level
	for name in a.arrow a.arrows a.feather; do
		for level in "" -z; do
			dsrec cat -q $level a.jsonl -o $name
			dsrec cat -q $name --to jsonl | diff a.jsonl -
			cat $name | DS_BLOCK=1 dsrec cat -q -j 3 --to jsonl | diff a.jsonl -
		done
	done
	[ "$(head -c 6 a.arrow)" = ARROW1 ] && [ "$(tail -c 6 a.arrow)" = ARROW1 ]
	dsrec stat -q a.arrow | grep -q '^embedding  *f32\[\]'
	dsrec stat -q a.arrow | grep -q '^mask  *bytes'
}

@test "an Arrow file is recognised by its content, and --columns chooses" {
	nested >a.jsonl
	dsrec cat -q a.jsonl -o a.arrow
	dsrec cat -q a.jsonl -o a.arrows
	cp a.arrow one
	cp a.arrows two
	dsrec cat -q one --to jsonl | diff a.jsonl -
	dsrec cat -q two --to jsonl | diff a.jsonl -
	dsrec cat -q --columns s,id one --to jsonl | head -n 1 | diff <(printf '{"s":"aé","id":1}\n') -
	fails 2 "none of id, s" dsrec cat -q --columns nope one
}

@test "an Arrow file or stream that is cut anywhere is damage" {
	nested >a.jsonl
	local n size name
	for name in a.arrow a.arrows; do
		dsrec cat -q a.jsonl -o $name
		size=$(stat -c %s $name)
		for ((n = 1; n < size - 8; n += 101)); do
			head -c "$n" $name >cut
			run dsrec import -q --from arrow cut -o out.dsr
			[ "$status" -eq 3 ] || { echo "$name: $n of $size bytes: $status $output"; return 1; }
		done
	done
	[ ! -e out.dsr ]
}

@test "many batches, the same bytes for every -j" {
	numbered 150000 >a.jsonl
	dsrec cat -q -j 1 a.jsonl -o 1.arrow
	dsrec cat -q -j 3 a.jsonl -o 3.arrow
	cmp 1.arrow 3.arrow
	dsrec cat -q 3.arrow --to jsonl | cmp <(dsrec cat -q a.jsonl --to jsonl) -
}

@test "files that are no Arrow, and Feather's first version, are named" {
	printf 'FEA1 and more than that' >a.feather
	fails 1 "Feather version 1" dsrec cat -q a.feather -o out.dsr
	printf '{"a":1}\n' >b.arrow
	run dsrec cat -q b.arrow -o out.dsr
	[ "$status" -eq 3 ]
}
