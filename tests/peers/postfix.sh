#!/usr/bin/env bash
# Postfix's own postmap, to read the alias table that Telltale writes. Only its package is unpacked: no mail server is installed or
# started, and none that is there is touched. `start` only says where it is.
set -euo pipefail

case "${1:-}" in
install)
    here=$(cd "$(dirname "$0")/../.." && pwd)/target/postfix
    if [ ! -x "$here/usr/sbin/postmap" ]; then
        echo "postfix: fetching its Debian package, for postmap: it reads the routing of aliases"
        mkdir -p "$here"
        (cd "$here" && apt-get download postfix >/dev/null 2>&1 && dpkg -x postfix_*.deb . && rm postfix_*.deb)
    fi
    ;;
start)
    dir=${2:?usage: postfix.sh start DIR}
    here=$(cd "$(dirname "$0")/../.." && pwd)/target/postfix
    mkdir -p "$dir/postfix"
    # The owners are users that every Debian has: nothing is run as them.
    printf 'mail_owner = daemon\nsetgid_group = mail\ndefault_privs = nobody\n' >"$dir/postfix/main.cf"
    {
        echo "export TELLTALE_TEST_POSTMAP=$here/usr/sbin/postmap"
        echo "export TELLTALE_TEST_POSTMAP_LIBRARIES=$here/usr/lib/postfix"
        echo "export TELLTALE_TEST_POSTMAP_CONFIG=$dir/postfix"
    } >"$dir/postfix.env"
    ;;
stop) ;;
*)
    echo "usage: $0 install | start DIR | stop DIR" >&2
    exit 2
    ;;
esac
