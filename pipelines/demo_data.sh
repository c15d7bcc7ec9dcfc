# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# demo_data.sh - small real data for --demo, of what a Debian machine has, so that a pipeline shows itself anywhere
#
# The Debian Administrator's Handbook (package debian-handbook) gives pages in English and Chinese, the descriptions of
# the packages installed here questions, answers and labels.

book=${DEMO_PAGES:-/usr/share/doc/debian-handbook/html}
need_book() {
	[ -d "$book/en-US" ] && [ -d "$book/zh-CN" ] || die 4 "no pages in $book: install the package debian-handbook"
}

# book_pages DIR LANGUAGE [EVERY]: copies pages, each EVERYth
book_pages() {
	mkdir -p "$1"
	find "$book/$2" -maxdepth 1 -name '*.html' | sort | awk -v k="${3:-1}" 'NR % k == 0' | xargs -d '\n' cp -t "$1" --
}

# packages: name, section and description of what is installed, a line each
packages() {
	# shellcheck disable=SC2016 # dpkg's own names
	dpkg-query -W -f '${Package}\t${Section}\t${binary:Summary}\n' | grep -vP '[^\x20-\x7e\t]|["\\]' | awk -F '\t' 'NF == 3 && length($3) > 10'
}
# package_chats: conversations about them, as OpenAI writes them down
package_chats() {
	packages | awk -F '\t' '{
		ask = NR % 3 == 0 ? "What is the package " $1 " for?" : NR % 3 == 1 ? "What does " $1 " do?" : "Which package do I install for this: " $3 "?"
		say = NR % 3 == 2 ? "Install " $1 "." : $1 ": " $3 "."
		printf "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},{\"role\":\"assistant\",\"content\":\"%s\"}]}\n", ask, say }'
}

# demo_folder DIR: as a person's is: names with blanks and in Chinese, an archive, a table, pictures, a file cut short
demo_folder() {
	need_book
	rm -rf "$1" "$1.part"
	mkdir -p "$1.part/old things"
	book_pages "$1.part/web pages" en-US 2
	book_pages "$1.part/我的 文档" zh-CN 3
	packages | awk -F '\t' 'BEGIN { print "name,description" } NR % 4 == 0 { printf "%s,\"%s\"\n", $1, $3 }' >"$1.part/packages.csv"
	package_chats >"$1.part/chats.jsonl"
	(cd /usr/share/common-licenses && find . -maxdepth 1 -type f -size +1k -printf '%f\n' | sort | head -n 4 |
		xargs -d '\n' tar -chf - --) >"$1.part/old things/licences.tar"
	printf 'A picture' >"$1.part/photo.jpg"
	head -c 2000 "$book/en-US/index.html" | gzip -n | head -c 500 >"$1.part/cut short.html.gz"
	mv "$1.part" "$1"
	touch "$1.done"
}
