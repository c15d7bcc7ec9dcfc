#!/bin/sh
# step.sh - the speed of a training step against oneDNN's own on the same matrix products
#
# Two small decoders and GPT-2 124M, fp32 and bf16, two threads (THREADS= another number). The last number
# of each is the step's flops a second, optimizer and all, over those that oneDNN reaches on the step's
# products alone; at least 0.60 is asked for. DS_PROFILE=1 adds a table of where the time goes.
set -eu
cd "$(dirname "$0")/.."
make -s all
out=${BUILD:-build}/bench
mkdir -p "$out"
prog=${BUILD:-build}/bench/step
make -s "$prog"
threads=${THREADS:-2}
"$prog" 4 256 4 8192 8 256 "$threads" 15 0
"$prog" 6 384 6 8192 4 512 "$threads" 9 0
"$prog" 12 768 12 50257 4 64 "$threads" 5 0
"$prog" 12 768 12 50257 4 64 "$threads" 9 1
"$prog" 12 768 12 50257 1 1024 "$threads" 7 1
