#!/bin/sh
# chat.sh - conversations against transformers' apply_chat_template; DS_PEERS_PYTHON names a Python with transformers, jinja2
set -eu
python=${DS_PEERS_PYTHON:-python3}
"$python" -c "import transformers, tokenizers, jinja2" 2>/dev/null || {
	echo "skipped: $python has no transformers"
	exit 0
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$(dirname "$0")/chat.py" "$(dirname "$(command -v dstok)")" "$work"
