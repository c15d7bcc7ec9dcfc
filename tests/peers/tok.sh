#!/bin/sh
# tok.sh - ids and decoded text equal those of Hugging Face's tokenizers, on random and adversarial texts
#
# tokenizers trains a small tokenizer of every kind of normalizer, pre-tokenizer, model, post-processor,
# decoder and added token; both then encode the same texts, with special tokens found and not, and decode
# the same ids. The peer comes from PyPI into build/peers; PYTHON= names one that has it. SEED= repeats a run.
set -eu
command -v python3 >/dev/null || { echo "1..0 # skip no python3"; exit 0; }
here=$(dirname "$0")
python=${PYTHON:-${BUILD:-build}/peers/venv/bin/python}
if [ ! -x "$python" ]; then
	python3 -m venv "${BUILD:-build}/peers/venv"
	"${BUILD:-build}/peers/venv/bin/pip" -q install tokenizers
fi
"$python" -c 'import tokenizers' 2>/dev/null || { echo "1..0 # skip no tokenizers"; exit 0; }
exec "$python" "$here/tok.py" "${SEED:-1}"
