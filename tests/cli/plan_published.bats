#!/usr/bin/env bats
# dsplan's seconds and parameters against published runs

load common

setup() {
	common_setup
}

@test "published Megatron, torchtitan and Llama runs: parameters as printed, steps within 25 %, the median within 12 %" {
	python3 "$ROOT/tests/cli/plan_published.py" "$ROOT/tests/data/plan/published.tsv" >table || { cat table; false; }
	tail -n 1 table >&3
}
