#!/bin/sh
# Rewrites protocols/thrift/testdata/captures: both Thrift peers, each with itself, in every transport
# and protocol, through the relay of tools/record. One file is one connection.
# Needs Go, and python3 with the packages of thriftpy/requirements.txt (or PYTHON=that interpreter).
set -eu
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
out=$PWD/../../protocols/thrift/testdata/captures
work=$(mktemp -d)
server= relay=
stop() {
	for pid in $server $relay; do kill "$pid" 2>/dev/null || true; done
	wait
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

mkdir -p "$out"
(cd thrift && go build -o "$work/go" .)
printf '#!/bin/sh\nexec "%s" "%s/thriftpy/main.py" "$@"\n' "$PYTHON" "$PWD" >"$work/py"
chmod +x "$work/py"
(cd ../.. && go build -o "$work/record" ./tools/record)

hello=sayHello,echo,blob,store,slow,fail,crash,missing,clear,notify,notify,notified,sayHello
both=sayHello,add,notify,whoami,missing,fail,crash,notified

# address FILE waits for the line LISTENING and prints its address.
address() {
	tries=0
	until grep -qs '^LISTENING ' "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || { echo "no address in $1" >&2; exit 1; }
		sleep 0.05
	done
	sed -n 's/^LISTENING //p' "$1"
}

# capture PEER LIBRARY TRANSPORT PROTOCOL SUFFIX METHODS [FLAGS OF BOTH] [-- FLAGS OF THE CLIENT]
capture() {
	peer=$1 library=$2 transport=$3 protocol=$4 suffix=$5 methods=$6
	shift 6
	common=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do common="$common $1"; shift; done
	[ $# -eq 0 ] || shift
	name=$peer-$transport-$protocol$suffix
	rm -f "$work/server" "$work/relay"
	"$work/$peer" server -transport "$transport" -protocol "$protocol" $common >"$work/server" 2>/dev/null &
	server=$!
	to=$(address "$work/server")
	"$work/record" -once -to "$to" -out "$work/$name.frames" -called "$methods" \
		-origin "$library, client and server, $transport $protocol$(printf ' %s' $common "$@")" >"$work/relay" &
	relay=$!
	at=$(address "$work/relay")
	# The rate keeps one-way messages apart, each on its line.
	"$work/$peer" client -target "$at" -transport "$transport" -protocol "$protocol" $common "$@" \
		-method "$methods" -n "$(echo "$methods" | tr ',' '\n' | wc -l)" -rate 9 -name 'Zoë 世界' -payload 200 -millis 1 \
		>"$work/client" || { echo "$name: $(cat "$work/client")" >&2; exit 1; }
	wait "$relay"
	kill "$server"
	wait "$server"
	server= relay=
	mv "$work/$name.frames" "$out/$name.frames"
	echo "$name: $(cat "$work/client")"
}

for transport in framed unframed header; do
	for protocol in binary compact; do
		headers=
		[ $transport != header ] || headers='-- -header user=jason -header empty= -header city=Zürich'
		for peer in go py; do
			case $peer in
			go) library="apache/thrift Go $(cd thrift && go list -m -f '{{.Version}}' github.com/apache/thrift | tr -d v)" ;;
			py) library="apache/thrift Python $("$PYTHON" -c 'from importlib.metadata import version; print(version("thrift"))')" ;;
			esac
			capture $peer "$library" $transport $protocol '' $hello $headers
			capture $peer "$library" $transport $protocol -multiplexed $both -multiplexed $headers
			[ $transport != header ] || capture $peer "$library" $transport $protocol -plain sayHello,notify,clear,fail
		done
	done
done
