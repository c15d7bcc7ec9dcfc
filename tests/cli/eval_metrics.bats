#!/usr/bin/env bats
# dseval: the digits of sacreBLEU 2.6, rouge-score and scikit-learn; groups, intervals, states, bad input

bats_require_minimum_version 1.5.0

load numbers

setup() {
	PATH=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin:$PATH
	cd "$BATS_TEST_TMPDIR"
}

three() {
	cat <<'END'
{"pred":"The dog bit the man.","ref":["The dog bit the man.","The dog had bit the man."]}
{"pred":"It wasn't surprising.","ref":["It was not unexpected.","No one was surprised."]}
{"pred":"The man had just bitten him.","ref":["The man bit him first.","The man had bitten the dog."]}
END
}

# scores METRIC…: the scores, a line each
scores() { dseval "$@" --to tsv -q | awk -F '\t' 'NR > 1 { printf "%.8f\n", $2 }'; }
pair() { printf '{"pred":"%s","ref":"%s"}\n' "$1" "$2"; }

@test "bleu of every tokenizer, smoothing and order equals sacreBLEU's digits" {
	[ "$(three | scores bleu:intl bleu:smooth=add-k bleu:order=2 bleu:order=6 | paste -sd ' ')" = \
		"43.91623493 52.70109002 60.50312757 43.28319781" ]
}

@test "bleu of one sentence with its effective order equals sacreBLEU's digits" {
	pair "The cat sat on the mat." "The cat is on the mat." >one
	[ "$(scores bleu:eff <one)" = 48.89230224 ]
	[ "$(scores chrf chrf++ <one | paste -sd ' ')" = "67.17273492 69.43695278" ]
}

@test "chrf, chrf++, lower-cased and with spaces, equal sacreBLEU's digits" {
	[ "$(three | scores chrf chrf++ chrf++:lc chrf:space | paste -sd ' ')" = \
		"59.72751783 59.15310444 59.37475053 65.87648674" ]
}

@test "ter shifts as Tercom does" {
	[ "$(three | scores ter)" = 40.00000000 ]
	[ "$(pair "d e f g h a b c" "a b c d e f g h" | scores ter)" = 12.50000000 ]
	[ "$(pair "a" "" | scores ter)" = 100.00000000 ]
	[ "$(pair "" "" | scores ter)" = 0.00000000 ]
}

@test "rouge equals rouge-score, sentence by sentence too" {
	pair "testing one" "testing one two" >one
	[ "$(scores rouge2 rougeL <one | paste -sd ' ')" = "0.66666667 0.80000000" ]
	[ "$(pair 'w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5' "w1 w2 w3 w4 w5" | scores rougeLsum)" = 0.53333333 ]
	[ "$(pair "running generalizations skies" "run general sky" | scores rouge1 rouge1:stem | paste -sd ' ')" = \
		"0.00000000 1.00000000" ]
}

@test "rouge of Chinese is 0 as the reference has it, and with a tokenizer it is not" {
	pair 我爱北京 我爱上海 >zh
	[ "$(scores rouge1 rouge1:zh <zh | paste -sd ' ')" = "0.00000000 0.50000000" ]
	[ "$(scores rouge1 --tok char <zh)" = 0.50000000 ]
}

@test "answers compare as SQuAD compares them" {
	pair "The Cat!" "cat" >one
	[ "$(scores exact-match exact-match:squad token-f1 <one | paste -sd ' ')" = \
		"0.00000000 1.00000000 1.00000000" ]
}

classes() { # label pred, a line each
	while read -r y p; do printf '{"label":"%s","pred":"%s"}\n' "$y" "$p"; done
}

@test "f1 divides by zero as scikit-learn does" {
	printf '%s\n' '0 0' '1 0' '0 0' '1 0' '2 0' | classes >five
	[ "$(scores f1:macro f1:micro f1:weighted <five | paste -sd ' ')" = \
		"0.19047619 0.40000000 0.22857143" ]
	printf '%s\n' '0 1' '1 0' | classes | scores f1:zero=1 | grep -qx 0.00000000
	printf '%s\n' '0 0' '0 0' '1 0' | classes | scores precision:zero=1 recall:zero=1 | paste -sd ' ' |
		grep -qx '1.00000000 0.00000000'
}

@test "one class alone has no f1, mcc says 0, kappa is not defined" {
	printf '%s\n' 'a a' 'a a' | classes >same
	run --separate-stderr dseval f1 -q same --from jsonl
	[ "$status" -eq 1 ]
	[[ $stderr == *"one class, 'a', alone"* ]]
	[ "$(scores mcc f1:pos=a <same | paste -sd ' ')" = "0.00000000 1.00000000" ]
	run --separate-stderr dseval kappa -q same --from jsonl
	[ "$status" -eq 1 ]
}

@test "auc counts ties one half; average precision and log loss are scikit-learn's" {
	for r in '1 0.9' '0 0.5' '1 0.5' '0 0.1'; do printf '{"label":%s,"score":%s}\n' $r; done >bin
	[ "$(scores auc average-precision log-loss brier <bin | paste -sd ' ')" = \
		"0.87500000 0.83333333 0.39925385 0.13000000" ]
}

@test "auc of three classes must be told how" {
	printf '{"label":"%s","score":[%s]}\n' a 0.6,0.3,0.1 b 0.2,0.5,0.3 c 0.3,0.3,0.4 a 0.1,0.6,0.3 >three
	run --separate-stderr dseval auc -q three --from jsonl
	[ "$status" -eq 1 ]
	[[ $stderr == *"auc:ovr or auc:ovo"* ]]
	[ "$(scores auc:ovr auc:ovo <three | paste -sd ' ')" = "0.72222222 0.75000000" ]
}

@test "labels whose order is in doubt must be named for score" {
	for l in 2 10 1; do printf '{"label":%s,"score":[0.2,0.3,0.5]}\n' $l; done >doubt
	run --separate-stderr dseval log-loss -q doubt --from jsonl
	[ "$status" -eq 1 ]
	[[ $stderr == *--classes* ]]
	[ "$(scores log-loss --classes 1,2,10 <doubt)" = 1.16885263 ]
}

@test "1, 1.0 and \"1\" are one class" {
	printf '{"pred":"1","label":1.0}\n{"pred":1,"label":"1.0"}\n' >one
	[ "$(scores accuracy <one)" = 1.00000000 ]
}

@test "pearson and spearman of numbers" {
	for p in '1 1' '2 3' '3 2' '4 5'; do printf '{"pred":%s,"label":%s}\n' $p; done >four
	[ "$(scores pearson spearman <four | paste -sd ' ')" = "0.83152184 0.80000000" ]
}

@test "confusion shows a row a label and is JSON in the report" {
	printf '%s\n' 'a a' 'a b' 'b b' | classes | dseval confusion --json -q >out
	grep -q '"matrix":{"labels":\["a","b"\],"counts":\[\[1,1\],\[0,1\]\]}' out
}

# The captions and figures of sacreBLEU's own run with seed 12345.
captions() {
	cat <<'END'
Two young, White males are outside near many bushes.
Several men in hard hats are operating a giant pulley system.
A little girl climbing into a wooden playhouse.
A man in a blue shirt is standing on a ladder cleaning a window.
Two men are at the stove preparing food.
A man in green holds a guitar while the other man observes his shirt.
A man is smiling at a stuffed lion
A trendy girl talking on her cellphone while gliding slowly down the street.
END
}

@test "intervals and p-values are sacreBLEU's" {
	captions | awk '{ p = $0; sub(/ [^ ]*$/, "", p); printf "{\"pred\":\"%s\",\"ref\":\"%s\"}\n", p, $0 }' >base.jsonl
	captions | awk '{ p = $0; sub(/^[^ ]* /, "", p); printf "{\"pred\":\"%s\",\"ref\":\"%s\"}\n", p, $0 }' >sys.jsonl
	dseval bleu --bootstrap 1000 --baseline base.jsonl sys.jsonl --to tsv -q >out
	awk -F '\t' 'NR > 1 { printf "%.4f %.4f %.4f %.4f %.8f\n", $2, $4, $5, $6, $7 }' out |
		grep -qx '91.0176 90.9392 1.4465 82.5053 0.00099900'
	dseval bleu --baseline base.jsonl --paired swap sys.jsonl --to tsv -q | awk -F '\t' 'NR > 1 { printf "%.8f\n", $5 }' |
		grep -qx 0.00009999
	[ "$(dseval bleu chrf --bootstrap 200 sys.jsonl --json -q -j1)" = "$(dseval bleu chrf --bootstrap 200 sys.jsonl --json -q -j3)" ]
}

@test "a baseline of another length is refused" {
	pair a a >one.jsonl
	pair b b >two.jsonl && pair c c >>two.jsonl
	run --separate-stderr dseval bleu --baseline one.jsonl two.jsonl -q
	[ "$status" -eq 1 ]
	[[ $stderr == *"the baseline has 1 record, the input 2"* ]]
}

@test "--by scores each value of a field" {
	printf '{"pred":"a","label":"a","lang":"en"}\n{"pred":"a","label":"b","lang":"zh"}\n' >two.jsonl
	dseval accuracy --by lang two.jsonl --to tsv -q >out
	grep -q '^accuracy	0.5	.*	$' out
	grep -q '^accuracy	1.0	.*	en$' out
	grep -q '^accuracy	0.0	.*	zh$' out
	dseval accuracy --by lang two.jsonl --json -q | grep -q '"by":"lang","groups":\[{"value":"en","records":1,"metrics"'
	dseval accuracy --by lang two.jsonl --markdown -q | grep -q '^| zh | accuracy |'
}

@test "states of parts merge into the whole's score, groups and intervals too" {
	three >all.jsonl && three >>all.jsonl && pair x y >>all.jsonl
	head -n 2 all.jsonl >a.jsonl && tail -n +3 all.jsonl >b.jsonl
	for p in a b; do dseval bleu ter rougeL --bootstrap 100 --by pred --state $p.state $p.jsonl -q >/dev/null; done
	dseval merge a.state b.state --bootstrap 100 --json -q >merged
	dseval bleu ter rougeL --bootstrap 100 --by pred all.jsonl --json -q >whole
	cmp merged whole
}

@test "states of classes and scores merge" {
	for r in '1 0.9 1' '0 0.5 1' '1 0.5 0' '0 0.1 0'; do printf '{"label":%s,"score":%s,"pred":%s}\n' $r; done >all.jsonl
	head -n 2 all.jsonl >a.jsonl && tail -n +3 all.jsonl >b.jsonl
	for p in a b; do dseval accuracy f1:macro brier --classes 0,1 --state $p.state $p.jsonl -q >/dev/null; done
	[ "$(dseval merge a.state b.state --json -q)" = "$(dseval accuracy f1:macro brier all.jsonl --json -q)" ]
}

@test "a state that is damaged, cut or of other metrics is refused by name" {
	three | dseval bleu --state a.state -q >/dev/null
	three | dseval chrf --state c.state -q >/dev/null
	run --separate-stderr dseval merge a.state c.state -q
	[ "$status" -eq 1 ] && [[ $stderr == *"c.state: the state is of other metrics"* ]]
	head -c 60 a.state >cut.state
	run --separate-stderr dseval merge cut.state -q
	[ "$status" -eq 3 ] && [[ $stderr == *"cut.state: the state is damaged"* ]]
	echo hello >no.state
	run --separate-stderr dseval merge no.state -q
	[ "$status" -eq 1 ]
}

@test "no records are exit 1 with the reason" {
	: >none.jsonl
	run --separate-stderr dseval bleu none.jsonl -q
	[ "$status" -eq 1 ]
	[[ $stderr == "dseval: bleu: there are no records" ]]
}

@test "a variant that a metric does not know is a usage error that lists those it does" {
	run --separate-stderr dseval bleu:klingon -q <<<'{}'
	[ "$status" -eq 2 ] && [[ $stderr == *"no variant 'klingon'"*intl* ]]
	run --separate-stderr dseval accuracy:x -q <<<'{}'
	[ "$status" -eq 2 ] && [[ $stderr == *"accuracy has no variants"* ]]
}

@test "the example of a metric in a library is built as it says, scores, merges and gets intervals" {
	top=$BATS_TEST_DIRNAME/../..
	cc -shared -fPIC -I "$top/tools/eval" -o words.so "$top/docs/metric_example.c"
	three >all.jsonl
	[ "$(scores words --plugin ./words.so --bootstrap 50 all.jsonl)" = 1.00000000 ]
	dseval words --plugin words.so --state a.state all.jsonl -q >/dev/null
	[ "$(scores merge a.state a.state --plugin words.so)" = 1.00000000 ]
	run --separate-stderr dseval merge a.state -q
	[ "$status" -eq 1 ] && [[ $stderr == *"'words', which is not known"* ]]
	pair x "" | { run --separate-stderr dseval words --plugin words.so -q; [ "$status" -eq 1 ]; [[ $stderr == *"words: ref has no words" ]]; }
}

@test "what is no library of a metric is named" {
	echo >no.so
	run --separate-stderr dseval words --plugin no.so -q
	[ "$status" -eq 4 ] && [[ $stderr == *"no.so: cannot load"* ]]
	echo 'int x;' >x.c && cc -shared -fPIC -o x.so x.c
	run --separate-stderr dseval words --plugin x.so -q
	[ "$status" -eq 2 ] && [[ $stderr == *"x.so: no object 'ds_metric_plugin'" ]]
}

@test "a metric in another language reads JSON lines and prints its score" {
	[ "$(three | scores --exec 'wc -l')" = 3.00000000 ]
	three | dseval accuracy --exec 'true' -q 2>/dev/null && false
	three | dseval bleu --exec 'echo "{\"score\": 0.5, \"signature\": \"x:1\"}"' --json -q |
		grep -q '"name":"exec","score":0.5,"signature":"x:1"'
	run --separate-stderr dseval --exec 'cat >/dev/null; echo why >&2; exit 3' -q < <(three)
	[ "$status" -eq 4 ] && [[ $stderr == *why* ]]
	run --separate-stderr dseval --exec 'echo maybe' -q < <(three)
	[ "$status" -eq 1 ] && [[ $stderr == *"printed no number"*maybe* ]]
}

# features N SEED SHIFT FIELD: N records of 3 numbers
features() {
	python3 - "$@" <<-'END'
		import json, random, sys
		n, seed, shift, field = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4]
		random.seed(seed)
		for _ in range(n):
		    a, b = random.gauss(0, 1), random.gauss(shift, 2)
		    print(json.dumps({field: [a, b, a + 2 * b + random.gauss(0, .1)]}))
	END
}

@test "fid equals the formula by numpy, whatever -j and the field" {
	features 200 1 0 embedding >a
	features 150 2 .5 embedding >b
	fid=$(scores fid --fit b <a)
	[ "$fid" = "$(scores fid --fit b -j 1 <a)" ]
	python3 - "$fid" <<-'END'
		import json, sys
		got = float(sys.argv[1])
		rows = [[json.loads(l)["embedding"] for l in open(f)] for f in "ab"]
		mean = lambda v: sum(v) / len(v)
		ms = [[mean([r[i] for r in x]) for i in range(3)] for x in rows]
		cov = [[[sum((r[i] - m[i]) * (r[j] - m[j]) for r in x) / (len(x) - 1) for j in range(3)] for i in range(3)] for x, m in zip(rows, ms)]
		p = [[sum(cov[0][i][k] * cov[1][k][j] for k in range(3)) for j in range(3)] for i in range(3)]
		# eigenvalues of p: roots of x^3 - t x^2 + c x - d, by bisection between their bounds
		t = p[0][0] + p[1][1] + p[2][2]
		c = sum(p[i][i] * p[j][j] - p[i][j] * p[j][i] for i, j in ((0, 1), (0, 2), (1, 2)))
		d = (p[0][0] * (p[1][1] * p[2][2] - p[1][2] * p[2][1]) - p[0][1] * (p[1][0] * p[2][2] - p[1][2] * p[2][0])
		     + p[0][2] * (p[1][0] * p[2][1] - p[1][1] * p[2][0]))
		f = lambda x: ((x - t) * x + c) * x - d
		disc = (t * t - 3 * c) ** .5
		turn = [(t - disc) / 3, (t + disc) / 3]
		roots = []
		for lo, hi in ((0, turn[0]), (turn[0], turn[1]), (turn[1], t)):
		    for _ in range(200):
		        mid = (lo + hi) / 2
		        lo, hi = (mid, hi) if (f(mid) > 0) == (f(lo) > 0) else (lo, mid)
		    roots.append(lo)
		want = sum((x - y) ** 2 for x, y in zip(*ms)) + sum(cov[k][i][i] for k in (0, 1) for i in range(3)) - 2 * sum(r ** .5 for r in roots)
		assert abs(got - want) < 1e-5 * want, (got, want)
	END
	sed 's/embedding/other/' a >c
	sed 's/embedding/other/' b >d
	run scores fid:field=other --fit d <c
	within 1e-4 "$fid" "$output"
	within 1e-6 "$(scores fid --fit a <a)" 0
}

@test "inception-score equals the formula, of probabilities and of logits" {
	python3 - >p <<-'END'
		import json, math, random
		random.seed(5)
		for _ in range(25):
		    z = [random.gauss(0, 2) for _ in range(4)]
		    e = [math.exp(x) for x in z]
		    print(json.dumps({"score": [x / sum(e) for x in e], "logits": z}))
	END
	python3 - "$(scores inception-score:splits=4 <p)" "$(scores inception-score:splits=4:field=logits:logits <p)" <<-'END'
		import json, math, sys
		rows = [json.loads(l)["score"] for l in open("p")]
		parts = [rows[i:i + 7] for i in range(0, 25, 7)]
		def one(x):
		    m = [sum(r[c] for r in x) / len(x) for c in range(4)]
		    return math.exp(sum(p * math.log(p / q) for r in x for p, q in zip(r, m)) / len(x))
		want = sum(map(one, parts)) / 4
		assert all(abs(float(v) - want) < 1e-6 for v in sys.argv[1:]), (sys.argv, want)
	END
}

@test "features that cannot be compared are named" {
	features 3 1 0 embedding >a
	echo '{"embedding":[1,2]}' >short
	for bad in "--fit nothing" "--fit short" ""; do
		run --separate-stderr dseval fid $bad a
		[ "$status" -ne 0 ] && [ "${#stderr_lines[@]}" -eq 1 ]
	done
	cat a short >b
	run --separate-stderr dseval fid --fit a b
	[ "$status" -eq 1 ] && [[ $stderr == *"2 numbers, records before have 3"* ]]
	run --separate-stderr dseval inception-score:field=embedding a
	[ "$status" -eq 1 ] && [[ $stderr == *"no probability"* ]]
}

@test "--plots draws what the metrics read, the same bytes for any -j" {
	for i in $(seq 60); do
		printf '{"label":"<%s>","pred":"<%s>","score":0.%02d}\n' $((i % 2)) $((i % 3 ? i % 2 : 1)) $((i % 2 * 30 + i))
	done >in
	dseval accuracy auc --plots one -q in
	dseval accuracy auc --plots two -j 1 -q in
	for f in confusion roc reliability; do
		cmp one/$f.svg two/$f.svg
		python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' one/$f.svg
	done
	grep -q '&lt;0>' one/confusion.svg
	run --separate-stderr dseval bleu --plots no in
	[ "$status" -eq 2 ]
	[ ! -e no ]
}
