#!/usr/bin/env bash
# Receivers' own JavaScript libraries, which judge what our sinks send: Microsoft's Adaptive Cards, Discord's builders,
# Elastic's schema. Nothing runs between tests. Debian's npm is the last resort: a node that is there is used.
set -euo pipefail
target=${CARGO_TARGET_DIR:-target}
modules=$target/npm

case ${1:-} in
install)
    command -v npm >/dev/null || {
        [ "$(id -u)" = 0 ] || { echo "formats: npm is missing: install nodejs and npm, or run this as root" >&2; exit 2; }
        echo "formats: installing Debian's nodejs and npm (run the receivers' JavaScript libraries)"
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends nodejs npm >/dev/null
    }
    [ -e "$modules/node_modules/adaptivecards" ] && [ -e "$modules/node_modules/@discordjs/builders" ] && [ -e "$modules/node_modules/@elastic/ecs" ] || {
        echo "formats: npm adaptivecards, @discordjs/builders, @elastic/ecs (judge what the sinks send)"
        mkdir -p "$modules"
        npm install --prefix "$modules" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
            adaptivecards@3.0.6 @discordjs/builders@1.15.0 @elastic/ecs@9.4.0 >/dev/null
    } ;;
start)
    echo "export TELLTALE_TEST_NPM=$(cd "$modules" && pwd)/node_modules" >"$2/formats.env" ;;
stop) ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
