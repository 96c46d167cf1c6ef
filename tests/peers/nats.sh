#!/usr/bin/env bash
# A real NATS server with JetStream: takes what the nats sink publishes, and stores it.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

case ${1:-} in
install)
    command -v nats-server >/dev/null || {
        echo "nats: Debian package nats-server (receives what the nats sink publishes)"
        apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 nats-server
    } ;;
start)
    dir=$(cd "$2" && pwd)
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir -p "$dir/nats"
    cat >"$dir/nats.conf" <<CONF
listen: 127.0.0.1:$port
jetstream { store_dir: "$dir/nats" }
authorization { user: telltale, password: wordword }
CONF
    nats-server -c "$dir/nats.conf" >"$dir/nats.log" 2>&1 </dev/null &
    echo $! >"$dir/nats.pid"
    for _ in $(seq 100); do
        if python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; then
            echo "export TELLTALE_TEST_NATS=127.0.0.1:$port" >"$dir/nats.env"
            exit 0
        fi
        sleep 0.1
    done
    echo "nats: did not start; see $dir/nats.log" >&2; exit 1 ;;
stop)
    [ ! -f "$2/nats.pid" ] || { kill "$(cat "$2/nats.pid")" 2>/dev/null || true; rm -f "$2/nats.pid"; } ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
