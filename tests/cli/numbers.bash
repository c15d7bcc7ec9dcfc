# numbers.bash - comparisons of two numbers, which fail where one is missing: load numbers

is_number() { [[ $1 =~ ^-?[0-9.]+(e[-+]?[0-9]+)?$ ]]; }

# within MOST A B: no further apart than MOST
within() {
	is_number "$2" && is_number "$3" &&
		awk -v most="$1" -v a="$2" -v b="$3" 'BEGIN { d = a - b; exit !(d <= most && -d <= most) }' ||
		{ echo "'$2' and '$3' are not within $1"; return 1; }
}

# under A B: A is less than B
under() {
	is_number "$1" && is_number "$2" && awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }' ||
		{ echo "'$1' is not under '$2'"; return 1; }
}
