#!/usr/bin/env bash
# Runs every test of the project. Installs what the tests need and is missing,
# and says what; asks nothing. Exits non-zero if anything failed, after running
# the rest. ONLY="unit race" runs some of the suites, by name.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()
ran=0

say() { printf '\n== %s\n' "$*"; }

# suite NAME COMMAND... runs one suite and remembers how it ended.
suite() {
	local name=$1; shift
	[[ -z ${ONLY:-} || " $ONLY " == *" $name "* ]] || return 0
	say "$name: $*"
	local begun=$SECONDS
	ran=$((ran + 1))
	if "$@"; then
		printf -- '-- %s passed in %d s\n' "$name" $((SECONDS - begun))
	else
		printf -- '-- %s FAILED after %d s\n' "$name" $((SECONDS - begun))
		failed+=("$name")
	fi
}

# need COMMAND PACKAGE: a Debian package, installed when the command is missing.
need() {
	command -v "$1" >/dev/null && return 0
	echo "installing $2 (Debian), for $3"
	if [ "$(id -u)" != 0 ]; then
		echo "cannot install $2 without root: install it, or run as root" >&2
		return 1
	fi
	[ -n "${updated:-}" ] || { apt-get update -qq && updated=1; }
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null
}

need git git "the planted bugs" || exit 1
need python3 python3 "the Thrift peer in Python" || exit 1
python3 -c 'import venv, ensurepip' 2>/dev/null || need python3-venv-is-missing python3-venv "the Thrift peer in Python" || exit 1
need java openjdk-17-jdk-headless "the Dubbo peers in Java" || exit 1
need mvn maven "the Dubbo peers in Java" || exit 1

suite lint make -s lint
suite unit go test -timeout 30m ./...
# Where goroutines meet; a worker, a codec and a simulated mesh have only one.
suite race go test -timeout 30m -race -short ./internal/admin ./internal/cluster/... ./internal/control/... ./internal/driver/loop ./internal/engine ./internal/xdsclient ./proxy
for peer in thrift dubbo bookinfo; do
	suite "peer-$peer" go -C "test/peers/$peer" test ./...
done
suite bench-self go -C test/bench test ./...
suite fuzz tools/fuzz.sh 30s

say "$((ran - ${#failed[@]})) of $ran suites passed"
printf '%d passed, %d failed\n' $((ran - ${#failed[@]})) ${#failed[@]}
if [ ${#failed[@]} -gt 0 ]; then
	echo "failed: ${failed[*]}"
	exit 1
fi
