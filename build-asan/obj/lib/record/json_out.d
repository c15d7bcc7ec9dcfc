build-asan/obj/lib/record/json_out.o: lib/record/json_out.c \
 lib/record/json_impl.h lib/base/arena.h lib/base/err.h lib/base/str.h \
 lib/base/cpu.h
lib/record/json_impl.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
lib/base/cpu.h:
