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
LIBS    := -Wl,--as-needed -ldnnl -lsimdjson -licui18n -licuuc -lpcre2-8 -lzstd -lz -lxxhash \
	   -lstdc++ -lpthread -lm -ldl

# Sources by wildcard: a library part, a program or a test is added by adding its file.
lib_src  := $(shell find lib -name '*.c' -o -name '*.cc' | sort)
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
fuzzers  := $(fuzz_src:tests/fuzz/%.c=$(BUILD)/fuzz/%)

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

all: $(bins) $(lib) ## build every program

# Objects are made anew when the flags change.
flags_now := $(CC) $(CXX) $(CFLAGS_ALL) $(CXXFLAGS_ALL) $(LDFLAGS_ALL)
$(shell mkdir -p $(BUILD); echo '$(flags_now)' | cmp -s - $(BUILD)/flags || echo '$(flags_now)' >$(BUILD)/flags)

$(BUILD)/obj/%_avx2.o: ISA = -mavx2 -mfma -mf16c -mbmi -mbmi2
$(BUILD)/obj/%_avx512.o: ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi -mbmi2
$(BUILD)/obj/%_avx512bf16.o: ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma -mf16c -mbmi -mbmi2

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(ISA) -MMD -MP -c $< -o $@
$(BUILD)/obj/%.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS_ALL) $(ISA) -MMD -MP -c $< -o $@

# The list of members decides too, so that a removed file leaves the archive.
$(shell echo '$(lib_obj)' | cmp -s - $(BUILD)/members || echo '$(lib_obj)' >$(BUILD)/members)
$(lib): $(lib_obj) $(BUILD)/members
	@rm -f $@
	$(AR) rcs $@ $(lib_obj)

# One program a folder: main.c and what only it needs.
define program
obj_$(1) := $$(patsubst %,$$(BUILD)/obj/%.o,$$(basename $$(wildcard tools/$(1)/*.c tools/$(1)/*.cc tools/$(1)/*/*.c)))
$$(BUILD)/bin/$$(prog_$(1)): $$(obj_$(1)) $$(lib)
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS_ALL) $$(obj_$(1)) $$(lib) $$(LIBS) -o $$@
endef
$(foreach f,$(folders),$(eval $(call program,$(f))))

$(BUILD)/test/%: $(BUILD)/obj/tests/unit/%.o $(lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $< $(lib) -lcmocka $(LIBS) -o $@
.PRECIOUS: $(BUILD)/obj/tests/unit/%.o

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

deps: ## install what is missing, with apt-get
	@scripts/deps

demo: deps ## raw pages to a trained model, on real text
	@$(MAKE) -s all
	@pipelines/demo.sh

clean: ## remove everything that was built
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 16

.PHONY: all deps demo clean help
