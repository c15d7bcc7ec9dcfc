build-asan/obj/lib/base/cpu.o: lib/base/cpu.c lib/base/cpu.h
lib/base/cpu.h:
