#!/usr/bin/env bash
# A bucket that takes only what is signed as AWS's own library signs: moto's S3 behind botocore's signatures.
set -euo pipefail
venv=${TELLTALE_VENV:-target/venv}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case ${1:-} in
install)
    [ -x "$venv/bin/python3" ] || { echo "s3: making a Python environment in $venv"; python3 -m venv "$venv"; }
    "$venv/bin/python3" -c 'import moto.server, botocore.auth, flask' 2>/dev/null || {
        echo "s3: PyPI moto with its server (a bucket for the S3 sink)"
        "$venv/bin/pip" install -q 'moto[server]==5.2.5'
    } ;;
start)
    dir=$(cd "$2" && pwd)
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$venv/bin/python3" "$here/s3.py" "$port" telltale wordword-wordword >"$dir/s3.log" 2>&1 </dev/null &
    echo $! >"$dir/s3.pid"
    for _ in $(seq 300); do
        if python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; then
            echo "export TELLTALE_TEST_S3=http://127.0.0.1:$port" >"$dir/s3.env"
            exit 0
        fi
        sleep 0.1
    done
    echo "s3: did not start; see $dir/s3.log" >&2; exit 1 ;;
stop)
    [ ! -f "$2/s3.pid" ] || { kill "$(cat "$2/s3.pid")" 2>/dev/null || true; rm -f "$2/s3.pid"; } ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
