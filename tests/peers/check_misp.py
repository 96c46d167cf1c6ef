"""Judges MISP events on standard input, one a line, by MISP's own client, and by what that lets pass."""
import copy
import json
import sys
import uuid

from pymisp import MISPEvent

for line in sys.stdin:
    whole = json.loads(line)
    event = MISPEvent()
    event.load(copy.deepcopy(whole))
    sent = whole["Event"]
    assert set(whole) == {"Event"} and str(event.uuid) == sent["uuid"] and uuid.UUID(sent["uuid"]).version == 5
    assert sent["info"] and sent["info"].isprintable(), ascii(sent["info"])
    assert sent["threat_level_id"] in "1234" and sent["analysis"] in "012" and sent["distribution"] == "0"
    assert sent["published"] is False, "nobody else is told before somebody looked"
    assert len(event.attributes) == len(sent["Attribute"]) >= 1
    ids = [attribute["uuid"] for attribute in sent["Attribute"]]
    assert len(set(ids)) == len(ids) and sent["uuid"] not in ids
    for attribute in event.attributes:
        assert attribute.to_ids is False, "what a thief used is no indicator for detection"
        assert attribute.type in event.describe_types["category_type_mappings"][attribute.category]
    assert any(tag["name"] == "tlp:amber" for tag in sent["Tag"])
print("valid")
