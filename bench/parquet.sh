#!/bin/sh
# parquet.sh - Parquet into a stream beside pyarrow's read_table, on the same threads
#
# The files are made here by pyarrow (from PyPI into build/bench/venv; VENV= names a place where it is already): 120,000
# texts of 1 KB with four small columns as zstd, snappy and plain, four million rows of numbers and words, and 60,000
# chats of nested structs. pyarrow reads into memory within one process, after its import; ours is the whole program
# from the file to a stream with checksums. Both in turn, medians of seven; cpu is the processor time of both. Asked
# for: at least 0.8 of pyarrow. Then the same rows written, beside write_table from memory with zstd.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
mkdir -p "$out"
venv=${VENV:-$out/venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import pyarrow, numpy' 2>/dev/null || "$venv/bin/pip" -q install pyarrow numpy
exec "$venv/bin/python" bench/parquet.py "$out" "${BUILD:-build}/bin/dsrec"
