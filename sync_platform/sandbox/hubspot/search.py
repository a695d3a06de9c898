"""HubSpot's search: filters as SQL over indexed expressions, its cap, and an index that learns of writes late.

Facts: up to 5 groups of 6 filters, 18 in all [doc; sources differ]; one sort; limit 10, at most 200; `after` is an
offset; 10,000 results per query, paging past it is a 400 [doc; the body isn't established]; body up to 3,000 characters
[doc]; strings compare without case, IN lists have to be in lower case already [doc]; archived records, associations and
history never come [doc]. A write is searchable within seconds, out of order [observed live]. Enumerations compare with
case [doc]. A token is a run of letters and digits, `*` stands for the rest of one [general knowledge].
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sync_platform.sandbox.hubspot.kinds import Kind
from sync_platform.sandbox.hubspot.objects import Objects
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.schema import expression
from sync_platform.sandbox.hubspot.store import LIVE, Row
from sync_platform.sandbox.hubspot.values import Property
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, as_id, epoch_ms, refuse

LIMIT_DEFAULT, LIMIT_MAX, CAP, BODY_MAX = 10, 200, 10_000, 3_000
GROUPS_MAX, FILTERS_MAX, FILTERS_IN_ALL_MAX, VALUES_MAX = 5, 6, 18, 100
_COMPARE = {"EQ": "=", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}


@dataclass(frozen=True, slots=True)
class Column:
    """How one property is compared: its SQL and the form of the values beside it."""

    sql: str
    form: str  # id | ms | number | date | exact | folded
    multiple: bool = False


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition and its values."""

    sql: str
    values: tuple[Any, ...] = ()


class Search:
    """Serves POST /objects/{type}/search."""

    def __init__(self, records: Records, objects: Objects) -> None:
        self._records = records
        self._objects = objects
        self._db = records.store.db
        self._db.create_function("has_token", 2, has_token, deterministic=True)

    def serve(self, call: Call, kind: Kind) -> Answer:
        """Answer one search. Raises Refusal."""
        body = call.fields()
        if len(call.raw_body.decode(errors="replace")) > BODY_MAX:
            refuse(400, f"The request body is longer than {BODY_MAX} characters", "VALIDATION_ERROR")
        limit = _whole(LIMIT_DEFAULT if body.get("limit") is None else body["limit"], "limit")
        offset = _whole(body.get("after") or 0, "after")
        if not 0 <= limit <= LIMIT_MAX:
            refuse(400, f"limit must be from 0 to {LIMIT_MAX}", "VALIDATION_ERROR")
        if offset + limit > CAP:
            bare = self._records.switch("search_cap_body") == "bare"
            message = f"Paging through search results stops at {CAP} results"
            refuse(400, message, None if bare else "VALIDATION_ERROR")
        where = self._where(kind, body, call.now_ms)
        order, descending = self._order(kind, body.get("sorts") or [], call.now_ms)
        found, total = self._run(kind, where, (order, descending), (limit, offset), call.now_ms)
        names = self._objects.wanted(kind, _names(body.get("properties")), call.now_ms)
        if self._records.switch("search_total_capped") == "on":
            total = min(total, CAP)
        answer: dict[str, Any] = {"total": total, "results": [self._objects.show(row, names) for row in found]}
        following = offset + limit
        if limit and len(found) == limit and following < total:
            answer["paging"] = {"next": {"after": str(following)}}
        return Answer(200, answer)

    # running

    def _run(
        self, kind: Kind, where: Clause, order: tuple[str, bool], page: tuple[int, int], now_ms: int
    ) -> tuple[list[Row], int]:
        """(records of the page, number of all matches) as the search index sees them now."""
        table, stale = kind.name, self._records.store.any_stale(kind, now_ms)
        columns = f"id, props, created, modified, {order[0]} AS k"
        direction = "DESC" if order[1] else "ASC"
        condition, values = f"state={LIVE} AND ({where.sql})", list(where.values)
        if not stale:
            main = f"FROM {table} WHERE {condition}"
            sql = f"SELECT {columns} {main} ORDER BY {order[0]} {direction}, id LIMIT ? OFFSET ?"
            count = f"SELECT count(*) {main}"
        else:
            late = f"stale_{table}"
            main = f"FROM {table} WHERE {condition} AND id NOT IN (SELECT id FROM {late})"
            # Of several stale versions the oldest is the one that the index still holds.
            old = f"FROM {late} WHERE {condition} AND seq IN (SELECT min(seq) FROM {late} GROUP BY id)"
            sql = (
                f"SELECT {columns} {main} UNION ALL SELECT {columns} {old} ORDER BY k {direction}, id LIMIT ? OFFSET ?"
            )
            count = f"SELECT (SELECT count(*) {main}) + (SELECT count(*) {old})"
            values *= 2
        rows = [self._row(kind, found) for found in self._db.execute(sql, [*values, *page])]
        limit, offset = page
        if len(rows) < limit and (rows or not offset):
            return rows, offset + len(rows)
        (total,) = self._db.execute(count, values).fetchone()
        return rows, total

    def _row(self, kind: Kind, found: tuple[Any, ...]) -> Row:
        id_, props, created, modified, _ = found
        return self._records.store.row(kind, (id_, props, created, modified, LIVE, None, None, 0, "{}"))

    def _order(self, kind: Kind, sorts: Any, now_ms: int) -> tuple[str, bool]:
        """(SQL, descending); without a sort the oldest comes first [doc]."""
        if not isinstance(sorts, list) or len(sorts) > 1:
            refuse(400, "Only one sort is allowed", "VALIDATION_ERROR")
        if not sorts:
            return "created", False
        name, direction = sorts[0], "ASCENDING"
        if isinstance(name, dict):
            direction, name = name.get("direction") or "ASCENDING", name.get("propertyName")
        elif isinstance(name, str) and name.startswith("-"):
            name, direction = name[1:], "DESCENDING"
        if direction not in ("ASCENDING", "DESCENDING"):
            refuse(400, f"Invalid sort direction: {direction}", "VALIDATION_ERROR")
        return self._column(kind, name, now_ms).sql, direction == "DESCENDING"

    # filters

    def _where(self, kind: Kind, body: dict[str, Any], now_ms: int) -> Clause:
        groups = body.get("filterGroups") or []
        if not groups and body.get("filters"):
            groups = [{"filters": body["filters"]}]
        if not isinstance(groups, list) or not all(_is_group(group) for group in groups):
            refuse(400, "Invalid input JSON: filterGroups must be a list of objects", "VALIDATION_ERROR")
        sizes = [len(group.get("filters") or []) for group in groups]
        if len(groups) > GROUPS_MAX or max(sizes, default=0) > FILTERS_MAX or sum(sizes) > FILTERS_IN_ALL_MAX:
            message = (
                f"Too many filters: at most {GROUPS_MAX} filter groups, {FILTERS_MAX} filters in a group and "
                f"{FILTERS_IN_ALL_MAX} in all are allowed"
            )
            refuse(400, message, "VALIDATION_ERROR")
        parts = []
        for group in groups:
            clauses = [self._filter(kind, one, now_ms) for one in group.get("filters") or []]
            if clauses:
                parts.append(_joined(clauses, " AND "))
        where = _joined(parts, " OR ") if parts else Clause("1")
        return _joined([where, self._query(kind, str(body["query"]))], " AND ") if body.get("query") else where

    def _query(self, kind: Kind, text: str) -> Clause:
        """Every word somewhere in the searched properties."""
        clauses = []
        for word in text.casefold().split():
            sql = " OR ".join(f"instr(fold(json_extract(props,'$.{name}')), ?)" for name in kind.searched)
            clauses.append(Clause(f"({sql})", (word,) * len(kind.searched)))
        return _joined(clauses, " AND ") if clauses else Clause("1")

    def _filter(self, kind: Kind, one: Any, now_ms: int) -> Clause:
        if not isinstance(one, dict) or not one.get("propertyName") or not one.get("operator"):
            refuse(400, "Invalid input JSON: some of required attributes are not set [propertyName, operator]")
        name, operator = str(one["propertyName"]), str(one["operator"])
        if name.startswith("associations."):
            return self._associated(kind, name.partition(".")[2], operator, one)
        column = self._column(kind, name, now_ms)
        if operator in _INDEXED and column.form in ("number", *_TEXTS) and not column.multiple:
            self._records.store.index_for_search(kind.name, name, column.sql)
        return self._clause(column, name, operator, one)

    def _column(self, kind: Kind, name: Any, now_ms: int) -> Column:
        prop = self._records.schema.find(kind, str(name), now_ms)
        if prop is None:
            message = f"There was a problem with the request. Property {name} doesn't exist for {kind.upper}"
            refuse(400, message, "VALIDATION_ERROR")
        if name in ("hs_object_id", "hs_ticket_id"):
            return Column("id", "id")
        if name == kind.modified:
            return Column("modified", "ms")
        if name == kind.created:
            return Column("created", "ms")
        return Column(expression(prop), _form(prop), prop.multiple)

    def _clause(self, column: Column, name: str, operator: str, one: dict[str, Any]) -> Clause:
        sql = column.sql
        absent = f"({sql} IS NULL OR {sql}='')"
        match operator:
            case "HAS_PROPERTY":
                return Clause(f"NOT {absent}")
            case "NOT_HAS_PROPERTY":
                return Clause(absent)
            case "EQ" | "LT" | "LTE" | "GT" | "GTE":
                return self._compare(column, name, operator, _value(one, "value", name))
            case "NEQ":
                found = self._compare(column, name, "EQ", _value(one, "value", name))
                return self._negated(found, absent)
            case "BETWEEN":
                low = self._compare(column, name, "GTE", _value(one, "value", name))
                high = self._compare(column, name, "LTE", _value(one, "highValue", name))
                return _joined([low, high], " AND ")
            case "IN" | "NOT_IN":
                found = self._one_of(column, name, one)
                return found if operator == "IN" else self._negated(found, absent)
            case "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN":
                found = _token(sql, _value(one, "value", name))
                return found if operator == "CONTAINS_TOKEN" else self._negated(found, absent)
        raise Refusal(400, f"Invalid input JSON: {operator} is not a known operator", "VALIDATION_ERROR")

    def _negated(self, found: Clause, absent: str) -> Clause:
        """Not this; whether rows without a value match is a switch."""
        if self._records.switch("search_neq_matches_unset") == "on":
            return Clause(f"({absent} OR NOT {found.sql})", found.values)
        return Clause(f"(NOT {absent} AND NOT {found.sql})", found.values)

    def _compare(self, column: Column, name: str, operator: str, text: str) -> Clause:
        if column.multiple and operator == "EQ":
            one = text.casefold() if column.form == "folded" else text
            return Clause(f"(instr(';'||{column.sql}||';', ?)>0)", (f";{one};",))
        value = self._formed(column, name, text)
        if name == "hs_object_id" and operator == "EQ" and self._records.switch("search_merged_away") == "survivor":
            return Clause(
                "(id=? OR instr(';'||json_extract(props,'$.hs_merged_object_ids')||';', ?))", (value, f";{value};")
            )
        # A cleared value is "" and smaller than any text: it isn't there for a range.
        present = f" AND {column.sql}<>''" if operator in ("LT", "LTE") and column.form in _TEXTS else ""
        return Clause(f"({column.sql}{_COMPARE[operator]}?{present})", (value,))

    def _one_of(self, column: Column, name: str, one: dict[str, Any]) -> Clause:
        wanted = one.get("values")
        if not isinstance(wanted, list) or not wanted:
            refuse(400, f"operator {one['operator']} requires values for {name}", "VALIDATION_ERROR")
        if len(wanted) > VALUES_MAX:
            refuse(400, f"operator {one['operator']} takes at most {VALUES_MAX} values", "VALIDATION_ERROR")
        texts = [_text(value, str(one["operator"]), name) for value in wanted]
        if column.multiple:
            return _joined([self._compare(column, name, "EQ", text) for text in texts], " OR ")
        # Strings are not folded here: a value with capitals finds nothing, as documented.
        values = tuple(text if column.form == "folded" else self._formed(column, name, text) for text in texts)
        return Clause(f"({column.sql} IN ({','.join('?' * len(values))}))", values)

    def _formed(self, column: Column, name: str, text: str) -> Any:
        """A filter's value in the column's form. Raises Refusal."""
        try:
            match column.form:
                case "id":
                    return _id(text)
                case "number":
                    return _number(text)
                case "ms" | "date":
                    return self._time(column.form, text)
                case "folded":
                    return text.casefold()
                case _:
                    return text
        except ValueError:
            refuse(400, f"There was a problem with the request. {name}: {text} is not valid", "VALIDATION_ERROR")

    def _time(self, form: str, text: str) -> int | str:
        if form == "date" and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return text
        if not re.fullmatch(r"-?[0-9]+", text) and self._records.switch("search_iso_dates") == "refuse":
            raise ValueError
        ms = epoch_ms(text)
        if ms <= 0 and self._records.switch("search_epoch_zero") == 500:
            raise Refusal(500, "internal error")
        if form == "date":
            from_ms = self._db.execute("SELECT date(?, 'unixepoch')", (ms // 1000,)).fetchone()
            return str(from_ms[0])
        return ms

    def _associated(self, kind: Kind, other_name: str, operator: str, one: dict[str, Any]) -> Clause:
        """The pseudo-property associations.{type}: EQ and IN by id, and whether there is any."""
        other = self._records.schema.kinds.of(other_name)
        self._records.schema.ties(kind, other)
        linked = f"SELECT a_id FROM ties WHERE a='{kind.name}' AND b='{other.name}'"
        if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
            return Clause(f"(id {'NOT ' if operator.startswith('NOT') else ''}IN ({linked}))")
        if operator not in ("EQ", "IN"):
            refuse(400, f"operator {operator} isn't possible for associations", "VALIDATION_ERROR")
        texts = (
            [_value(one, "value", "associations")] if operator == "EQ" else [str(v) for v in one.get("values") or ()]
        )
        ids = tuple(id_ for text in texts if (id_ := as_id(text)) is not None)
        if not ids or len(ids) < len(texts):
            refuse(400, "an association filter takes record ids", "VALIDATION_ERROR")
        return Clause(f"(id IN ({linked} AND b_id IN ({','.join('?' * len(ids))})))", ids)


_TEXTS = ("date", "exact", "folded")
_INDEXED = frozenset((*_COMPARE, "BETWEEN", "IN"))


def _id(text: str) -> int:
    id_ = as_id(text)
    if id_ is None:
        raise ValueError
    return id_


def _form(prop: Property) -> str:
    forms = {"number": "number", "datetime": "ms", "date": "date", "bool": "exact", "enumeration": "exact"}
    return forms.get(prop.type, "folded")


def _joined(clauses: list[Clause], word: str) -> Clause:
    values = tuple(value for clause in clauses for value in clause.values)
    return Clause(f"({word.join(clause.sql for clause in clauses)})", values)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _is_group(group: Any) -> bool:
    return isinstance(group, dict) and isinstance(group.get("filters") or [], list)


def _names(given: Any) -> list[str] | None:
    """The properties asked for; None for the default ones. Raises Refusal(400)."""
    if not given:
        return None
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        refuse(400, "Invalid input JSON: properties must be a list of names", "VALIDATION_ERROR")
    return given


def _value(one: dict[str, Any], key: str, name: str) -> str:
    return _text(one.get(key), str(one["operator"]), name, f"a {key}")


def _text(value: Any, operator: str, name: str, what: str = "values") -> str:
    if value is None or isinstance(value, list | dict):
        refuse(400, f"operator {operator} requires {what} for {name}", "VALIDATION_ERROR")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _token(sql: str, text: str) -> Clause:
    """A word of the value, without case; `*` stands for any part of a word."""
    return Clause(f"(has_token({sql}, ?)=1)", (text.casefold().strip(),))


@lru_cache(maxsize=256)
def _pattern(word: str) -> re.Pattern[str]:
    core = r"\S*".join(re.escape(part) for part in word.split("*"))
    return re.compile(rf"(?<![^\W_]){core}(?![^\W_])")


def has_token(value: Any, word: str) -> int | None:
    """Whether a word (in lower case, with `*`) is in a value; None for no value. For SQL."""
    return None if value in (None, "") else int(_pattern(word).search(str(value).casefold()) is not None)


def _whole(value: Any, name: str) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        refuse(400, f"Invalid value for {name}: {name} must be a whole number", "VALIDATION_ERROR")
    return int(text)
