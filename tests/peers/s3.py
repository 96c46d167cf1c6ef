#!/usr/bin/env python3
"""A bucket in moto's S3, behind the check that moto leaves out: the signature of a presigned request, computed by botocore,
which is what AWS's own tools sign with; its age; and the digest of what was sent. s3.py PORT KEY SECRET"""

import base64
import datetime
import hashlib
import io
import sys
import urllib.parse

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import create_backend_app
from werkzeug.serving import make_server

PORT, KEY, SECRET = int(sys.argv[1]), sys.argv[2], sys.argv[3]
moto = create_backend_app("s3")


def refusal(environ, body):
    """Why the request is refused, as status, code and message; None where it is not."""
    path, _, query = environ["RAW_URI"].partition("?")
    asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    if asked.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
        return "403 Forbidden", "AccessDenied", "Access Denied"
    key, _, region, service, ending = asked["X-Amz-Credential"].split("/")
    if key != KEY or (service, ending) != ("s3", "aws4_request"):
        return "403 Forbidden", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
    if region != "eu-west-3":
        return "400 Bad Request", "AuthorizationQueryParametersError", "the region is wrong; expecting 'eu-west-3'"
    signed = {}
    for name in asked["X-Amz-SignedHeaders"].split(";"):
        wsgi = name.upper().replace("-", "_")
        signed[name] = environ.get(wsgi if wsgi == "CONTENT_TYPE" else f"HTTP_{wsgi}", "")
    rest = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
    request = AWSRequest(environ["REQUEST_METHOD"], f"http://{environ['HTTP_HOST']}{path}?{rest}", headers=signed)
    request.context["timestamp"] = asked["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials(KEY, SECRET), service, region, expires=int(asked["X-Amz-Expires"]))
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if expected != asked.get("X-Amz-Signature"):
        return "403 Forbidden", "SignatureDoesNotMatch", "The request signature we calculated does not match."
    at = datetime.datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    age = (datetime.datetime.now(datetime.timezone.utc) - at).total_seconds()
    if not -900 < age < int(asked["X-Amz-Expires"]):
        return "403 Forbidden", "AccessDenied", "Request has expired"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if environ["REQUEST_METHOD"] == "PUT" and environ.get("HTTP_X_AMZ_CHECKSUM_SHA256", digest) != digest:
        return "400 Bad Request", "BadDigest", "The SHA256 you specified did not match the calculated checksum."
    return None


def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    refused = refusal(environ, body)
    if refused:
        status, code, message = refused
        text = f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
        return [text]
    environ["wsgi.input"] = io.BytesIO(body)
    return moto(environ, start_response)


make_server("127.0.0.1", PORT, application, threaded=True).serve_forever()
