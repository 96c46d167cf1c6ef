#!/usr/bin/env bash
# A real forward proxy that wants a user and a password, and connects to loopback alone.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

case ${1:-} in
install)
    command -v tinyproxy >/dev/null || {
        echo "proxy: Debian package tinyproxy (sinks of HTTP go by it)"
        apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 tinyproxy
    } ;;
start)
    dir=$(cd "$2" && pwd)
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$dir/proxy.conf" <<CONF
Port $port
Listen 127.0.0.1
Timeout 30
LogLevel Connect
LogFile "$dir/proxy.log"
MaxClients 50
BasicAuth telltale wordword
CONF
    tinyproxy -d -c "$dir/proxy.conf" >"$dir/proxy.out" 2>&1 </dev/null &
    echo $! >"$dir/proxy.pid"
    for _ in $(seq 100); do
        if python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; then
            {
                echo "export TELLTALE_TEST_PROXY=127.0.0.1:$port"
                echo "export TELLTALE_TEST_PROXY_LOG=$dir/proxy.log"
            } >"$dir/proxy.env"
            exit 0
        fi
        sleep 0.1
    done
    echo "proxy: did not start; see $dir/proxy.out" >&2; exit 1 ;;
stop)
    [ ! -f "$2/proxy.pid" ] || { kill "$(cat "$2/proxy.pid")" 2>/dev/null || true; rm -f "$2/proxy.pid"; } ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
