#!/usr/bin/env bash
# A time-stamp authority (RFC 3161): `openssl ts` behind a small HTTP server, with a root and a certificate of its own. It
# stamps at /rsa and /ec; at /stale it answers another question, at /refused it refuses, and /dead hangs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

case ${1:-} in
install)
    command -v openssl >/dev/null || { echo "tsa: Debian package openssl (stamps checkpoints with the time)"; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 openssl >/dev/null; } ;;
start)
    dir=$(cd "$2" && pwd)
    mkdir -p "$dir/tsa"
    cd "$dir/tsa"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=Test root" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.pem 2>/dev/null
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=Another root" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout other.key -out other.pem 2>/dev/null
    printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n' >extensions
    for key in rsa ec; do
        new=(rsa:2048); [ $key = rsa ] || new=(ec -pkeyopt ec_paramgen_curve:prime256v1)
        openssl req -newkey "${new[@]}" -nodes -subj "/CN=Test authority $key" -keyout $key.key -out $key.csr 2>/dev/null
        openssl x509 -req -in $key.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out $key.pem 2>/dev/null
        cat >$key.cnf <<CNF
[tsa]
default_tsa = here
[here]
serial = $dir/tsa/serial
signer_cert = $dir/tsa/$key.pem
signer_key = $dir/tsa/$key.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
accuracy = secs:1
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
CNF
    done
    echo 01 >serial
    rm -f "$dir/tsa.env"
    python3 "$here/tsa.py" "$dir" >"$dir/tsa.log" 2>&1 &
    echo $! >"$dir/tsa.pid"
    for _ in $(seq 100); do [ -s "$dir/tsa.env" ] && exit 0; sleep 0.1; done
    echo "tsa: did not start; see $dir/tsa.log" >&2; exit 1 ;;
stop)
    [ ! -f "$2/tsa.pid" ] || { kill "$(cat "$2/tsa.pid")" 2>/dev/null || true; rm -f "$2/tsa.pid"; } ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
