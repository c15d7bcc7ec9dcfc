# sim.mk - the CUDA simulator of the test build: stand-ins for CUDA's libraries in build/sim
#
# Needs CUDA's headers alone; without them nothing here is built. Each exec_*.cc is compiled once per
# instruction set, and the simulator chooses at run time.

SIM_HOME ?= $(or $(CUDA_HOME),$(patsubst %/bin/nvcc,%,$(shell command -v nvcc)),$(wildcard /usr/local/cuda))
SIM_NVCC := $(wildcard $(SIM_HOME)/bin/nvcc)
sim_dir  := $(BUILD)/sim
sim_isas := plain avx2 avx512
SIM_plain  :=
SIM_avx2   := -march=x86-64-v3
SIM_avx512 := -march=x86-64-v4 -mprefer-vector-width=512
SIM_FLAGS  := -std=gnu++20 -O3 -g1 -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno -fno-trapping-math \
	      -fno-strict-aliasing -Wall -Wextra $(if $(WERROR),-Werror)
sim_exec := $(wildcard tests/sim/exec_*.cc)
sim_core := $(filter-out $(sim_exec) tests/sim/blas% tests/sim/gemm% tests/sim/nccl%,$(wildcard tests/sim/*.cc))
sim_rt   := $(sim_core:%.cc=$(BUILD)/obj/%.sim.o) $(foreach i,$(sim_isas),$(sim_exec:%.cc=$(BUILD)/obj/%.$(i).o))
sim_nccl := $(if $(wildcard $(SIM_HOME)/include/nccl.h /usr/include/nccl.h),libnccl.so.2)
sim_libs := $(addprefix $(sim_dir)/,libcudart.so.13 libcublasLt.so.13 libcublas.so.13 $(sim_nccl))

define sim_isa
$(BUILD)/obj/tests/sim/exec_%.$(1).o: tests/sim/exec_%.cc
	@mkdir -p $$(@D)
	$$(CXX) $$(SIM_FLAGS) $$(SIM_$(1)) -DSIM_ISA=$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach i,$(sim_isas),$(eval $(call sim_isa,$(i))))
$(BUILD)/obj/tests/sim/%.sim.o: tests/sim/%.cc
	@mkdir -p $(@D)
	$(CXX) $(SIM_FLAGS) -isystem $(SIM_HOME)/include -MMD -MP -c $< -o $@

# Programs ask for version nodes named like the library.
sim_link = echo '$(1) { global: *; };' >$@.map && \
	   $(CXX) -shared -Wl,-soname,$(1) -Wl,--version-script=$@.map -Wl,-rpath,'$$ORIGIN' $(filter %.o %.13,$^) -o $@
$(sim_dir)/libcudart.so.13: $(sim_rt)
	@mkdir -p $(@D)
	$(call sim_link,libcudart.so.13) -lzstd -llz4
$(sim_dir)/libcublasLt.so.13: $(BUILD)/obj/tests/sim/blas_lt.sim.o $(BUILD)/obj/tests/sim/gemm.sim.o $(sim_dir)/libcudart.so.13
	$(call sim_link,libcublasLt.so.13) -ldnnl
$(sim_dir)/libcublas.so.13: $(BUILD)/obj/tests/sim/blas.sim.o $(BUILD)/obj/tests/sim/gemm.sim.o $(sim_dir)/libcudart.so.13
	$(call sim_link,libcublas.so.13) -ldnnl
$(sim_dir)/libnccl.so.2: $(BUILD)/obj/tests/sim/nccl.sim.o $(sim_dir)/libcudart.so.13
	$(call sim_link,libnccl.so.2) -lrt

sim: $(if $(wildcard $(SIM_HOME)/include/cuda_runtime_api.h),$(sim_libs)) ## the CUDA simulator, where CUDA's headers are
	@$(if $^,true,echo "sim: no CUDA headers (CUDA_HOME): the simulator is not built")
cuda: sim
check check-run: $(if $(SIM_NVCC),sim)
check-mutants: $(if $(CUDA_HOME),cuda $(BUILD)/test/test_cuda_ops) ## mistakes put into the CUDA kernels, each of which must be noticed
	@NVCC='$(if $(CUDA_HOME),$(CUDA_HOME)/bin/nvcc)' BUILD=$(BUILD) JOBS=$(JOBS) tests/sim/mutants
cuda-report: $(if $(CUDA_HOME),cuda) ## bench/CUDA.md: registers, occupancy, sectors and bounds, without a device
	@BUILD=$(BUILD) tests/sim/report
.PHONY: sim check-mutants cuda-report
