build-asan/obj/lib/base/hash_avx2.o: lib/base/hash_avx2.c \
 lib/base/hash_impl.h lib/base/hash.h lib/base/str.h lib/base/err.h
lib/base/hash_impl.h:
lib/base/hash.h:
lib/base/str.h:
lib/base/err.h:
