"""The endpoints for single records, from list to privacy deletion, and how a record is shown.

Facts: list `after` is the next record's id, and the last page has no `paging` [recorded]; unknown property names in a
read are dropped without an error [recorded]; never set is null, cleared is "" [recorded]; a read of a merged-away id
answers with the survivor [doc].
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sync_platform.sandbox.hubspot.domains import follow_domain
from sync_platform.sandbox.hubspot.kinds import CONTACTS, Kind, Tie
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import ARCHIVED, LIVE, Row, Source
from sync_platform.sandbox.hubspot.ties import Ties
from sync_platform.sandbox.hubspot.wire import Answer, Call, Refusal, as_id, not_found, record_id, refuse, stamp

PAGE_DEFAULT, PAGE_MAX, HISTORY_MAX = 10, 100, 50
_ECHOED = (
    "hs_object_source", "hs_object_source_id", "hs_object_source_label", "lifecyclestage", "hs_is_unworked",
    "hs_pipeline", "hs_pipeline_stage", "hs_ticket_id", "hs_all_contact_vids", "hs_email_domain",
    "hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number", "closed_date",
)  # fmt: skip


class Objects:
    """Serves /objects/{type} and /objects/{type}/{id}; `source` is who writes through the API."""

    def __init__(self, records: Records, links: Ties, app_id: int) -> None:
        self._records = records
        self._store = records.store
        self._links = links
        self._app_id = app_id

    @property
    def source(self) -> Source:
        """What history says of a write by this token."""
        other = self._records.switch("source_id") == "other"
        return {
            "sourceType": "INTEGRATION",
            "sourceId": str(self._app_id + 7_000_000 if other else self._app_id),
            "sourceLabel": "Sandbox app",
        }

    # showing

    def wanted(self, kind: Kind, names: Iterable[str] | None, now_ms: int) -> tuple[str, ...]:
        """The properties of an answer: those asked for that exist, and those that always come."""
        if names is None:
            return kind.defaults
        known = [name for name in names if self._records.schema.find(kind, name, now_ms)]
        return tuple(dict.fromkeys([*known, *kind.always]))

    def show(self, row: Row, names: Iterable[str]) -> dict[str, Any]:
        """A record as answers show it."""
        props = row.props
        shown: dict[str, Any] = {
            "id": str(row.id),
            "properties": {name: props.get(name) for name in names},
            "createdAt": stamp(row.created),
            "updatedAt": stamp(row.modified),
            "archived": row.state == ARCHIVED,
        }
        if row.state == ARCHIVED and row.ended is not None:
            shown["archivedAt"] = stamp(row.ended)
        portal = self._records.portal_id
        shown["url"] = f"https://app.hubspot.com/contacts/{portal}/record/{row.kind.type_id}/{row.id}"
        return shown

    def show_written(self, row: Row, written: Iterable[str]) -> dict[str, Any]:
        """The answer to a write: the written properties plus the system's."""
        names = dict.fromkeys([*written, *row.kind.always, *(name for name in _ECHOED if name in row.props)])
        return self.show(row, [name for name in names if name in row.props])

    def add_history(self, shown: dict[str, Any], row: Row, names: Iterable[str], now_ms: int) -> None:
        """Put `propertiesWithHistory` in, newest entry first."""
        known = [name for name in names if self._records.schema.find(row.kind, name, now_ms)]
        found = self._store.history(row, known, self._records.switch("history_depth"))
        shown["propertiesWithHistory"] = {
            name: [{"value": value, "timestamp": stamp(at), **source} for at, value, source in entries]
            for name, entries in found.items()
        }

    def add_associations(self, shown: list[dict[str, Any]], kind: Kind, names: Iterable[str]) -> None:
        """Put v3 `associations` in, where there are any."""
        schema = self._records.schema
        for other in dict.fromkeys(schema.kinds.of(name) for name in names):
            labels = {tie.type_id: tie.v3 for tie in schema.ties(kind, other)}
            found = self._links.of(kind, [int(row["id"]) for row in shown], other)
            for row in shown:
                results = [
                    {"id": str(to_id), "type": labels[type_id]}
                    for to_id, type_ids in found[int(row["id"])].items()
                    for type_id in type_ids
                ]
                if results:
                    row.setdefault("associations", {})[other.name] = {"results": results}

    def add_all_associations(self, shown: list[dict[str, Any]], kind: Kind) -> None:
        """Put in whatever the records are associated with."""
        schema = self._records.schema
        found = self._links.every(kind, [int(row["id"]) for row in shown])
        names: dict[str, dict[int, str]] = {}
        for row in shown:
            for other, edges in found[int(row["id"])].items():
                if other not in names:
                    names[other] = {tie.type_id: tie.v3 for tie in schema.ties(kind, schema.kinds.by_name[other])}
                results = [
                    {"id": str(to_id), "type": names[other][type_id]}
                    for to_id, type_ids in edges.items()
                    for type_id in type_ids
                ]
                row.setdefault("associations", {})[other] = {"results": results}

    # endpoints

    def page(self, call: Call, kind: Kind) -> Answer:
        """GET /objects/{type}: ascending by id, no cap; archived=true lists only what is archived."""
        histories = call.names("propertiesWithHistory")
        limit = call.number("limit", PAGE_DEFAULT, HISTORY_MAX if histories else PAGE_MAX)
        after = as_id(call.text("after") or "0")
        if after is None:
            refuse(400, "Invalid value for after: it isn't a paging cursor", "VALIDATION_ERROR")
        # `after` names the next record itself, so that the page begins with it.
        archived = call.flag("archived")
        if archived:
            self._records.empty_bin(kind, call.now_ms)
        rows = self._store.page(kind, after - 1, limit + 1, ARCHIVED if archived else LIVE)
        names = self.wanted(kind, call.names("properties"), call.now_ms)
        shown = [self.show(row, names) for row in rows[:limit]]
        if histories:
            for row, one in zip(rows, shown, strict=False):
                self.add_history(one, row, histories, call.now_ms)
        self.add_associations(shown, kind, call.names("associations") or ())
        body: dict[str, Any] = {"results": shown}
        if len(rows) > limit:
            following = str(rows[limit].id)
            body["paging"] = {"next": {"after": following, "link": call.link(following)}}
        return Answer(200, body)

    def read(self, call: Call, kind: Kind, text: str) -> Answer:
        """GET /objects/{type}/{id}: a merged-away id answers with its survivor."""
        archived = call.flag("archived")
        if archived:
            self._records.empty_bin(kind, call.now_ms)
        row = self.locate(call, kind, text)
        if row.state != (ARCHIVED if archived else LIVE):
            raise not_found()
        shown = self.show(row, self.wanted(kind, call.names("properties"), call.now_ms))
        histories = call.names("propertiesWithHistory")
        if histories:
            self.add_history(shown, row, histories, call.now_ms)
        self.add_associations([shown], kind, call.names("associations") or ())
        return Answer(200, shown)

    def locate(self, call: Call, kind: Kind, text: str) -> Row:
        """The record that a path means, in any state. Raises Refusal(404)."""
        by = call.text("idProperty")
        if by:
            row = self._records.by_property(kind, by, text, call.now_ms)
        else:
            row = self._records.survivor(self._store.get(kind, record_id(text)))
        if row is None:
            raise not_found()
        return row

    def create(self, call: Call, kind: Kind) -> Answer:
        """POST /objects/{type}."""
        body = call.fields("properties")
        with self._store.transaction():
            row = self.make(kind, body, call.now_ms)
        location = f"http://{call.host}{call.path.rstrip('/')}/{row.id}".encode()
        return Answer(201, self.show_written(row, body["properties"]), ((b"location", location),))

    def make(self, kind: Kind, entry: dict[str, Any], now_ms: int) -> Row:
        """Create one record with its associations. Raises Refusal."""
        wanted = self._associations(kind, entry.get("associations"))
        row = self._records.create(kind, values(entry), self.source, now_ms)
        for other, types in wanted:
            self._links.add(row, other, types, now_ms)
        followed = self._followed(row, row.props, now_ms)
        return self._store.get(kind, row.id) or row if wanted or followed else row

    def write(self, row: Row, given: dict[str, Any], now_ms: int) -> Row:
        """Change one record in the name of the token. Raises Refusal."""
        self._records.change(row, given, self.source, now_ms)
        return self._store.get(row.kind, row.id) or row if self._followed(row, given, now_ms) else row

    def _followed(self, row: Row, written: Mapping[str, Any], now_ms: int) -> bool:
        return (
            row.kind is CONTACTS
            and bool(written.get("email"))
            and follow_domain(self._records, self._links, row, now_ms)
        )

    def _associations(self, kind: Kind, entries: Any) -> list[tuple[Row, list[Any]]]:
        found: list[tuple[Row, list[Any]]] = []
        for entry in entries or ():
            try:
                to_id, types = str(entry["to"]["id"]), list(entry["types"])
                other, wanted = self._target(kind, types)
            except (KeyError, TypeError, IndexError, AttributeError):
                refuse(
                    400, "Invalid input JSON: some of required attributes are not set [to, types]", "VALIDATION_ERROR"
                )
            number = as_id(to_id)
            row = None if number is None else self._store.get(other, number)
            if row is None or row.state != LIVE:
                refuse(
                    400,
                    "One or more associations are invalid",
                    "VALIDATION_ERROR",
                    context={
                        "INVALID_OBJECT_IDS": [f"{other.upper}={to_id} is not valid"],
                        "objectId": [to_id],
                        "objectType": [other.upper],
                    },
                )
            found.append((row, wanted))
        return found

    def _target(self, kind: Kind, types: list[Any]) -> tuple[Kind, list[Tie]]:
        """The kind at the other end, which on create only the type id tells, and the types."""
        wanted = str(types[0]["associationTypeId"])
        known = self._records.schema.ties_from(kind)
        if wanted in known:
            other = known[wanted][0]
            return other, [self._records.schema.tie_of(kind, other, spec) for spec in types]
        expected = ", ".join(known)
        raise Refusal(
            400,
            f"One or more associations are invalid. Type id {wanted} doesn't start at {kind.upper}; "
            f"expected one of [{expected}]",
            "VALIDATION_ERROR",
            context={"associationTypeId": [wanted]},
        )

    def change(self, call: Call, kind: Kind, text: str) -> Answer:
        """PATCH /objects/{type}/{id}."""
        body = call.fields("properties")
        with self._store.transaction():
            row = self.locate(call, kind, text)
            if row.state != LIVE:
                raise not_found()
            row = self.write(row, values(body), call.now_ms)
        return Answer(200, self.show_written(row, body["properties"]))

    def archive(self, call: Call, kind: Kind, text: str) -> Answer:
        """DELETE /objects/{type}/{id}: to the recycle bin."""
        with self._store.transaction():
            row = self._store.get(kind, record_id(text))
            if row is not None and row.state == LIVE:
                self._records.archive(row, call.now_ms, self._links.shelve)
            elif row is None and self._records.switch("delete_unknown") == 404:
                raise not_found()
        return Answer(204)

    def merge(self, call: Call, kind: Kind) -> Answer:
        """POST /objects/{type}/merge; notes have none."""
        if not kind.mergeable:
            raise not_found()
        body = call.fields("primaryObjectId", "objectIdToMerge")
        row = self.merge_rows(kind, record_id(body["primaryObjectId"]), record_id(body["objectIdToMerge"]), call.now_ms)
        return Answer(200, self.show(row, sorted(row.props)))

    def merge_rows(self, kind: Kind, into: int, from_: int, now_ms: int) -> Row:
        """Merge two live records. Raises Refusal."""
        with self._store.transaction():
            primary, loser = self._records.live(kind, into), self._records.live(kind, from_)
            if primary.id == loser.id:
                refuse(400, "An object can't be merged with itself.", "VALIDATION_ERROR")
            return self._records.merge(primary, loser, now_ms, self._links.move)

    def purge(self, call: Call, kind: Kind) -> Answer:
        """POST /objects/contacts/gdpr-delete; an unknown address is block-listed [doc]."""
        if kind is not CONTACTS:
            raise not_found()
        body = call.fields("objectId")
        text = str(body["objectId"])
        with self._store.transaction():
            if body.get("idProperty") == "email":
                row = self._records.by_property(kind, "email", text, call.now_ms)
                if row is None:
                    self._records.unique.block(text)
            else:
                row = self._store.get(kind, record_id(text))
                if row is None or row.state not in (LIVE, ARCHIVED):
                    raise not_found()
            if row is not None:
                if self._records.switch("gdpr_blocks") == "always":
                    for address in (row.props.get("email", ""), *row.props.get("hs_additional_emails", "").split(";")):
                        self._records.unique.block(address)
                self._records.purge(row, call.now_ms, self._links.forget)
        return Answer(204)


def values(entry: dict[str, Any]) -> dict[str, Any]:
    """The properties of an input. Raises Refusal(400)."""
    props = entry.get("properties")
    if not isinstance(props, dict):
        refuse(400, "Invalid input JSON: some of required attributes are not set [properties]", "VALIDATION_ERROR")
    return props
