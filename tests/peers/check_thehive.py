"""Judges alerts for TheHive on standard input, one a line, by the types of its own client, and what those let pass."""
import json
import re
import sys
import typing

import typing_extensions

# Before Python 3.12, pydantic reads only this kind.
typing.TypedDict = typing_extensions.TypedDict
from pydantic import TypeAdapter  # noqa: E402
from thehive4py.types.alert import InputAlert  # noqa: E402

known = set(InputAlert.__annotations__) | set(typing_extensions.get_type_hints(InputAlert))
judge = TypeAdapter(InputAlert)
for line in sys.stdin:
    alert = json.loads(line)
    judge.validate_python(alert)
    assert set(alert) <= known, set(alert) - known
    assert 1 <= alert["severity"] <= 4 and 0 <= alert["tlp"] <= 4 and 0 <= alert["pap"] <= 4
    assert alert["date"] > 10**12, "milliseconds"
    assert len(alert["type"]) <= 32 and len(alert["sourceRef"]) <= 128 and 0 < len(alert["title"]) <= 512
    assert alert["title"].isprintable(), ascii(alert["title"])
    assert len(alert["description"]) < 64 * 1024, len(alert["description"])
    plain = alert["description"].replace("\\\\", "")
    assert not re.search(r"(?<!\\)[<\[`]|://|@everyone", plain), "something is formatted in " + plain[:300]
print("valid")
