#!/bin/sh
# images.sh - decoding and preparing pictures for a model of 224 x 224: pictures a second, beside Pillow and torchvision
#
# DS_PEERS_PYTHON names a Python with Pillow, numpy and (for the second peer) torch and torchvision; DS_TEST_DATA has the
# photographs, of which JPEGs of 640 x 480 and PNGs of 320 x 240 are made. One thread each, by turns, medians of user time.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
mkdir -p "$out"
# shellcheck disable=SC2046 # the libraries of the programs
prog=${BUILD:-build}/bench/images
make -s "$prog"
"${DS_PEERS_PYTHON:-python3}" bench/images.py "$prog" "${DS_TEST_DATA:?}/images/photos"
