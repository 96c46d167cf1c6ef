#!/usr/bin/env bash
# A witness (C2SP tlog-witness) on loopback, written from the specification with `cryptography` for the signatures. It trusts any journal from the first
# checkpoint on; /elsewhere signs with another key, /mute answers without a cosignature, /unknown knows no journal, and /dead hangs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${TELLTALE_VENV:-target/venv}

case ${1:-} in
install) "$here/evidence.sh" install ;;
start)
    dir=$(cd "$2" && pwd)
    rm -f "$dir/witness.env"
    "$venv/bin/python3" "$here/witness.py" "$dir" >"$dir/witness.log" 2>&1 &
    echo $! >"$dir/witness.pid"
    for _ in $(seq 100); do [ -s "$dir/witness.env" ] && exit 0; sleep 0.1; done
    echo "witness: did not start; see $dir/witness.log" >&2; exit 1 ;;
stop)
    [ ! -f "$2/witness.pid" ] || { kill "$(cat "$2/witness.pid")" 2>/dev/null || true; rm -f "$2/witness.pid"; } ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
