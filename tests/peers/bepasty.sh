#!/usr/bin/env bash
# bepasty: a paste site that people really run, to be watched by the paste sensor.
set -euo pipefail

venv=${TELLTALE_VENV:-target/venv}
version=1.2.2

case "${1:-}" in
install)
    if ! "$venv/bin/python" -c "import importlib.metadata as m; assert m.version('bepasty') == '$version'" 2>/dev/null; then
        echo "bepasty: installing bepasty==$version (PyPI): the paste site that tests the paste sensor"
        [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet "bepasty==$version"
    fi
    ;;
start)
    dir=$(realpath "${2:?usage: bepasty.sh start DIR}")
    mkdir -p "$dir/bepasty-files"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$dir/bepasty.conf" <<CONF
SITENAME = '127.0.0.1'
SECRET_KEY = '$(python3 -c 'import secrets; print(secrets.token_hex(32))')'
STORAGE_FILESYSTEM_DIRECTORY = '$dir/bepasty-files'
SESSION_COOKIE_SECURE = False
DEFAULT_PERMISSIONS = 'create,read'
PERMISSIONS = {'watcher': 'list,read'}
CONF
    BEPASTY_CONFIG="$dir/bepasty.conf" setsid "$venv/bin/bepasty-server" --host 127.0.0.1 --port "$port" \
        >"$dir/bepasty.log" 2>&1 </dev/null &
    echo $! >"$dir/bepasty.pid"
    for _ in $(seq 100); do
        if python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/apis/rest')" 2>/dev/null; then
            {
                echo "export TELLTALE_TEST_BEPASTY_URL=http://127.0.0.1:$port"
                echo "export TELLTALE_TEST_BEPASTY_TOKEN=watcher"
            } >"$dir/bepasty.env"
            exit 0
        fi
        sleep 0.2
    done
    echo "bepasty does not answer; see $dir/bepasty.log" >&2
    exit 1
    ;;
stop)
    dir=${2:?usage: bepasty.sh stop DIR}
    if [ -f "$dir/bepasty.pid" ]; then
        kill "$(cat "$dir/bepasty.pid")" 2>/dev/null || true
        rm -f "$dir/bepasty.pid" "$dir/bepasty.env"
    fi
    ;;
*)
    echo "usage: $0 install | start DIR | stop DIR" >&2
    exit 2
    ;;
esac
