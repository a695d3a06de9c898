"""The rules of writing a record: what a value may be, what is unique, what HubSpot fills in and bumps by itself.

Facts: `lifecyclestage` only moves forward until it is cleared [doc]; every write bumps the modified date, and so do
calculated counters and logged notes [doc]; `closed_date` is filled on reaching a closed stage [inferred].
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

from collections.abc import Callable, Mapping
from typing import Any

from sync_platform.sandbox.hubspot.changes import CALCULATED as _CALCULATED
from sync_platform.sandbox.hubspot.changes import MERGED as _MERGED
from sync_platform.sandbox.hubspot.changes import Changes
from sync_platform.sandbox.hubspot.kinds import CONTACTS, TICKETS, Kind
from sync_platform.sandbox.hubspot.merges import MERGES_MAX, merged_props, merges
from sync_platform.sandbox.hubspot.schema import Schema
from sync_platform.sandbox.hubspot.standard import LIFECYCLE
from sync_platform.sandbox.hubspot.store import ARCHIVED, LIVE, MERGED, PURGED, Row, Source, Store
from sync_platform.sandbox.hubspot.unique import Unique
from sync_platform.sandbox.hubspot.values import (
    Property,
    ValueProblem,
    email,
    formatted_phone,
    invalid,
    normal,
    searchable_phone,
)
from sync_platform.sandbox.hubspot.wire import as_id, epoch_ms, not_found, refuse, stamp
from sync_platform.sandbox.world import World

_TWINS = {
    "phone": "hs_searchable_calculated_phone_number",
    "mobilephone": "hs_searchable_calculated_mobile_number",
}
_UI_MAY_WRITE = frozenset({"hs_email_optout", "hs_additional_emails"})
ERRORS_LISTED = 3  # of four problems in the message, a recorded refusal had three in `errors`
BIN_DAYS = 90  # how long a deleted record can be restored [doc]
_DAY_MS = 86_400_000


class Records:
    """Creates, changes, archives and merges records. Every method runs inside the caller's transaction."""

    def __init__(self, world: World, store: Store, schema: Schema, portal_id: int) -> None:
        self.store = store
        self.schema = schema
        self.portal_id = portal_id
        self._world = world
        self.changes = Changes(world)
        self.unique = Unique(store, schema, self.switch, portal_id)

    def switch(self, name: str) -> Any:
        """The value of the switch hubspot.<name>."""
        return self._world.switches.get(f"hubspot.{name}")

    # finding

    def live(self, kind: Kind, id_: int) -> Row:
        """A record that isn't deleted, a merged-away id leading to its survivor. Raises Refusal(404)."""
        row = self.survivor(self.store.get(kind, id_))
        if row is None or row.state != LIVE:
            raise not_found()
        return row

    def survivor(self, row: Row | None) -> Row | None:
        """Follow merges to the record that is left."""
        while row is not None and row.state == MERGED and row.successor is not None:
            row = self.store.get(row.kind, row.successor)
        return row

    def by_property(self, kind: Kind, name: str, value: str, now_ms: int) -> Row | None:
        """A live record by e-mail or by a property with unique values. Raises Refusal(400) for another property."""
        if name == "hs_object_id":
            id_ = as_id(value)
            row = None if id_ is None else self.store.get(kind, id_)
            return row if row is not None and row.state == LIVE else None
        prop = self.schema.find(kind, name, now_ms)
        is_email = kind is CONTACTS and name == "email"
        if prop is None or not (prop.unique or is_email):
            refuse(
                400, f"Unable to perform update/upsert by non-unique {kind.type_id} property {name}", "VALIDATION_ERROR"
            )
        try:
            found = self.store.owner_of(kind, name, normal(prop, value))
        except ValueProblem:
            return None
        if found is None or (found[1] and self.switch("id_property_secondary_email") == "off"):
            return None
        return self.store.get(kind, found[0])

    # values

    def clean(
        self, kind: Kind, raw: Mapping[str, Any], now_ms: int, old: Mapping[str, str], *, ui: bool = False
    ) -> dict[str, str]:
        """Raw property values in their stored form. Raises Refusal(400) that lists every value that isn't valid."""
        clean: dict[str, str] = {}
        problems: list[tuple[str, str, str]] = []
        for name, value in raw.items():
            prop = self.schema.find(kind, name, now_ms)
            try:
                if value is None and self.switch("null_write") == "ignore" and not ui:
                    continue
                clean[name] = self._value(name, prop, value, old.get(name), ui=ui)
            except ValueProblem as problem:
                problems.append((name, problem.code, problem.message))
        if not problems and kind.line_names:
            problems = self._stage_problems(kind, kind.line_names, clean, old)
        if problems:
            refusal = invalid(problems, self.portal_id)
            if refusal.errors and self.switch("validation_errors_listed") == "some":
                refusal.errors = refusal.errors[:ERRORS_LISTED]
            raise refusal
        return clean

    def _value(self, name: str, prop: Property | None, raw: Any, old: str | None, *, ui: bool) -> str:
        if prop is None:
            raise ValueProblem("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        opened = name == "hs_additional_emails" and self.switch("write_additional_emails") == "accept"
        if prop.read_only and not opened and not (ui and name in _UI_MAY_WRITE):
            raise ValueProblem("READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
        if raw is None:
            if not ui and self.switch("null_write") == "refuse":
                raise ValueProblem("INVALID_VALUE", "null is not a valid value")
            return ""
        if name == "hs_additional_emails":
            return ";".join(dict.fromkeys(email(part) for part in str(raw).split(";") if part.strip()))
        if name == "hubspot_owner_id" or prop.doc.get("referencedObjectType") == "OWNER":
            text = normal(_AS_STRING, raw)
            if text and not self.schema.check_owner(text):
                raise ValueProblem("INVALID_OPTION", f"{text} was not one of the allowed options: []")
            return text
        text = normal(prop, raw, old)
        formats = prop.field_type == "phonenumber" and self.switch("phone_numbers") == "formatted"
        return formatted_phone(text) if formats else text

    def _stage_problems(
        self, kind: Kind, names: tuple[str, str], clean: dict[str, str], old: Mapping[str, str]
    ) -> list[tuple[str, str, str]]:
        stage = clean.get(names[1])
        line = clean.get(names[0]) or old.get(names[0]) or _default_line(kind)
        if not stage or self.schema.stage(kind, line, stage):
            return []
        message = f"{stage} was not one of the allowed options: stages of the pipeline {line}"
        return [(names[1], "INVALID_OPTION", message)]

    # create

    def create(self, kind: Kind, raw: Mapping[str, Any], source: Source, now_ms: int, *, ui: bool = False) -> Row:
        """A new record. Raises Refusal(400 or 409)."""
        props = self.clean(kind, raw, now_ms, {}, ui=ui)
        self._require(kind, props)
        if not ui:
            self._obey_rules(kind, {**self._defaults(kind), **props}, None)
        for name, value in props.items():
            self.unique.check(kind, name, value, None)
        row = Row(kind, self.store.next_id(kind), {}, now_ms, now_ms, valued=now_ms, origin=source)
        row.props = {**self._defaults(kind), **props}
        if props.get(kind.created):
            row.created = epoch_ms(props[kind.created])
        self._calculate(row, props, now_ms)
        self.complete(row)
        self._remember(row, now_ms, existed=False)
        self.store.insert(row)
        self.unique.claim(row, props)
        self.changes.created(row, props, source, now_ms)
        return row

    def _require(self, kind: Kind, props: Mapping[str, str]) -> None:
        for needed in kind.required:
            if not props.get(needed):
                raise invalid([(needed, "REQUIRED_PROPERTY", f'Property "{needed}" is required')], self.portal_id)
        strict = kind is CONTACTS and self.switch("contact_without_identity") == "refuse"
        if strict and not any(props.get(name) for name in ("email", "firstname", "lastname")):
            problem = ("email", "REQUIRED_PROPERTY", "one of email, firstname, lastname is required")
            raise invalid([problem], self.portal_id)

    def _obey_rules(self, kind: Kind, props: Mapping[str, str], written: Mapping[str, str] | None) -> None:
        """The rules that an admin set: since 2026-09 every write path obeys them [doc]. Raises Refusal(400).

        `written` are the values of a change (None = a create): a change that touches neither the property nor the
        condition of a rule is let through, unless the switch `validation_rules_on_change` says otherwise.
        """
        rules = self.schema.rules.get(kind.name)
        if not rules:
            return
        strict = self.switch("validation_rules_on_change") == "whole_record"
        problems = []
        for rule in rules:
            name, when = rule["property"], rule.get("when") or {}
            touched = written is None or strict or name in written or bool(when.keys() & written.keys())
            if not touched or props.get(name) or any(props.get(key) != value for key, value in when.items()):
                continue
            code = "MISSING_CONDITIONAL_REQUIRED_PROPERTY" if when else "MISSING_REQUIRED_PROPERTY"
            problems.append((name, code, f'Property "{name}" is required'))
        if problems:
            raise invalid(problems, self.portal_id)

    def _defaults(self, kind: Kind) -> dict[str, str]:
        if kind is CONTACTS:
            return {"lifecyclestage": "lead", "hs_is_unworked": "true"}
        if kind.line_names and kind.line_names[0] and not kind.custom:
            return {kind.line_names[0]: _default_line(kind)}
        return {}

    def complete(self, row: Row) -> None:
        """Set the system properties of a new record from its columns."""
        origin = row.origin or {}
        row.props |= {
            "hs_object_id": str(row.id),
            row.kind.created: stamp(row.created),
            row.kind.modified: stamp(row.modified),
            "hs_object_source": str(origin.get("sourceType", "")),
            "hs_object_source_id": str(origin.get("sourceId", "")),
            "hs_object_source_label": str(origin.get("sourceLabel", origin.get("sourceType", ""))),
        }
        if row.kind is CONTACTS:
            row.props.setdefault("hs_all_contact_vids", str(row.id))
        if row.kind is TICKETS:
            row.props["hs_ticket_id"] = str(row.id)

    # change

    def change(self, row: Row, raw: Mapping[str, Any], source: Source, now_ms: int, *, ui: bool = False) -> Row:
        """Write values to a record. Raises Refusal(400 or 409)."""
        clean = self.clean(row.kind, raw, now_ms, row.props, ui=ui)
        if not ui:
            self._hold_lifecycle(row, clean)
            self._obey_rules(row.kind, {**row.props, **clean}, clean)
        for name, value in clean.items():
            self.unique.check(row.kind, name, value, row.id)
        policy = self.switch("same_value_write")
        changes = {name: value for name, value in clean.items() if policy == "history" or row.props.get(name) != value}
        before = dict(row.props) if self.changes.active else None
        if changes or (clean and policy != "nothing"):
            self._remember(row, now_ms)
            self._write(row, changes, source, now_ms)
        if before is not None:
            self.changes.changed(row, before, clean, source, now_ms)
        return row

    def _hold_lifecycle(self, row: Row, clean: dict[str, str]) -> None:
        old, new = row.props.get("lifecyclestage"), clean.get("lifecyclestage")
        if old in LIFECYCLE and new in LIFECYCLE and LIFECYCLE.index(new) < LIFECYCLE.index(old):
            del clean["lifecyclestage"]

    def _write(self, row: Row, changes: dict[str, str], source: Source, now_ms: int) -> None:
        before = dict(row.props)
        row.props |= changes
        self._calculate(row, changes, now_ms)
        for name, value in row.props.items():
            if before.get(name) != value or name in changes:
                entry_source = source if name in changes else _CALCULATED
                self.store.add_history(row, name, before.get(name), value, now_ms, entry_source)
        self.unique.release(row, before, changes)
        self.unique.claim(row, changes)
        if changes.get(row.kind.created):
            row.created = epoch_ms(changes[row.kind.created])
        self.bump(row, now_ms)

    def _calculate(self, row: Row, changes: Mapping[str, str], now_ms: int) -> None:
        """What HubSpot derives from the values just written."""
        if row.kind is CONTACTS:
            for name, twin in _TWINS.items():
                if name in changes:
                    row.props[twin] = searchable_phone(changes[name]) or ""
            if "email" in changes:
                row.props["hs_email_domain"] = changes["email"].rpartition("@")[2]
                self._drop_own_secondary(row, changes["email"])
        if row.kind is TICKETS and "hs_pipeline_stage" in changes and "closed_date" not in changes:
            stage = self.schema.stage(row.kind, row.props.get("hs_pipeline", "0"), changes["hs_pipeline_stage"])
            if stage and stage["metadata"].get("ticketState") == "CLOSED":
                row.props["closed_date"] = stamp(now_ms)

    def _drop_own_secondary(self, row: Row, address: str) -> None:
        others = [part for part in row.props.get("hs_additional_emails", "").split(";") if part]
        if address in others:
            others.remove(address)
            row.props["hs_additional_emails"] = ";".join(others)

    def bump(self, row: Row, now_ms: int) -> None:
        """Move the modified date on and save; `_remember` has to come first."""
        row.modified = max(now_ms, row.modified)
        row.props[row.kind.modified] = stamp(row.modified)
        self.store.save(row)

    def touch(self, row: Row, now_ms: int, **calculated: str) -> None:
        """A bump that no visible change explains: counters, activity dates."""
        self._remember(row, now_ms)
        before = dict(row.props) if self.changes.active else None
        row.props |= calculated
        self.bump(row, now_ms)
        if before is not None:
            self.changes.changed(row, before, {}, _CALCULATED, now_ms)

    def _remember(self, row: Row, now_ms: int, *, existed: bool = True) -> None:
        self.store.keep_stale(row, now_ms, self.switch("search_lag_s") * 1000, existed=existed)

    # the end of a record

    def archive(self, row: Row, now_ms: int, forget: Callable[[Row], None]) -> None:
        """To the recycle bin: its unique values are free again; `forget` drops its associations."""
        self._remember(row, now_ms)
        self.store.release_all(row.kind, row.id)
        forget(row)
        row.state, row.ended = ARCHIVED, now_ms
        self.store.save(row)
        self.changes.ended(row, now_ms)

    def restore(self, row: Row, now_ms: int, relink: Callable[[Row, int], None]) -> Row:
        """Out of the recycle bin, as only a person can; `relink` brings associations back (switch).

        Raises Refusal(409 or 400) when another record has one of its unique values by now.
        """
        for name in [*self.schema.unique_names(row.kind), "email", "hs_additional_emails"]:
            if row.props.get(name):
                self.unique.check(row.kind, name, row.props[name], row.id)
        self._remember(row, now_ms, existed=False)
        row.state, row.ended = LIVE, None
        self.unique.claim(row, row.props)
        self.bump(row, now_ms)
        self.changes.restored(row, now_ms)
        if self.switch("restore_associations") == "keep":
            relink(row, now_ms)
        return self.store.get(row.kind, row.id) or row

    def empty_bin(self, kind: Kind, now_ms: int) -> None:
        """Records archived more than 90 days ago are gone for good [doc]."""
        self.store.db.execute(
            f"UPDATE {kind.name} SET state={PURGED}, props='{{}}' WHERE state={ARCHIVED} AND ended<=?",
            (now_ms - BIN_DAYS * _DAY_MS,),
        )

    def purge(self, row: Row, now_ms: int, forget: Callable[[Row], None]) -> None:
        """Privacy deletion: nothing but the id is left, in search neither."""
        forget(row)
        self.store.release_all(row.kind, row.id)
        self.store.db.execute("DELETE FROM history WHERE kind=? AND id=?", (row.kind.name, row.id))
        self.store.db.execute(f"DELETE FROM stale_{row.kind.name} WHERE id=?", (row.id,))
        self.store.db.execute("DELETE FROM resting WHERE a=? AND a_id=?", (row.kind.name, row.id))
        row.state, row.ended, row.props = PURGED, now_ms, {}
        self.store.save(row)
        self.changes.ended(row, now_ms, private=True)

    def merge(self, primary: Row, loser: Row, now_ms: int, move: Callable[[Row, Row], None]) -> Row:
        """Two records become one; the switch `merge_id` says under which id. `move` carries associations over."""
        kind = primary.kind
        if merges(self.store, primary) + merges(self.store, loser) >= MERGES_MAX:
            refuse(400, f"A record can be merged at most {MERGES_MAX} times.", "VALIDATION_ERROR")
        props = merged_props(primary, loser, now_ms)
        for row in (primary, loser):
            self._remember(row, now_ms)
            self.store.release_all(kind, row.id)
        survivor = Row(kind, primary.id, {}, min(primary.created, loser.created), now_ms, valued=primary.valued)
        survivor.origin = primary.origin
        survivor.props = props
        if self.switch("merge_id") == "new":
            survivor.id = self.store.next_id(kind)
            self._remember(survivor, now_ms, existed=False)
            self.complete(survivor)
            self.store.insert(survivor)
            self._end_merged(primary, survivor, now_ms, move)
            self.store.db.execute("UPDATE history SET id=? WHERE kind=? AND id=?", (survivor.id, kind.name, primary.id))
        else:
            self.complete(survivor)
            self.store.save(survivor)
        self._end_merged(loser, survivor, now_ms, move)
        for name, value in survivor.props.items():
            if primary.props.get(name) != value and name in loser.props:
                self.store.add_history(survivor, name, primary.props.get(name), value, now_ms, _MERGED)
        self.unique.claim(survivor, survivor.props)
        self.changes.merged(primary, loser, survivor, now_ms)
        return survivor

    def _end_merged(self, row: Row, survivor: Row, now_ms: int, move: Callable[[Row, Row], None]) -> None:
        move(row, survivor)
        row.state, row.ended, row.successor = MERGED, now_ms, survivor.id
        self.store.save(row)


def _default_line(kind: Kind) -> str:
    return "default" if kind.name == "deals" else "0"


_AS_STRING = Property("", "string", "text", False, False, frozenset(), 0, False, {})
