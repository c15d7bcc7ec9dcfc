# shellcheck shell=bash disable=SC2154 # variables of lib.sh and personal.sh
# folder.sh - what lies in somebody's folder: which files are read how, which are left out and why
#
# Files are loose (a text, page or source file: one record), boxes (tables, JSON, anything compressed: looked into one
# by one, since one that is damaged must not stop the rest), archives (unpacked, then treated as folders), papers (PDF
# and such, by other programs) or others, which are left out by name. Lists are NUL-separated: names may hold anything.

boxes_like='.*\.\(jsonl\|ndjson\|json\|csv\|tsv\|parquet\|arrow\|feather\|dsr\|warc\|wet\)\|.*\.\(gz\|zst\|bz2\|xz\)'
archives_like='.*\.\(tar\|tgz\|tbz2\|txz\|zip\)\|.*\.tar\.\(gz\|zst\|bz2\|xz\)'
papers_like='.*\.\(pdf\|docx\|odt\|epub\|rtf\)'
others_like='.*\.\(jpe?g\|png\|gif\|webp\|bmp\|tiff?\|heic\|svg\|ico\|psd\|mp3\|m4a\|wav\|flac\|ogg\|opus\|mp4\|mov\|avi\|mkv\|webm\|ttf\|otf\|woff2?\|exe\|dll\|so\|o\|a\|pyc\|class\|jar\|bin\|iso\|doc\|xlsx?\|pptx?\|db\|sqlite3?\|gguf\|safetensors\|pt\|pth\|onnx\)'

# sort_out DIR: appends DIR's files to the lists; names that begin with a dot and our own output are not looked at
sort_out() {
	local out_here=.
	find "$1" \( -name '.?*' ! -path "$1" -o -samefile "$out_here" \) -prune -o -type f \( \
		! -readable -fprint0 work/unreadable.new -o -empty -fprint0 work/empty.new -o \
		-iregex "$archives_like" -fprint0 work/archives.new -o -iregex "$boxes_like" -fprint0 work/boxes.new -o \
		-iregex "$papers_like" -fprint0 work/papers.new -o -iregex "$others_like" -fprint0 work/others.new -o \
		-fprint0 work/loose.new \) 2>work/find.err || [ -s work/find.err ]
	local list
	for list in archives boxes papers others loose empty unreadable; do
		sort -z "work/$list.new" >>"work/$list.list0"
		rm -f "work/$list.new"
	done
}
how_many() { tr -dc '\0' <"work/$1.list0" | wc -c; }
size_of() { xargs -0 -r -a "work/$1.list0" stat -Lc %s -- 2>/dev/null | awk '{ n += $1 } END { printf "%.0f", n }'; }

# look_through FOLDER: the lists and their sizes, once; a later run goes on with the same ones
look_through() {
	if [ ! -e work/bytes ]; then
		rm -f work/*.list0
		sort_out "$1"
		grep -zi '\.x\{0,1\}html\{0,1\}$' work/loose.list0 >work/pages.list0 || true
		fingerprint "$1" >work/files.tsv
		# Of pages a third is text, packed files become larger, of office files little is text.
		put work/bytes calc "$(size_of loose) - 0.7 * $(size_of pages) + $(size_of boxes) + 3 * $(size_of archives) + $(size_of papers) / 20"
	elif ! fingerprint "$1" | cmp -s - work/files.tsv; then
		warn "$1 has changed since it was read: this goes on with what was read then; for the new files take another --out"
	fi
	[ "$(($(how_many loose) + $(how_many boxes) + $(how_many archives) + $(how_many papers)))" -gt 0 ] || nothing_to_read
}
fingerprint() { find "$1" -samefile . -prune -o -type f -printf '%P\t%s\t%T@\n' 2>/dev/null | sort; }

folder_words() {
	local list words='' n
	for list in loose:'texts, pages and source files' boxes:'tables, chats and packed files' archives:archives papers:'PDF and office files'; do
		n=$(how_many "${list%%:*}")
		[ "$n" = 0 ] || words="$words${list#*:}: $n, "
	done
	printf '%sabout %s of text\n' "$words" "$(human "$(cat work/bytes)")"
}
nothing_to_read() {
	note_left_out
	# Once there is something the same command looks again.
	find work -mindepth 1 ! -name settings ! -name lock -delete
	die 1 "nothing in it to learn from: no text, pages, chats or tables; $out/left-out.tsv has $(wc -l <left-out.tsv) files and why they are not"
}
left_out() { # WHY FILE
	printf '%s\t%s\n' "${2//[$'\t\n\r']/?}" "$1" >>work/left-out.new
}
reason() { # FILE: why a program could not read it, as work/err has it, without names
	local said
	said=$(tail -n 1 work/err)
	said=${said##*"${1##*/}":}
	said=$(sed 's/^ds[a-z]*: //; s/^ *[0-9]*: //; s/^ *//; s/; --from text takes it all the same$//' <<<"$said")
	printf '%s' "${said:-not text}"
}

# ---- boxes, archives, papers ----------------------------------------------------------------------------------------

# each LIST COMMAND…: COMMAND NUMBER FILE for every file of a list
each() {
	local f i=0 list=$1
	shift
	while IFS= read -r -d '' f <&3; do
		i=$((i + 1))
		"$@" "$i" "$f"
	done 3<"work/$list.list0"
}
open_boxes() {
	mkdir -p work/unpacked work/box work/papers
	: >work/left-out.new
	: >work/boxes.part
	[ -e work/unpacked.done ] || { each archives unpack && sort_out work/unpacked && touch work/unpacked.done; }
	each papers read_paper
	each boxes open_box
	mv work/boxes.part work/boxes.tsv
	mv work/left-out.new work/left-out.boxes
	touch work/boxes.done
}
unpack() { # N FILE
	local dir=work/unpacked/$1 rc=0
	mkdir -p "$dir"
	case ${2,,} in
	*.zip)
		command -v unzip >/dev/null || { left_out "unzip is not installed" "$2" && return; }
		unzip -qq -o "$2" -d "$dir" >/dev/null 2>work/err </dev/null || rc=$?
		;;
	*) tar -xf "$2" -C "$dir" --no-same-owner --no-same-permissions >/dev/null 2>work/err || rc=$? ;;
	esac
	chmod -R u+rwX "$dir"
	[ $rc = 0 ] || left_out "damaged: what came out of it was read; $(head -n 1 work/err)" "$2"
}
read_paper() { # N FILE: as text into work/papers
	local to=work/papers/$1.txt
	[ ! -e "$to" ] || return 0
	case ${2,,} in
	*.pdf)
		command -v pdftotext >/dev/null || { left_out "a PDF, which pdftotext would read (package poppler-utils)" "$2" && return; }
		pdftotext -q "$2" "$to.part" >/dev/null 2>work/err </dev/null || { left_out "pdftotext: $(head -n 1 work/err)" "$2" && return; }
		;;
	*)
		command -v pandoc >/dev/null || { left_out "an office file, which pandoc would read (package pandoc)" "$2" && return; }
		pandoc -t plain --wrap=none "$2" -o "$to.part" >/dev/null 2>work/err </dev/null || { left_out "pandoc: $(head -n 1 work/err)" "$2" && return; }
		;;
	esac
	mv "$to.part" "$to"
}
# open_box N FILE: its records, and a line of work/boxes.part: number, kind, fields with the texts
open_box() {
	local to=work/box/$1.dsr rc=0
	if [ ! -e "$to" ]; then
		dsrec import -q --split file --on-error skip -o "$to" -- "$2" 2>work/err || rc=$?
		# 3: damaged or cut, and what is whole was kept.
		[ -e "$to" ] || { left_out "$(reason "$2")" "$2" && return; }
		[ $rc = 0 ] || left_out "damaged, what is whole in it was read: $(reason "$2")" "$2"
	fi
	if none_in "$to"; then
		[ $rc != 0 ] || dsrec import -q --split file -o work/try.dsr -- "$2" 2>work/err || left_out "$(reason "$2")" "$2"
		return 0
	fi
	dsrec stat --json -q "$to" | sed 's/},{/\n/g' >work/fields
	local kind fields
	read -r kind fields <<<"$(box_kind)"
	[ "$kind" != none ] || { left_out "no field with text in it" "$2" && return; }
	printf '%s\t%s\t%s\n' "$1" "$kind" "$fields" >>work/boxes.part
}
# box_kind: of work/fields, a line a field; chats by the names that are usual, else the field with the most text
box_kind() {
	local names
	names=" $(sed -n 's/.*"name":"\([^"]*\)".*/\1/p' work/fields | tr '\n' ' ')"
	has() { [[ $names == *" $1 "* ]]; }
	first() { # of the names that there are
		local n
		for n; do ! has "$n" || { echo "$n" && return; }; done
	}
	local question answer
	answer=$(first output response completion answer)
	question=$(first instruction prompt question)
	if has messages; then
		echo messages 'messages[].content'
	elif has conversations; then
		echo conversations 'conversations[].value'
	elif has mapping; then
		echo chatgpt
	elif [ -n "$question" ] && [ -n "$answer" ]; then
		echo "$question" "$question" "$(first input context)" "$answer"
	elif has text; then
		echo documents text
	else
		awk -F '"' '/"types":\["utf8"\]/ && /"mean":/ { name = $0; sub(/.*"name":"/, "", name); sub(/".*/, "", name)
			n = $0; sub(/.*"bytes":/, "", n); mean = $0; sub(/.*"mean":/, "", mean)
			if (mean + 0 >= 20 && n + 0 > most && name !~ /^(id|url|source|path|sha.*|hash)$/) { most = n + 0; best = name } }
			END { print best == "" ? "none" : "documents " best }' work/fields
	fi
}
boxes_of() { # KIND: lines NUMBER FIELDS
	awk -F '\t' -v k="$1" '$2 == k { print $1, $3 }' work/boxes.tsv
}

# ---- documents ------------------------------------------------------------------------------------------------------

empty_stream() { dsrec import -q --from jsonl /dev/null -o "$1"; }
# read_loose: a record a file, of which texts that are none are left out
read_loose() {
	find work/papers -name '*.txt' -print0 | sort -z | cat work/loose.list0 - >work/loose.all0
	if [ -s work/loose.all0 ]; then
		xargs -0 -a work/loose.all0 dsrec import -q --split file --on-error skip -- | dsrec cat -q -z -o work/loose.dsr
	else
		empty_stream work/loose.dsr
	fi
}
box_texts() {
	local n field
	while read -r n field; do
		if [ "$field" = text ]; then cat "work/box/$n.dsr"; else dsrec rename -q "$field=text" "work/box/$n.dsr"; fi | dsrec select -q text
	done < <(boxes_of documents)
}
# documents RULES…: of web pages the article alone, of everything else all of it
documents() {
	local page='source ~ "/\.(x?html?|mht)$/i"'
	if none_in work/loose.dsr && [ -z "$(boxes_of documents)" ]; then
		empty_stream work/documents.dsr
		return
	fi
	dsrec where -q "$page" work/loose.dsr | dsclean -q --html main "${clean_rules[@]}" "$@" --on-error skip -z -o work/pages.dsr
	# Records of pictures in boxes have no text, and go with --drop-empty.
	{ dsrec where -q "not $page" work/loose.dsr && box_texts; } |
		dsclean -q --html auto "${clean_rules[@]}" "$@" --on-error skip |
		dsrec cat -q - work/pages.dsr | dsdedup -q "${more_dedup[@]}" |
		dsdedup -q --method exact --scope para -z -o work/documents.dsr
	rm -f work/pages.dsr
}

# ---- what was left out ----------------------------------------------------------------------------------------------

# note_left_out: left-out.tsv in the output, a line a file: its name and why
note_left_out() {
	local f list
	: >work/left-out.new
	for list in others:'a picture, sound, program or data file' empty:empty unreadable:'may not be read'; do
		[ ! -s "work/${list%%:*}.list0" ] || while IFS= read -r -d '' f; do left_out "${list#*:}" "$f"; done <"work/${list%%:*}.list0"
	done
	if [ -e work/loose.dsr ]; then
		{ none_in work/loose.dsr || dsrec export -q --field source --to text work/loose.dsr; } | sort >work/read.names
		tr '\n\0' '?\n' <work/loose.all0 | sort | comm -23 - work/read.names | head -n 1000 >work/unread.names
		while IFS= read -r f; do
			dsrec import -q --split file -o work/try.dsr -- "$f" 2>work/err || true
			left_out "$(reason "$f")" "$f"
		done <work/unread.names
		rm -f work/try.dsr
	fi
	[ ! -e work/left-out.boxes ] || cat work/left-out.boxes >>work/left-out.new
	sort work/left-out.new >left-out.tsv
	rm work/left-out.new
	touch work/left-out.done
}
left_out_words() { # the commonest reasons
	cut -f 2 left-out.tsv | sed 's/: .*//' | sort | uniq -c | sort -rn | head -n 5 | sed 's/^ */    /'
}
