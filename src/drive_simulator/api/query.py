"""Drive's query language `q`, text to a tree; `search` makes a predicate of it.

Source: "Search query terms and operators" of the Drive guides. `and` and `or` bind equally and from left to right, as
the guide says; `not` binds closest; parentheses group. Times without an offset are UTC. A boolean term may stand alone
(`trashed`), and `()` matches everything; `sharedWithMe` can only be asked for, not ruled out (measured).

Bounds: a query has at most MAX_LENGTH characters, MAX_TERMS terms and MAX_DEPTH levels; over that Google calls it too
complex, and so do we.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NoReturn

from drive_simulator.api.errors import ApiError, bad_request, invalid

MAX_LENGTH = 20_000
MAX_TERMS = 600
MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Comparison:
    """`term operator value`. Values of time terms are epoch milliseconds, of boolean terms booleans."""

    term: str
    operator: str
    value: str | int | bool


@dataclass(frozen=True, slots=True)
class Membership:
    """`'value' in term`."""

    value: str
    term: Literal["parents", "owners", "writers", "readers"]


@dataclass(frozen=True, slots=True)
class Property:
    """`properties has { key='…' and value='…' }`, or `appProperties`."""

    term: Literal["properties", "appProperties"]
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    operand: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    operands: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    operands: "tuple[Node, ...]"


Node = Comparison | Membership | Property | Not | And | Or

_EQUALITY = frozenset({"=", "!="})
_ORDER = frozenset({"=", "!=", "<", "<=", ">", ">="})
_OPERATORS: dict[str, frozenset[str]] = {
    "name": frozenset({"contains", "=", "!="}),
    "fullText": frozenset({"contains"}),
    "mimeType": frozenset({"contains", "=", "!="}),
    "modifiedTime": _ORDER,
    "viewedByMeTime": _ORDER,
    "createdTime": _ORDER,
    "sharedWithMeTime": _ORDER,
    "trashed": _EQUALITY,
    "starred": _EQUALITY,
    "sharedWithMe": _EQUALITY,
    "visibility": _EQUALITY,
    "shortcutDetails.targetId": _EQUALITY,
}
_TIMES = frozenset({"modifiedTime", "viewedByMeTime", "createdTime", "sharedWithMeTime"})
_BOOLEANS = frozenset({"trashed", "starred", "sharedWithMe"})
_SHARED_WITH_ME = "sharedWithMe"
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<operator><=|>=|!=|=|<|>)
    | (?P<bracket>[(){}])
    | (?P<word>[A-Za-z][A-Za-z0-9_.]*)
    )""",
    re.VERBOSE | re.DOTALL,
)


def parse_query(q: str) -> Node:
    """The tree of `q`. Raises ApiError 400 `invalid` at `q` for what Google does not understand."""
    if len(q) > MAX_LENGTH:
        raise bad_request("The query is too complex.", location="q")
    return _Parser(_tokens(q)).parse()


def required_parent(node: Node, *, root_id: str | None = None) -> frozenset[str] | None:
    """Ids of which every match has one as its parent, or None where the query does not tell. 'root' means `root_id`."""
    match node:
        case Membership(value=value, term="parents"):
            return frozenset({root_id if value == "root" and root_id else value})
        case And(operands=operands):
            found = [ids for ids in (required_parent(n, root_id=root_id) for n in operands) if ids is not None]
            return min(found, key=len) if found else None
        case Or(operands=operands):
            union: frozenset[str] = frozenset()
            for operand in operands:
                ids = required_parent(operand, root_id=root_id)
                if ids is None:
                    return None
                union |= ids
            return union
        case _:
            return None


def time_bounds(node: Node, term: str) -> tuple[int | None, int | None]:
    """From when on, and before when, every match's `term` is, in epoch milliseconds; None where it does not tell."""
    match node:
        case Comparison(operator=operator, value=int(value)) if node.term == term:
            low = {">=": value, ">": value + 1, "=": value}.get(operator)
            high = {"<": value, "<=": value + 1, "=": value + 1}.get(operator)
            return low, high
        case And(operands=operands):
            bounds = [time_bounds(operand, term) for operand in operands]
            lows = [low for low, _ in bounds if low is not None]
            highs = [high for _, high in bounds if high is not None]
            return max(lows, default=None), min(highs, default=None)
        case _:
            return None, None


def has_full_text(node: Node) -> bool:
    """Whether a `fullText` term occurs: such a search can't be ordered."""
    match node:
        case Comparison(term="fullText"):
            return True
        case Not(operand=operand):
            return has_full_text(operand)
        case And(operands=operands) | Or(operands=operands):
            return any(map(has_full_text, operands))
        case _:
            return False


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(q: str) -> list[_Token]:
    tokens: list[_Token] = []
    position, end = 0, len(q.rstrip())
    while position < end:
        found = _TOKEN.match(q, position)
        if found is None or found.lastgroup is None:
            raise invalid("q")
        text = found[found.lastgroup]
        if found.lastgroup == "string":
            text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        tokens.append(_Token(found.lastgroup, text))
        position = found.end()
    return tokens


class _Parser:
    """Recursive descent: query = operand {("and" | "or") operand}; operand = "not" operand | "(" query ")" | term."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._terms = 0

    def parse(self) -> Node:
        node = self._query(0)
        if self._at < len(self._tokens):
            self._fail()
        return node

    def _query(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise bad_request("The query is too complex.", location="q")
        node, switches = self._operand(depth), 0
        while (word := self._peek("word")) in {"and", "or"}:
            self._at += 1
            kind = And if word == "and" else Or
            right = self._operand(depth)
            if isinstance(node, kind):
                node = kind((*node.operands, right))
                continue
            switches += 1
            if depth + switches > MAX_DEPTH:
                raise bad_request("The query is too complex.", location="q")
            node = kind((node, right))
        return node

    def _operand(self, depth: int) -> Node:
        if self._peek("word") == "not":
            self._at += 1
            if depth >= MAX_DEPTH:
                raise bad_request("The query is too complex.", location="q")
            operand = self._operand(depth + 1)
            if isinstance(operand, Comparison) and operand.term == _SHARED_WITH_ME:
                self._fail()
            return Not(operand)
        if self._peek("bracket") == "(":
            self._at += 1
            if self._peek("bracket") == ")":
                self._at += 1
                return And(())
            node = self._query(depth + 1)
            self._expect("bracket", ")")
            return node
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise bad_request("The query is too complex.", location="q")
        if self._peek("string") is not None:
            return self._membership()
        return self._term()

    def _membership(self) -> Node:
        value = self._take("string")
        self._expect("word", "in")
        match self._take("word"):
            case "parents" | "owners" | "writers" | "readers" as term:
                return Membership(value, term)
            case _:
                raise _invalid_query()

    def _term(self) -> Node:
        term = self._take("word")
        if term in {"properties", "appProperties"}:
            return self._property("properties" if term == "properties" else "appProperties")
        if term not in _OPERATORS:
            self._fail()
        if term in _BOOLEANS and self._peek("operator") is None:
            return Comparison(term, "=", True)
        operator = self._take("word") if self._peek("word") == "contains" else self._take("operator")
        if operator not in _OPERATORS[term]:
            self._fail()
        if term in _BOOLEANS:
            value = self._boolean()
            if term == _SHARED_WITH_ME and (operator, value) != ("=", True):
                self._fail()
            return Comparison(term, operator, value)
        text = self._take("string")
        return Comparison(term, operator, _epoch_ms(text) if term in _TIMES else text)

    def _boolean(self) -> bool:
        value = self._take("word" if self._peek("word") is not None else "string").lower()
        if value not in {"true", "false"}:
            self._fail()
        return value == "true"

    def _property(self, term: Literal["properties", "appProperties"]) -> Property:
        self._expect("word", "has")
        self._expect("bracket", "{")
        self._expect("word", "key")
        self._expect("operator", "=")
        key = self._take("string")
        self._expect("word", "and")
        self._expect("word", "value")
        self._expect("operator", "=")
        value = self._take("string")
        self._expect("bracket", "}")
        return Property(term, key, value)

    def _peek(self, kind: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at].kind == kind:
            return self._tokens[self._at].text
        return None

    def _take(self, kind: str) -> str:
        text = self._peek(kind)
        if text is None:
            self._fail()
        self._at += 1
        return text

    def _expect(self, kind: str, text: str) -> None:
        if self._take(kind) != text:
            self._fail()

    def _fail(self) -> NoReturn:
        raise _invalid_query()


def _invalid_query() -> ApiError:
    return invalid("q")


def _epoch_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid_query() from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
