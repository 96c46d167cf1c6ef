#!/usr/bin/env bash
# A real OpenLDAP directory for the tests, on loopback ports of its own, with data that goes away when it stops.
# slapd.sh install | start DIR | stop DIR
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

base=dc=example,dc=org

install() {
    if command -v slapd >/dev/null && command -v ldapadd >/dev/null && command -v openssl >/dev/null; then
        echo "slapd: OpenLDAP is there already"
        return
    fi
    echo "slapd: installing the Debian packages slapd, ldap-utils and openssl: a directory for the tests of the ldap store, and clients of one"
    apt-get -o DPkg::Lock::Timeout=300 update -q
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends \
        slapd ldap-utils openssl
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

certificates() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=Test authority" \
        -keyout "$1/ca.key" -out "$1/ca.pem" -addext "basicConstraints=critical,CA:TRUE" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" \
        -keyout "$1/server.key" -out "$1/server.csr" 2>/dev/null
    openssl x509 -req -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial -days 30 \
        -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n') \
        -out "$1/server.pem" 2>/dev/null
}

# The administrator is a common entry with all rights: the root of the configuration would be above every limit.
configuration() {
    local home=$1 root=$2
    cat <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $home/slapd.pid
TLSCACertificateFile $home/ca.pem
TLSCertificateFile $home/server.pem
TLSCertificateKeyFile $home/server.key
sizelimit 500
database mdb
suffix "$base"
rootdn "cn=root,$base"
rootpw $root
directory $home/data
maxsize 268435456
dbnosync
index objectClass,uid,mail,employeeNumber eq
limits dn.exact="cn=admin,$base" size=unlimited time=unlimited
access to attrs=userPassword by dn.exact="cn=admin,$base" manage by anonymous auth by * none
access to * by dn.exact="cn=admin,$base" manage by dn.exact="cn=reader,$base" read by * none
END
}

start() {
    local dir=$1 home port secure password root
    mkdir -p "$dir"
    home=$(mktemp -d "${TMPDIR:-/tmp}/telltale-slapd.XXXXXX")
    echo "$home" >"$dir/slapd.home"
    mkdir "$home/data"
    port=$(free_port)
    secure=$(free_port)
    password=$(openssl rand -hex 12)
    root=$(openssl rand -hex 12)
    certificates "$home"
    configuration "$home" "$root" >"$home/slapd.conf"
    slapd -f "$home/slapd.conf" -h "ldap://127.0.0.1:$port/ ldaps://127.0.0.1:$secure/" -d stats \
        </dev/null >"$dir/slapd.log" 2>&1 &
    echo $! >"$dir/slapd.pid"
    cat >"$dir/slapd.env" <<END
export TELLTALE_TEST_LDAP_URL='ldap://127.0.0.1:$port'
export TELLTALE_TEST_LDAPS_URL='ldaps://127.0.0.1:$secure'
export TELLTALE_TEST_LDAP_CA='$home/ca.pem'
export TELLTALE_TEST_LDAP_BASE='$base'
export TELLTALE_TEST_LDAP_BIND='cn=admin,$base'
export TELLTALE_TEST_LDAP_READER='cn=reader,$base'
export TELLTALE_TEST_LDAP_PASSWORD='$password'
export TELLTALE_TEST_LDAP_LOG='$(realpath "$dir")/slapd.log'
export TELLTALE_TEST_LDAP_WHOAMI='$(command -v ldapwhoami)'
export TELLTALE_TEST_LDAP_SLAPCAT='$(command -v slapcat) -f $home/slapd.conf'
END
    for _ in $(seq 100); do
        if seed "$password" | ldapadd -x -H "ldap://127.0.0.1:$port" -D "cn=root,$base" -w "$root" >/dev/null 2>&1; then
            echo "slapd: listens on 127.0.0.1:$port, and with TLS on 127.0.0.1:$secure"
            return
        fi
        sleep 0.2
    done
    echo "slapd: does not answer; its log:" >&2
    tail -n 20 "$dir/slapd.log" >&2
    exit 1
}

seed() {
    cat <<END
dn: $base
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=admin,$base
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: admin
userPassword: $1

dn: cn=reader,$base
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: $1
END
}

stop() {
    local dir=$1 pid
    [ -f "$dir/slapd.home" ] || return 0
    pid=$(cat "$dir/slapd.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    rm -rf "$(cat "$dir/slapd.home")" "$dir/slapd.home" "$dir/slapd.pid" "$dir/slapd.env"
}

case "${1:-}" in
install) install ;;
start | stop) "$1" "${2:?a folder for its files}" ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2 && exit 2 ;;
esac
