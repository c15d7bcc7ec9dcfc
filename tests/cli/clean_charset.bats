#!/usr/bin/env bats
# dsclean: the charset of a page, by its mark, the header, <meta>, its bytes and what is left to guess

load common
setup() { common_setup; }

DE='Die Brücke über den Fluß wurde später für Fußgänger geöffnet, und größere Schiffe können sie nicht passieren.'

# one CHARSET TEXT: it comes out of a page in that charset that does not say so
one() {
	printf '<html><body><div class="m"><p>%s</p></div></body></html>' "$2" | iconv -t "$1" >page.html
	[ "$(dsclean -q --to text page.html)" = "$2" ] || { echo "$1: $(dsclean -q --to text page.html)"; return 1; }
}

@test "one sentence is enough in the charsets that languages had" {
	one GB18030 '这个软件包提供了一个简单的工具，用来管理系统中的用户。'
	one BIG5 '這個套件提供了一個簡單的工具，用來管理系統中的使用者。'
	one SHIFT_JIS 'このパッケージは、システムの利用者を管理する簡単な道具です。'
	one EUC-JP 'このパッケージは、システムの利用者を管理する簡単な道具です。'
	one EUC-KR '이 꾸러미는 시스템의 사용자를 관리하는 간단한 도구를 제공합니다.'
	one WINDOWS-1251 'Этот пакет содержит простое средство для управления пользователями.'
	one KOI8-R 'Этот пакет содержит простое средство для управления пользователями.'
	one IBM866 'Этот пакет содержит простое средство для управления пользователями.'
	one WINDOWS-1253 'Το πακέτο αυτό παρέχει ένα απλό εργαλείο για τους χρήστες.'
	one WINDOWS-1256 'توفر هذه الحزمة أداة بسيطة لإدارة المستخدمين في النظام.'
	one WINDOWS-1255 'חבילה זו מספקת כלי פשוט לניהול המשתמשים במערכת.'
	one WINDOWS-1250 'Ten pakiet zawiera proste narzędzie, które służy użytkownikom, także wśród nowych źródeł.'
	one ISO-8859-2 'Ten pakiet zawiera proste narzędzie, które służy użytkownikom, także wśród nowych źródeł.'
	one WINDOWS-1254 'Bu paket, sistemdeki kullanıcıları yönetmek için basit bir araç sağlar.'
	one WINDOWS-1252 "$DE"
	one CP874 'ซอฟต์แวร์นี้เป็นเครื่องมือที่ใช้งานง่ายสำหรับผู้ใช้'
}

@test "a stray byte or a cut leaves the rest of a page in UTF-8" {
	for i in 1 2 3 4; do printf '<p>%s</p>\n' "$DE"; done >good.html
	sed '2s/später/sp\xe4ter/' good.html >bad.html
	[ "$(dsclean -q --to text bad.html | grep -cx "$DE")" = 3 ]
	[ "$(dsclean -q --to text bad.html | grep -c $'sp\xef\xbf\xbdter')" = 1 ]
	for n in $(seq 300 330); do
		head -c "$n" good.html >cut.html
		dsclean -q --to text cut.html | grep -qx "$DE"
	done
	printf '<p>short caf\303\251, \303(ber and na\303\257ve\n' >few.html
	[ "$(dsclean -q --to text few.html)" = $'short café, \xef\xbf\xbd(ber and naïve' ]
}

@test "no page with markup in ASCII is UTF-16 without a mark or zeros" {
	printf '<p>%s</p>' "$DE" | iconv -t WINDOWS-1252 >a.html
	for n in $(seq 20 40); do
		head -c "$n" a.html >b.html
		dsclean -q --to text b.html | grep -q '^Die Br'
	done
}

@test "the header goes before meta, and a mark before both" {
	page() { printf '%s<html><head><meta charset="%s"></head><body><p>%s' "$1" "$2" "$3"; }
	warc() { # HEADER FILE: a WARC of one response
		{ printf 'HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n' "$1"; cat "$2"; } >body
		printf 'WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/x\r\nWARC-Date: 2024-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:1>\r\nContent-Type: application/http\r\nContent-Length: %d\r\n\r\n' "$(wc -c <body)"
		cat body
		printf '\r\n\r\n'
	}
	page '' windows-1252 'Zażółć gęślą jaźń' | iconv -t WINDOWS-1250 >a.html
	warc 'text/html; charset=windows-1250' a.html >a.warc
	[ "$(dsclean -q --to text a.warc)" = 'Zażółć gęślą jaźń' ]
	page $'\xef\xbb\xbf' windows-1252 'jaźń' >b.html
	warc 'text/html; charset=koi8-r' b.html >b.warc
	[ "$(dsclean -q --to text b.warc)" = 'jaźń' ]
	printf 'x & <b>y</b> caf\351\n' >c.txt
	warc 'text/plain; charset=iso-8859-1' c.txt >c.warc
	[ "$(dsclean -q --to text c.warc)" = 'x & <b>y</b> café' ]
	# A second run does not decode what is decoded.
	[ "$(dsclean -q c.warc | dsclean -q --to text)" = 'x & <b>y</b> café' ]
	page '' windows-1251 'Привет' | iconv -t WINDOWS-1251 >d.html
	[ "$(dsclean -q --to text d.html)" = 'Привет' ]
}
