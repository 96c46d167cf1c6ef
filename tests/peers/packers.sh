#!/usr/bin/env bash
# Programs that pack and dump, as thieves use them: 7-Zip, xz, zstd, bzip2, tar, Python's zipfile, sqlite3 and mailbox,
# PyArrow. They write the files that tests/it/dumps/packers.rs reads. No server: nothing runs between tests.
set -euo pipefail
venv=${TELLTALE_VENV:-target/venv}

need() {
    command -v "$1" >/dev/null || {
        echo "packers: installing the Debian package $2, to pack files that the tests open"
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$2" >/dev/null
    }
}

case ${1:-} in
install)
    need 7z p7zip-full
    need xz xz-utils
    need zstd zstd
    need bzip2 bzip2
    [ -x "$venv/bin/python3" ] || { echo "packers: making a Python environment in $venv"; python3 -m venv "$venv"; }
    "$venv/bin/python3" -c 'import pyarrow' 2>/dev/null || {
        echo "packers: PyPI pyarrow (writes Parquet files)"
        "$venv/bin/pip" install -q pyarrow==26.0.1
    } ;;
start)
    echo "export TELLTALE_TEST_PACKERS=$(cd "$venv/bin" && pwd)/python3" >"$2/packers.env" ;;
stop) ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
