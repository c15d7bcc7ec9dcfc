#!/bin/sh
# clean.sh - text and articles of HTML beside resiliparse and trafilatura, and the speed of rules, one core each
#
# The peers come from PyPI into build/bench/venv. Pages: $DS_TEST_DATA/html, or a folder named by PAGES.
# dsclean is measured as a program, stream read and written and charset found; the peers only while they
# work on text that is decoded and in memory already. Times are of the processor, the best of five; a ratio over 1
# is in our favour. Asked for: strip 3 times resiliparse and 1000 MB/s, main 3 times resiliparse's and 50 times
# trafilatura's, the default rules 300 MB/s, ten rules more that match rarely at less than twice the time.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
mkdir -p "$out"
data=${DS_TEST_DATA:-../shared/data}/html
truth=
if [ -z "${PAGES:-}" ]; then
	[ -d "$data" ] || { echo "clean.sh: set PAGES to a folder of HTML pages, or DS_TEST_DATA"; exit 0; }
	PAGES=$out/pages
	truth=$data
	mkdir -p "$PAGES"
	for t in "$data"/*-pages.tar.zst; do zstd -dqc "$t" | tar -x -C "$PAGES"; done
fi
[ -x "$out/venv/bin/python" ] || python3 -m venv "$out/venv"
"$out/venv/bin/python" -c 'import resiliparse, trafilatura' 2>/dev/null ||
	"$out/venv/bin/pip" -q install resiliparse trafilatura lxml_html_clean
exec "$out/venv/bin/python" bench/clean.py "$PAGES" "$out" "${BUILD:-build}/bin" "$truth"
