build-asan/obj/lib/base/str.o: lib/base/str.c lib/base/str.h \
 lib/base/err.h lib/base/mem.h
lib/base/str.h:
lib/base/err.h:
lib/base/mem.h:
