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
# run fuzzes one target. Go's fuzzer sometimes ends with its own deadline as the
# error; a finding names the failing input that it wrote.
run() {
	local out
	if out=$(go test "./$1" -run '^$' -fuzz "^$2\$" -fuzztime "$3" 2>&1); then
		tail -n 3 <<<"$out"
	elif grep -q 'context deadline exceeded' <<<"$out" && ! grep -q 'Failing input written' <<<"$out"; then
		tail -n 3 <<<"$out"
		echo "(the fuzzer's own deadline, no finding)"
	else
		printf '%s\n' "$out"
		return 1
	fi
}

while :; do
	while read -r dir name; do
		echo "fuzz $dir $name"
		run "$dir" "$name" "$([ "$each" = 0 ] && echo 60s || echo "$each")"
	done < <(targets)
	[ "$each" = 0 ] || break
done
