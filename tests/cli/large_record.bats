#!/usr/bin/env bats
# One large record costs three times its size, whatever the rule

load common

# peak COMMAND...: the largest resident set of it in MB
peak() {
	python3 - "$@" <<-'P'
		import resource, subprocess, sys
		subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
	P
}

# bounded BYTES NAME OPTION...: over one record of 4 MB it takes no more than that beside what a short one takes
bounded() {
	local most=$1 short long
	shift
	short=$(peak "$@" -q -j 1 --split file -o o.dsr short.txt)
	long=$(peak "$@" -q -j 1 --split file -o o.dsr long.txt)
	((long - short <= most)) || { echo "$*: $long MB, $short with a short record, $most more is the limit"; return 1; }
}

setup() {
	common_setup
	not_sanitized
	# Words of a text: common ones often, rare ones seldom, in lines and paragraphs.
	awk 'BEGIN { srand(7); for (n = 0; n < 4000000; n += length(line) + 1) {
		line = ""
		for (k = 0; k < 12; k++)
			line = line sprintf("%s%c%d", k ? " " : "", 97 + int(26 * rand()), int(exp(11 * rand())))
		if (rand() < 0.2) line = line ".\n"
		print line } }' | tr 0123456789 etaoinshrd >long.txt
	head -c 2000 long.txt >short.txt
}

@test "each rule of dsclean takes three times a large record at most" {
	# 12 MB, and what a thread has anyway once it has much to do.
	bounded 22 dsclean
	for rule in "--html strip" "--html main" --nfc --nfkc --entities --mojibake "--utf8 fix" "--width half" "--drop-chars emoji" \
		"--punct ascii" "--repeat 3" --unwrap --control --space --lower "--regex s/ta/b/g" "--drop-regex zzqz" "--pii mask" \
		"--lang any" "--min-words 3" "--quality gopher" "--tag --quality gopher" "--tag --quality c4" \
		"--quality c4,-terminal,-sentences" "--tag --quality fineweb2"; do
		# shellcheck disable=SC2086 # options
		bounded 22 dsclean $rule
	done
}

@test "dsaug takes three times a large record for a copy of it" {
	for op in "--synonym 0.1" "--insert 0.1" "--swap 0.1" "--delete 0.1"; do
		# shellcheck disable=SC2086 # options
		bounded 46 dsaug $op
	done
}

@test "a text whose lines end with CR costs dsclean no more than its size" {
	awk 'BEGIN { for (i = 0; i < 200000; i++) printf "line %d of it\r", i }' >cr.txt
	# Looked for to the end of the text from each line, a line feed took a minute.
	timeout 20 dsclean -q --split file --to text cr.txt >out
	[ "$(tr '\r' '\n' <out | grep -c 'of it')" -eq 200000 ]
}
