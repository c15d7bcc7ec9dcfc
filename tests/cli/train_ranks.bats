#!/usr/bin/env bats
# dstrain --procs: several processes train what one does, and end together

load common

setup() {
	common_setup
	for i in $(seq 100); do
		echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * 7 % 13)) more"
	done >text.txt
	head -n 20 text.txt >held.txt
	small="--model gpt2 --set n_layer=2,n_embd=32,n_head=4,seq=32,batch_tokens=256,dropout=0.1,lr=1e-3,seed=3 -q"
}

# near A B: their losses differ by 1e-4 of the largest at most
near() {
	diff <(grep -c loss "$1/log.jsonl") <(grep -c loss "$2/log.jsonl")
	paste <(losses "$1") <(losses "$2") | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-4 * $1) { print; bad = 1 } } END { exit bad }'
}

losses() { sed -n 's/.*loss": \([0-9.]*\).*/\1/p' "$1/log.jsonl"; }

@test "two and four copies follow one process, evaluation included, and say what they took" {
	dstrain $small --max-steps 6 --eval-data held.txt --eval-every 3 --out one text.txt
	for n in 2 4; do
		dstrain $small --max-steps 6 --eval-data held.txt --eval-every 3 --procs $n --out "dp$n" text.txt
		near one "dp$n"
		[ "$(grep -o '[0-9]*' <(sed -n 's/.*bytes_by_rank": \[\([^]]*\)\].*/\1/p' "dp$n/plan.json") | wc -l)" -eq "$n" ]
	done
}

@test "dropout is the same however a step is cut into parts" {
	dstrain $small --max-steps 4 --out one text.txt
	dstrain $small --max-steps 4 --gradient-accumulation-steps 2 --out parts text.txt
	near one parts
	dstrain $small --max-steps 4 --gradient-accumulation-steps 2 --procs 2 --out both text.txt
	near one both
}

@test "a run goes on with another number of ranks, and with the same to the bit" {
	dstrain $small --max-steps 6 --save-every 3 --procs 2 --out whole text.txt
	dstrain $small --max-steps 3 --scheduler constant --procs 2 --out a text.txt
	cp -r a b
	dstrain -q --resume --max-steps 6 --out a
	dstrain -q --resume --max-steps 6 --procs 4 --out b
	near a b
	rm -r whole/checkpoint-6
	cp -r whole cut
	dstrain -q --resume --out cut
	cmp whole/model.safetensors cut/model.safetensors
}

@test "copies that average every second step end as one model" {
	dstrain $small --max-steps 5 --procs 2 --sync-every 2 --save-every 1 --out r text.txt
	[ "$(wc -l <r/log.jsonl)" -eq 5 ]
	[ -d r/checkpoint-4 ] && [ -d r/checkpoint-5 ]
}

@test "matrices cut in two follow one process, and are saved whole" {
	dstrain $small --max-steps 6 --save-every 3 --out one text.txt
	dstrain $small --max-steps 6 --save-every 3 --procs 2 --parallel-strategy tp=2 --out tp text.txt
	near one tp
	rm -r tp/checkpoint-6
	cp -r tp other
	dstrain -q --resume --out tp
	cmp tp/model.safetensors tp/checkpoint-6/model.safetensors
	dstrain -q --resume --procs 1 --parallel-strategy dp --out other
	near one other
}

@test "stages, and all three together, follow one process" {
	dstrain $small --max-steps 6 --eval-data held.txt --eval-every 3 --out one text.txt
	for s in pp=2 tp=2,pp=2 dp=2,pp=2; do
		dstrain $small --max-steps 6 --eval-data held.txt --eval-every 3 --parallel-strategy $s --out "$s" text.txt
		near one "$s"
	done
	dstrain $small --max-steps 6 --eval-data held.txt --eval-every 3 --procs 8 --parallel-strategy 3d --out all text.txt
	near one all
}

@test "ranks that share out experts evaluate data that does not divide among them" {
	experts=(--model llama --set "hidden_size=32,intermediate_size=24,num_hidden_layers=2,num_attention_heads=4,num_key_value_heads=2,num_experts=4,seq=16,batch_tokens=64,seed=3" -q)
	dstrain "${experts[@]}" --max-steps 2 --eval-data held.txt --eval-every 1 --out one text.txt
	for batches in 1 3 5; do
		dstrain "${experts[@]}" --max-steps 2 --eval-data held.txt --eval-every 1 --eval-batches $batches --comm-timeout 60 --parallel-strategy dp=2,ep=2 --out "ep$batches" text.txt
	done
	dstrain "${experts[@]}" --max-steps 2 --eval-data held.txt --eval-every 1 --comm-timeout 60 --parallel-strategy dp=2,ep=2 --out ep text.txt
	paste <(sed -n 's/.*eval_loss": \([0-9.]*\).*/\1/p' one/log.jsonl) <(sed -n 's/.*eval_loss": \([0-9.]*\).*/\1/p' ep/log.jsonl) |
		awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-4) exit 1; n++ } END { exit n != 2 }'
}

@test "saved under tp=2, resumed under pp=2" {
	dstrain $small --max-steps 6 --save-every 3 --out one text.txt
	dstrain $small --max-steps 6 --save-every 3 --parallel-strategy tp=2 --out r text.txt
	rm -r r/checkpoint-6
	dstrain -q --resume --parallel-strategy pp=2 --out r
	near one r
}

@test "auto takes the first layout that divides" {
	dstrain ${small% -q} --batch-tokens 96 --max-steps 1 --procs 2 --parallel-strategy auto --out r text.txt 2>err
	grep -q "parallel_strategy=auto: dp=1,tp=2,pp=1" err
	dstrain ${small% -q} --max-steps 1 --procs 2 --parallel-strategy auto --out s text.txt 2>err
	grep -q "parallel_strategy=auto: dp=2,tp=1,pp=1" err
}

@test "a shared-out optimizer follows one process, and its states are saved whole" {
	dstrain $small --max-steps 6 --save-every 3 --out one text.txt
	dstrain $small --max-steps 6 --save-every 3 --procs 2 --zero 1 --out z text.txt
	near one z
	rm -r z/checkpoint-6
	dstrain -q --resume --procs 1 --zero 0 --out z
	near one z
	fails 2 "zero=1 shares out the state of adamw, not of lamb" dstrain $small --zero 1 --optimizer lamb --procs 2 --max-steps 1 --out r text.txt
}

@test "ranks that mpirun starts follow one process; other settings are refused" {
	command -v mpirun >mpi && [ -f "${BUILD:-$ROOT/build}/libds-mpi.so" ] || skip "no Open MPI"
	export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
	dstrain $small --max-steps 4 --out one text.txt
	mpirun --oversubscribe -n 2 "$(command -v dstrain)" $small --max-steps 4 --parallel-strategy tp=2 --out m text.txt
	near one m
	run mpirun --oversubscribe -n 1 "$(command -v dstrain)" $small --max-steps 4 --out x text.txt : -n 1 "$(command -v dstrain)" $small --max-steps 5 --out x text.txt
	[ "$status" -eq 2 ]
	[[ $output == *"rank 1 has another setting than rank 0"* ]]
	cp "$(command -v dstrain)" "${BUILD:-$ROOT/build}/libds-mpi.so" .
	echo >>dstrain
	run mpirun --oversubscribe -n 1 "$(command -v dstrain)" $small --max-steps 4 --out x text.txt : -n 1 ./dstrain $small --max-steps 4 --out x text.txt
	[[ $output == *"rank 1 has another program than rank 0"* ]]
}

@test "layouts that do not divide name the dimension and the nearest" {
	fails 2 "dp=3: rows of a step=8 is no multiple of it; the nearest are dp=2 and dp=4" dstrain $small --procs 3 --max-steps 1 --out r text.txt
	fails 2 "tp=3: num_attention_heads=4 is no multiple of it; the nearest are tp=2 and tp=4" dstrain $small --parallel-strategy tp=3 --max-steps 1 --out r text.txt
	fails 2 "pp=3: num_hidden_layers=2 is less; the nearest is pp=2" dstrain $small --parallel-strategy pp=3 --max-steps 1 --out r text.txt
	fails 2 "takes 2 ranks, num_gpus=3" dstrain $small --procs 3 --parallel-strategy dp=2 --max-steps 1 --out r text.txt
	fails 2 "'xp=2' is none of dp, tp, pp" dstrain $small --parallel-strategy xp=2 --max-steps 1 --out r text.txt
}

@test "a rank that dies ends the job, named, and nobody stays" {
	dstrain $small --max-steps 100000 --procs 2 --out r text.txt 2>err &
	pid=$!
	for _ in $(seq 3000); do
		[ "$(cat r/log.jsonl 2>/dev/null | wc -l)" -ge 3 ] && break
		sleep 0.01
	done
	rank=$(pgrep -P $pid | tail -n 1)
	kill -9 "$rank"
	rc=0
	wait $pid || rc=$?
	[ "$rc" -eq 4 ]
	[ "$(cat err)" = "dstrain: rank 1: killed by signal 9 (Killed)" ]
	[ -z "$(pgrep -P $pid)" ]
}

@test "a rank that hangs ends the job, with what every rank was doing" {
	dstrain $small --max-steps 100000 --procs 2 --comm-timeout 2 --out r text.txt 2>err &
	pid=$!
	for _ in $(seq 3000); do
		[ "$(cat r/log.jsonl 2>/dev/null | wc -l)" -ge 3 ] && break
		sleep 0.01
	done
	kill -STOP "$(pgrep -P $pid | tail -n 1)"
	rc=0
	wait $pid || rc=$?
	[ "$rc" -eq 4 ]
	grep -q "rank 0: waited 2 s for rank 1 at .*; rank 0: .*, waits for rank 1; rank 1: " err
	[ -z "$(pgrep -P $pid)" ]
}

@test "--restarts goes on from the last checkpoint where a rank died" {
	dstrain $small --max-steps 12 --save-every 2 --out one text.txt
	dstrain ${small% -q} --max-steps 12 --save-every 2 --procs 2 --restarts 1 --out r text.txt 2>err &
	pid=$!
	for _ in $(seq 3000); do
		[ -d r/checkpoint-2 ] && break
		sleep 0.01
	done
	kill -9 "$(pgrep -P $pid | head -n 1)"
	wait $pid
	grep -q "killed by signal 9 (Killed); the ranks begin again at the last checkpoint, 0 times left" err
	near one r
}

@test "a layout of 128 ranks is checked without having one" {
	dstrain $small --num-attention-heads 8 --num-hidden-layers 4 --batch-tokens 2048 --dry-run --parallel-strategy tp=8,pp=4,dp=4 >out
	grep -q "ranks       128: dp=4 pp=4 tp=8, every message has its receiver" out
	grep -q "  rank 24 to 31: .* of memory" out
	fails 2 "tp=16: num_attention_heads=8" dstrain $small --num-attention-heads 8 --dry-run --parallel-strategy tp=16
}

@test "what --dry-run says a rank takes is what it allocates" {
	for s in dp=2 tp=2 pp=2; do
		dstrain $small --max-steps 1 --parallel-strategy $s --out $s text.txt
		dstrain $small --dry-run --parallel-strategy $s -j 1 text.txt | sed -n 's/.*of memory (\([0-9]*\)).*/\1/p' | sort -n | tail -n 1 >said
		python3 -c 'import json,sys; print(max(json.load(open(sys.argv[1]))["bytes_by_rank"]))' $s/plan.json >took
		cmp said took
	done
}

@test "what ranks sent is reported, and --trace has a line for each" {
	dstrain $small --max-steps 2 --parallel-strategy tp=2,pp=2 --trace t.json --stats s.json --out r text.txt
	python3 - <<-'E'
		import json
		d = [e for e in json.load(open("t.json"))["traceEvents"] if e["ph"] == "X"]
		assert {e["pid"] for e in d} == {0, 1, 2, 3}
		names = " ".join(e["name"] for e in d)
		assert all(w in names for w in ("forward", "backward", "optimizer", "all_reduce", "save")), names[:400]
		c = json.load(open("s.json"))["communication"]
		assert c["all_reduce"]["bytes"] > 0 and c["send"]["calls"] > 0 and c["all_reduce"]["waited"] >= 0
	E
}

@test "a signal to the process that was called saves and ends all ranks" {
	dstrain $small --max-steps 100000 --procs 2 --out r text.txt &
	pid=$!
	for _ in $(seq 3000); do
		[ "$(cat r/log.jsonl 2>/dev/null | wc -l)" -ge 3 ] && break
		sleep 0.01
	done
	kill -TERM $pid
	wait $pid
	step=$(tail -n 1 r/log.jsonl | sed 's/.*"step": \([0-9]*\).*/\1/')
	[ -d "r/checkpoint-$step" ]
}
