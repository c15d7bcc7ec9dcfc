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

# package_sections: texts and labels, of sections with enough packages
package_sections() {
	packages | awk -F '\t' '{ sub(".*/", "", $2); name[NR] = $1; section[NR] = $2; text[NR] = $3; n[$2]++ }
		END { print "text\tlabel"; for (i = 1; i <= NR; i++) if (n[section[i]] >= 30) print text[i] " (" name[i] ")\t" section[i] }'
}
# demo_model DIR: a small model of the book, in half a minute
demo_model() {
	need_book
	"$home/pretrain.sh" --demo --out "$1.run" >"$1.log"
	mv "$1.run/model" "$1"
}

book_text() { # plain text of every fourth page
	need_book
	find "$book/en-US" -maxdepth 1 -name '*.html' | sort | awk 'NR % 4 == 0' | xargs -d '\n' dsclean -q --to text --
}
book_sentences() {
	book_text | grep -oE '[A-Z][a-z ,;]{40,150}\.' | awk '!seen[$0]++ && n++ < 60'
}
glosses() { # WordNet's definitions of nouns, a line each
	local nouns=/usr/share/wordnet/data.noun
	[ -r "$nouns" ] || die 4 "$nouns is not there: install the package wordnet-base"
	awk '!/^  / { word = $5; gsub("_", " ", word); sub(/.* \| /, ""); sub(/; ".*/, ""); print word ": " $0 }' "$nouns"
}
# demo_pictures DIR: pictures with captions in metadata.jsonl
demo_pictures() {
	local from=${DS_TEST_DATA:-/nowhere}/images/emoji
	rm -rf "$1.part"
	mkdir -p "$1.part"
	if [ -d "$from/img" ]; then
		cp "$from"/img/* "$1.part/"
		sed 's/"image": "img\//"file_name": "/; s/"caption"/"text"/' "$from/captions.jsonl" >"$1.part/metadata.jsonl"
	else
		draw "$1.part"
	fi
	mv "$1.part" "$1"
}
# draw DIR: shapes in colours, of all sizes and in all places
draw() {
	awk -v dir="$1" 'function shape(k, x, y, r) { return k == 0 ? x * x + y * y < r * r : k == 1 ? (x < 0 ? -x : x) < r * 0.8 && (y < 0 ? -y : y) < r * 0.8 : y > -r && y < r * 0.6 && (x < 0 ? -x : x) < (y + r) * 0.6 }
		BEGIN { srand(7); split("red 220 40 40,green 40 170 60,blue 50 70 220,yellow 230 210 50,black 20 20 20,white 250 250 250,orange 240 140 30,purple 140 60 170", c, ",")
		split("circle square triangle", names, " "); split("small large", sizes, " ")
		for (i = 1; i <= 480; i++) {
			k = i % 3; a = 1 + int(i / 3) % 8; b = 1 + (a + 1 + int(rand() * 6)) % 8; big = int(rand() * 2); r = big ? 9 : 5
			split(c[a], f, " "); split(c[b], g, " "); cx = 10 + int(rand() * 12); cy = 10 + int(rand() * 12)
			file = dir "/" i ".ppm"; printf "P3 32 32 255\n" >file
			for (y = 0; y < 32; y++) for (x = 0; x < 32; x++) if (shape(k, x - cx, y - cy, r)) print f[2], f[3], f[4] >file; else print g[2], g[3], g[4] >file
			close(file)
			printf "{\"file_name\":\"%d.ppm\",\"text\":\"a %s %s %s on %s\"}\n", i, sizes[big + 1], f[1], names[k + 1], g[1] >(dir "/metadata.jsonl") } }'
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
