"""Judges Slack messages on standard input, one a line or one in all, by Slack's own models, and by the limits that those miss."""
import json
import sys

from slack_sdk.models.blocks import Block

text = sys.stdin.read()
try:
    messages = [json.loads(text)]
except json.JSONDecodeError:
    messages = [json.loads(line) for line in text.strip().split("\n")]
for message in messages:
    assert message["text"], "no fallback text"
    assert len(json.dumps(message, ensure_ascii=False)) < 12000, "too long"
    assert len(message["blocks"]) <= 50
    for block in message["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None, f"unknown block {block['type']}"
        parsed.to_dict()
        for text in [block.get("text")] + block.get("fields", []) + block.get("elements", []):
            if not text or text["type"] == "button":
                continue
            assert 0 < len(text["text"]) <= (2000 if text in block.get("fields", []) else 3000), "text length"
            if text["type"] == "mrkdwn":
                assert text["verbatim"], "Slack would make links of what looks like one"
                assert "<" not in text["text"] and ">" not in text["text"], "a mention or link"
    assert "<" not in message["text"], "a mention or link in the fallback"
print("valid")
