#!/usr/bin/env bats
# pipelines/estimate.sh: what rates say about sizes

load common

setup() {
	common_setup
	estimate=$ROOT/pipelines/estimate.sh
	cat >rates <<-END
		rate clean       2.00 core-s/GB    1000.0 MB/GB handed on     30 MB peak
		rate sign        8.00 core-s/GB     500.0 MB/GB handed on     40 MB peak
		rate texts       0.00 core-s/GB      10.0 MB/GB handed on     10 MB peak
		rate sames       0.00 core-s/GB       1.0 MB/GB handed on     10 MB peak
		rate keys        1.00 core-s/GB     100.0 MB/GB handed on     10 MB peak
		rate met         1.00 core-s/GB      20.0 MB/GB handed on     10 MB peak
		rate told        1.00 core-s/GB      30.0 MB/GB handed on     10 MB peak
		rate finish      1.00 core-s/GB     800.0 MB/GB handed on     30 MB peak
		rate tok        10.00 core-s/GB     600.0 MB/GB handed on     90 MB peak
		rate records  300000 /GB
	END
	export RATES=$PWD/rates
}

value() { awk -v name="$1" '$1 == name { print $2 }'; }

@test "seconds, bytes and memory follow from the rates" {
	"$estimate" --size 10G --shards 10 --partitions 10 --to tsv >out
	[ "$(value core-seconds <out)" = 140 ]
	[ "$(value records <out)" = 3000000 ]
	# (10 + 1 + 100 + 20 + 30 * 0.9 / 0.75) * 10, and heads
	[ "$(value handed-on-mb <out)" = 1670 ]
	# A shard's signatures and sketches of others: 25 + 500 + 1.5 * 36
	[ "$(value peak-mb <out)" = 579 ]
	[ "$("$estimate" --size 10G --tok --to tsv | value core-seconds)" = 240 ]
	[ "$("$estimate" --size 1P --hours 12 --to tsv | value machines)" -gt "$("$estimate" --size 1P --to tsv | value machines)" ]
	[ "$("$estimate" --size 1P --cores 128 --disk 10 --to tsv | value machines)" -lt "$("$estimate" --size 1P --to tsv | value machines)" ]
}

@test "1 TB and 1 PB are told in hours, from what the bench measured" {
	unset RATES
	"$estimate" --size 1P | grep -q '[0-9] hours: processors'
	"$estimate" --size 1T --tok | grep -q '^machines  *[0-9]'
}

@test "what is no size is refused in one line" {
	fails 2 "--size" "$estimate" --size big
	fails 2 "--to" "$estimate" --size 1T --to csv
	fails 2 "unknown" "$estimate" 1T
	fails 2 "--cores 0" "$estimate" --size 1T --cores 0
	fails 4 "nowhere" env RATES=nowhere "$estimate" --size 1T
}
