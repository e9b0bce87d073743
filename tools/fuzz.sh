#!/usr/bin/env bash
# Fuzzes every Fuzz target of the module in turn. With a duration (30s) each
# one runs that long, once; with 0 they take turns of a minute for ever.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-0}
targets() {
	git ls-files '*_test.go' | xargs grep -HoE '^func Fuzz[A-Za-z0-9_]*' | grep -v '^test/peers' |
		sed -E 's/^(.*)\/[^/]*:func (.*)$/\1 \2/' | sort -u
}
while :; do
	while read -r dir name; do
		echo "fuzz $dir $name"
		go test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$([ "$each" = 0 ] && echo 60s || echo "$each")" | tail -n 3
	done < <(targets)
	[ "$each" = 0 ] || break
done
