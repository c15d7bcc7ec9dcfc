#!/usr/bin/env bats
# Debian packages: what is in them, and that they say what they need. make deb-smoke installs and runs them

load ../cli/common
setup() { common_setup; }

@test "make deb packs programs, manuals, pipelines, library and examples" {
	command -v dpkg-deb >/dev/null && command -v dpkg-shlibdeps >/dev/null || skip "no dpkg-dev"
	make -s -C "$ROOT" deb
	local deb=("$ROOT"/build/deb/dstools_*.deb) dev=("$ROOT"/build/deb/libds-dev_*.deb)
	dpkg-deb -x "${deb[0]}" tools
	dpkg-deb -x "${dev[0]}" dev
	for p in $(programs); do [ -x "tools/usr/bin/$p" ] && [ -s "tools/usr/share/man/man1/$p.1.gz" ]; done
	[ -x tools/usr/share/dstools/pipelines/personal.sh ] && [ -s tools/usr/share/doc/dstools/copyright ]
	[ -s dev/usr/lib/libds.a ] && [ -s dev/usr/lib/pkgconfig/libds.pc ] && [ -s dev/usr/include/dstools/record/stream.h ]
	[ -s dev/usr/share/doc/libds-dev/examples/count.c ]
	[[ $(dpkg-deb -f "${deb[0]}" Depends) == *libicu* ]] && [[ $(dpkg-deb -f "${deb[0]}" Depends) != *openmpi* ]]
	! grep -rIl "$ROOT" tools dev
}
