build-asan/obj/tests/unit/test_json.o: tests/unit/test_json.c \
 lib/record/json.h lib/base/arena.h lib/base/err.h lib/base/str.h \
 lib/record/json_impl.h lib/base/cpu.h lib/base/rng.h
lib/record/json.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
lib/record/json_impl.h:
lib/base/cpu.h:
lib/base/rng.h:
