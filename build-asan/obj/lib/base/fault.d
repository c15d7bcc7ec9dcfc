build-asan/obj/lib/base/fault.o: lib/base/fault.c lib/base/fault.h
lib/base/fault.h:
