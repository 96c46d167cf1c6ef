#!/usr/bin/env bash
# SQLite's own program, whose .dump tells what a database holds, independently of our code. No server: nothing runs.
set -euo pipefail

command="${1:-}"
directory="${2:-}"

case "$command" in
install)
    if ! command -v sqlite3 >/dev/null; then
        echo "sqlite3: installing the Debian package sqlite3, to dump databases in tests"
        apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 sqlite3
    fi
    ;;
start)
    sqlite3 --version >/dev/null
    echo "export TELLTALE_TEST_SQLITE3=$(command -v sqlite3)" >"$directory/sqlite3.env"
    ;;
stop)
    rm -f "$directory/sqlite3.env"
    ;;
*)
    echo "usage: $0 install | start DIR | stop DIR" >&2
    exit 2
    ;;
esac
