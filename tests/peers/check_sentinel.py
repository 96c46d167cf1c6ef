"""Judges rows for Microsoft Sentinel on standard input, a request a line, by a JSON Schema made of the columns that
deploy/sentinel/telltale.json declares; and the template itself, whose table must have what its stream has."""
import json
import pathlib
import sys

from jsonschema import Draft202012Validator, FormatChecker

template = json.loads((pathlib.Path(__file__).parents[2] / "deploy/sentinel/telltale.json").read_text())
table, rule = template["resources"]
streams = rule["properties"]["streamDeclarations"]
(name, stream), = streams.items()
flow, = rule["properties"]["dataFlows"]
assert flow["streams"] == [name] and flow["outputStream"] == "Custom-" + table["properties"]["schema"]["name"]
columns = stream["columns"]
assert [column["name"] for column in columns] == [column["name"] for column in table["properties"]["schema"]["columns"]]
reserved = {"type", "tenantid", "resource", "resourceid", "resourcename", "subscriptionid", "title_", "uniqueid", "id"}
assert not reserved & {column["name"].lower() for column in columns}

kinds = {
    "string": {"type": ["string", "null"], "maxLength": 65536},
    "datetime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
    "boolean": {"type": "boolean"},
    "int": {"type": ["integer", "null"], "maximum": 2**31 - 1},
    "long": {"type": ["integer", "null"], "maximum": 2**63 - 1},
    "dynamic": {"type": ["object", "array", "null"]},
}
schema = {
    "type": "array", "minItems": 1, "maxItems": 1,
    "items": {
        "type": "object", "additionalProperties": False, "required": ["TimeGenerated", "AlertId", "AlertType", "Severity"],
        "properties": {column["name"]: kinds[column["type"]] for column in columns},
    },
}
judge = Draft202012Validator(schema, format_checker=FormatChecker())
for line in sys.stdin:
    rows = json.loads(line)
    judge.validate(rows)
    assert len(line.encode()) < 1024 * 1024
    assert all(len(json.dumps(value).encode()) <= 65536 for value in rows[0].values())
print("valid")
