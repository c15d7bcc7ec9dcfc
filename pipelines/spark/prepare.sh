#!/usr/bin/env bash
# prepare.sh - clean, deduplicate and tokenize many shards on Apache Spark
#
# Usage: prepare.sh [--master URL] [--clean 'OPTIONS'] [--dedup 'OPTIONS'] [--tok 'OPTIONS'] IN_DIR OUT_DIR
#
#   --master URL       local[N], local-cluster[N,CORES,MB], spark://HOST:PORT, yarn, k8s://...; default: all cores here
#   --clean OPTIONS    of dsclean, as one word
#   --dedup OPTIONS    of dsdedup sign: what is alike, --keep, --against
#   --tok OPTIONS      dstok comes last, with these options ('' for none); without --tok the records keep their text
#   --partitions N     of keys and pairs; default: by the number of records. It changes no record
#   --fetch CMD        inputs come by CMD FROM TO instead of a mounted path: 'hadoop fs -get', 'aws s3 cp'
#   --store CMD        and outputs go by CMD FROM TO: 'hadoop fs -put -f', 'aws s3 cp'
#   --list CMD         where IN_DIR is no folder here: CMD IN_DIR prints a shard a line, its last word the name
#   --conf KEY=VALUE   for Spark; may be given again
#   -q                 say nothing unless something is wrong
#
# Each file of IN_DIR is a shard (whatever dsclean reads); what stays of the Nth is OUT_DIR/part-NNNNN.dsr, and
# OUT_DIR/shards.tsv says what became of each. The records, their provenance and its counts are those of
# `dsclean IN_DIR/* | dsdedup`. A shard that is damaged is left out and named, and the exit status is that of its
# program; the others go on. After an interruption the same command goes on where it was (not with --store).
#
# Needs Java 17 (openjdk-17-jre-headless). PySpark is installed once into $XDG_CACHE_HOME/dstools/pyspark, or
# DS_PYSPARK names a virtual environment that has it. dstools' programs are those of DS_BIN, this tree or the PATH, on every machine.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
VERSION=3.5.5
fail() {
	echo "prepare.sh: $2" >&2
	exit "$1"
}
case "${1-}" in
-h | --help)
	sed -n '2,25s/^# \{0,1\}//p' "$0"
	exit 0
	;;
'')
	sed -n '2,25s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac

bin=${DS_BIN:-$here/../../build/bin}
[ -x "$bin/dsdedup" ] || bin=$(dirname "$(command -v dsdedup || echo /none/dsdedup)")
[ -x "$bin/dsdedup" ] || fail 4 "no dsdedup: build it with make, or name its folder in DS_BIN"
bin=$(cd "$bin" && pwd)
if [ -n "${JAVA_HOME-}" ]; then java=$JAVA_HOME/bin/java; else java=$(command -v java || true); fi
[ -x "$java" ] || fail 4 "no java: apt-get install openjdk-17-jre-headless"

spark=${DS_PYSPARK:-${XDG_CACHE_HOME:-$HOME/.cache}/dstools/pyspark}
has_pyspark() { "$spark/bin/python" -c 'import pyspark' 2>/dev/null; }
if ! has_pyspark; then
	[ -z "${DS_PYSPARK-}" ] || fail 4 "$DS_PYSPARK: no virtual environment with pyspark"
	mkdir -p "$(dirname "$spark")"
	exec 9>"$spark.lock"
	flock 9 # two runs at once install it once
	if ! has_pyspark; then
		echo "prepare.sh: installing pyspark $VERSION into $spark (300 MB, once)" >&2
		{ python3 -m venv "$spark" && "$spark/bin/python" -m pip install -q --disable-pip-version-check "pyspark==$VERSION"; } \
			>"$spark.log" 2>&1 || fail 4 "pyspark cannot be installed: $(tail -n 1 "$spark.log")"
	fi
	exec 9>&-
fi

# What Spark says goes to a log, of which a failure shows the end; what we say comes by descriptor 3.
log=$(mktemp "${TMPDIR:-/tmp}/dstools-spark.XXXXXX")
trap 'rm -f "$log"' EXIT
rc=0
DS_BIN=$bin "$spark/bin/python" "$here/prepare.py" "$@" 3>&2 2>"$log" || rc=$?
if [ $rc -gt 4 ] || { [ $rc = 1 ] && grep -q '^Traceback' "$log"; }; then
	grep -v '^[[:space:]]*$' "$log" | tail -n 20 >&2
	fail 4 "Spark ended with $rc"
fi
exit $rc
