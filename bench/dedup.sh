#!/bin/sh
# dedup.sh - near duplicates of the same texts with the same permutations, bands and shingles, one core each
#
# The peers come from PyPI into build/bench/venv: rensa with its full MinHash, gaoya, datasketch and datatrove, of which
# the last two only see 600 of the texts. Then once more with everyone's defaults. The corpus is sentences of
# $DS_TEST_DATA/en, or of a text named by CORPUS, in a random order, with changed copies in between: a fiftieth of the
# words inserted in front, appended, dropped in a row, replaced here and there (a Jaccard index of about 0.82), or the
# halves exchanged. Times are of the processor, the best of three; a ratio over 1 is in our favour.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
mkdir -p "$out"
data=${DS_TEST_DATA:-../shared/data}
[ -n "${CORPUS:-}" ] || { [ -d "$data/en" ] && zstd -dqc "$data"/en/*utf8*.zst "$data"/en/*ascii*.zst >"$out/english.txt"; } ||
	{ echo "dedup.sh: set CORPUS to a text of some MB, or DS_TEST_DATA"; exit 0; }
# VENV= is a place where they are already; DATATROVE=0 leaves that one out.
venv=${VENV:-$out/venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import rensa, gaoya, datasketch' 2>/dev/null ||
	"$venv/bin/pip" -q install rensa gaoya datasketch
[ "${DATATROVE:-1}" = 0 ] || "$venv/bin/python" -c 'import datatrove, spacy' 2>/dev/null ||
	"$venv/bin/pip" -q install 'datatrove[processing]' spacy
exec "$venv/bin/python" bench/dedup.py "${CORPUS:-$out/english.txt}" "$out" "${BUILD:-build}/bin/dsdedup"
