"""HubSpot as one side: contacts and tickets over its CRM API.

It knows HubSpot's forms and limits and nothing of records, decisions or the other systems. Its parts: `hubspot_calls`
(one call), `hubspot_rows` (forms of values), `hubspot_search` (feeds), `hubspot_reads` (by id), `hubspot_ties`
(associations), `hubspot_batches`, `hubspot_writes`, `hubspot_tickets` (writes) and `hubspot_setup`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sync_platform.connectors.hubspot_batches import Batches
from sync_platform.connectors.hubspot_calls import REAL_URL, Calls
from sync_platform.connectors.hubspot_reads import BATCH_MAX, Reads
from sync_platform.connectors.hubspot_rows import EMAILS, KIND, MARKER, chunks, read_row, wanted_properties
from sync_platform.connectors.hubspot_search import LIST_PAGE, SEARCH_PAGE, Feeds
from sync_platform.connectors.hubspot_setup import SetUp
from sync_platform.connectors.hubspot_tickets import Tickets
from sync_platform.connectors.hubspot_ties import Ties
from sync_platform.connectors.hubspot_writes import Writes
from sync_platform.connectors.protocol import (
    Account,
    Change,
    Cursor,
    Directory,
    Feed,
    Finding,
    Known,
    Limit,
    Meter,
    Page,
    Past,
    Receipt,
    Wanted,
)
from sync_platform.core.records import ENTITIES, Channel, Entity, Evidence, Lane, Row, System, Verb
from sync_platform.errors import NotFound

# Start values of the smallest plan and of the smallest daily limit; answers correct the first two [doc]. Search has a
# bucket of its own for the whole account, without headers [doc].
LIMITS = (Limit("ten_seconds", 100, 10.0), Limit("day", 250_000, 86_400.0), Limit("search", 5, 1.0))
_FEEDS = (
    Feed("contacts", Entity.CUSTOMER, "ascending"),
    Feed("contacts.look", Entity.CUSTOMER, "window"),
    Feed("contacts.list", Entity.CUSTOMER, "list", first_load=True),
    Feed("contacts.archived", Entity.CUSTOMER, "removed"),
    Feed("tickets", Entity.TICKET, "ascending"),
    Feed("tickets.look", Entity.TICKET, "window"),
    Feed("tickets.list", Entity.TICKET, "list", first_load=True),
    Feed("tickets.archived", Entity.TICKET, "removed"),
)


class HubSpotConnector:
    """One HubSpot account.

    Args:
        base_url: None for the real one.
        token: gives the access token; called again once after a 401, so that a rotated secret needs no restart.
        meter: budget of this account.
        overlap_s: how far a change feed reads back, measured by the server's own time.
        second_look_s: age at which the second look reads a stretch of time again.
        timeout_s: longest wait for an answer.
        api_version: dated API version such as "2026-09"; None for the v3 and v4 paths.

    """

    system = System.HUBSPOT
    limits: tuple[Limit, ...] = LIMITS
    batch_size: Mapping[tuple[Entity, Verb], int] = {(entity, verb): BATCH_MAX for entity in ENTITIES for verb in Verb}
    page_size: Mapping[str, int] = {
        feed.name: LIST_PAGE if feed.kind in ("list", "removed") else SEARCH_PAGE for feed in _FEEDS
    }

    def __init__(
        self,
        base_url: str | None,
        token: Callable[[], str],
        meter: Meter,
        *,
        overlap_s: float = 120,
        second_look_s: float = 900,
        timeout_s: float = 30,
        api_version: str | None = None,
    ) -> None:
        self._calls = Calls(base_url or REAL_URL, token, meter, timeout_s=timeout_s, api_version=api_version)
        ties, batches = Ties(self._calls), Batches(self._calls)
        self._reads = Reads(self._calls, ties)
        self._feeds = Feeds(self._calls, ties, overlap_s, second_look_s)
        self._writes = Writes(self._calls, batches, Tickets(batches, ties, self._reads))
        self._set_up = SetUp(self._calls, self.limits)

    def account(self) -> Account:
        """Portal id; `sandbox` is True for a loopback address whose answers come from the twin."""
        return self._set_up.account()

    def directory(self) -> Directory:
        """Owners, ticket stages and options."""
        return self._set_up.directory()

    def feeds(self) -> tuple[Feed, ...]:
        """Changes and second looks before the list, so that nothing falls between them at a first load."""
        return _FEEDS

    def start(self, feed: Feed, cursor: Cursor | None, *, now: datetime) -> Cursor:
        """A new walk of `feed`, or the one that is under way."""
        return self._feeds.start(feed, cursor, now)

    def pull(self, feed: Feed, cursor: Cursor, *, lane: Lane, known: Known | None = None) -> Page:
        """One page: one call, and one more for the contacts of tickets that are not known (the list shows them)."""
        return self._feeds.pull(feed, cursor, lane=lane, known=known)

    def fetch(self, entity: Entity, ids: Sequence[str], *, lane: Lane) -> Iterator[Row]:
        """Read by id in batches; an id that is not answered is read alone, which tells merged, archived and missing."""
        for chunk in chunks(list(dict.fromkeys(ids)), BATCH_MAX):
            rows = {row.external_id: row for row in self._reads.plain(entity, chunk, lane)}
            yield from self._reads.tied(entity, [rows[one] for one in chunk if one in rows], lane)
            for one in chunk:
                if one not in rows:
                    yield self._single(entity, one, lane)

    def lookup(self, entity: Entity, keys: Sequence[tuple[str, str]], *, lane: Lane) -> Iterator[tuple[int, Row]]:
        """By e-mail and by marker through batch reads, which know of a write at once.

        There is no such look-up for phones (only the search index has them): those keys give nothing. Whether a read by
        e-mail finds a further address is not established; creating a contact with one answers "EXISTS" with its id.
        """
        for kind, by in (("marker", MARKER), ("email", "email")):
            wanted: dict[str, list[int]] = {}
            for index, (key, value) in enumerate(keys):
                if key == kind and (kind == "marker" or entity is Entity.CUSTOMER):
                    wanted.setdefault(value.strip().casefold(), []).append(index)
            for chunk in chunks(list(wanted), BATCH_MAX):
                for row in self._reads.whole(entity, chunk, lane, by):
                    for index in _hits(row, by, wanted):
                        yield index, row

    def _single(self, entity: Entity, external_id: str, lane: Lane) -> Row:
        """One id that a batch left out. A merged-away id answers with the survivor, under another id [doc, code]."""
        api = getattr(self._calls.client.crm, KIND[entity]).basic_api
        for archived in (False, True):
            try:
                answer = self._calls.run(
                    api.get_by_id, external_id, lane=lane, properties=wanted_properties(entity), archived=archived
                )
            except NotFound:
                continue
            row, _ = read_row(entity, answer.body, Channel.BY_ID)
            if row is None:
                continue
            if row.external_id != external_id:
                return _gone(entity, external_id, Evidence("merged", row.external_id))
            if archived:
                return _gone(entity, external_id, Evidence("archived"))
            return self._reads.tied(entity, [row], lane)[0]
        return _gone(entity, external_id, Evidence("missing"))

    def history(self, entity: Entity, wanted: Mapping[str, Sequence[str]], *, lane: Lane) -> Iterator[Past]:
        """The past of properties, objects at most 50 a call."""
        return self._reads.history(entity, wanted, lane)

    def apply(self, changes: Sequence[Change], *, lane: Lane) -> Iterator[Receipt]:
        """Write in batches; one receipt for each change."""
        return self._writes.apply(changes, lane=lane)

    def prepare(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Property group, `sync_id`, and a property for each wanted attribute."""
        return self._set_up.prepare(wanted)

    def examine(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Account, scopes, properties, pipelines, owners, limits."""
        return self._set_up.examine(wanted)

    def close(self) -> None:
        """Give back connections."""
        self._calls.close()


def _hits(row: Row, by: str, wanted: Mapping[str, Sequence[int]]) -> list[int]:
    values = [row.attributes.get(by)]
    if by == "email":
        values += row.attributes.get(EMAILS) or []
    keys = dict.fromkeys(str(value).casefold() for value in values if value)
    return [index for key in keys for index in wanted.get(key, ())]


def _gone(entity: Entity, external_id: str, evidence: Evidence) -> Row:
    return Row(System.HUBSPOT, entity, external_id, {}, Channel.BY_ID, evidence=evidence)
