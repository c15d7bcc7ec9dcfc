#!/bin/sh
# dedup.sh - near duplicates of the same texts with the same permutations, bands and shingles, one core each
#
# The peers come from PyPI into build/bench/venv (rensa with its full MinHash, and datasketch, which only
# sees a twentieth of the texts). The corpus is made by repeating nothing: sentences of $DS_TEST_DATA/en, or of
# a text named by CORPUS, in a random order, with copies and changed copies in between. Times are of
# the processor, the best of three; a ratio over 1 is in our favour.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
mkdir -p "$out"
data=${DS_TEST_DATA:-../shared/data}
[ -n "${CORPUS:-}" ] || { [ -d "$data/en" ] && zstd -dqc "$data"/en/*utf8*.zst "$data"/en/*ascii*.zst >"$out/english.txt"; } ||
	{ echo "dedup.sh: set CORPUS to a text of some MB, or DS_TEST_DATA"; exit 0; }
[ -x "$out/venv/bin/python" ] || python3 -m venv "$out/venv"
"$out/venv/bin/python" -c 'import rensa, datasketch' 2>/dev/null || "$out/venv/bin/pip" -q install rensa datasketch
exec "$out/venv/bin/python" bench/dedup.py "${CORPUS:-$out/english.txt}" "$out" "${BUILD:-build}/bin/dsdedup"
