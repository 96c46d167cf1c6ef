#!/usr/bin/env bash
# Spark, from PyPI, on this machine: runs deploy/spark/scan_folder.py. Half a gigabyte, so only in long runs.
set -euo pipefail

venv=${TELLTALE_VENV:-target/venv}
version=4.3.0

case "${1:-}" in
install)
    [ -n "${TELLTALE_LONG:-}" ] || exit 0
    if ! command -v java >/dev/null; then
        if [ "$(id -u)" != 0 ]; then
            echo "spark: Java is missing: install the Debian package openjdk-17-jre-headless as root" >&2
            exit 2
        fi
        echo "spark: installing the Debian package openjdk-17-jre-headless: Spark runs on it"
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
            openjdk-17-jre-headless >/dev/null
    fi
    if ! "$venv/bin/python" -c "import importlib.metadata as m; assert m.version('pyspark') == '$version'" 2>/dev/null; then
        echo "spark: installing pyspark==$version (PyPI, half a gigabyte): it tests deploy/spark"
        [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet "pyspark==$version"
    fi
    ;;
start)
    dir=$(realpath "${2:?usage: spark.sh start DIR}")
    [ -n "${TELLTALE_LONG:-}" ] || exit 0
    # The job starts Spark itself; the tests need only know by which Python.
    echo "export TELLTALE_TEST_SPARK_PYTHON=$(realpath -s "$venv")/bin/python" >"$dir/spark.env"
    ;;
stop)
    rm -f "${2:?usage: spark.sh stop DIR}/spark.env"
    ;;
*)
    echo "usage: $0 install | start DIR | stop DIR" >&2
    exit 2
    ;;
esac
