"""Judges Sigma rules on standard input by pySigma's validators, bar those that ask MITRE over the network, and has two backends
convert them, in whose queries each value must stand."""
import sys

from sigma.backends.elasticsearch import LuceneBackend
from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.validation import SigmaValidator
from sigma.validators.core import validators

rules = SigmaCollection.from_yaml(sys.stdin.read())
assert not rules.errors, rules.errors
offline = [one for name, one in validators.items() if not any(word in name for word in ("attack", "d3", "atlas", "tag"))]
assert len(offline) >= 15, sorted(validators)
judge = SigmaValidator(offline)
issues = judge.validate_rules(rules)
assert not issues, "\n".join(map(str, issues))
for backend in (SplunkBackend(), LuceneBackend()):
    queries = backend.convert(rules)
    assert len(queries) == len(rules.rules)
    for rule, query in zip(rules.rules, queries):
        texts = [str(item) for item in backend.convert_rule(rule)]
        assert texts == [query], (texts, query)
        for detection in rule.detection.detections.values():
            for value in (value for item in detection.detection_items for found in getattr(item, "detection_items", [item]) for value in found.value):
                plain = str(value).replace("\\", "")
                assert plain in query.replace("\\", ""), (plain, query)
print(f"valid {len(rules.rules)}")
