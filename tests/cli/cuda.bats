#!/usr/bin/env bats
# --device: training, generation and evaluation on the CUDA backend, run by the simulator, follow the CPU; what goes wrong
# with drivers and devices is said in a line. Without a CUDA toolkit there is nothing to run.

load common

setup() {
	common_setup
	home=${BUILD:-$ROOT/build}
	if [ -e "$home/libds-cuda.so" ] && [ -e "$home/sim/libcudart.so.13" ]; then
		export DS_CUDA=sim
	fi
	for i in $(seq 60); do
		echo "line $i: the quick brown fox jumps over the lazy dog, and $((i * 7 % 13)) more"
	done >text.txt
	small="--model gpt2 --set n_layer=2,n_embd=32,n_head=2,seq=32,batch_tokens=128,seed=3,dropout=0.1,lr=1e-3 -q"
}

need_sim() {
	[ "${DS_CUDA:-}" = sim ] || skip "no CUDA backend or no simulator: make cuda sim"
}

losses() { sed -n 's/.*loss": \([0-9.]*\).*/\1/p' "$1/log.jsonl"; }

# near A B SHARE: their losses differ by that share at most
near() {
	diff <(grep -c loss "$1/log.jsonl") <(grep -c loss "$2/log.jsonl")
	paste <(losses "$1") <(losses "$2") | awk -v most="$3" '{ d = $1 - $2; if (d < 0) d = -d; if (!(d <= most * $1)) { print; bad = 1 } } END { exit bad }'
}

train() { dstrain $small "$@" text.txt; }

@test "training follows the CPU in fp32 and bf16, over micro-batches and ranks" {
	need_sim
	for p in fp32 bf16; do
		train --device cpu --precision $p --max-steps 3 --out "cpu-$p"
		train --device cuda --precision $p --max-steps 3 --out "cuda-$p"
	done
	near cpu-fp32 cuda-fp32 1e-4
	near cpu-bf16 cuda-bf16 1e-2
	train --device cuda --precision fp32 --max-steps 3 --gradient-accumulation-steps 2 --out parts
	near cpu-fp32 parts 1e-4
	grep -q 'The' <<<"$(printf 'The\n' | dsgen --device cuda -m cpu-fp32 --max-tokens 2 --temperature 0 --to text -q)"
	head -n 5 text.txt >held.txt
	for d in cpu cuda; do dseval ppl --device $d --seq 32 -m cpu-fp32 held.txt | awk '{ print $2 }'; done |
		awk 'NR == 1 { a = $1 } NR == 2 { d = a - $1; if (d < 0) d = -d; ok = d < 1e-5 * a } END { exit !ok }'
}

@test "ranks exchange by NCCL, and what they do follows the CPU in every layout" {
	need_sim
	[ -e "$home/sim/libnccl.so.2" ] || skip "no nccl.h where the simulator was built"
	train --device cpu --max-steps 2 --out cpu
	train --device cuda --max-steps 2 --procs 2 --parallel-strategy tp=2 --out tp
	train --device cuda --max-steps 2 --procs 2 --parallel-strategy pp=2 --gradient-accumulation-steps 4 --out pp
	train --device cuda --max-steps 2 --procs 4 --parallel-strategy tp=2,dp=2 --zero 1 --out four
	DS_CUDA_COMM=host train --device cuda --max-steps 2 --procs 2 --parallel-strategy tp=2 --out host
	for d in tp pp four host; do near cpu $d 1e-6; done
	cmp tp/model.safetensors host/model.safetensors
}

@test "experts follow the CPU, on one device and shared out among two" {
	need_sim
	moe="--model llama --set hidden_size=32,intermediate_size=64,num_hidden_layers=2,num_attention_heads=2,num_key_value_heads=1"
	moe+=",num_experts=4,num_experts_per_tok=2,seq=32,batch_tokens=128,seed=3,lr=1e-3 -q --max-steps 2"
	dstrain $moe --device cpu --out cpu text.txt
	dstrain $moe --device cuda --out cuda text.txt
	near cpu cuda 1e-5
	dstrain $moe --device cuda --precision bf16 --out bf16 text.txt
	near cpu bf16 1e-3
	[ -e "$home/sim/libnccl.so.2" ] || return 0
	# Copies even out their own rows, so two are no longer one.
	dstrain $moe --device cpu --procs 2 --parallel-strategy dp=2,ep=2 --out cpu-shared text.txt
	dstrain $moe --device cuda --procs 2 --parallel-strategy dp=2,ep=2 --out shared text.txt
	near cpu-shared shared 1e-5
}

@test "a rank whose device waits for another for too long ends the job, with the collective's name" {
	need_sim
	[ -e "$home/sim/libnccl.so.2" ] || skip "no nccl.h where the simulator was built"
	dstrain $small --device cuda --max-steps 100000 --procs 2 --comm-timeout 4 --out r text.txt 2>err &
	pid=$!
	for _ in $(seq 6000); do
		[ "$(cat r/log.jsonl 2>/dev/null | wc -l)" -ge 2 ] && break
		sleep 0.01
	done
	kill -STOP "$(pgrep -P $pid | tail -n 1)"
	rc=0
	wait $pid || rc=$?
	cat err
	[ "$rc" -eq 4 ]
	grep -qE "rank 0: (cuda: all_reduce of '.*' did not end within 4 s|waited 4 s for rank 1)" err
}

@test "captured steps, and what backward makes again, change no bit" {
	need_sim
	train --device cuda --precision bf16 --max-steps 3 --out captured
	DS_CUDA_SYNC=1 train --device cuda --precision bf16 --max-steps 3 --out launched
	train --device cuda --precision bf16 --max-steps 3 --set gradient_checkpointing=true --out again
	cmp captured/model.safetensors launched/model.safetensors
	cmp captured/model.safetensors again/model.safetensors
}

@test "a run for a device is planned without one" {
	dstrain $small --device cuda --dry-run text.txt >plan
	grep -q '^total' plan
	run ! grep -q 'by reference' <(dstrain $small --device cuda --dump plan text.txt)
}

@test "an unknown device is refused with those that there are" {
	fails 2 "'tpu' is none of auto|cpu|cuda" dstrain $small --device tpu --out x text.txt
}

# driver VERSION DEVICES: a library that answers as NVIDIA's driver would
driver() {
	mkdir -p driver
	cat >driver/cuda.c <<-C
		int cuInit(unsigned f) { return f ? 1 : $2 ? 0 : 100; }
		int cuDriverGetVersion(int *v) { *v = $1; return 0; }
		int cuDeviceGetCount(int *n) { *n = $2; return 0; }
	C
	gcc -shared -fPIC -Wl,-soname,libcuda.so.1 driver/cuda.c -o driver/libcuda.so.1
}

@test "no driver, an old one and one without a device are told apart, and auto then takes the CPU" {
	unset DS_CUDA
	[ ! -e /dev/nvidiactl ] || skip "this machine has a device"
	run --separate-stderr dstrain $small --device cuda --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"no NVIDIA driver"* ]]
	driver 12040 1
	LD_LIBRARY_PATH=driver run --separate-stderr dstrain $small --device cuda --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"is for CUDA 12.4, at least 13.0 is needed"* ]]
	LD_LIBRARY_PATH=driver dstrain $small --max-steps 1 --out auto text.txt
	driver 13000 0
	LD_LIBRARY_PATH=driver run --separate-stderr dstrain $small --device cuda --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"the driver has no device"* ]]
}

@test "a device that is too old, too small, or missing for a rank ends the run with a line" {
	need_sim
	DS_SIM_ARCH=75 run --separate-stderr dstrain $small --device cuda --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"compute capability 7.5, at least 8.0 is needed"* ]]
	DS_SIM_DEVICES=0 run --separate-stderr dstrain $small --device cuda --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"cuda: "* ]]
	DS_SIM_MEMORY=20 run --separate-stderr dstrain $small --device cuda --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"there "* || $stderr == *"MB"* ]]
	DS_SIM_DEVICES=1 run --separate-stderr dstrain $small --device cuda --procs 2 --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"rank 1 has no device: there is 1"* ]]
}

@test "a call that fails names what it was for" {
	need_sim
	DS_SIM_FAIL=cudaMalloc:4 run --separate-stderr dstrain $small --device cuda --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"cuda: no room for"* ]]
	DS_SIM_FAIL=cudaLaunchKernel:9=719 run --separate-stderr dstrain $small --device cuda --max-steps 1 --out x text.txt
	[ "$status" -eq 4 ] && [[ $stderr == *"cuda: "*" of transformer."* ]]
}
