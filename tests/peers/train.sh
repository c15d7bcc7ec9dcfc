#!/bin/sh
# dstrain against PyTorch and transformers; DS_PEERS_PYTHON is a Python that has them.
python=${DS_PEERS_PYTHON:-python3}
"$python" -c 'import torch, transformers, safetensors' 2>/dev/null || {
	echo "skipped: $python has no torch, transformers and safetensors"
	exit 0
}
exec "$python" "$(dirname "$0")/train_torch.py" "$(dirname "$(command -v dstrain)")"
