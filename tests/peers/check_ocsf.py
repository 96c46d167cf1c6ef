"""Judges OCSF Detection Findings on standard input, one a line, by the class's published models, and by what those let
pass: unknown keys, and numbers that must agree."""
import json
import sys

from py_ocsf_models.events.findings.detection_finding import DetectionFinding

# `is_alert` came into the class after these models were made.
KNOWN = set(DetectionFinding.model_fields) | {"is_alert"}

for line in sys.stdin:
    finding = json.loads(line)
    DetectionFinding.model_validate(finding)
    assert set(finding) <= KNOWN, set(finding) - KNOWN
    assert finding["class_uid"] == 2004 and finding["category_uid"] == 2
    assert finding["type_uid"] == finding["class_uid"] * 100 + finding["activity_id"]
    assert isinstance(finding["time"], int) and finding["time"] > 10**12, "milliseconds"
    assert finding["finding_info"]["uid"] and finding["metadata"]["uid"]
    assert len(line) < 256 * 1024
print("valid")
