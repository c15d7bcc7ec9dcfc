build-asan/obj/lib/base/map.o: lib/base/map.c lib/base/arena.h \
 lib/base/err.h lib/base/str.h lib/base/hash.h lib/base/mem.h
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
lib/base/hash.h:
lib/base/mem.h:
