build-asan/obj/lib/record/json_number.o: lib/record/json_number.c \
 lib/record/json_impl.h lib/base/arena.h lib/base/err.h lib/base/str.h
lib/record/json_impl.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
