"""Judges STIX 2.1 objects on standard input, an envelope a line, by OASIS' validator, strictly."""
import json
import sys
import uuid

from stix2validator import ValidationOptions, validate_string

options = ValidationOptions(version="2.1", strict=True)
# What is referred to and stands in no envelope is defined by the standard.
for line in sys.stdin:
    objects = json.loads(line)["objects"]
    bundle = {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": objects}
    result = validate_string(json.dumps(bundle), options)
    assert result.is_valid, [str(error) for error in result.errors]
    ids = {thing["id"] for thing in objects}
    assert len(ids) == len(objects), "two objects are one"
    for thing in objects:
        named = [thing.get("created_by_ref"), thing.get("sighting_of_ref")]
        named += thing.get("object_refs", []) + thing.get("observed_data_refs", []) + thing.get("where_sighted_refs", [])
        assert {name for name in named if name} <= ids, f"{thing['type']} refers to what is not there"
print("valid")
