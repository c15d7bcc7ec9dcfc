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
"${CC:-gcc}" -std=gnu11 -D_GNU_SOURCE -O2 -g -Ilib bench/simhash.c "${BUILD:-build}/libds.a" \
	-Wl,--as-needed -lxxhash -lzstd -lz -lpthread -lm -lstdc++ -o "$out/simhash"
"$out/simhash" "${N:-10000000}" "${DISTANCE:-3}"
