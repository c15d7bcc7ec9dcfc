#!/bin/sh
# Model directories as people have them, through dstrain and back into transformers; DS_PEERS_PYTHON is a Python that has it.
python=${DS_PEERS_PYTHON:-python3}
"$python" -c 'import torch, transformers, tokenizers, safetensors' 2>/dev/null || {
	echo "skipped: $python has no torch, transformers, tokenizers and safetensors"
	exit 0
}
here=$(dirname "$0")
rc=0
"$python" "$here/wild_models.py" "$(dirname "$(command -v dstrain)")" || rc=1
keys=$(mktemp)
trap 'rm -f "$keys"' EXIT
"$python" "$here/wild_keys.py" >"$keys" || rc=1
if cmp -s "$keys" "$here/../unit/config_keys.def"; then
	echo "ok: every key of every architecture is expected as this transformers reads it"
else
	echo "not ok: this transformers reads keys otherwise than tests/unit/config_keys.def"
	diff "$keys" "$here/../unit/config_keys.def" | head -n 20
	rc=1
fi
exit $rc
