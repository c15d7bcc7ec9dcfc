build-asan/obj/lib/record/json.o: lib/record/json.c lib/record/json.h \
 lib/base/arena.h lib/base/err.h lib/base/str.h lib/record/json_impl.h
lib/record/json.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
lib/record/json_impl.h:
