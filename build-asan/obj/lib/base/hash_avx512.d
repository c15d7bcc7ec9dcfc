build-asan/obj/lib/base/hash_avx512.o: lib/base/hash_avx512.c \
 lib/base/hash_impl.h lib/base/hash.h lib/base/str.h lib/base/err.h
lib/base/hash_impl.h:
lib/base/hash.h:
lib/base/str.h:
lib/base/err.h:
