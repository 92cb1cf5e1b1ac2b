"""Takes secrets out of text that somebody else wrote, before it goes into an error record or a log."""

import re

import msgspec

REDACTED = "***"

_KEYS = (
    "access_token|refresh_token|id_token|client_secret|private_key|private_key_id|authorization|proxy-authorization|"
    "password|passwd|secret|secret_access_key|session_token|api_key|apikey|x-goog-channel-token|channel_token|cookie|"
    "set-cookie|assertion"
)
_SECRET_KEY = re.compile(rf"(?:{_KEYS})", re.IGNORECASE)

# `"key": value` of broken JSON: cut off, or within a string (where quotes wear backslashes).
_JSON_PAIR = re.compile(
    rf"""(?P<key>\\{{0,7}}["'](?:{_KEYS})\\{{0,7}}["']\s*:\s*)"""
    r"""(?P<value>\\{1,7}"[^"]*"?|"(?:[^"\\]|\\.)*"?|'[^']*'?|[\[{][^\]}]*[\]}]?|[^\s"',}\]\[{]+)""",
    re.IGNORECASE | re.DOTALL,
)
# `key=value` of a form, `Key: value` of a header.
_FORM_PAIR = re.compile(rf"""(?P<key>(?:{_KEYS})\s*[=:]\s*)(?:Basic\s+)?[^&\s"',;\\]+""", re.IGNORECASE)
_KNOWN_SHAPES = re.compile(
    r"""\bya29\.[\w.-]+|\b1//[\w-]{10,}|\bGOCSPX-[\w-]+|\bBearer\s+[\w.~+/=-]+|\b1~[\w-]*~[\w-]{43}|"""
    r"""-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|\Z)""",
    re.IGNORECASE | re.DOTALL,
)


def is_secret_key(key: str) -> bool:
    """Whether what stands under this key must not be repeated."""
    return _SECRET_KEY.fullmatch(key) is not None


def redact(text: str) -> str:
    """Replace what looks like a secret by `***`: values under telling keys, and tokens of known shapes: Google's, and
    our own channels' (`channel_token`).

    Works on JSON (also within strings of JSON), broken JSON, forms and headers. Text that holds no secret comes back as
    it was; JSON stays JSON.
    """
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            document = msgspec.json.decode(text)
            clean = _redact_value(document)
            # Of a key that stands twice, the decoder shows one value only.
            return _JSON_PAIR.sub(_hide, text) if clean == document else msgspec.json.encode(clean).decode()
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass  # no JSON, or nested beyond reason: the patterns still find most
    return _redact_patterns(text)


def _redact_value(value: object) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_redact_value(item) for item in value]
    if isinstance(value, dict):
        return {
            _KNOWN_SHAPES.sub(REDACTED, key): REDACTED
            if is_secret_key(key) and item is not None
            else _redact_value(item)
            for key, item in value.items()
        }
    return value


def _redact_patterns(text: str) -> str:
    text = _KNOWN_SHAPES.sub(REDACTED, text)
    text = _JSON_PAIR.sub(_hide, text)
    return _FORM_PAIR.sub(rf"\g<key>{REDACTED}", text)


def _hide(pair: re.Match[str]) -> str:
    key = pair["key"]
    if pair["value"] == "null":
        return pair[0]
    escape = key[: len(key) - len(key.lstrip("\\"))]
    return f'{key}{escape}"{REDACTED}{escape}"'
