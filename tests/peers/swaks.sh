#!/usr/bin/env bash
# swaks and Python's smtplib: two mail clients that people really use, to speak to our mail server.
# They are programs, not servers: `start` only says where they are.
set -euo pipefail

case "${1:-}" in
install)
    missing=()
    command -v swaks >/dev/null || missing+=(swaks)
    command -v python3 >/dev/null || missing+=(python3)
    perl -MNet::SSLeay -e 1 2>/dev/null || missing+=(libnet-ssleay-perl)
    if [ ${#missing[@]} -gt 0 ]; then
        echo "swaks: installing ${missing[*]} (Debian): mail clients that test the smtp sensor"
        apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" >/dev/null
    fi
    ;;
start)
    dir=${2:?usage: swaks.sh start DIR}
    {
        echo "export TELLTALE_TEST_SWAKS=$(command -v swaks)"
        echo "export TELLTALE_TEST_PYTHON=$(command -v python3)"
    } >"$dir/swaks.env"
    ;;
stop) ;;
*)
    echo "usage: $0 install | start DIR | stop DIR" >&2
    exit 2
    ;;
esac
