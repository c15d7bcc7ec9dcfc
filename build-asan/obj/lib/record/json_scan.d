build-asan/obj/lib/record/json_scan.o: lib/record/json_scan.c \
 lib/record/json_impl.h lib/base/arena.h lib/base/err.h lib/base/str.h \
 lib/base/hash.h
lib/record/json_impl.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
lib/base/hash.h:
