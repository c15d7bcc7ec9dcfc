#!/usr/bin/env bash
# Trains the built-in tokenizer and writes lib/text/tok/builtin_data.c, from what openly licensed packages
# carry: the Debian Administrator's Handbook in English and Chinese (debian-handbook), the reference, the
# policy and the developers' reference (debian-reference-en, debian-policy, developers-reference), every other
# entry of the Collaborative International Dictionary of English with its quotations (dict-gcide), and the
# headers of the kernel and the C library (linux-libc-dev, libc6-dev). The handbook counts twice in English
# and ten times in Chinese, since there is less of it.
set -euo pipefail
cd "$(dirname "$0")/.."
book=/usr/share/doc/debian-handbook/html
for p in debian-handbook debian-reference-en debian-policy developers-reference dict-gcide; do
	[ -d "/usr/share/doc/$p" ] || { echo "builtin-tokenizer: apt-get install $p" >&2; exit 1; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PATH=$PWD/build/bin:$PATH
LC_ALL=C

dsclean -q "$book"/en-US/*.html --to text >"$tmp/en.txt"
dsclean -q "$book"/zh-CN/*.html "$book"/zh-TW/*.html --to text >"$tmp/zh.txt"
dpkg -L debian-reference-en debian-policy developers-reference | grep '\.html$' |
	grep -vE '\.(de|fr|ja|it|es|pt|ru|zh|id|pl)[-._a-zA-Z]*html|/(de|fr|ja|it|ru|es)/' | sort | while read -r f; do
	[ ! -f "$f" ] || dsclean -q "$f" --to text
done >"$tmp/ref.txt"
# Entries without their headwords, etymologies and tags, a paragraph a line.
zcat /usr/share/dictd/gcide.dict.dz | iconv -c -f utf-8 -t utf-8 |
	sed -e '/\\/d' -e 's/\[[^]]*\]//g' -e 's/[{}]//g' -e 's/--\([A-Z]\)/\1/g' |
	awk '{ gsub(/^ +| +$/, ""); if ($0 == "") { if (p != "") print p; p = "" } else p = p (p == "" ? "" : " ") $0 }
		END { print p }' | awk 'length > 60' | awk 'NR % 2' >"$tmp/dictionary.txt"
# Registers of hardware are most of the kernel's headers, and no language: 8 KiB of each file are enough.
dpkg -L linux-libc-dev libc6-dev | grep '\.h$' | sort | while read -r f; do
	[ -f "$f" ] && [ ! -L "$f" ] && head -c 8192 "$f"
done >"$tmp/code.txt"
zh=("$tmp/zh.txt" "$tmp/zh.txt" "$tmp/zh.txt" "$tmp/zh.txt" "$tmp/zh.txt")
dstok train -V 32768 --min-frequency 2 --from text --split file \
	"$tmp/en.txt" "$tmp/en.txt" "$tmp/ref.txt" "$tmp/dictionary.txt" "${zh[@]}" "${zh[@]}" "$tmp/code.txt" -o "$tmp/t.json"

# The small form of lib/text/tok/compact.c, packed with zstd, as C.
cat >"$tmp/pack.c" <<'C'
#include "base/codec.h"
#include "base/io.h"
#include "base/mem.h"
#include "text/tok/tok_impl.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	ds_err e = { { 0 } };
	ds_tok *t;
	ds_buf small = { 0 };
	size_t n;
	ds_packer *p = ds_packer_new(19);
	if (ds_tok_open(&t, argv[1], NULL, &e) != DS_OK || !compact_fits(t)) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	compact_write(t, &small);
	unsigned char *out = ds_mem_get(ds_pack_bound(small.n));
	if (ds_pack(p, small.at, small.n, out, ds_pack_bound(small.n), &n, &e) != DS_OK)
		return 1;
	printf("/* Made by scripts/builtin-tokenizer.sh: %u ids. */\n", ds_tok_size(t));
	printf("#include \"text/tok/tok_impl.h\"\n\nconst unsigned tok_builtin_bytes = %zu;\n", n);
	printf("const unsigned tok_builtin_raw = %zu;\nconst unsigned char tok_builtin[] = {", small.n);
	for (size_t i = 0; i < n; i++)
		printf("%s%d,", i % 32 ? "" : "\n", out[i]);
	printf("\n};\n");
	return 0;
}
C
gcc -std=gnu11 -D_GNU_SOURCE -Ilib -o "$tmp/pack" "$tmp/pack.c" build/libds.a -lsimdjson -licui18n -licuuc \
	-lpcre2-8 -lzstd -lz -lxxhash -lstdc++ -lpthread -lm
"$tmp/pack" "$tmp/t.json" >"$tmp/builtin_data.c"
mv "$tmp/builtin_data.c" lib/text/tok/builtin_data.c
