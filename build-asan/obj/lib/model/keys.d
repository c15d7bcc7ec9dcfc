build-asan/obj/lib/model/keys.o: lib/model/keys.c lib/model/keys.h \
 lib/base/arena.h lib/base/err.h lib/base/str.h lib/record/json.h
lib/model/keys.h:
lib/base/arena.h:
lib/base/err.h:
lib/base/str.h:
lib/record/json.h:
