# sim.bats - the CUDA simulator notices each kind of mistake, and passes what is right

load common

setup_file() {
	local home=${CUDA_HOME:-/usr/local/cuda} nvcc
	nvcc=$(command -v nvcc || echo "$home/bin/nvcc")
	[ -x "$nvcc" ] && [ -e "${BUILD:-build}/sim/libcudart.so.13" ] || return 0
	local p
	for p in controls instructions; do
		"$nvcc" -std=c++17 -O3 -cudart shared -gencode arch=compute_80,code=compute_80 \
			"$BATS_TEST_DIRNAME/../sim/controls/$p.cu" -o "$BATS_FILE_TMPDIR/$p"
	done
	home=$(cd "$(dirname "$nvcc")/.." && pwd)
	[ ! -e "${BUILD:-build}/sim/libnccl.so.2" ] || g++ -O1 -I"$home/include" "$BATS_TEST_DIRNAME/../sim/controls/ranks.cc" \
		"${BUILD:-build}"/sim/{libnccl.so.2,libcudart.so.13} -o "$BATS_FILE_TMPDIR/ranks"
}

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	[ -x "$BATS_FILE_TMPDIR/controls" ] || skip "no nvcc, or no simulator: make sim"
}

# Runs a control; its output and status are in $output and $status.
control() { run "$ROOT/tests/sim/run" "$BATS_FILE_TMPDIR/controls" "$1"; }

# notices NAME TEXT: the program fails, and says TEXT
notices() {
	control "$1"
	[ "$status" -ne 0 ] && [[ $output == *"$2"* ]] || { echo "$1 [$status]: $output"; return 1; }
}

# shows NAME TEXT: the program ends well, with TEXT in what it prints
shows() {
	control "$1"
	[ "$status" -eq 0 ] && [[ $output == *"$2"* ]] || { echo "$1 [$status]: $output"; return 1; }
}

@test "instructions give what the host computes, on every kind of CPU" {
	local cpu
	for cpu in scalar avx2 avx512; do
		DS_CPU=$cpu run "$ROOT/tests/sim/run" "$BATS_FILE_TMPDIR/instructions"
		[ "$status" -eq 0 ] && [[ $output == *"0 wrong"* ]] || { echo "$cpu: $output"; return 1; }
	done
}

@test "addresses outside of an allocation are noticed, with the kernel, the thread and the instruction" {
	notices past_the_end "thread (4,0,0): 'st.global"
	notices past_the_end "400 into an allocation of 400 bytes"
	notices use_after_free "in an allocation that was freed"
	notices null_pointer "near zero"
	notices host_pointer "no device memory"
	notices shared_too_far "of shared memory, which has 256"
	notices local_too_far "of local memory"
	notices misaligned "is not a multiple of 8"
	notices wrong_direction "a device address where the direction says host"
	control host_reads_device
	[ "$status" -gt 128 ]
}

@test "memory that nobody wrote holds NaNs" {
	shows uninitialized "nan"
	shows copy_not_awaited "nan"
	shows ok_copy_awaited "sum 0"
	notices copy_abandoned "ends while its cp.async is under way"
}

@test "races in shared memory, within a warp, between blocks and within one instruction are noticed" {
	export DS_SIM_RACE=1
	local name
	for name in race_shared race_warp race_blocks race_read_write race_same_instruction race_hand_over; do
		notices $name "a race:"
	done
}

@test "right programs pass, watched or not" {
	local name
	for name in ok_shared ok_warp ok_early_exit ok_lanes ok_hand_over ok_copy_awaited ok_event_awaited ok_graph \
		ok_printf ok_no_bank_conflicts; do
		shows $name ""
		DS_SIM_RACE=1 shows $name ""
		DS_SIM_STATS=1 shows $name ""
	done
	shows ok_printf "lane 3 of 4, text, 1.50"
	shows ok_hand_over "sum 16"
	shows ok_early_exit "sum 128"
}

@test "lanes and warps that wait for ever are shown where they stand" {
	notices divergent_barrier "hangs"
	notices barrier_without_partner "wait at 'bar.sync 1, 64'"
	notices mask_too_wide "hangs"
	notices mask_too_narrow "not in the mask"
	notices reads_lane_outside "which is not in the mask"
	notices traps "the kernel gives up"
}

@test "work in streams comes as late as it may" {
	shows event_not_awaited "nan"
	shows ok_event_awaited "sum 0"
	shows pinned_read_early "sum 0"
	shows pinned_read_early "then 31"
	notices graph_not_joined "unjoined"
	notices sync_while_capturing "stream"
	DS_SIM_STREAMS=eager shows event_not_awaited "sum 0"
}

@test "launches that a device refuses are refused" {
	notices too_much_shared "invalid argument"
	notices too_many_threads "invalid argument"
	notices empty_grid "invalid configuration"
	notices memory_is_full "out of memory"
}

@test "no device, an old driver, a small memory and a failing call can be had" {
	DS_SIM_DEVICES=0 notices no_fault "no CUDA-capable device"
	DS_SIM_DRIVER=12000 notices no_fault "driver version is insufficient"
	DS_SIM_MEMORY=0 notices no_fault "out of memory"
	DS_SIM_FAIL=cudaMalloc:1 notices no_fault "out of memory"
	DS_SIM_ARCH=70 notices no_fault "no PTX for sm_70"
	shows no_fault "1 devices"
}

@test "bank conflicts and scattered sectors are counted" {
	export DS_SIM_STATS=1
	shows bank_conflicts "bank conflicts, 32.00x"
	shows wide_stride "sectors 8.00x"
	shows ok_no_bank_conflicts "(1.00x)"
}

# ranks NAME N TEXT: what N processes print; their status in $status
ranks() {
	DS_SIM_DEVICES=$2 run "$ROOT/tests/sim/run" "$BATS_FILE_TMPDIR/ranks" "$1" "$2"
	[[ $output == *"$3"* ]] || { echo "$1 [$status]: $output"; return 1; }
}

@test "processes exchange by NCCL's calls, and calls that do not fit are noticed" {
	[ -x "$BATS_FILE_TMPDIR/ranks" ] || skip "no nccl.h"
	local name
	for name in ok_collectives ok_all_to_all ok_both_ways; do
		ranks $name 2 ""
		[ "$status" -eq 0 ] || { echo "$name: $output"; return 1; }
	done
	ranks ok_collectives 4 ""
	[ "$status" -eq 0 ]
	for name in counts_differ calls_differ; do
		ranks $name 2 "is at nccl"
		[ "$status" -ne 0 ]
	done
	ranks past_the_end 2 "800 bytes at an address 0 into an allocation of 400 bytes"
	ranks one_device 2 "two ranks have device 0"
	ranks sends_face_to_face 2 ""
	[ "$status" -ne 0 ]
	ranks sum_not_awaited 2 "rank 0 has 1000"
}
