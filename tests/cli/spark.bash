# spark.bash - what the tests of pipelines/spark share

spark_setup() {
	common_setup
	prepare=$ROOT/pipelines/spark/prepare.sh
	export DS_BIN=${BUILD:-$ROOT/build}/bin
	[ -n "${JAVA_HOME-}" ] || command -v java >/dev/null || skip "no java: apt-get install openjdk-17-jre-headless"
	export DS_PYSPARK=${DS_PYSPARK:-${XDG_CACHE_HOME:-$HOME/.cache}/dstools/pyspark}
	[ -x "$DS_PYSPARK/bin/spark-submit" ] || skip "no pyspark in $DS_PYSPARK: pipelines/spark/prepare.sh installs it when it is first run"
	mkdir in
	near_duplicates 1200 5 | split -l 300 -d -a 1 --additional-suffix=.jsonl - in/part-
	: >in/part-4.jsonl # an empty shard
	echo '{"id":"nothing","text":" "}' >in/part-5.jsonl
}

# A chain without sizes in bytes, which depend on how records lie in blocks.
chain() { dsrec log --json "$@" | sed 's/"bytes_[a-z]*":[0-9]*,//g; s/,"bytes_out":[0-9]*}/}/g; s/,{"program":"dsrec"[^}]*}//'; }

# same ONE FILE...: all records of FILEs are those of ONE, in its order, and so are provenance and counts
same() {
	local one=$1
	shift
	cmp <(dsrec cat -q --to jsonl "$one") <(dsrec cat -q --to jsonl "$@")
	dsrec cat -q "$@" -o all.dsr
	diff <(chain "$one") <(chain all.dsr)
}

# killed_once PROGRAM WHOM: the first run of the program, and of each of its steps, on each shard ends WHOM ($$, $PPID) by SIGKILL
killed_once() {
	mkdir -p bin tried
	for p in "$DS_BIN"/*; do [ -e "bin/${p##*/}" ] || ln -s "$p" bin/; done
	rm "bin/$1"
	cat >"bin/$1" <<-END
		#!/bin/sh
		mark=\$(echo "\$*" | grep -o 'exchange [a-z]* .*--shard [0-9]*\\|clean-[0-9]*\\|part-[0-9]*' | head -n 1 | tr ' ' -)
		if [ -n "\$mark" ] && mkdir "$PWD/tried/$1-\$mark" 2>/dev/null; then
			echo half >"$PWD/half"
			kill -KILL $2
			sleep 60
		fi
		exec "$DS_BIN/$1" "\$@"
	END
	chmod +x "bin/$1"
}

# Nothing but whole shards and the table.
no_trace() { [ -z "$(find "$1" -mindepth 1 ! -name 'part-?????.dsr' ! -name shards.tsv)" ] && [ -z "$(find "$TMPDIR" -maxdepth 1 -name 'dstools-*')" ]; }
