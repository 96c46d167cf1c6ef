#!/usr/bin/env bash
# ISC's dig, which asks the DNS sensor as a resolver would. Nothing runs between tests.
set -euo pipefail

case ${1:-} in
install)
    command -v dig >/dev/null || {
        echo "dig: installing the Debian package bind9-dnsutils, to ask the DNS sensor in tests"
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends bind9-dnsutils >/dev/null
    } ;;
start) echo "export TELLTALE_TEST_DIG=$(command -v dig)" >"$2/dig.env" ;;
stop) ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
