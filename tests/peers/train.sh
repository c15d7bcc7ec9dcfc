#!/bin/sh
# dstrain against PyTorch, transformers and peft; DS_PEERS_PYTHON is a Python that has them.
python=${DS_PEERS_PYTHON:-python3}
"$python" -c 'import torch, transformers, safetensors' 2>/dev/null || {
	echo "skipped: $python has no torch, transformers and safetensors"
	exit 0
}
here=$(dirname "$0")
bin=$(dirname "$(command -v dstrain)")
rc=0
"$python" "$here/train_ops.py" "$bin/../test/test_graph_ops" || rc=1
for what in models torch adapters real; do
	"$python" "$here/train_$what.py" "$bin" || rc=1
done
exit $rc
