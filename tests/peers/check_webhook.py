"""Judges webhooks on standard input (a JSON object a line: secrets, public, headers, body) as a receiver would: the
Standard Webhooks library for `v1`, `cryptography` for `v1a`. A changed body must fail both."""
import base64
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

checked = 0
for given in map(json.loads, sys.stdin):
    headers, body = given["headers"], given["body"]
    before = checked
    for secret in given.get("secrets", []):
        Webhook(secret).verify(body, headers)
        try:
            Webhook(secret).verify(body + " ", headers)
            sys.exit("a changed body passed v1")
        except WebhookVerificationError:
            checked += 1
    if given.get("public"):
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(given["public"].removeprefix("whpk_")))
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
        signature = next(one[4:] for one in headers["webhook-signature"].split() if one.startswith("v1a,"))
        key.verify(base64.b64decode(signature), content)
        try:
            key.verify(base64.b64decode(signature), content + b" ")
            sys.exit("a changed body passed v1a")
        except InvalidSignature:
            checked += 1
    assert checked > before, "nothing to check with"
assert checked, "nothing to check with"
print("valid")
