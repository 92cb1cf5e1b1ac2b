"""Why a message can't be read, as one sentence for a person: bounded, and without any of the message's values."""

import re

import msgspec

from google_drive_worker.messages.nesting import TOO_DEEP

MAX_PROBLEM_CHARS = 300
"""Enough for the longest path and type; nothing that a producer writes can make it longer."""

_MISSING = re.compile(r"Object missing required field `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_AT = re.compile(r"(.+) - at `\$\.?([^`]*)`", re.DOTALL)
_LENGTH = re.compile(r"Expected `str` of length (<=|>=) (\d+)")


def explain(problem: Exception) -> str:
    """Say which field is wrong and how, for an error that msgspec raised on decoding."""
    if isinstance(problem, RecursionError):
        return TOO_DEEP
    if isinstance(problem, UnicodeDecodeError):
        return "the message is not valid UTF-8"
    text = str(problem)
    if text == "Input data was truncated":
        return "the JSON ends too early"
    if isinstance(problem, msgspec.ValidationError):
        text = _explain_validation(text)
    return text[:MAX_PROBLEM_CHARS]


def _explain_validation(text: str) -> str:
    if missing := _MISSING.fullmatch(text):
        field, parent = missing.groups()
        return f"the field `{parent + '.' if parent else ''}{field}` is missing"
    if not (found := _AT.fullmatch(text)):
        return f"the message has the wrong type: {_lower_first(text)}"
    trouble, field = found.groups()
    if trouble.startswith("Invalid enum value"):
        trouble = "has an unknown value"
    elif length := _LENGTH.fullmatch(trouble):
        trouble = "is empty" if length[1] == ">=" else f"is longer than {length[2]} characters"
    else:
        trouble = f"has the wrong type: {_lower_first(trouble)}"
    return f"the field `{field}` {trouble}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
