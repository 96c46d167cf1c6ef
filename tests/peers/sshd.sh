#!/usr/bin/env bash
# A real OpenSSH daemon on a loopback port of its own, which writes its log to a file that the tests follow and rotate; and
# the client that logs in there. It grants nobody a session.
# sshd.sh install | start DIR | stop DIR
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

install() {
    local missing=()
    command -v sshd >/dev/null || missing+=(openssh-server)
    command -v ssh >/dev/null || missing+=(openssh-client)
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "sshd: installing the Debian packages ${missing[*]}: a daemon whose log the log sensor follows"
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends \
        "${missing[@]}" >/dev/null
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# As root it drops its rights to a user and a folder that must be there.
start() {
    local dir=$1 home port
    home=$(mktemp -d "${TMPDIR:-/tmp}/telltale-sshd.XXXXXX")
    echo "$home" >"$dir/sshd.home"
    port=$(free_port)
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f "$home/host"
    cat >"$home/sshd_config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $home/host
PidFile $home/sshd.pid
UsePAM no
PasswordAuthentication yes
KbdInteractiveAuthentication no
AuthorizedKeysFile none
LogLevel VERBOSE
MaxStartups 100:100:100
PerSourceMaxStartups none
END
    : >"$home/auth.log"
    "$(command -v sshd)" -D -f "$home/sshd_config" -E "$home/auth.log" </dev/null >/dev/null 2>&1 &
    echo $! >"$dir/sshd.pid"
    printf '#!/bin/sh\necho "Printemps 2026"\n' >"$home/askpass"
    chmod +x "$home/askpass"
    cat >"$dir/sshd.env" <<END
export TELLTALE_TEST_SSHD_PORT='$port'
export TELLTALE_TEST_SSHD_LOG='$home/auth.log'
export TELLTALE_TEST_SSH='$(command -v ssh)'
export TELLTALE_TEST_SSH_ASKPASS='$home/askpass'
END
    for _ in $(seq 100); do
        if ssh-keyscan -T 2 -p "$port" 127.0.0.1 2>/dev/null | grep -q ssh-ed25519; then
            echo "sshd: listens on 127.0.0.1:$port"
            return
        fi
        sleep 0.1
    done
    echo "sshd: does not answer; its log:" >&2
    tail -n 20 "$home/auth.log" >&2
    exit 1
}

stop() {
    local dir=$1
    [ -f "$dir/sshd.home" ] || return 0
    kill "$(cat "$dir/sshd.pid")" 2>/dev/null || true
    rm -rf "$(cat "$dir/sshd.home")" "$dir/sshd.home" "$dir/sshd.pid" "$dir/sshd.env"
}

case "${1:-}" in
install) install ;;
start | stop) "$1" "${2:?a folder for its files}" ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2 && exit 2 ;;
esac
