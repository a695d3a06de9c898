"""The filter language of Gorgias's views: read into a tree, checked against the paths there are, made into SQL.

A filter is calls such as `eq(ticket.status, 'open')` joined by `&&` [doc, Gorgias's own front-end tests]; `||` and
parentheses are taken too [inferred]. Seen: eq gte containsAny containsAll isEmpty gteTimedelta; their counterparts neq
gt lt lte isNotEmpty lteTimedelta are inferred. Meaning, as far as nobody wrote it down [inferred]: a missing value
equals nothing and is smaller or greater than nothing, `neq` is the opposite of `eq`; on a list (tags) `eq` asks for
any entry; `gteTimedelta(x, '1d')` means less than a day ago, `lteTimedelta` longer ago. Text in `subject` and
`excerpt` is found as a part, without regard to case; everything else is compared whole.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sync_platform.sandbox.gorgias import fields
from sync_platform.sandbox.gorgias.store import stamp

LONGEST = 20_000
DEEPEST = 50
MOST = 400  # calls, and values, of one filter
COMPARE = {"eq": "=", "neq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
DELTAS = {"gteTimedelta": ">=", "lteTimedelta": "<="}
SETS = ("containsAny", "containsAll")
EMPTY = ("isEmpty", "isNotEmpty")
OPERATORS = (*COMPARE, *DELTAS, *SETS, *EMPTY)
UNIT_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<var>\{\{\s*[\w.]+\s*\}\})"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[()\[\],.]))""",
    re.DOTALL,
)


class BadFilter(Exception):
    """A filter that can't be read; the text names the place, counted from 1."""

    def __init__(self, place: int, text: str) -> None:
        super().__init__(f"Invalid filter at character {place + 1}: {text}")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the filter and where it begins."""

    kind: str  # string | number | var | name | sign | end
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value as written; `what` is str, int, float, bool, None or a list of values; `var` names the caller's id."""

    what: Any
    at: int
    var: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One operator on one path."""

    operator: str
    path: str
    value: Value | None
    at: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts that must all hold (`&&`) or one of which must (`||`)."""

    sign: str
    parts: tuple["Call | Joined", ...]


Tree = Call | Joined


@dataclass(frozen=True, slots=True)
class Path:
    """What a path means: its type (text, part, int, bool, time, column_time), and the SQL of the value.

    Lists have an SQL query instead that gives a row for each entry, ready for `AND <entry> …`; `entry` is its column.
    """

    kind: str
    sql: str
    entry: str | None = None


@dataclass(slots=True)
class Compiled:
    """A condition with its values, and the paths that it names."""

    sql: str
    values: list[Any] = field(default_factory=list)
    paths: frozenset[str] = frozenset()


def parse(text: str) -> Tree | None:
    """Read a filter; None for an empty one. Raises BadFilter."""
    if len(text) > LONGEST:
        raise BadFilter(LONGEST, "the filter is too long")
    reader = _Reader(_tokens(text))
    if reader.now.kind == "end":
        return None
    tree = reader.either(0)
    if reader.now.kind != "end":
        raise BadFilter(reader.now.at, f"unexpected {reader.now.text!r}")
    return tree


def compile_(text: str, subject: str, now: int, user_id: int | None) -> Compiled:
    """A filter of a view on `ticket` or `customer` as a condition on that table. Raises BadFilter."""
    tree = parse(text)
    if tree is None:
        return Compiled("1")
    made = _Compiler(subject, now, user_id)
    sql = made.condition(tree)
    return Compiled(sql, made.values, frozenset(made.paths))


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        hit = _TOKEN.match(text, place)
        if hit is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise BadFilter(place, f"unexpected {text[place]!r}")
        kind = str(hit.lastgroup)
        found.append(Token(kind, hit.group(kind), hit.start(kind)))
        place = hit.end()
    return [*found, Token("end", "end", end)]


class _Reader:
    """Walks the tokens: either := both ('||' both)*, both := one ('&&' one)*, one := '(' either ')' | call."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._calls = 0

    @property
    def now(self) -> Token:
        return self._tokens[self._place]

    def take(self, sign: str | None = None, kind: str | None = None) -> Token:
        token = self.now
        if (sign is not None and (token.kind, token.text) != ("sign", sign)) or (kind and token.kind != kind):
            wanted = repr(sign) if sign else f"a {kind}"
            raise BadFilter(token.at, f"expected {wanted}, found {token.text!r}")
        self._place += 1
        return token

    def at_sign(self, sign: str) -> bool:
        return (self.now.kind, self.now.text) == ("sign", sign)

    def either(self, depth: int) -> Tree:
        return self._joined("||", lambda: self._joined("&&", lambda: self._single(depth)))

    def _joined(self, sign: str, part: Callable[[], Tree]) -> Tree:
        parts = [part()]
        while self.at_sign(sign):
            self.take(sign)
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(sign, tuple(parts))

    def _single(self, depth: int) -> Tree:
        if depth > DEEPEST:
            raise BadFilter(self.now.at, "too many parentheses")
        if self.at_sign("("):
            self.take("(")
            tree = self.either(depth + 1)
            self.take(")")
            return tree
        return self._call()

    def _call(self) -> Call:
        self._calls += 1
        if self._calls > MOST:
            raise BadFilter(self.now.at, f"more than {MOST} conditions")
        operator = self.take(kind="name")
        if operator.text not in OPERATORS:
            raise BadFilter(operator.at, f"unknown operator {operator.text!r}; known: {', '.join(OPERATORS)}")
        self.take("(")
        at, path = self.now.at, self._path()
        value = None
        if operator.text not in EMPTY:
            self.take(",")
            value = self._value()
        self.take(")")
        return Call(operator.text, path, value, at)

    def _path(self) -> str:
        parts = self.take(kind="name").text
        while self.at_sign(".") or self.at_sign("["):
            if self.take().text == ".":
                parts += "." + self.take(kind="name").text
            else:
                parts += f"[{self.take(kind='number').text}]"
                self.take("]")
        return parts

    def _value(self) -> Value:
        token = self.take()
        if token.kind == "string":
            inner = re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
            return _variable(inner, token.at) if inner.strip().startswith("{{") else Value(inner, token.at)
        if token.kind == "number":
            return Value(float(token.text) if "." in token.text else int(token.text), token.at)
        if token.kind == "var":
            return _variable(token.text, token.at)
        if token.kind == "name" and token.text in ("true", "false", "null"):
            return Value({"true": True, "false": False, "null": None}[token.text], token.at)
        if (token.kind, token.text) == ("sign", "["):
            return self._list(token.at)
        raise BadFilter(token.at, f"expected a value, found {token.text!r}")

    def _list(self, at: int) -> Value:
        found: list[Value] = []
        while not self.at_sign("]"):
            if found:
                self.take(",")
            found.append(self._value())
        self.take("]")
        return Value(found, at)


def _variable(text: str, at: int) -> Value:
    name = text.strip()[2:-2].strip()
    if name != "current_user.id":
        raise BadFilter(at, f"unknown variable {name!r}; known: current_user.id")
    return Value(None, at, var=True)


def _row(path: str) -> str:
    return f"json_extract(row, '$.{path}')"


_TAGS = "SELECT 1 FROM ticket_tags JOIN tags ON tags.id = tag_id WHERE ticket_id = tickets.id"
_MESSAGES = "SELECT 1 FROM messages WHERE messages.ticket_id = tickets.id AND messages.deleted IS NULL"
_SURVEYS = "SELECT 1 FROM surveys WHERE surveys.ticket_id = tickets.id AND surveys.deleted IS NULL"
_TIMES = ("opened", "closed", "snooze", "trashed", "last_message", "last_received_message")
PATHS: dict[str, Path] = {
    "ticket.id": Path("int", "id"),
    "ticket.created_datetime": Path("column_time", "created"),
    "ticket.updated_datetime": Path("column_time", "updated"),
    "ticket.customer.id": Path("int", "customer_id"),
    "ticket.external_id": Path("text", "external_id"),
    **{f"ticket.{name}": Path("text", _row(name)) for name in ("status", "priority", "channel", "via", "language")},
    **{f"ticket.{name}": Path("part", _row(name)) for name in ("subject", "excerpt")},
    **{f"ticket.{name}": Path("bool", _row(name)) for name in ("spam", "from_agent", "is_unread")},
    **{f"ticket.{name}_datetime": Path("time", _row(f"{name}_datetime")) for name in _TIMES},
    "ticket.messages_count": Path("int", _row("messages_count")),
    "ticket.customer.email": Path("text", _row("customer.email")),
    "ticket.customer.name": Path("text", _row("customer.name")),
    "ticket.assignee_user.id": Path("int", _row("assignee_user.id")),
    "ticket.assignee_user.email": Path("text", _row("assignee_user.email")),
    "ticket.assignee_team.id": Path("int", _row("assignee_team.id")),
    "ticket.assignee_team.name": Path("text", _row("assignee_team.name")),
    "ticket.tags.name": Path("text", _TAGS, "tags.name"),
    "ticket.tags.id": Path("int", _TAGS, "tags.id"),
    "ticket.messages.integration_id": Path("int", _MESSAGES, "json_extract(messages.row, '$.integration_id')"),
    "ticket.messages.channel": Path("text", _MESSAGES, "json_extract(messages.row, '$.channel')"),
    "ticket.satisfaction_survey.score": Path("int", _SURVEYS, "json_extract(surveys.row, '$.score')"),
    "customer.id": Path("int", "id"),
    "customer.created_datetime": Path("column_time", "created"),
    "customer.updated_datetime": Path("column_time", "updated"),
    **{f"customer.{name}": Path("text", name) for name in ("external_id", "name", "language", "timezone")},
    "customer.email": Path("text", _row("email")),
}
_CUSTOM = re.compile(r"(ticket|customer)\.custom_fields\[(\d{1,18})\]\.value")


class _Compiler:
    def __init__(self, subject: str, now: int, user_id: int | None) -> None:
        self._subject, self._now, self._user_id = subject, now, user_id
        self.values: list[Any] = []
        self.paths: set[str] = set()

    def condition(self, tree: Tree) -> str:
        if isinstance(tree, Joined):
            word = " AND " if tree.sign == "&&" else " OR "
            return "(" + word.join(self.condition(part) for part in tree.parts) + ")"
        path = self._path(tree)
        self.paths.add(tree.path)
        if tree.operator in EMPTY:
            return self._filled(path, no=tree.operator == "isEmpty")
        assert tree.value is not None  # noqa: S101 - the reader gives every other operator a value
        if tree.operator in SETS:
            return self._set(tree.operator, path, tree.value)
        if tree.operator in DELTAS:
            return self._delta(tree.operator, path, tree.value)
        if tree.operator in ("eq", "neq"):
            return self._is(path, tree.value, no=tree.operator == "neq")
        return self._compare(COMPARE[tree.operator], path, tree.value)

    def _path(self, call: Call) -> Path:
        custom = _CUSTOM.fullmatch(call.path)
        if custom and custom[1] == self._subject:
            return Path("any", f"json_extract(row, '$.custom_fields.\"{custom[2]}\".value')")
        path = PATHS.get(call.path)
        if path is None or not call.path.startswith(self._subject + "."):
            raise BadFilter(call.at, f"unknown path {call.path!r} in a view of {self._subject}s")
        return path

    def _within(self, path: Path, test: str, *, no: bool = False) -> str:
        """A test of the value, or of any entry of the list; `no` turns it round, so that null does not pass either.

        Without `no` the bare comparison stays, which an index can serve.
        """
        if path.entry is not None:
            test = f"EXISTS ({path.sql} AND {test})"
        return f"NOT coalesce({test}, 0)" if no else test

    def _filled(self, path: Path, *, no: bool = False) -> str:
        name = path.entry or path.sql
        # No text is smaller than the empty one: a range, which an index can serve.
        words = path.kind in ("text", "part", "time") and path.entry is None
        return self._within(path, f"{name} > ''" if words else f"({name} IS NOT NULL AND {name} <> '')", no=no)

    def _is(self, path: Path, value: Value, *, no: bool = False) -> str:
        if isinstance(value.what, list):
            raise BadFilter(value.at, "one value is expected, not a list")
        if value.what is None and not value.var:
            return self._filled(path, no=not no)
        name = path.entry or path.sql
        self._bind(self._typed(path, value), value.at)
        test = f"instr(lower({name}), lower(?)) > 0" if path.kind == "part" else f"{name} = ?"
        return self._within(path, test, no=no)

    def _bind(self, value: Any, at: int) -> None:
        if len(self.values) >= MOST:
            raise BadFilter(at, f"more than {MOST} values")
        self.values.append(value)

    def _set(self, operator: str, path: Path, value: Value) -> str:
        if not isinstance(value.what, list):
            raise BadFilter(value.at, f"{operator} expects a list")
        if not value.what:
            return "0" if operator == "containsAny" else "1"
        word = " OR " if operator == "containsAny" else " AND "
        return "(" + word.join(self._is(path, entry) for entry in value.what) + ")"

    def _compare(self, sign: str, path: Path, value: Value) -> str:
        if path.kind not in ("int", "time", "column_time", "any"):
            raise BadFilter(value.at, "only numbers and times can be compared")
        if value.what is None and not value.var:
            raise BadFilter(value.at, "a number or a time is expected")
        typed = self._typed(path, value)
        if path.kind == "any" and isinstance(typed, str):
            raise BadFilter(value.at, "a number is expected")
        self._bind(typed, value.at)
        name = path.entry or path.sql
        number = f" AND typeof({name}) <> 'text'" if path.kind == "any" else ""
        return self._within(path, f"({name} {sign} ?{number})")

    def _delta(self, operator: str, path: Path, value: Value) -> str:
        hit = re.fullmatch(r"(\d{1,6})([smhdw])", value.what) if isinstance(value.what, str) else None
        if hit is None:
            raise BadFilter(value.at, "a time span such as '1d' is expected (s, m, h, d, w)")
        if path.kind not in ("time", "column_time"):
            raise BadFilter(value.at, f"{operator} needs a path that is a time")
        edge = max(0, self._now - int(hit[1]) * UNIT_US[hit[2]])
        self._bind(edge if path.kind == "column_time" else stamp(edge), value.at)
        return self._within(path, f"{path.sql} {DELTAS[operator]} ?")

    def _typed(self, path: Path, value: Value) -> Any:
        """The value as the column holds it. Raises BadFilter when it is of another type."""
        what = self._user_id if value.var else value.what
        if path.kind == "any":
            if isinstance(what, list):
                raise BadFilter(value.at, "one value is expected, not a list")
            return what
        try:
            return _TYPED[path.kind](what)
        except (fields.Invalid, TypeError, ValueError):
            words = {"int": "a whole number", "bool": "true or false", "time": "a time", "column_time": "a time"}
            raise BadFilter(value.at, f"{words.get(path.kind, 'a text')} is expected") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _time(value: Any) -> int:
    if not isinstance(value, str):
        raise TypeError
    return int(fields.moment(null=False)(value))


_TYPED: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "part": _text,
    "int": fields.integer(low=-(2**62), high=2**62),
    "bool": lambda value: int(fields.boolean()(value)),
    "time": lambda value: stamp(_time(value)),
    "column_time": _time,
}
