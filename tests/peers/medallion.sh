#!/usr/bin/env bash
# medallion: the reference TAXII 2.1 server, which takes STIX objects; and the STIX validator, which judges them.
set -euo pipefail
venv=${TELLTALE_VENV:-target/venv}
collection=365fed99-08fa-fdcd-a1b3-fb247eb41d01

case ${1:-} in
install)
    [ -x "$venv/bin/python3" ] || { echo "medallion: making a Python environment in $venv"; python3 -m venv "$venv"; }
    "$venv/bin/python3" -c 'import medallion, stix2validator' 2>/dev/null || {
        echo "medallion: PyPI medallion, stix2-validator (take and judge what the TAXII sink sends)"
        "$venv/bin/pip" install -q medallion==3.0.0 stix2-validator==3.3.2
    } ;;
start)
    dir=$(cd "$2" && pwd)
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >"$dir/medallion.data.json" <<JSON
{"/discovery": {"title": "Partners", "default": "http://127.0.0.1:$port/partners/", "api_roots": ["http://127.0.0.1:$port/partners/"]},
 "partners": {
   "information": {"title": "Partners", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9765625},
   "status": [],
   "collections": [{"id": "$collection", "title": "Leaks", "can_read": true, "can_write": true,
     "media_types": ["application/stix+json;version=2.1"], "objects": [], "manifest": []}]}}
JSON
    cat >"$dir/medallion.json" <<JSON
{"backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": "$dir/medallion.data.json"},
 "users": {"telltale": "wordword"}, "taxii": {"max_page_size": 1000}}
JSON
    "$venv/bin/medallion" --host 127.0.0.1 --port "$port" "$dir/medallion.json" >"$dir/medallion.log" 2>&1 </dev/null &
    echo $! >"$dir/medallion.pid"
    for _ in $(seq 100); do
        if python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; then
            echo "export TELLTALE_TEST_TAXII=http://127.0.0.1:$port/partners/collections/$collection/" >"$dir/medallion.env"
            exit 0
        fi
        sleep 0.1
    done
    echo "medallion: did not start; see $dir/medallion.log" >&2; exit 1 ;;
stop)
    [ ! -f "$2/medallion.pid" ] || { kill "$(cat "$2/medallion.pid")" 2>/dev/null || true; rm -f "$2/medallion.pid"; } ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
