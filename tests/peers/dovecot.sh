#!/usr/bin/env bash
# A real Dovecot on loopback ports of its own, in clear with STARTTLS and with TLS from the first byte. It writes its log to a
# file that the tests follow, and knows two users: one who tries logins, and one whose mailbox catches all mail.
# dovecot.sh install | start DIR | stop DIR
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

install() {
    if command -v dovecot >/dev/null && [ -e /usr/lib/dovecot/imap-login ]; then return; fi
    echo "dovecot: installing the Debian package dovecot-imapd: a server whose log and mailboxes the sensors read"
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends \
        dovecot-imapd >/dev/null
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    local dir=$1 home port tls_port own= as="uid=$(id -u nobody) gid=$(id -g nobody)"
    home=$(mktemp -d "${TMPDIR:-/tmp}/telltale-dovecot.XXXXXX")
    echo "$home" >"$dir/dovecot.home"
    # Its processes give up root for users of their own, where they have it.
    chmod 755 "$home"
    mkdir "$home/mail"
    if [ "$(id -u)" = 0 ]; then chown nobody "$home/mail"; else as="uid=$(id -u) gid=$(id -g)"; fi
    [ "$(id -u)" = 0 ] || own=$(printf 'default_internal_user = %s\ndefault_login_user = %s\ndefault_internal_group = %s' \
        "$(id -un)" "$(id -un)" "$(id -gn)")
    port=$(free_port)
    tls_port=$(free_port)
    printf 'known:{PLAIN}secret\ncatchall:{PLAIN}s "e\\cret\n' >"$home/users"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1,DNS:localhost \
        -keyout "$home/key.pem" -out "$home/cert.pem" 2>/dev/null
    cat >"$home/dovecot.conf" <<END
base_dir = $home/run
log_path = $home/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <$home/cert.pem
ssl_key = <$home/key.pem
disable_plaintext_auth = no
auth_verbose = yes
auth_failure_delay = 0
auth_mechanisms = plain login
first_valid_uid = 1
mail_location = maildir:$home/mail/%u
$own
passdb {
  driver = passwd-file
  args = $home/users
}
userdb {
  driver = static
  args = $as home=$home/mail/%u
}
service imap-login {
  chroot =
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = $tls_port
  }
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
END
    dovecot -F -c "$home/dovecot.conf" </dev/null >"$home/out" 2>&1 &
    echo $! >"$dir/dovecot.pid"
    cat >"$dir/dovecot.env" <<END
export TELLTALE_TEST_DOVECOT_PORT='$port'
export TELLTALE_TEST_DOVECOT_TLS_PORT='$tls_port'
export TELLTALE_TEST_DOVECOT_CA='$home/cert.pem'
export TELLTALE_TEST_DOVECOT_LOG='$home/dovecot.log'
END
    for _ in $(seq 100); do
        if python3 -c "import imaplib; imaplib.IMAP4('127.0.0.1', $port).logout()" 2>/dev/null; then
            echo "dovecot: listens on 127.0.0.1:$port"
            return
        fi
        sleep 0.1
    done
    echo "dovecot: does not answer; its log:" >&2
    cat "$home/out" "$home/dovecot.log" >&2
    exit 1
}

stop() {
    local dir=$1
    [ -f "$dir/dovecot.home" ] || return 0
    kill "$(cat "$dir/dovecot.pid")" 2>/dev/null || true
    rm -rf "$(cat "$dir/dovecot.home")" "$dir/dovecot.home" "$dir/dovecot.pid" "$dir/dovecot.env"
}

case "${1:-}" in
install) install ;;
start | stop) "$1" "${2:?a folder for its files}" ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2 && exit 2 ;;
esac
