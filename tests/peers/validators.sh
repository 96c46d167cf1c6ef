#!/usr/bin/env bash
# The receivers' own libraries, which judge what our sinks send: Slack's Block Kit models, the Standard Webhooks
# reference verifier, `cryptography` for Ed25519, a CEF checker, CloudEvents' library, OCSF's classes as models, TheHive's
# client, MISP's client, JSON Schema, and Sigma's with two of its backends. Nothing runs between tests.
set -euo pipefail
venv=${TELLTALE_VENV:-target/venv}

case ${1:-} in
install)
    [ -x "$venv/bin/python3" ] || { echo "validators: making a Python environment in $venv"; python3 -m venv "$venv"; }
    "$venv/bin/python3" -c 'import slack_sdk, standardwebhooks, cefevent, cryptography, cloudevents, py_ocsf_models, thehive4py, pymisp, jsonschema, sigma.backends.splunk, sigma.backends.elasticsearch, dkim, nacl' 2>/dev/null || {
        echo "validators: PyPI slack_sdk, standardwebhooks, cefevent, cryptography, cloudevents, py-ocsf-models, thehive4py, pymisp, jsonschema, dkimpy, pysigma with its Splunk and Elasticsearch backends (judge what the sinks send)"
        "$venv/bin/pip" install -q slack_sdk==3.47.0 standardwebhooks==1.1.0 cefevent==0.5.6 cryptography==50.0.2 \
            cloudevents==2.2.0 py-ocsf-models==0.10.0 thehive4py==2.1.0 pymisp==2.5.34.4 jsonschema==4.26.0 dkimpy==1.1.8 pynacl==1.6.2 pysigma==1.5.1 pysigma-backend-splunk==2.1.0 \
            pysigma-backend-elasticsearch==2.1.1
    } ;;
start)
    echo "export TELLTALE_TEST_PYTHON=$(cd "$venv/bin" && pwd)/python3" >"$2/validators.env" ;;
stop) ;;
*) echo "usage: $0 install | start DIR | stop DIR" >&2; exit 2 ;;
esac
