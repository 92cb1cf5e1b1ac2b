"""How deeply JSON may be nested: what the platform exchanges has a handful of levels, an attack has thousands.

Decoders refuse what goes beyond the interpreter's own limit, some nine hundred levels; this says so far sooner, and
says it of what they skip as well.
"""

import re

MAX_DEPTH = 100

TOO_DEEP = "the JSON is nested too deeply"

# A string counts as one also where it has no end, so that the search is linear in whatever it is given.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def is_too_deep(value: bytes, max_depth: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects stand within one another more than `max_depth` times. Of no JSON it says anything."""
    if value.count(b"[") + value.count(b"{") <= max_depth:
        return False
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(value):
        first = value[found.start()]
        if first in b"[{":
            depth += 1
            if depth > max_depth:
                return True
        elif first in b"]}":
            depth -= 1
    return False
