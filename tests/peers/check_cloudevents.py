"""Judges CloudEvents on standard input, one a line as {"headers", "body"}, by the project's own library."""
import json
import sys

from cloudevents.v1.http import from_http

seen = set()
for line in sys.stdin:
    request = json.loads(line)
    event = from_http(request["headers"], request["body"].encode())
    assert event["specversion"] == "1.0"
    for name in ("id", "source", "type", "time", "subject", "datacontenttype"):
        value = event[name]
        assert value and value.isprintable() and len(value) < 256, (name, value)
    assert (event["source"], event["id"]) not in seen, "two alerts are one"
    seen.add((event["source"], event["id"]))
    assert isinstance(event.data, dict) and event.data["summary"] is not None
print("valid")
