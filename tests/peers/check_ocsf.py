"""Judges OCSF Detection Findings on standard input, one a line, by the class's published models, and by what those let
pass: unknown keys, and numbers that must agree."""
import ipaddress
import json
import sys

from py_ocsf_models.events.findings.detection_finding import DetectionFinding

# `is_alert` came into the class after these models were made.
KNOWN = set(DetectionFinding.model_fields) | {"is_alert"}
# The class's evidence artifacts have these endpoints, and the models do not: they are looked at by hand.
ENDPOINTS = {"/evidences[]/src_endpoint": {"ip"}, "/evidences[]/dst_endpoint": {"svc_name"}}


def unknown(sent, read, path=""):
    """What the models have no place for, however deep it stands."""
    if isinstance(sent, dict) and isinstance(read, dict):
        for key, value in sent.items():
            if key == "unmapped" or (path == "" and key not in DetectionFinding.model_fields):
                continue
            if key not in read:
                yield f"{path}/{key}"
            else:
                yield from unknown(value, read[key], f"{path}/{key}")
    elif isinstance(sent, list) and isinstance(read, list):
        assert len(sent) == len(read), path
        for one, other in zip(sent, read):
            yield from unknown(one, other, f"{path}[]")


for line in sys.stdin:
    finding = json.loads(line)
    read = DetectionFinding.model_validate(finding).model_dump(exclude_unset=True, mode="json")
    assert set(finding) <= KNOWN, set(finding) - KNOWN
    assert not (left := set(unknown(finding, read)) - set(ENDPOINTS)), left
    for evidence in finding.get("evidences", []):
        assert all(set(evidence[name.rpartition("/")[2]]) == keys for name, keys in ENDPOINTS.items()), evidence
        ipaddress.ip_address(evidence["src_endpoint"]["ip"])
    assert finding["class_uid"] == 2004 and finding["category_uid"] == 2
    assert finding["type_uid"] == finding["class_uid"] * 100 + finding["activity_id"]
    assert isinstance(finding["time"], int) and finding["time"] > 10**12, "milliseconds"
    assert finding["finding_info"]["uid"] and finding["metadata"]["uid"]
    assert len(line) < 256 * 1024
print("valid")
