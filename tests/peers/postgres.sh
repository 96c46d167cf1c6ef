#!/usr/bin/env bash
# A real PostgreSQL for the tests, on a loopback port of its own, with data that goes away when it stops.
# postgres.sh install | start DIR | stop DIR
set -euo pipefail

user=nobody

binaries() {
    local found
    found=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
    [ -n "$found" ] || found=$(dirname "$(command -v initdb || echo /nowhere/initdb)")
    echo "$found"
}

# The server refuses to run as root.
unprivileged() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups env HOME=/ "$@")
    else
        (cd / && exec "$@")
    fi
}

install() {
    if [ ! -x "$(binaries)/initdb" ] || ! command -v openssl >/dev/null; then
        echo "postgres: installing the Debian packages postgresql and openssl: a server for the tests of the postgres store"
        apt-get -o DPkg::Lock::Timeout=300 update -q
        apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends postgresql openssl
    fi
    if [ -e "$(binaries)/../lib/pgaudit.so" ]; then
        echo "postgres: PostgreSQL and pgaudit are there already"
        return
    fi
    local version
    version=$(basename "$(dirname "$(binaries)")")
    echo "postgres: installing the Debian package postgresql-$version-pgaudit: its audit tells who reads canaries"
    apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "postgresql-$version-pgaudit"
}

certificates() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=Test authority" \
        -keyout "$1/ca.key" -out "$1/ca.pem" -addext "basicConstraints=critical,CA:TRUE" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
        -keyout "$1/server.key" -out "$1/server.csr" 2>/dev/null
    openssl x509 -req -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial -days 30 \
        -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n') \
        -out "$1/server.pem" 2>/dev/null
    chmod 600 "$1/server.key"
}

start() {
    local dir=$1 bin home port password
    mkdir -p "$dir"
    bin=$(binaries)
    home=$(mktemp -d "${TMPDIR:-/tmp}/telltale-postgres.XXXXXX")
    echo "$home" >"$dir/postgres.home"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    password=$(openssl rand -hex 12)
    certificates "$home"
    echo "$password" >"$home/password"
    chmod 755 "$home"
    [ "$(id -u)" != 0 ] || chown -R "$user" "$home"
    unprivileged "$bin/initdb" -D "$home/data" -U owner --pwfile "$home/password" --auth scram-sha-256 \
        --encoding UTF8 --locale C.UTF-8 --no-sync >"$dir/postgres.log" 2>&1
    unprivileged "$bin/postgres" -D "$home/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
        -c shared_preload_libraries=pgaudit -c logging_collector=on -c log_destination=stderr,csvlog,jsonlog \
        -c log_directory="$home/logs" -c log_filename=postgresql.log -c log_rotation_age=0 -c log_rotation_size=0 \
        -c log_line_prefix='%m [%p] %q%u@%d %h ' -c log_timezone=UTC -c fsync=off -c max_connections=60 -c ssl=on -c ssl_cert_file="$home/server.pem" \
        -c ssl_key_file="$home/server.key" </dev/null >>"$dir/postgres.log" 2>&1 &
    echo $! >"$dir/postgres.pid"
    cat >"$dir/postgres.env" <<END
export TELLTALE_TEST_POSTGRES_URL='postgres://owner:$password@127.0.0.1:$port/postgres?sslmode=disable'
export TELLTALE_TEST_POSTGRES_CA='$home/ca.pem'
export TELLTALE_TEST_POSTGRES_BIN='$bin'
export TELLTALE_TEST_POSTGRES_LOGS='$home/logs'
END
    for _ in $(seq 100); do
        if PGPASSWORD=$password "$bin/psql" -h 127.0.0.1 -p "$port" -U owner -d postgres -qtc 'select 1' >/dev/null 2>&1; then
            head -n 1 "$home/data/postmaster.pid" >"$dir/postgres.pid"
            echo "postgres: listens on 127.0.0.1:$port"
            return
        fi
        sleep 0.2
    done
    echo "postgres: does not answer; its log:" >&2
    tail -n 20 "$dir/postgres.log" "$home"/logs/postgresql.log >&2 || true
    exit 1
}

stop() {
    local dir=$1 home pid
    [ -f "$dir/postgres.home" ] || return 0
    home=$(cat "$dir/postgres.home")
    pid=$(cat "$home/data/postmaster.pid" 2>/dev/null | head -n 1)
    if [ -n "$pid" ]; then
        kill -INT "$pid" 2>/dev/null || true
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.2
        done
    fi
    rm -rf "$home" "$dir/postgres.home" "$dir/postgres.pid" "$dir/postgres.env"
}

case "${1:-}" in
install) install ;;
start | stop) "$1" "${2:?a folder for its files}" ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2 && exit 2 ;;
esac
