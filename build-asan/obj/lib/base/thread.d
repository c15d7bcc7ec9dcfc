build-asan/obj/lib/base/thread.o: lib/base/thread.c lib/base/thread.h \
 lib/base/err.h lib/base/cpu.h lib/base/mem.h
lib/base/thread.h:
lib/base/err.h:
lib/base/cpu.h:
lib/base/mem.h:
