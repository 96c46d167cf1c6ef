#!/usr/bin/env bash
# A real Samba file server on a loopback port of its own, which writes its audit of logins as JSON, and of what is read on the
# share `hr`, to a file that the tests follow; and the client that logs in there. It knows one user.
# samba.sh install | start DIR | stop DIR
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

install() {
    local missing=()
    command -v smbd >/dev/null || missing+=(samba)
    command -v smbclient >/dev/null || missing+=(smbclient)
    compgen -G '/usr/lib/*/samba/vfs/full_audit.so' >/dev/null || missing+=(samba-vfs-modules)
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "samba: installing the Debian packages ${missing[*]}: a file server whose audit the log sensor follows"
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends \
        "${missing[@]}" >/dev/null
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    local dir=$1 home port user
    # Whom a server that is no root's can serve.
    user=$(id -un)
    [ "$user" != root ] || user=nobody
    home=$(mktemp -d "${TMPDIR:-/tmp}/telltale-samba.XXXXXX")
    echo "$home" >"$dir/samba.home"
    mkdir "$home"/{private,lock,state,cache,pid,share,hr}
    chmod 755 "$home" "$home/hr"
    port=$(free_port)
    cat >"$home/smb.conf" <<END
[global]
smb ports = $port
interfaces = 127.0.0.1/8
bind interfaces only = yes
private dir = $home/private
lock directory = $home/lock
state directory = $home/state
cache directory = $home/cache
pid directory = $home/pid
ncalrpc dir = $home/ncalrpc
log level = 1 auth_json_audit:3 full_audit:1
log file = $home/audit.log
max log size = 0
server role = standalone server
map to guest = never
disable spoolss = yes
load printers = no
[share]
path = $home/share
[hr]
path = $home/hr
vfs objects = full_audit
full_audit:prefix = %u|%I|%S
full_audit:success = pread pread_send pread_recv sendfile
full_audit:failure = none
full_audit:syslog = false
END
    printf 'Mot-de-passe-2026\nMot-de-passe-2026\n' | smbpasswd -s -a -c "$home/smb.conf" "$user" >"$home/out" 2>&1
    # In a process group of its own, all of which it ends with itself.
    smbd -F -s "$home/smb.conf" </dev/null >>"$home/out" 2>&1 &
    echo $! >"$dir/samba.pid"
    cat >"$dir/samba.env" <<END
export TELLTALE_TEST_SAMBA_PORT='$port'
export TELLTALE_TEST_SAMBA_LOG='$home/audit.log'
export TELLTALE_TEST_SAMBA_HR='$home/hr'
export TELLTALE_TEST_SAMBA_USER='$user'
export TELLTALE_TEST_SAMBA_CLIENT='$(command -v smbclient)'
END
    for _ in $(seq 100); do
        if python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 2)" 2>/dev/null; then
            echo "samba: listens on 127.0.0.1:$port"
            return
        fi
        sleep 0.1
    done
    echo "samba: does not answer; its log:" >&2
    cat "$home/out" "$home/audit.log" >&2
    exit 1
}

stop() {
    local dir=$1
    [ -f "$dir/samba.home" ] || return 0
    kill "$(cat "$dir/samba.pid")" 2>/dev/null || true
    rm -rf "$(cat "$dir/samba.home")" "$dir/samba.home" "$dir/samba.pid" "$dir/samba.env"
}

case "${1:-}" in
install) install ;;
start | stop) "$1" "${2:?a folder for its files}" ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2 && exit 2 ;;
esac
