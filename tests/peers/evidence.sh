#!/usr/bin/env bash
# Others' tools that check exported case files without our code: the Library of Congress's bagit, case-utils (CASE/UCO), pymerkle for inclusion
# proofs, stix2-validator, py-ocsf-models, `cryptography` for opened seals; openssl and pdftotext. Nothing runs between tests.
set -euo pipefail
venv=${TELLTALE_VENV:-target/venv}

# The programs that must be there, and the Debian package that brings them.
need() {
    command -v "$1" >/dev/null || {
        echo "evidence: installing the Debian package $2, to check exported case files in tests"
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$2" >/dev/null
    }
}

case ${1:-} in
install)
    need openssl openssl
    need pdftotext poppler-utils
    [ -x "$venv/bin/python3" ] || { echo "evidence: making a Python environment in $venv"; python3 -m venv "$venv"; }
    "$venv/bin/python3" -c 'import bagit, case_utils, pymerkle, stix2validator, py_ocsf_models, cryptography' 2>/dev/null || {
        echo "evidence: PyPI bagit, case-utils, pymerkle, stix2-validator, py-ocsf-models, cryptography (check case files)"
        "$venv/bin/pip" install -q bagit==1.9.0 case-utils==0.18.0 pymerkle==7.0.0 stix2-validator==3.3.2 py-ocsf-models==0.10.0 cryptography==50.0.2
    } ;;
start)
    echo "export TELLTALE_TEST_EVIDENCE=$(cd "$venv/bin" && pwd)/python3" >"$2/evidence.env" ;;
stop) ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
