build-asan/obj/lib/record/json_run_avx2.o: lib/record/json_run_avx2.c \
 lib/record/json_impl.h lib/base/arena.h lib/base/err.h lib/base/str.h
lib/record/json_impl.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
