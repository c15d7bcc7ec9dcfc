# damage.bats - what is packed and damaged gives what is whole before it, and the run ends with 3

load common
setup() {
	common_setup
	numbered 4000 >a.jsonl
	half gzip -c a.jsonl >cut.jsonl.gz
	half zstd -qc a.jsonl >cut.jsonl.zst
	printf '{"text":"the last file"}\n' >last.jsonl
}

# half COMMAND...: the first half of what it prints
half() { "$@" >whole; head -c $(($(stat -c %s whole) / 2)) whole; }
# begins OUT: its lines but the last are those that a.jsonl begins with, some but not all; the last is last.jsonl's
begins() {
	local n
	n=$(($(wc -l <"$1") - 1))
	[ "$n" -gt 100 ] && [ "$n" -lt 4000 ] || { echo "$n lines"; return 1; }
	diff <(dsrec import -q --to jsonl a.jsonl | head -n "$n"; cat last.jsonl) "$1" >differ || { head -3 differ; return 1; }
}

@test "a shard that is cut gives its whole records, with --on-error and with --salvage" {
	local f how
	for f in cut.jsonl.gz cut.jsonl.zst; do
		fails 3 "$f: input ended early" dsrec cat "$f" last.jsonl -o no
		[ ! -e no ]
		for how in "--on-error skip" "--on-error reject=rejected" --salvage; do
			rm -f o.jsonl
			# shellcheck disable=SC2086 # two words
			fails 3 "$f: input ended early" dsrec import --to jsonl "$f" last.jsonl $how -o o.jsonl
			begins o.jsonl
			DS_BLOCK=700 dsrec import -q -j 3 --to jsonl "$f" last.jsonl $how 2>err | cmp - o.jsonl
			[ "$(wc -l <err)" = 1 ]
		done
		fails 3 "bytes were lost" dsrec import "$f" last.jsonl --salvage -o o.dsr
		dsrec log o.dsr | grep -q 'bytes lost [0-9,]*, inputs cut short 1'
		dsrec check -q o.dsr
	done
	fails 3 "2 inputs are damaged" dsrec cat --salvage cut.jsonl.gz cut.jsonl.zst -o o.dsr
}

@test "every program goes on after it and ends with 3" {
	local run
	for run in "dsclean -o o" "dsdedup -o o" "dsaug --swap 0.5 -o o" "dstok -o o" "dsrec cat -o o" "dsrec shuf -o o" \
		"dsrec head -n 99999 -o o" "dstok count" "dsrec stat" "dsrec view --lines 99999" "dstok train -V 300 -o o" "dsrec export --to wds -o o"; do
		rm -f o
		# shellcheck disable=SC2086 # words
		fails 3 "input ended early" $run cut.jsonl.gz --salvage
		[[ $run != *" -o o"* ]] || [ -s o ]
		fails 3 "input ended early" $run cut.jsonl.zst --on-error skip
	done
}

@test "bytes that changed are found, and what came of them is counted" {
	python3 - <<-'END'
		for name in "gz", "zst":
		    import subprocess
		    b = bytearray(subprocess.run(["gzip" if name == "gz" else "zstd", "-c", "a.jsonl"], capture_output=True).stdout)
		    b[len(b) // 2] ^= 0x55
		    open("flip.jsonl." + name, "wb").write(b)
	END
	for f in flip.jsonl.gz flip.jsonl.zst; do
		fails 3 "$f: " dsrec import --to jsonl "$f" --salvage -o o.jsonl
		head -n 500 o.jsonl | cmp - <(dsrec import -q --to jsonl a.jsonl | head -n 500)
		fails 3 "$f: " dsrec import "$f" --on-error skip -o o.dsr
		dsrec log o.dsr | grep -q 'inputs cut short 1'
	done
	cp a.jsonl b.jsonl.gz
	fails 3 "named .gz" dsrec import --to jsonl b.jsonl.gz last.jsonl --on-error skip -o o.jsonl
	diff o.jsonl last.jsonl
}

@test "formats whose end is missing give their whole records" {
	dsrec export -q --to wds a.jsonl -o a.tar
	head -c 100000 a.tar >cut.tar
	fails 3 "ended early" dsrec import --to jsonl cut.tar --on-error skip -o o.jsonl
	[ "$(wc -l <o.jsonl)" -gt 30 ]
	dsrec export -q --to json a.jsonl | head -c 5000 >cut.json
	fails 3 "ended early" dsrec import --to jsonl cut.json --salvage -o o.jsonl
	[ "$(wc -l <o.jsonl)" -gt 30 ]
	DS_BLOCK=9000 dsrec import -q a.jsonl -o all.dsr
	half gzip -c all.dsr >cut.dsr.gz
	fails 3 "salvaged" dsrec cat --salvage cut.dsr.gz -o o.dsr
	[ "$(dsrec cat -q --to jsonl o.dsr | wc -l)" -gt 100 ]
	mkdir d
	printf '<p>one page of a site that was packed and cut' | gzip | head -c 30 >d/a.html.gz
	printf '<p>two' >d/b.html
	fails 3 "ended early" dsrec import --to jsonl d --on-error skip -o o.jsonl
	[ "$(cat o.jsonl)" = '{"text":"<p>two","source":"d/b.html"}' ]
}
