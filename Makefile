# Makefile - builds dstools into build/; `make help` lists the targets

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
T       ?=
WERROR  ?=
SAN     ?=
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
OPT     ?= -O2 -g

WARN    := -Wall -Wextra -Wno-unused-parameter -Wshadow -Wwrite-strings -Wvla $(if $(WERROR),-Werror)
WARN_C  := -Wstrict-prototypes -Wmissing-prototypes
DEFS    := -D_GNU_SOURCE -Ilib $(if $(SAN),-DDS_DEBUG_FAULTS)
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CFLAGS_ALL   := -std=gnu11 $(OPT) $(WARN) $(WARN_C) $(DEFS) $(SANFLAG) -pthread $(CFLAGS)
CXXFLAGS_ALL := -std=gnu++17 -fno-rtti $(OPT) $(WARN) $(DEFS) $(SANFLAG) -pthread $(CXXFLAGS)
LDFLAGS_ALL  := $(SANFLAG) -pthread $(LDFLAGS)
LIBS    := -Wl,--as-needed -ldnnl -lgomp -lsimdjson -licui18n -licuuc -lcld2 -lpcre2-8 -lzstd -lz -lxxhash \
	   -lmicrohttpd -lgrpc -lgpr -lprotobuf-c -lstdc++ -lpthread -lm -ldl

# Sources by wildcard: a library part, a program or a test is added by adding its file.
# lib/comm/mpi is a library of its own, loaded where mpirun or srun started a program.
lib_src  := $(shell find lib -path lib/comm/mpi -prune -o \( -name '*.c' -o -name '*.cc' \) -print | sort)
lib_obj  := $(patsubst %,$(BUILD)/obj/%.o,$(basename $(lib_src)))
lib      := $(BUILD)/libds.a
prog_record := dsrec
prog_clean := dsclean
prog_dedup := dsdedup
prog_augment := dsaug
prog_tokenize := dstok
prog_train := dstrain
prog_generate := dsgen
prog_eval := dseval
prog_export := dsexport
prog_serve := dsserve
prog_plan := dsplan
folders  := $(notdir $(patsubst %/main.c,%,$(wildcard tools/*/main.c)))
progs    := $(foreach f,$(folders),$(prog_$(f)))
bins     := $(progs:%=$(BUILD)/bin/%)
unit_src := $(wildcard tests/unit/test_*.c)
units    := $(unit_src:tests/unit/%.c=$(BUILD)/test/%)
fuzz_src := $(wildcard tests/fuzz/fuzz_*.c)
replays  := $(fuzz_src:tests/fuzz/%.c=$(BUILD)/test/%)
fuzzers  := $(fuzz_src:tests/fuzz/%.c=$(BUILD)/fuzz/%)
pages    := $(patsubst man/%.scd,$(BUILD)/man/%,$(filter $(progs:%=man/%.1.scd),$(wildcard man/*.scd)))
JOBS     ?= $(shell nproc)
# T=clean: only tests whose path has the word
tests    := $(units) $(replays) $(wildcard tests/cli/*.bats) $(wildcard tests/cases/*/*.case)
wanted   := $(if $(T),$(foreach t,$(tests),$(if $(findstring $(T),$(t)),$(t))),$(tests))
fast     := $(filter $(BUILD)/test/% tests/cases/%,$(wanted))

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

mpi      := $(if $(shell pkg-config --exists ompi-c 2>/dev/null && echo yes),$(BUILD)/libds-mpi.so)
all: $(bins) $(lib) $(mpi) ## build every program

$(BUILD)/libds-mpi.so: lib/comm/mpi/mpi.c lib/comm/mpi_table.h lib/comm/link_impl.h $(BUILD)/flags
	$(CC) $(CFLAGS_ALL) -shared -fPIC $$(pkg-config --cflags ompi-c) $< $(LDFLAGS_ALL) $$(pkg-config --libs ompi-c) -o $@

# CUDA's part, a library that is opened at run time: where a toolkit is (CUDA_HOME, or nvcc on the path).
CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(shell command -v nvcc))
CUDA_ARCHS ?= 80 86 89 90 100
NVCC      = $(CUDA_HOME)/bin/nvcc -ccbin $(lastword $(CXX))
cuda_src := $(sort $(wildcard kernels/*.cu kernels/*.c))
cuda_obj := $(patsubst %,$(BUILD)/obj/%.o,$(cuda_src))
# For every architecture its code, and portable code for later ones and the simulator.
NVCCFLAGS = -std=c++17 -O3 -Ilib -Ikernels -Werror all-warnings -Xcompiler -Wall,-Wextra,-Wno-unused-parameter,-Wno-missing-field-initializers,-fPIC \
	    $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) -gencode arch=compute_80,code=compute_80 --compress-mode=none
$(BUILD)/obj/kernels/%.cu.o: kernels/%.cu $(BUILD)/cuda-flags
	@mkdir -p $(@D)
	$(NVCC) $(NVCCFLAGS) -MD -MF $(@:.o=.d) -MT $@ -c $< -o $@
$(BUILD)/obj/kernels/%.c.o: kernels/%.c $(BUILD)/cuda-flags
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g $(WARN) $(WARN_C) -Werror -fPIC -D_GNU_SOURCE -Ilib -Ikernels -isystem $(CUDA_HOME)/include -MMD -MP -c $< -o $@
$(BUILD)/libds-cuda.so: $(cuda_obj)
	$(CXX) -shared $(cuda_obj) -L$(CUDA_HOME)/lib64 -lcublasLt -lcudart -Wl,-z,defs -Wl,--exclude-libs,ALL -o $@
cuda: ## the CUDA backend, where a CUDA toolkit is: CUDA_HOME, or nvcc on the path
ifeq ($(CUDA_HOME),)
	@echo "cuda: no nvcc on the path and no CUDA_HOME: the CUDA backend is not built"; exit 1
else
	@mkdir -p $(BUILD); echo '$(CUDA_HOME) $(NVCCFLAGS)' | cmp -s - $(BUILD)/cuda-flags || echo '$(CUDA_HOME) $(NVCCFLAGS)' >$(BUILD)/cuda-flags
	@$(MAKE) all $(BUILD)/libds-cuda.so
endif

# Libraries that are opened when they are first needed (lib/base/lazy.h): lazy.so needs them all, which tells their sonames
# here, and to what packs the programs.
lazy     := icuuc bz2 lzma brotlidec snappy lz4 jpeg png16 webp gif
$(BUILD)/lazy.so: Makefile
	@mkdir -p $(@D)
	echo | $(CC) -shared -nostdlib -x c - -x none -Wl,--no-as-needed $(lazy:%=-l%) -o $@
$(BUILD)/gen/sonames.h: $(BUILD)/lazy.so
	@mkdir -p $(@D)
	readelf -d $< | sed -n 's/.*NEEDED.*\[\(lib\([a-z0-9]*\)\..*\)\]/#define DS_SONAME_\2 "\1"/p' >$@
lazy_obj := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard lib/base/charset.c lib/base/codec_*.c lib/image/*.c))
$(lazy_obj): GEN = -I$(BUILD)/gen
$(lazy_obj): | $(BUILD)/gen/sonames.h

# Objects are made anew when the flags change.
flags_now := $(CC) $(CXX) $(CFLAGS_ALL) $(CXXFLAGS_ALL) $(LDFLAGS_ALL)
$(shell mkdir -p $(BUILD); echo '$(flags_now)' | cmp -s - $(BUILD)/flags || echo '$(flags_now)' >$(BUILD)/flags)

$(BUILD)/obj/%_avx2.o: ISA = -mavx2 -mfma -mf16c -mbmi -mbmi2
$(BUILD)/obj/%_avx512.o: ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2
$(BUILD)/obj/%_avx512bf16.o: ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma -mf16c -mbmi -mbmi2
$(BUILD)/obj/%_amx.o: ISA = -mamx-tile -mamx-bf16 -mamx-int8 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma -mf16c -mbmi -mbmi2

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(ISA) $(GEN) -MMD -MP -c $< -o $@
$(BUILD)/obj/%.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS_ALL) $(ISA) -MMD -MP -c $< -o $@

# The list of members decides too, so that a removed file leaves the archive.
$(shell echo '$(lib_obj)' | cmp -s - $(BUILD)/members || echo '$(lib_obj)' >$(BUILD)/members)
$(lib): $(lib_obj) $(BUILD)/members
	@rm -f $@
	$(AR) rcs $@ $(lib_obj)

# Messages of gRPC: C from the definitions, and the definitions themselves, which the server describes itself by.
gen      := $(BUILD)/gen
protos   := $(wildcard tools/serve/proto/*.proto)
messages := $(patsubst tools/serve/proto/%.proto,$(gen)/%.pb-c,$(protos))
obj_more_serve := $(messages:%=%.o) $(gen)/described.o
$(gen)/%.pb-c.c: tools/serve/proto/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=$(<D) --c_out=$(@D) $<
$(gen)/described.c: $(protos)
	@mkdir -p $(@D)
	protoc --proto_path=$(<D) --descriptor_set_out=$(gen)/described.pb $^
	@{ echo 'extern const unsigned char described[]; extern const unsigned long described_bytes;'; echo 'const unsigned char described[] = {'; \
		od -An -v -tu1 $(gen)/described.pb | sed 's/[0-9][0-9]*/&,/g'; echo '}; const unsigned long described_bytes = sizeof(described);'; } >$@
$(gen)/%.o: $(gen)/%.c $(BUILD)/flags
	$(CC) $(CFLAGS_ALL) -I$(gen) -c $< -o $@
$(BUILD)/obj/tools/serve/%.o: ISA = -I$(gen)
$(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tools/serve/*.c)): | $(messages:%=%.c)

# One program a folder: main.c and what only it needs.
define program
obj_$(1) := $$(patsubst %,$$(BUILD)/obj/%.o,$$(basename $$(wildcard tools/$(1)/*.c tools/$(1)/*.cc tools/$(1)/*/*.c))) $$(obj_more_$(1))
$$(BUILD)/bin/$$(prog_$(1)): $$(obj_$(1)) $$(lib)
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS_ALL) $$(obj_$(1)) $$(lib) $$(LIBS) -o $$@
endef
$(foreach f,$(folders),$(eval $(call program,$(f))))

$(BUILD)/test/test_%: $(BUILD)/obj/tests/unit/test_%.o $(lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $< $(lib) -lcmocka $(LIBS) -o $@
$(BUILD)/test/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $(lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(filter %.o,$^) $(lib) $(LIBS) -o $@
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer $(filter %.o,$^) $(lib) $(LIBS) -o $@
examples := $(patsubst docs/examples/%.c,$(BUILD)/example/%,$(wildcard docs/examples/*.c))
# Programs that benches and scripts run; built with the tests, so that they stay whole.
benches  := $(patsubst %.c,$(BUILD)/bench/%,$(notdir $(wildcard bench/*.c scripts/*.c)))
$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $< $(lib) $(LIBS) -o $@
$(BUILD)/bench/%: $(BUILD)/obj/scripts/%.o $(lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $< $(lib) $(LIBS) -o $@
# Failures on order, in front of libc, and files with changed bytes and right hashes.
faults   := $(BUILD)/test/shim.so $(BUILD)/test/mutate
$(BUILD)/test/shim.so: tests/faults/shim.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O1 -g $(WARN) -D_GNU_SOURCE -shared -fPIC $< -o $@ -ldl
$(BUILD)/test/mutate: $(BUILD)/obj/tests/faults/mutate.o $(lib)
	$(CC) $(LDFLAGS_ALL) $< $(lib) $(LIBS) -o $@
# Parsers that a program has for itself.
$(foreach t,labelmap rules textrules,$(BUILD)/test/fuzz_$(t) $(BUILD)/fuzz/fuzz_$(t)): $(filter-out %/main.o,$(obj_clean))
$(BUILD)/test/fuzz_where $(BUILD)/fuzz/fuzz_where: $(BUILD)/obj/tools/record/where.o $(BUILD)/obj/tools/record/where_parse.o
$(BUILD)/test/fuzz_frames $(BUILD)/fuzz/fuzz_frames: $(BUILD)/obj/tools/dedup/frames.o
$(BUILD)/test/fuzz_state $(BUILD)/fuzz/fuzz_state: $(filter-out %/main.o,$(obj_eval))
$(foreach t,request infer,$(BUILD)/test/fuzz_$(t) $(BUILD)/fuzz/fuzz_$(t)): $(filter-out %/main.o,$(obj_serve))
$(foreach t,request infer,$(BUILD)/obj/tests/fuzz/fuzz_$(t).o): ISA = -I$(gen)
$(BUILD)/obj/tests/fuzz/fuzz_infer.o: | $(messages:%=%.c)
.SECONDARY:

# Manuals and completions from the tables of options.
$(BUILD)/man/%.1: man/%.1.scd $(BUILD)/bin/% scripts/fill-man
	@mkdir -p $(@D)
	scripts/fill-man $(BUILD)/bin/$* $< | scdoc >$@
$(BUILD)/completions/%: $(BUILD)/bin/% scripts/completions
	@mkdir -p $(@D)/bash $(@D)/zsh
	scripts/completions bash $< >$(@D)/bash/$*
	scripts/completions zsh $< >$(@D)/zsh/_$*
	@touch $@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

include tests/sim/sim.mk
include scripts/package.mk

deps: ## install what is missing, with apt-get
	@scripts/deps

demo: deps ## raw pages to a trained model, on real text
	@$(MAKE) -s all
	@pipelines/demo.sh

run_tests = BUILD=$(BUILD) scripts/run-tests $(JOBS) $(BUILD)/failed

test-programs: $(bins) $(units) $(replays) $(faults) $(benches) $(examples) # what the tests run, and what else uses the library

# For tests: what was built before, else portable code alone, which the simulator takes.
cuda-tests:
	@[ -e $(BUILD)/cuda-flags ] || $(MAKE) -s CUDA_ARCHS= cuda
	@$(MAKE) -s $(BUILD)/libds-cuda.so sim

check: deps ## all tests; the last line is N passed, N failed
	@$(if $(CUDA_HOME),$(MAKE) -s cuda-tests)
	@$(MAKE) -s man
	@$(MAKE) -s test-programs
	@$(run_tests) $(wanted)

check-run: test-programs man # the same without looking for packages
	@$(run_tests) $(wanted)

check-fast: test-programs ## cases and unit tests alone, in seconds
	@$(run_tests) $(fast)

check-failed: test-programs ## once more what failed last
	@test -s $(BUILD)/failed && $(run_tests) $$(cat $(BUILD)/failed)

check-pipelines: all ## every pipeline with --demo, minutes each
	@BUILD=$(BUILD) scripts/run-tests 1 $(BUILD)/failed-pipelines $(wildcard tests/pipelines/*.bats)

check-scale: test-programs ## pipelines/spark and pipelines/slurm on clusters of this machine, some minutes
	@$(run_tests) $(foreach t,$(wildcard tests/scale/*.bats),$(if $(findstring $(T),$(t)),$(t)))

check-peers: all $(BUILD)/test/test_graph_ops ## against the reference programs, where they are installed
	@rc=0; for t in $(wildcard tests/peers/*$(T)*.sh); do echo "$$t"; PATH="$$PWD/$(BUILD)/bin:$$PATH" $$t || rc=1; done; exit $$rc

bench: all ## speed and memory as ratios to the peers, into bench/RESULTS.md
	@scripts/bench $(T)
bench-cuda: ## the CUDA backend on this machine's device, beside PyTorch, in eight minutes, into OUT=
	@scripts/bench-cuda
bundle: deps ## programs and their libraries as one .tar.gz that runs where it is unpacked
	@$(MAKE) -s $(if $(CUDA_HOME),cuda) all $(BUILD)/test/test_cuda_ops
	@BUILD=$(BUILD) scripts/bundle $(BUILD)/dstools.tar.gz
bench-%: all # bench/%.sh alone
	@scripts/bench $*

golden: test-programs ## rewrite what cases expect, to be read as a diff
	@for t in $(filter %.case,$(wanted)); do PATH="$$PWD/$(BUILD)/bin:$$PATH" scripts/run-case --golden $$t; done

soak: all ## all programs at full speed for SOAK_SECONDS, an hour unless said: memory stays flat
	@BUILD=$(BUILD) scripts/soak $(or $(SOAK_SECONDS),3600)

stress: test-programs ## repeat the tests of T= until one fails; without T five minutes of soak first
	$(if $(T),,@BUILD=$(BUILD) scripts/soak 300)
	@while $(run_tests) $(wanted); do :; done

sanitized = +$(MAKE) -s BUILD=build/$(1) SAN=$(2) OPT='-O1 -g' T='$(T)' JOBS=$(JOBS) $(3)
asan: ## all tests under the address and undefined-behaviour sanitizers
	$(call sanitized,asan,address$(comma)undefined,check-run)
tsan: ## all tests under the race detector
	$(call sanitized,tsan,thread,check-run)
torture: all $(faults) ## fail every call in turn, forge files, fill disks, kill: docs/reliability.md
	$(call sanitized,asan,address$(comma)undefined,all build/asan/test/mutate)
	BUILD=build/asan scripts/torture $(T)
	build/asan/test/mutate 20000
	BUILD=$(BUILD) tests/faults/disk 30
	BUILD=$(BUILD) tests/faults/kill 100
	MOST=$${MOST:-200} BUILD=$(BUILD) tests/faults/walk $(T)
comma := ,

FUZZ_SECONDS ?= 60
fuzz: ## libFuzzer on every parser, FUZZ_SECONDS each
	+$(MAKE) -s CC=clang CXX=clang++ BUILD=build/fuzzing SAN=address,undefined,fuzzer-no-link OPT='-O1 -g' fuzz-run
fuzz-run: $(fuzzers)
	@for f in $(foreach f,$(fuzzers),$(if $(findstring $(T),$(f)),$(f))); do \
		name=$${f##*/fuzz_}; mkdir -p tests/fuzz/corpus/$$name $(BUILD)/found/$$name; echo "$$name"; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
			-artifact_prefix=$(BUILD)/found/$$name/crash- $(BUILD)/found/$$name tests/fuzz/corpus/$$name || exit 1; done

lint: all man ## layers, doors, sizes, formatting, shell, options against manuals
	@scripts/lint

man: $(pages) # the manual pages

completions: $(progs:%=$(BUILD)/completions/%)

install: all man completions ## into DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	$(if $(bins),install -m 755 $(bins) $(DESTDIR)$(PREFIX)/bin)
	$(if $(mpi)$(wildcard $(BUILD)/libds-cuda.so),install -d $(DESTDIR)$(PREFIX)/lib && install -m 755 $(mpi) $(wildcard $(BUILD)/libds-cuda.so) $(DESTDIR)$(PREFIX)/lib)
	$(if $(pages),install -m 644 $(pages) $(DESTDIR)$(PREFIX)/share/man/man1)
	$(if $(bins),install -m 644 $(progs:%=$(BUILD)/completions/bash/%) $(DESTDIR)$(PREFIX)/share/bash-completion/completions)
	$(if $(bins),install -m 644 $(progs:%=$(BUILD)/completions/zsh/_%) $(DESTDIR)$(PREFIX)/share/zsh/site-functions)
	install -D -m 644 docs/dsserve.service $(DESTDIR)$(PREFIX)/lib/systemd/system/dsserve.service
	install -d $(DESTDIR)$(PREFIX)/share/dstools/pipelines
	install -m 755 pipelines/*.sh pipelines/*.py $(DESTDIR)$(PREFIX)/share/dstools/pipelines

clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile scripts/package.mk | expand -t 16

.PHONY: all cuda cuda-tests bundle bench-cuda deps demo test-programs check check-run check-fast check-failed check-pipelines check-peers check-scale bench golden soak stress \
	asan tsan torture fuzz fuzz-run lint man completions install clean help
