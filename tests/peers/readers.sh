#!/usr/bin/env bash
# Ordinary readers of the documents that we mint: poppler and qpdf for PDF, LibreOffice and openpyxl for XLSX. They tell,
# independently of our code, what a thief sees on opening one. No server: nothing runs between tests.
set -euo pipefail
venv=${TELLTALE_VENV:-target/venv}

# The programs that must be there, and the Debian package that brings them.
need() {
    command -v "$1" >/dev/null || {
        echo "readers: installing the Debian package $2, to open minted documents in tests"
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$2" >/dev/null
    }
}

case ${1:-} in
install)
    need pdftotext poppler-utils
    need qpdf qpdf
    need soffice libreoffice-calc-nogui
    [ -x "$venv/bin/python3" ] || { echo "readers: making a Python environment in $venv"; python3 -m venv "$venv"; }
    "$venv/bin/python3" -c 'import openpyxl' 2>/dev/null || {
        echo "readers: PyPI openpyxl (reads cells and properties of minted staff lists)"
        "$venv/bin/pip" install -q openpyxl==3.1.5
    } ;;
start)
    echo "export TELLTALE_TEST_READERS=$(cd "$venv/bin" && pwd)/python3" >"$2/readers.env" ;;
stop) ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
