#!/usr/bin/env bash
# A real SMTP server (aiosmtpd) that keeps each mail as a file: in the clear with STARTTLS offered, and over TLS.
# Recipients called refused@… are refused for good, busy@… for now.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${TELLTALE_VENV:-target/venv}

case ${1:-} in
install)
    command -v openssl >/dev/null || { echo "smtp_inbox: Debian package openssl (a certificate for loopback)"; apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 openssl; }
    [ -x "$venv/bin/python3" ] || { echo "smtp_inbox: making a Python environment in $venv"; python3 -m venv "$venv"; }
    "$venv/bin/python3" -c 'import aiosmtpd' 2>/dev/null || {
        echo "smtp_inbox: PyPI aiosmtpd (receives the mails that the email sink sends)"
        "$venv/bin/pip" install -q aiosmtpd==1.4.6
    } ;;
start)
    dir=$(cd "$2" && pwd)
    mkdir -p "$dir/smtp_inbox"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext basicConstraints=critical,CA:FALSE -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" \
        -keyout "$dir/smtp_inbox.key" -out "$dir/smtp_inbox.pem" 2>/dev/null
    rm -f "$dir/smtp_inbox.env"
    "$venv/bin/python3" "$here/smtp_inbox.py" "$dir" >"$dir/smtp_inbox.log" 2>&1 &
    echo $! >"$dir/smtp_inbox.pid"
    for _ in $(seq 100); do [ -s "$dir/smtp_inbox.env" ] && exit 0; sleep 0.1; done
    echo "smtp_inbox: did not start; see $dir/smtp_inbox.log" >&2; exit 1 ;;
stop)
    [ ! -f "$2/smtp_inbox.pid" ] || { kill "$(cat "$2/smtp_inbox.pid")" 2>/dev/null || true; rm -f "$2/smtp_inbox.pid"; } ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
