#!/bin/sh
# wild_parquet.sh - Parquet and Arrow beside pyarrow, polars, DuckDB and datasets, both ways
#
# Random tables that pyarrow writes in every encoding, codec, page version and nesting must have the rows that
# pyarrow reads; records that dstools writes must be the same rows in all four. The peers come from PyPI into
# build/peers; PYTHON= names one that has them. Those that are lacking are left out, but for pyarrow. SEED= repeats.
set -eu
command -v python3 >/dev/null || { echo "1..0 # skip no python3"; exit 0; }
here=$(dirname "$0")
python=${PYTHON:-${BUILD:-build}/peers/venv/bin/python}
if [ ! -x "$python" ]; then
	python3 -m venv "${BUILD:-build}/peers/venv"
fi
"$python" -c 'import pyarrow' 2>/dev/null || "$python" -m pip -q install pyarrow polars duckdb datasets || true
"$python" -c 'import pyarrow' 2>/dev/null || { echo "1..0 # skip no pyarrow"; exit 0; }
exec "$python" "$here/wild_parquet.py" "${SEED:-1}"
