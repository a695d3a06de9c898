"""Gorgias behind the connector protocol: a helpdesk with an HTTP API of about two calls a second.

Limits [doc]: 40 calls in 20 s for an API key, 80 in 20 s for OAuth, shared by the whole account; some plans are said to
have a limit per second beside it (not established: give `per_second` when the account is known to have one).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sync_platform.connectors import gorgias_hooks, gorgias_setup
from sync_platform.connectors.gorgias_feeds import (
    FEEDS,
    PAGE,
    begin,
    contents,
    halted,
    pull_events,
    pull_phones,
    pull_walk,
)
from sync_platform.connectors.gorgias_shapes import customer_row, gone_row, identity, ticket_row
from sync_platform.connectors.gorgias_writes import Writer, merged_into
from sync_platform.connectors.http import Credentials, JsonApi, Query, Refused, Transport
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
    Receipt,
    Wanted,
)
from sync_platform.core.records import Channel, Entity, Evidence, Lane, Row, System, Verb
from sync_platform.errors import BadInput, Moved, NotFound, Unavailable

_PATHS: Mapping[Entity, str] = {Entity.CUSTOMER: "/customers", Entity.TICKET: "/tickets"}


class GorgiasConnector:
    """One account of Gorgias.

    `base_url` with or without `/api`; `overlap_s` is how far below its watermark a feed reads again.
    """

    system = System.GORGIAS
    batch_size: Mapping[tuple[Entity, Verb], int] = {(entity, verb): 1 for entity in Entity for verb in Verb}
    page_size: Mapping[str, int] = {feed.name: PAGE for feed in FEEDS}

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        meter: Meter,
        *,
        overlap_s: float = 300,
        timeout_s: float = 30,
        per_second: int | None = None,
        transport: Transport | None = None,
    ) -> None:
        window = Limit("window", 80 if credentials.oauth else 40, 20.0)
        self.limits: tuple[Limit, ...] = (window,) if per_second is None else (window, Limit("second", per_second, 1.0))
        self._overlap_s = overlap_s
        self._api = JsonApi(
            api_url(base_url),
            credentials,
            meter,
            system=System.GORGIAS,
            limits=[limit.name for limit in self.limits],
            timeout_s=timeout_s,
            transport=transport,
        )

    def account(self) -> Account:
        """Who we talk to; identity is the account's domain."""
        return gorgias_setup.account(self._api)

    def directory(self) -> Directory:
        """Agents: user id → e-mail."""
        return gorgias_setup.directory(self._api)

    def feeds(self) -> tuple[Feed, ...]:
        """Events, customers, tickets, messages, surveys; customers with a phone once at the first load."""
        return FEEDS

    def start(self, feed: Feed, cursor: Cursor | None, *, now: datetime) -> Cursor:
        """A new walk. Its upper bound is the server's newest stamp, not `now`: two clocks are never compared."""
        del now
        return begin(feed, cursor, self._overlap_s)

    def pull(
        self,
        feed: Feed,
        cursor: Cursor,
        *,
        lane: Lane,
        known: Known | None = None,  # noqa: ARG002  # pages are whole
    ) -> Page:
        """One page; one call, but for one survey read by each new survey answer and a walk that starts over."""
        if feed.name == "events":
            return pull_events(
                self._api, cursor, self._overlap_s, lambda what, one: self._show(what, one, lane), lane=lane
            )
        if feed.name == "customers.phone":
            return pull_phones(self._api, cursor, lane=lane)
        return pull_walk(self._api, feed, cursor, lane=lane)

    def fetch(self, entity: Entity, ids: Sequence[str], *, lane: Lane) -> Iterator[Row]:
        """One call for each id. Tickets show their first message, message count and score as well."""
        for external_id in ids:
            yield self._show(entity, external_id, lane)

    def lookup(self, entity: Entity, keys: Sequence[tuple[str, str]], *, lane: Lane) -> Iterator[tuple[int, Row]]:
        """Customers by e-mail, phone and marker, tickets by marker; each hit is read by id."""
        for index, (kind, value) in enumerate(keys):
            for external_id in self._holders(entity, kind, value, lane=lane):
                row = self._show(entity, external_id, lane)
                if row.evidence is None:
                    yield index, row

    def apply(self, changes: Sequence[Change], *, lane: Lane) -> Iterator[Receipt]:
        """One change after the other; the API has no batches."""

        def holder(kind: str, value: str) -> str | None:
            return next(iter(self._holders(Entity.CUSTOMER, kind, value, lane=lane)), None)

        writer = Writer(self._api, holder, lane)
        for change in changes:
            yield writer.carry_out(change)

    def prepare(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Nothing to create."""
        del wanted
        return gorgias_setup.prepare()

    def examine(self, wanted: Iterable[Wanted]) -> list[Finding]:
        """Account, user, rights, limit, surveys; our integration where there is one."""
        del wanted
        found = gorgias_setup.examine(self._api)
        calls = gorgias_hooks.examine(self._api) if all(one.ok for one in found) else None
        return [*found, *([calls] if calls else [])]

    def listen(self, url: str, headers: Mapping[str, str], hmac_secret: str | None) -> Finding:
        """Let Gorgias call `url` at every change of a ticket, with these headers."""
        return gorgias_hooks.listen(self._api, url, headers, hmac_secret)

    def close(self) -> None:
        """Give back connections."""
        self._api.close()

    def _show(self, entity: Entity, external_id: str, lane: Lane) -> Row:
        """Read by id. A merged customer answers 301 [doc for PUT data and DELETE; not established for GET, where it
        may be a 404]."""
        try:
            answer = self._api.read(f"{_PATHS[entity]}/{external_id}", lane=lane)
        except Refused as refused:
            if isinstance(refused.error, Moved):
                return gone_row(entity, external_id, Channel.BY_ID, Evidence("merged", merged_into(refused.answer)))
            if isinstance(refused.error, NotFound):
                return gone_row(entity, external_id, Channel.BY_ID, Evidence("missing"))
            raise halted(refused) from None
        try:
            return (customer_row if entity is Entity.CUSTOMER else ticket_row)(answer.body, Channel.BY_ID)
        except BadInput as error:
            raise Unavailable(
                f"an object cannot be read ({error.field})", system=self.system, correlation=answer.correlation
            ) from None

    def _holders(self, entity: Entity, kind: str, value: str, *, lane: Lane) -> list[str]:
        """Ids that hold a key, from the list's filters: they read the store itself, not a search index."""
        queries: list[Query] = []
        if kind == "marker":
            queries = [[("external_id", value)]]
        elif entity is Entity.CUSTOMER and kind == "email":
            # The filter `email` knows primary addresses alone; every address, the primary one too, is a channel.
            queries = [[("channel_type", "email"), ("channel_address", value)]]
        elif entity is Entity.CUSTOMER and kind == "phone":
            queries = [[("channel_type", "phone"), ("channel_address", value)]]
        found: dict[str, None] = {}
        for query in queries:
            try:
                answer = self._api.read(_PATHS[entity], [*query, ("limit", str(PAGE))], lane=lane)
            except Refused as refused:
                raise halted(refused) from None
            for theirs in contents(answer)[0]:
                try:
                    found[identity(theirs)] = None
                except BadInput:
                    continue
        return list(found)


def api_url(base_url: str) -> str:
    """The root of the API for an address with or without `/api`."""
    return base_url.rstrip("/").removesuffix("/api").rstrip("/") + "/api"
