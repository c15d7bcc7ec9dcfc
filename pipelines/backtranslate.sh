#!/usr/bin/env bash
# backtranslate.sh - more training records: each text, and what is left of it after a journey through another language
#
# Usage: backtranslate.sh OUT.dsr FILE…
#
# THERE='apertium -u eng-spa' BACK='apertium -u spa-eng' in the environment: any two commands that print a
# line for each line they read. Run again, it goes on where it was: translations are kept in OUT.dsr.cache.
set -euo pipefail

[ $# -ge 2 ] || {
	sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
out=$1
shift
PATH=${DS_BIN:-$(cd "$(dirname "$0")/.." && pwd)/build/bin}:$PATH
there=${THERE:-apertium -u eng-spa} back=${BACK:-apertium -u spa-eng}
if [ -z "${THERE:-}" ] && ! command -v apertium >/dev/null; then
	echo "backtranslate.sh: apertium is not installed (apertium, apertium-eng-spa): install it, or set THERE and BACK" >&2
	exit 4
fi
# Copies that resemble another record are no gain: the later goes.
dsclean --default "$@" |
	dsaug --backtranslate --translator "$there" --back "$back" --cache "$out.cache" --keep-original |
	dsdedup --threshold 0.95 -z -o "$out"
dsrec log "$out"
