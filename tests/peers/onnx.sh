#!/bin/sh
# onnx.sh - dsexport against ONNX Runtime; DS_PEERS_PYTHON names a Python with numpy, onnx, onnxruntime
set -eu
python=${DS_PEERS_PYTHON:-python3}
"$python" -c "import numpy, onnx, onnxruntime" 2>/dev/null || {
	echo "skipped: $python has no onnxruntime"
	exit 0
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$(dirname "$0")/onnx_runtime.py" "$(dirname "$(command -v dsexport)")" "$work"
