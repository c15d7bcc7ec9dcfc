#!/usr/bin/env bats
# pipelines/slurm on a Slurm of this machine alone, begun for the test: make check-scale

load ../cli/common

setup_file() {
	for p in slurmctld slurmd sbatch munged; do
		PATH=$PATH:/usr/sbin command -v $p >/dev/null || skip "no $p: apt-get install slurmctld slurmd slurm-client munge"
	done
	export PATH=$PATH:/usr/sbin SLURM_DIR=$BATS_FILE_TMPDIR/slurm USER=${USER:-$(id -un)}
	export SLURM_CONF=$SLURM_DIR/slurm.conf
	mkdir -p "$SLURM_DIR"/{spool,state,munge}
	chmod 711 "$SLURM_DIR/munge" "$BATS_FILE_TMPDIR"
	head -c 128 /dev/urandom >"$SLURM_DIR/munge/key"
	chmod 600 "$SLURM_DIR/munge/key"
	port=$((20000 + $$ % 20000))
	cat >"$SLURM_CONF" <<-END
		ClusterName=test
		SlurmctldHost=$(hostname -s)(127.0.0.1)
		SlurmctldPort=$port
		SlurmdPort=$((port + 1))
		SlurmUser=$(id -un)
		SlurmdUser=$(id -un)
		AuthType=auth/munge
		AuthInfo=socket=$SLURM_DIR/munge/socket
		CryptoType=crypto/munge
		CredType=cred/munge
		StateSaveLocation=$SLURM_DIR/state
		SlurmdSpoolDir=$SLURM_DIR/spool
		SlurmctldPidFile=$SLURM_DIR/slurmctld.pid
		SlurmdPidFile=$SLURM_DIR/slurmd.pid
		SlurmctldLogFile=$SLURM_DIR/slurmctld.log
		SlurmdLogFile=$SLURM_DIR/slurmd.log
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		MpiDefault=none
		ReturnToService=2
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		SchedulerParameters=sched_interval=1,sched_min_interval=10000,batch_sched_delay=0
		NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
		PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
	END
	munged --force --key-file="$SLURM_DIR/munge/key" --socket="$SLURM_DIR/munge/socket" --pid-file="$SLURM_DIR/munge/pid" \
		--log-file="$SLURM_DIR/munge/log" --seed-file="$SLURM_DIR/munge/seed" 3>&-
	slurmctld -c 3>&-
	slurmd -c 3>&-
	for _ in $(seq 300); do
		[ "$(sinfo -h -o %T 2>/dev/null)" != idle ] || return 0
		sleep 0.2
	done
	tail -n 5 "$SLURM_DIR"/*.log >&2
	return 1
}

teardown_file() {
	for f in slurmd.pid slurmctld.pid munge/pid; do
		[ -s "$SLURM_DIR/$f" ] || continue
		pid=$(cat "$SLURM_DIR/$f")
		kill "$pid"
		while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
	done
}

setup() {
	common_setup
	export DS_BIN=${BUILD:-$ROOT/build}/bin
	prepare=$ROOT/pipelines/slurm/prepare.sh
	mkdir in
	near_duplicates 900 5 | split -l 300 -d -a 1 --additional-suffix=.jsonl - in/part-
}

same() { cmp <(dsrec cat -q --to jsonl "$1") <(dsrec cat -q --to jsonl out/part-*.dsr); }

@test "array jobs keep the records of one run, and a damaged shard is named" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	printf '{"id":"x","text":"broken' >in/part-9.jsonl
	run -1 --separate-stderr "$prepare" -q --partitions 2 in out
	[ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == *in/part-9.jsonl* ]]
	same one.dsr
	[ "$(ls -A out)" = "$(printf 'part-%05d.dsr\n' 0 1 2 && echo shards.tsv)" ]
}

@test "a task that is killed is run once more" {
	dsclean -q in/*.jsonl | dsdedup -q -o one.dsr
	mkdir bin
	for p in "$DS_BIN"/*; do ln -s "$p" bin/; done
	rm bin/dsclean
	# The first dsclean of shard 1 ends its whole task.
	cat >bin/dsclean <<-END
		#!/bin/bash
		if [[ \$* == *part-1.jsonl* ]] && mkdir "$PWD/killed" 2>/dev/null; then
			scontrol requeue "\$SLURM_JOB_ID" || true
			scancel --signal=KILL "\$SLURM_JOB_ID"
			kill -KILL \$PPID
			sleep 60
		fi
		exec "$DS_BIN/dsclean" "\$@"
	END
	chmod +x bin/dsclean
	DS_BIN=$PWD/bin run -0 --separate-stderr "$prepare" -q --partitions 2 in out
	[ -d killed ]
	same one.dsr
}

@test "training that a signal cuts is gone on with by another job, to the same weights" {
	for i in $(seq 100); do echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * 7 % 13)) more"; done >text.txt
	small=(--model gpt2 --set "n_layer=1,n_embd=32,n_head=4,seq=32,batch_tokens=256,lr=1e-3,seed=3" --max-steps 300)
	"$DS_BIN/dstrain" -q "${small[@]}" --out one text.txt
	cut_once() {
		until [ -s run/log.jsonl ]; do sleep 0.1; done
		scancel --signal=TERM --batch "$(squeue -h -o %i | head -n 1)"
	}
	cut_once &
	"$ROOT/pipelines/slurm/train.sh" --time 10 "${small[@]}" --out run text.txt
	wait
	cmp one/model.safetensors run/model.safetensors
}

@test "two ranks of a job train what one process does" {
	for i in $(seq 100); do echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * 7 % 13)) more"; done >text.txt
	small=(--model gpt2 --set "n_layer=1,n_embd=32,n_head=4,seq=32,batch_tokens=256,lr=1e-3,seed=3" --max-steps 5)
	srun --mpi=list 2>&1 | grep -q pmix || skip "this Slurm has no pmix"
	"$DS_BIN/dstrain" -q "${small[@]}" --out one text.txt
	"$ROOT/pipelines/slurm/train.sh" --per-node 2 "${small[@]}" --parallel-strategy dp=2 --out run text.txt
	grep -q '"bytes_by_rank": \[[0-9]*, *[0-9]*\]' run/plan.json
	losses() { sed -n 's/.*loss": \([0-9.]*\).*/\1/p' "$1/log.jsonl"; }
	paste <(losses one) <(losses run) | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > 1e-4 * $1) bad = 1 } END { exit bad || NR == 0 }'
}
