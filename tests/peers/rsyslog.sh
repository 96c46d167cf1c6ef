#!/usr/bin/env bash
# A real rsyslog that receives over UDP, TCP and TLS and writes each record as one line of JSON. Its
# `protocol-version` is 1 for good RFC 5424 and 0 where it had to guess.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

case ${1:-} in
install)
    missing=()
    command -v rsyslogd >/dev/null || missing+=(rsyslog)
    [ -e /usr/lib/*/rsyslog/lmnsd_gtls.so ] || missing+=(rsyslog-gnutls)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v lognormalizer >/dev/null || missing+=(liblognorm-utils)
    [ ${#missing[@]} -eq 0 ] || {
        echo "rsyslog: Debian packages ${missing[*]} (receives what the syslog sink sends)"
        apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
    } ;;
start)
    dir=$(cd "$2" && pwd)
    mkdir -p "$dir/rsyslog"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext basicConstraints=critical,CA:FALSE -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" \
        -keyout "$dir/rsyslog.key" -out "$dir/rsyslog.pem" 2>/dev/null
    read -r udp tcp tls < <(python3 - <<'PY'
import socket
kinds = [socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM]
sockets = [socket.socket(socket.AF_INET, kind) for kind in kinds]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
PY
)
    cat >"$dir/rsyslog.conf" <<CONF
global(workDirectory="$dir/rsyslog" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="on"
       defaultNetstreamDriverCAFile="$dir/rsyslog.pem" defaultNetstreamDriverCertFile="$dir/rsyslog.pem"
       defaultNetstreamDriverKeyFile="$dir/rsyslog.key")
module(load="imudp")
module(load="imtcp")
module(load="mmpstrucdata")
template(name="json" type="list") {
  constant(value="{") property(name="protocol-version" format="jsonf") constant(value=",")
  property(name="pri" format="jsonf") constant(value=",") property(name="timereported" dateFormat="rfc3339" format="jsonf") constant(value=",")
  property(name="hostname" format="jsonf") constant(value=",") property(name="app-name" format="jsonf") constant(value=",")
  property(name="msgid" format="jsonf") constant(value=",") property(name="inputname" format="jsonf") constant(value=",")
  property(name="msg" format="jsonf") constant(value=",\"sd\":") property(name="\$!rfc5424-sd") constant(value="}\n") }
ruleset(name="all") { action(type="mmpstrucdata") action(type="omfile" file="$dir/rsyslog/received.json" template="json") }
input(type="imudp" address="127.0.0.1" port="$udp" ruleset="all" name="udp")
input(type="imtcp" address="127.0.0.1" port="$tcp" ruleset="all" name="tcp")
input(type="imtcp" address="127.0.0.1" port="$tls" ruleset="all" name="tls" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
CONF
    rsyslogd -n -f "$dir/rsyslog.conf" -i "$dir/rsyslog/own.pid" >"$dir/rsyslog.log" 2>&1 &
    echo $! >"$dir/rsyslog.pid"
    {
        echo "export TELLTALE_TEST_RSYSLOG_UDP=127.0.0.1:$udp"
        echo "export TELLTALE_TEST_RSYSLOG_TCP=127.0.0.1:$tcp"
        echo "export TELLTALE_TEST_RSYSLOG_TLS=127.0.0.1:$tls"
        echo "export TELLTALE_TEST_RSYSLOG_CA=$dir/rsyslog.pem"
        echo "export TELLTALE_TEST_RSYSLOG_RECEIVED=$dir/rsyslog/received.json"
    } >"$dir/rsyslog.env"
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$tls") 2>/dev/null && (exec 3<>"/dev/tcp/127.0.0.1/$tcp") 2>/dev/null && exit 0
        sleep 0.1
    done
    echo "rsyslog: did not start; see $dir/rsyslog.log" >&2; exit 1 ;;
stop)
    [ ! -f "$2/rsyslog.pid" ] || { kill "$(cat "$2/rsyslog.pid")" 2>/dev/null || true; rm -f "$2/rsyslog.pid"; } ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
