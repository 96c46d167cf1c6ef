#!/usr/bin/env bash
# nginx, the reverse proxy that people really use, to ask the gate's verifier. Each test starts it with a configuration of
# its own: `start` only says where it is.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

case "${1:-}" in
install)
    if ! command -v nginx >/dev/null; then
        echo "nginx: installing the Debian package nginx-light: a reverse proxy that asks the gate (auth_request, mirror)"
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
            nginx-light >/dev/null
    fi
    ;;
start)
    dir=${2:?usage: nginx.sh start DIR}
    echo "export TELLTALE_TEST_NGINX=$(command -v nginx)" >"$dir/nginx.env"
    ;;
stop) ;;
*)
    echo "usage: $0 install | start DIR | stop DIR" >&2
    exit 2
    ;;
esac
