"""Judges an exported case by others' tools alone: bagit, case_validate, pymerkle, stix2-validator, py-ocsf-models, cryptography. Prints
what was found as JSON; fails on the first thing that is not sound."""
import base64
import hashlib
import json
import pathlib
import subprocess
import sys

import bagit
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from pymerkle.core import _inclusion_path_layout
from pymerkle.proof import InclusionProof, verify_inclusion
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from stix2validator import ValidationOptions, validate_file

bag = pathlib.Path(sys.argv[1])
bagit.Bag(str(bag)).validate()
report = json.loads((bag / "data/report.json").read_text())

# Every entry is in the tree, as pymerkle sees it.
note = (bag / "data/checkpoint.note").read_text()
_, size, root, *_ = note.split("\n")
size, root = int(size), base64.b64decode(root)
for path in (bag / "data/entries").iterdir():
    leaf = hashlib.sha256(b"\0" + path.read_bytes()).digest()
    head, rest = (bag / f"data/proofs/{path.stem}.tlog-proof").read_text().split("\n\n", 1)
    first, index, *hashes = head.split("\n")
    number = int(index.removeprefix("index ")) + 1
    rule, _ = _inclusion_path_layout(number, size)
    proof = InclusionProof("sha256", True, size, number, rule, [leaf] + [base64.b64decode(line) for line in hashes])
    verify_inclusion(leaf, root, proof, index=int(path.stem), size=size)
    assert rest == note
    try:
        verify_inclusion(hashlib.sha256(b"other").digest(), root, proof)
    except Exception:
        pass
    else:
        raise AssertionError("pymerkle accepts anything")

# The CASE/UCO graph: valid by the ontology that comes with the tool, every reference leads to a node, every hash is true.
validate = [pathlib.Path(sys.executable).with_name("case_validate"), "--allow-info", bag / "data/case.jsonld"]
judged = subprocess.run(validate, capture_output=True, text=True)
assert judged.returncode == 0, judged.stdout[-3000:] + judged.stderr[-3000:]
nodes = {node["@id"]: node for node in json.loads((bag / "data/case.jsonld").read_text())["@graph"]}
hashes = 0
for node in nodes.values():
    for value in node.values():
        for ref in value if isinstance(value, list) else [value]:
            if isinstance(ref, dict) and set(ref) == {"@id"}:
                assert ref["@id"] in nodes, f"{node['@id']} refers to what is not there"
    if node["@type"] == "uco-observable:File":
        file, content = node["uco-core:hasFacet"]
        if "uco-observable:filePath" in file:
            told = content["uco-observable:hash"]["uco-types:hashValue"]["@value"]
            assert hashlib.sha256((bag / file["uco-observable:filePath"]).read_bytes()).hexdigest() == told
            hashes += 1
assert hashes == len(list((bag / "data/entries").iterdir())) + 4, hashes

# STIX 2.1, and every sighting in it.
results = validate_file(str(bag / "data/stix.json"), ValidationOptions(version="2.1"))
assert results.is_valid, [str(error) for part in results.object_results for error in part.errors]
stix = json.loads((bag / "data/stix.json").read_text())["objects"]
assert sum(found["type"] == "sighting" for found in stix) == len(report["sightings"])
ids = {found["id"] for found in stix}
for found in stix:
    refs = [value for key, value in found.items() if key.endswith("_ref")]
    refs += [ref for key, value in found.items() if key.endswith("_refs") for ref in value]
    assert ids.issuperset(refs), f"{found['id']} refers to what is not there"

# OCSF Detection Findings.
lines = (bag / "data/sightings.ndjson").read_text().splitlines()
for line in lines:
    finding = DetectionFinding.model_validate_json(line)
    assert finding.class_uid == 2004 and finding.type_uid == 200401
    known = set(DetectionFinding.model_fields)
    assert set(json.loads(line)) - known <= {"is_alert"}, set(json.loads(line)) - known

# The seals that are opened, by their one-time keys, say what the report says.
told = {"provenance": len(nodes), "sightings": len(lines), "moves": 0, "compared": 0, "opened_sightings": 0}
sightings = {sighting["entry"]: sighting for sighting in report["sightings"]}


def compare(inside):
    outside = sightings[inside["id"]]
    for key in ("at", "received_at", "sensor", "reporter", "source_ip", "service", "canary", "marker_kind", "class"):
        assert inside[key] == outside[key], f"{key} of sighting {inside['id']} differs"


for line in map(json.loads, (bag / "data/openings.ndjson").read_text().splitlines()):
    entry = (bag / f"data/entries/{line['entry']}.entry").read_bytes()
    place = entry[16:32] + entry[6:7] + entry[40:56]
    opening = ChaCha20Poly1305(bytes.fromhex(line["opening"]))
    record = json.loads(opening.decrypt(bytes(4) + entry[72:80], entry[112:], place))
    if record["record"] == "incident_moved":
        told["moves"] += 1
        for inside in (record["alert"] or {"sightings": []})["sightings"]:
            compare(inside)
            told["compared"] += 1
    if record["record"] == "sighted":
        compare({**record["sighting"], "id": line["entry"]})
        told["opened_sightings"] += 1
print(json.dumps(told))
