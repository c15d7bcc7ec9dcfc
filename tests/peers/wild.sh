#!/bin/sh
# wild.sh - web archives, shards and articles beside warcio, FastWARC, resiliparse, webdataset and trafilatura
#
# The peers come from PyPI into build/peers; PYTHON= names one that has them. SEED= repeats a run.
# DS_TEST_DATA: real pages instead of made ones.
set -eu
command -v python3 >/dev/null || { echo "1..0 # skip no python3"; exit 0; }
here=$(dirname "$0")
python=${PYTHON:-${BUILD:-build}/peers/wild/bin/python}
if [ ! -x "$python" ]; then
	python3 -m venv "${BUILD:-build}/peers/wild"
	"${BUILD:-build}/peers/wild/bin/pip" -q install warcio fastwarc resiliparse brotli webdataset trafilatura lxml_html_clean
fi
"$python" -c 'import warcio, fastwarc, resiliparse, brotli, webdataset, trafilatura' 2>/dev/null || { echo "1..0 # skip not all of warcio, fastwarc, resiliparse, brotli, webdataset and trafilatura"; exit 0; }
exec "$python" "$here/wild.py" "${SEED:-1}"
