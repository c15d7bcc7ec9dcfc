build-asan/obj/lib/record/json_simd.o: lib/record/json_simd.cc \
 lib/record/json_impl.h lib/base/arena.h lib/base/err.h lib/base/str.h
lib/record/json_impl.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
