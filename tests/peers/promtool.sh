#!/usr/bin/env bash
# promtool, which judges our metrics and rules. Debian's package is taken apart and not installed: it would start a server.
set -euo pipefail
home=${CARGO_TARGET_DIR:-target}/promtool

case ${1:-} in
install)
    command -v promtool >/dev/null || [ -x "$home/usr/bin/promtool" ] || {
        echo "promtool: fetching Debian's package prometheus (its promtool judges metrics and rules)"
        mkdir -p "$home"
        (cd "$home" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb)
    } ;;
start)
    echo "export TELLTALE_TEST_PROMTOOL=$(command -v promtool || echo "$(cd "$home" && pwd)/usr/bin/promtool")" >"$2/promtool.env" ;;
stop) ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
