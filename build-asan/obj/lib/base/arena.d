build-asan/obj/lib/base/arena.o: lib/base/arena.c lib/base/arena.h \
 lib/base/err.h lib/base/str.h lib/base/mem.h
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
lib/base/mem.h:
