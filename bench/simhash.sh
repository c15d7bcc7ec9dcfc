#!/bin/sh
# simhash.sh - all near pairs among ten million SimHash fingerprints
#
# Distance 3, two threads; every pair that was planted within it must be found. N= and DISTANCE= change that.
# Less than 20 s is asked for.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
mkdir -p "$out"
prog=${BUILD:-build}/bench/simhash
make -s "$prog"
"$prog" "${N:-10000000}" "${DISTANCE:-3}"
