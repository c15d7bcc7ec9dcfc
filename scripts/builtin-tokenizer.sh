#!/usr/bin/env bash
# Trains the built-in tokenizer and writes lib/text/tok/builtin_data.c, from openly licensed text that packages
# carry. They are fetched (about 330 MB) and unpacked in a temporary folder; nothing is installed.
#
# English: the Debian handbook, policy, reference and developers' reference, the documentation of Python,
# PostgreSQL, LibreOffice and GNOME, what git, Mercurial and Cataclysm say, the monsters and spells of Crawl,
# fortunes, and the Collaborative International Dictionary of English with its quotations. Chinese, simplified and
# traditional: the handbook, the reference, LibreOffice, GNOME and the same programs' messages, twice. Code: the
# list in builtin-corpus.py, twice. Those are of the kind that packages have, so how often a word is used comes
# from wordfreq's lists (web, books, news, subtitles, encyclopaedia), for English twice.
set -euo pipefail
cd "$(dirname "$0")/.."
packages=(
	debian-handbook debian-policy developers-reference debian-reference-en debian-reference-zh-cn dict-gcide
	python3.11-doc postgresql-doc-15 libreoffice-help-en-us libreoffice-help-zh-cn libreoffice-help-zh-tw
	gnome-user-docs cataclysm-dda-data crawl-common fortunes fortunes-min
	linux-source-6.1 libboost1.74-dev libabsl-dev googletest libstdc++-12-dev libeigen3-dev python3-django
	python3-sympy python3-numpy python3-twisted python3-sqlalchemy mercurial-common golang-1.19-src rust-src
	librust-tokio-dev node-typescript eslint node-babel7 libjs-three libruby3.1 ruby-activerecord
	perl-modules-5.36 bash-completion git
)
wordfreq=wordfreq==3.1.1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export PATH=$PWD/build/bin:$PATH LC_ALL=C
mkdir "$tmp/deb" "$tmp/root" "$tmp/text"

(cd "$tmp/deb" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}")
for p in "${packages[@]}"; do
	dpkg-deb -x "$tmp/deb/$p"_*.deb "$tmp/root/$p"
done
linux=$tmp/root/linux-source-6.1
tar -C "$linux" -xf "$linux"/usr/src/linux-source-6.1.tar.xz \
	linux-source-6.1/{kernel,mm,fs,net,ipc,block,init,security,crypto,lib}
python3 -m pip -q download --no-deps -d "$tmp/deb" "$wordfreq"
python3 -m zipfile -e "$tmp"/deb/wordfreq-*.whl "$tmp/wordfreq"

# text_of NAME REGEX PACKAGE...: what the pages of these packages say, each line once
text_of() {
	local to=$1 names=$2
	shift 2
	find "${@/#/$tmp/root/}" -type f -name '*.html' | grep -P "$names" | sort | xargs -d '\n' dsclean -q |
		dsdedup -q --scope line --to text >"$tmp/text/$to"
}
text_of html-en.txt '^(?!.*/(?!en)[a-z]{2}-[A-Z]{2}/)(?!.*\.(?!en)[a-z]{2}(-[a-z]{2})?\.html$)' debian-handbook \
	debian-policy developers-reference debian-reference-en python3.11-doc postgresql-doc-15 libreoffice-help-en-us
text_of html-zh.txt '/zh-(CN|TW)/|\.zh-cn\.html$' debian-handbook debian-reference-zh-cn \
	libreoffice-help-zh-cn libreoffice-help-zh-tw
# Entries without their headwords, etymologies and tags, a paragraph a line.
zcat "$tmp"/root/dict-gcide/usr/share/dictd/gcide.dict.dz | iconv -c -f utf-8 -t utf-8 |
	sed -e '/\\/d' -e 's/\[[^]]*\]//g' -e 's/[{}]//g' -e 's/--\([A-Z]\)/\1/g' |
	awk '{ gsub(/^ +| +$/, ""); if ($0 == "") { if (p != "") print p; p = "" } else p = p (p == "" ? "" : " ") $0 }
		END { print p }' | awk 'length > 60' >"$tmp/text/dictionary-en.txt"
python3 scripts/builtin-corpus.py "$tmp/root" "$tmp/wordfreq/wordfreq" "$tmp/text"

cd "$tmp/text"
wc -c ./*.txt >&2
en=(html-en.txt dictionary-en.txt messages-en.txt pages-C.txt prose-en.txt words-en.txt words-en.txt)
zh=(html-zh.txt messages-zh_CN.txt messages-zh_TW.txt pages-zh_CN.txt prose-zh.txt)
dstok train -V 32768 --min-frequency 2 --from text --split file \
	"${en[@]}" "${zh[@]}" "${zh[@]}" words-zh.txt code.txt code.txt -o "$tmp/t.json"
cd - >/dev/null

make -s build/bench/pack_tokenizer
mapfile -t versions < <(cd "$tmp/deb" && ls)
build/bench/pack_tokenizer "$tmp/t.json" "${versions[@]}" >"$tmp/builtin_data.c"
mv "$tmp/builtin_data.c" lib/text/tok/builtin_data.c
