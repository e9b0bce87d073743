#!/bin/sh
# Builds the Java peers into the folder given: OUT/2.7.23/peer, OUT/3.2.19/peer and OUT/3.3.6/peer are
# the commands. Does nothing for a version that is already built from the same sources.
#
#   build.sh OUT [VERSION...]
set -eu
[ $# -ge 1 ] || { echo "usage: build.sh OUT [2.7.23] [3.2.19] [3.3.6]" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- 2.7.23 3.2.19 3.3.6
here=$(cd "$(dirname "$0")" && pwd)
sum=$(cd "$here" && find pom.xml build.sh src -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -d' ' -f1)

for version in "$@"; do
	dir=$out/$version
	[ "$(cat "$dir/sources.sha256" 2>/dev/null)" = "$sum" ] && continue
	echo "building the Java peer for Dubbo $version" >&2
	rm -rf "$dir"
	mkdir -p "$dir"
	mvn -B -q -f "$here/pom.xml" -P "${version%.*}" -Dwork="$dir" package >&2

	# Reflection into the JDK that Dubbo 2.7 and hessian do is closed since Java 17.
	cat >"$dir/peer" <<'PEER'
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Xmx256m \
	"${PEER_ARCHIVE:--XX:SharedArchiveFile=$here/peer.jsa}" -Xlog:disable -Xlog:all=error:stderr \
	--add-opens java.base/java.lang=ALL-UNNAMED --add-opens java.base/java.util=ALL-UNNAMED \
	--add-opens java.base/java.math=ALL-UNNAMED --add-opens java.base/java.time=ALL-UNNAMED \
	${PEER_JAVA_FLAGS:-} -jar "$here/peer.jar" "$@"
PEER
	chmod +x "$dir/peer"

	# An archive of the classes that a provider loads halves the start of both commands.
	PEER_ARCHIVE=-XX:ArchiveClassesAtExit=$dir/peer.jsa "$dir/peer" server -drain 100ms >"$dir/trial" &
	trial=$!
	until grep -q LISTENING "$dir/trial" || ! kill -0 $trial 2>/dev/null; do sleep 0.1; done
	kill $trial
	wait $trial
	echo "$sum" >"$dir/sources.sha256"
done
