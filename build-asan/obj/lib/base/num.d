build-asan/obj/lib/base/num.o: lib/base/num.cc lib/base/str.h \
 lib/base/err.h
lib/base/str.h:
lib/base/err.h:
