# package.mk - what others build on: the library with its examples, and Debian packages

# The examples of the C API.
$(BUILD)/example/%: $(BUILD)/obj/docs/examples/%.o $(lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $< $(lib) $(LIBS) -o $@

version  = $(shell sed -n 's/^.define DS_VERSION "\(.*\)"/\1/p' lib/base/inout.h)
install-dev: all ## library, headers, libds.pc and examples, for programs of one's own
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/share/doc/libds-dev/examples
	install -m 644 $(lib) $(DESTDIR)$(PREFIX)/lib
	cd lib && find . \( -name '*.h' -o -name '*.def' \) ! -name '*_impl.h' ! -path './comm/mpi*' -exec install -D -m 644 '{}' '$(abspath $(DESTDIR)/.)$(PREFIX)/include/dstools/{}' \;
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(version)|; s|@LIBS@|$(LIBS)|' scripts/libds.pc.in >$(DESTDIR)$(PREFIX)/lib/pkgconfig/libds.pc
	install -m 644 docs/examples/*.c $(DESTDIR)$(PREFIX)/share/doc/libds-dev/examples
	install -m 644 docs/api.md docs/format.md $(DESTDIR)$(PREFIX)/share/doc/libds-dev

deb: ## Debian packages dstools and libds-dev, in build/deb
	@$(MAKE) -s all
	@BUILD=$(BUILD) scripts/deb
deb-smoke: deb ## install, run and remove them in a clean root (as root, with the network)
	@BUILD=$(BUILD) scripts/deb-smoke

.PHONY: install-dev deb deb-smoke
