#!/bin/sh
# datasets.sh - the Python package as pip installs it, and record streams as Hugging Face datasets, by it and by Parquet
#
# PYTHON: one with datasets; a virtual environment is made beside it for the package.
set -eu
PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'import datasets' 2>/dev/null || { echo "datasets.sh: skipped: $PYTHON has no datasets"; exit 0; }
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cp -r "$here/python" package
"$PYTHON" -m pip install -q --target site ./package --no-deps || { echo "datasets.sh: pip install failed"; exit 1; }
awk 'BEGIN { for (i = 0; i < 2000; i++) printf "{\"id\":%d,\"text\":\"record %d, \\u4e2d\\u6587\",\"score\":%d.5,\"tokens\":[%d,%d]}\n", i, i, i, i, i + 1 }' |
	dsrec import -q -o a.dsr
dsrec export -q a.dsr -o a.parquet
HF_HOME=$dir/hf PYTHONPATH=$dir/site "$PYTHON" - <<'END'
import dsr, datasets
datasets.disable_progress_bars()
ours = dsr.dataset("a.dsr")
theirs = datasets.load_dataset("parquet", data_files="a.parquet", split="train")
assert len(ours) == len(theirs) == 2000
for i in (0, 7, 1999):
    assert ours[i] == theirs[i], (ours[i], theirs[i])
print("datasets.sh: 2000 records alike by dsr.dataset and by Parquet, datasets", datasets.__version__)
END
