#!/bin/sh
# charset.sh - which charset a page is in, beside resiliparse: short pages, and pages that are damaged or cut
#
# Short pages are paragraphs of the Debian handbook (the package debian-handbook, or BOOK=) in the charsets that their
# languages had; pages are those of $DS_TEST_DATA, in UTF-8, without what says so, one byte changed, cut anywhere. Prints
# how many come out as they should. The peer comes from PyPI into build/peers; PYTHON= names one that has it.
set -eu
command -v python3 >/dev/null || { echo "1..0 # skip no python3"; exit 0; }
[ -d "${DS_TEST_DATA:-/none}/html" ] || { echo "1..0 # skip DS_TEST_DATA is not set"; exit 0; }
here=$(dirname "$0")
book=${BOOK:-/usr/share/doc/debian-handbook/html}
python=${PYTHON:-${BUILD:-build}/peers/charset/bin/python}
if [ ! -x "$python" ]; then
	python3 -m venv "${BUILD:-build}/peers/charset"
	"${BUILD:-build}/peers/charset/bin/pip" -q install resiliparse
fi
"$python" -c 'import resiliparse' 2>/dev/null || { echo "1..0 # skip no resiliparse"; exit 0; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/pages" "$out/made"
for set in readability trafilatura; do
	zstd -dqc "$DS_TEST_DATA/html/$set-pages.tar.zst" | tar -x -C "$out/pages"
done
"$python" "$here/charset.py" "${BUILD:-build}/bin" "$out/pages" "$book" "$out/made"
