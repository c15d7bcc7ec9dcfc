build-asan/obj/lib/record/json_run_avx512.o: lib/record/json_run_avx512.c \
 lib/record/json_impl.h lib/base/arena.h lib/base/err.h lib/base/str.h
lib/record/json_impl.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
