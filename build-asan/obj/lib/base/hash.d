build-asan/obj/lib/base/hash.o: lib/base/hash.c lib/base/hash.h \
 lib/base/str.h lib/base/err.h lib/base/cpu.h lib/base/hash_impl.h \
 lib/base/mem.h
lib/base/hash.h:
lib/base/str.h:
lib/base/err.h:
lib/base/cpu.h:
lib/base/hash_impl.h:
lib/base/mem.h:
