#!/bin/sh
# images.sh - pictures, CLIP and ViT against Pillow and transformers, where DS_PEERS_PYTHON has them, torch and safetensors
set -eu
python=${DS_PEERS_PYTHON:-python3}
"$python" -c "import numpy, PIL, torch, transformers, safetensors" 2>/dev/null || {
	echo "skipped: $python has no Pillow, torch or transformers"
	exit 0
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$(dirname "$0")/images.py" "$(dirname "$(command -v dsgen)")" "$work"
