"""Reads CEF records from standard input, one a line, with a small strict parser, lets cefevent judge each of its standard
keys, and prints each record as JSON."""
import json
import re
import sys

from cefevent import CEFEvent

for line in sys.stdin.read().removesuffix("\n").split("\n"):
    assert "\r" not in line, "more than one line"
    assert line.startswith("CEF:0|"), line[:20]
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert len(parts) == 8, f"{len(parts)} parts"
    keys = list(re.finditer(r"(?:^|(?<= ))([A-Za-z0-9]+)(?<!\\)=", parts[7]))
    extension = {}
    for this, following in zip(keys, keys[1:] + [None]):
        value = parts[7][this.end() : following.start() if following else None]
        extension[this.group(1)] = re.sub(r"\\([\\=])", r"\1", value.rstrip(" ") if following else value)
    event = CEFEvent(strict=True)
    event.set_field("name", parts[5].replace("\\|", "|"))
    event.set_field("deviceVendor", parts[1])
    event.set_field("deviceProduct", parts[2])
    event.set_field("severity", int(parts[6]))
    refused = []
    for key, value in extension.items():
        try:
            if event.set_field(key, value) is False:
                refused.append(key)
        except Exception as error:  # strict mode raises
            refused.append(f"{key}: {error}")
    print(json.dumps({"name": parts[5], "severity": int(parts[6]), "extension": extension, "refused": refused}))
