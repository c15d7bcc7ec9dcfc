#!/usr/bin/env bash
# aug.sh - words changed as nlpaug does, one core each; back-translation against the translator alone
#
# nlpaug (from PyPI into build/bench/venv) gives synonyms from the same WordNet files, swaps and deletes, a tenth
# of the words each; its tagger's model is not in PyPI, so that one is trained on tags made from words' endings.
# Texts are sentences of $DS_TEST_DATA/sentiment, or lines of CORPUS. Records a second are of user and system
# time, best of three. The translator is apertium there and back, all sentences in one run, by the clock, medians.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$ROOT"
make -s all
out=${BUILD:-build}/bench
mkdir -p "$out"
data=${DS_TEST_DATA:-../shared/data}
if [ -n "${CORPUS:-}" ]; then
	cp "$CORPUS" "$WORK/text"
elif [ -d "$data/sentiment" ]; then
	zstd -dqc "$data"/sentiment/en_rt-polarity.*.zst >"$WORK/text"
else
	echo "aug.sh: set CORPUS to a text of some thousand lines, or DS_TEST_DATA"
	exit 0
fi
if [ ! -x "$out/venv/bin/python" ]; then
	python3 -m venv "$out/venv"
fi
"$out/venv/bin/python" -c 'import nlpaug, nltk' 2>/dev/null || "$out/venv/bin/pip" -q install nlpaug nltk
"$out/venv/bin/python" bench/aug.py "$WORK"

command -v apertium >/dev/null || { echo "apertium is not installed: nothing to translate with"; exit 0; }
# Sentences as dsaug sends them, each with a stop at its end.
head -n "${LINES_BT:-4000}" "$WORK/text" | sed 's/ \.$/./; /[.!?]$/! s/$/./' >"$WORK/lines"
bytes=$(wc -c <"$WORK/lines")
export RUNS=${RUNS_BT:-3}
for j in 1 2; do
	against "back-translation, $j worker(s), kB/s" $((bytes * 1000)) \
		"dsaug -q --workers $j --batch 2000 --backtranslate --translator 'apertium -u eng-spa' --back 'apertium -u spa-eng' --to text '$WORK/lines' >/dev/null" \
		"apertium -u eng-spa <'$WORK/lines' | apertium -u spa-eng >/dev/null"
done
