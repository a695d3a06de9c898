"""Pull: pages of rows become observations, shadows, dirty marks and a cursor, one transaction a page.

Decides what of a row is new (content against the shadow, order against our own writes). Must not decide which value
is right. News comes before backfill; backfill gives way at every page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, or_
from sqlalchemy import update as sql_update

from sync_platform.connectors.protocol import Connector, Cursor, Feed, Known
from sync_platform.core.mappings import FieldMap, observe
from sync_platform.core.records import UNSET, Entity, Json, Lane, Link, LinkState, Row, System
from sync_platform.errors import Retryable, SyncError
from sync_platform.ledger import journal, links, placing, work
from sync_platform.ledger.database import ForIds, number
from sync_platform.sync import brake, cursors, in_force, shrunk, vanished
from sync_platform.sync.cursors import NOWHERE, Stand, Stands
from sync_platform.sync.evidence import Taken, after_an_end, observation, take_evidence, take_past, told_for_good
from sync_platform.sync.hub import Hub, Step
from sync_platform.sync.order import DETAILED, HAS_MORE, MARKERS, REST, UPDATED, move, order, overtakes, owe, stays

FETCH_BATCH = 100
# Parts of a ticket that other objects hold: their stamps are those of the message or the survey, not of the ticket.
PARTS = {"first_message", "score"}

# None: nothing may be judged now (a plan); what would overtake an unjudged change is then read again later.
Judge = Callable[[Connection, Iterable[str]], None] | None
Shown = Sequence[tuple[Row, dict[str, Json]]]


def pull(hub: Hub, system: System, entity: Entity, judge: Judge, *, full: bool = False) -> Step:
    """News of one system and entity, then reads by id that are owed, then backfill until the slice asks to stop.

    A system's trouble ends this step, not the run: it is named in `trouble`.
    """
    from sync_platform.sync import hooks  # takes its rows by what stands here

    step = Step(f"observed/{system}_{entity}")
    connector = hub.connectors[system]
    in_force.notice(hub)
    try:
        hub.reach(system)
        # One look for both: what the inbox holds moves no cursor.
        with hub.ledger.read() as conn:
            stands = hub.standing(conn)
            told = hooks.deliveries(conn, system, entity)
        hooks.drain(hub, system, entity, judge, step, told)
        news(hub, system, entity, judge, step, stands)
        with hub.ledger.read() as conn:
            owed = work.reads_owed(conn, system, entity)
        if owed:
            _owed_reads(hub, connector, entity, judge, step, Lane.DELTA, UPDATED)
        walked = _removals(hub, connector, entity, judge, step, stands, full=full)
        listed = _backfill(hub, connector, entity, judge, step, stands, full=full)
        if listed is not None and (owed or walked or listed):
            _owed_reads(hub, connector, entity, judge, step, Lane.BACKFILL, REST)
    except SyncError as error:
        trouble(hub, step, system, entity, error)
    return step


def news(hub: Hub, system: System, entity: Entity, judge: Judge, step: Step, stands: Stands | None = None) -> None:
    """One round of the feeds that tell what changed since the watermark; `stands` is what the ledger says of them."""
    connector = hub.connectors[system]
    if stands is None:
        with hub.ledger.read() as conn:
            stands = hub.standing(conn)
    for feed in connector.feeds():
        if feed.entity is entity and feed.kind in ("walk", "ascending", "window"):
            at = stands.get((str(system), feed.name), NOWHERE)
            if at.cursor.watermark is not None or feed.kind != "walk":
                _walk(hub, connector, feed, judge, step, Lane.DELTA, at)


def _removals(
    hub: Hub, connector: Connector, entity: Entity, judge: Judge, step: Step, stands: Stands, *, full: bool
) -> bool:
    """Listings of what was taken away, for systems whose change feeds do not tell; before a first load nothing was.

    Gives whether any was read.
    """
    walked = False
    for feed in connector.feeds():
        if feed.entity is not entity or feed.kind != "removed":
            continue
        at = stands.get((str(connector.system), feed.name), NOWHERE)
        now = hub.now()
        if at.listed_at is None:
            _save_cursor(hub, connector.system, feed, at.cursor, listed_at=now)
        elif full or at.cursor.walk is not None or (now - at.listed_at).total_seconds() > hub.timing.removed_s:
            walked = True
            from_ = at if at.cursor.walk else replace(at, cursor=Cursor())
            _walk(hub, connector, feed, judge, step, Lane.BACKFILL, from_)
    return walked


def _backfill(
    hub: Hub, connector: Connector, entity: Entity, judge: Judge, step: Step, stands: Stands, *, full: bool
) -> bool | None:
    """Full lists; gives whether any was read, and None where the slice asked to stop before the end."""
    walked = False
    for feed in connector.feeds():
        if feed.entity is not entity or feed.kind not in ("walk", "list"):
            continue
        at = stands.get((str(connector.system), feed.name), NOWHERE)
        first = at.cursor.watermark is None if feed.kind == "walk" else at.listed_at is None
        unfinished = feed.kind == "list" and at.cursor.walk is not None
        unread = in_force.unread(hub, connector.system, feed)
        if not (first or unfinished or full or unread):
            continue
        if hub.over(0.5) and hub.backfilled:
            step.complete = False
            return None
        if (full or unread) and not first and not unfinished:
            at = replace(at, cursor=Cursor())
        walked = True
        began_at = at.walk_started_at if at.cursor.walk is not None else hub.now()
        if not _walk(hub, connector, feed, judge, step, Lane.BACKFILL, at):
            step.complete = False
            return None
        if unread:
            in_force.was_read(hub, connector.system, feed, began_at)
    return walked


def _walk(hub: Hub, connector: Connector, feed: Feed, judge: Judge, step: Step, lane: Lane, at: Stand) -> bool:
    """Page by page to the end; False when the slice asked to stop before it."""
    system = connector.system
    cursor = at.cursor
    listing = cursor.watermark is None or feed.kind == "list"
    began = hub.now()
    afresh = cursor.walk is None
    if afresh:
        cursor = connector.start(feed, cursor, now=began)
        if lane is not Lane.DELTA:
            # So that a list that was asked for goes on in the next slice; news begin anew with every slice.
            _save_cursor(hub, system, feed, cursor, walk_started_at=began)
    else:
        began = at.walk_started_at or began
    pages = rows = due = 0
    shown: set[str] = set()
    floor = (cursor.walk or {}).get("floor") if feed.kind == "walk" else None
    while True:
        page = connector.pull(feed, cursor, lane=lane, known=_known(hub, system, feed))
        pages += 1
        rows += len(page.rows)
        if lane is Lane.BACKFILL and afresh and feed.kind != "removed":
            shown.update(row.external_id for row in page.rows if row.entity is feed.entity)
            shown.update(one for one, _ in page.bad)
            if page.complete:
                shrunk.check(hub, system, feed, rows + len(page.bad), shown)
        due += sum(1 for row in page.rows if floor is None or row.stamp is None or row.stamp.isoformat() >= floor)
        cursor = page.cursor
        hub.backfilled = hub.backfilled or lane is Lane.BACKFILL
        times = {"walk_started_at": began if afresh and pages == 1 else None}
        if page.complete:
            times |= {"polled_at": began, "listed_at": began}
        with _moving(hub, system, feed, cursor, len(page.rows), page.total, times) as conn:
            # What is listed in full is listed again and again, and goes back to before there was a ledger.
            keeps = lane is Lane.DELTA
            taken = take(hub, conn, system, page.rows, judge, fresh_list=listing, keeps_ends=keeps)
            _park_bad(hub, conn, system, feed.entity, page.bad)
        _tell(step, taken)
        hub.tell(f"{step.name} {feed.name}", system=system, pages=pages, rows=rows, total=page.total)
        if not page.complete and hub.paused():
            step.complete = False
            return False
        if page.complete or (lane is Lane.BACKFILL and (hub.over(0.5) or hub.news_waits())):
            hub.walks.append((system, feed, due))
            return page.complete


def _known(hub: Hub, system: System, feed: Feed) -> Known:
    """Tells which rows of a page the ledger holds as they are: own writes, and what the round's other feed showed."""

    def known(entity: Entity, stamps: Mapping[str, datetime]) -> set[str]:
        with hub.ledger.read() as conn:
            found = links.stamps_of(conn, system, entity, list(stamps))
        held = {one for one, stamp in found.items() if stamp == stamps[one]}
        hub.did(system, f"partial:{feed.name}", len(stamps) - len(held))
        return held

    return known


def _save_cursor(hub: Hub, system: System, feed: Feed, cursor: Cursor, **times: datetime | None) -> None:
    with _moving(hub, system, feed, cursor, 0, None, times):
        pass


@contextmanager
def _moving(
    hub: Hub,
    system: System,
    feed: Feed,
    cursor: Cursor,
    rows: int,
    total: int | None,
    times: Mapping[str, datetime | None],
) -> Iterator[Connection]:
    """One write transaction at whose end a feed stands elsewhere; where it fails, where feeds stand is read anew."""
    with hub.ledger.begin() as conn:
        before = hub.standing(conn)
        yield conn
        hub.stands = None
        cursors.write(conn, system, feed.name, cursor, rows=rows, total=total, **times)
    hub.stands = cursors.moved(before, system, feed.name, cursor, **times)


def _park_bad(hub: Hub, conn: Connection, system: System, entity: Entity, bad: Sequence[tuple[str, str]]) -> None:
    if not bad:
        return
    now = hub.now()
    hub.unreadable = True
    journal.park(
        conn,
        [
            {
                "system": str(system),
                "entity": str(entity),
                "record_id": None,
                "external_id": external_id,
                "field": "*",
                "hash": "",
                "code": "UNREADABLE_ROW",
                "words": reason,
                "at": now,
                "remedy": "Correct the object in its system; the next read takes it.",
            }
            for external_id, reason in bad
        ],
    )


def _tell(step: Step, taken: Taken) -> None:
    step.count("observed", taken.observed)
    step.count("ignored", taken.ignored)
    if taken.gone:
        step.count("gone", taken.gone)


def trouble(hub: Hub, step: Step, system: System, entity: Entity, error: SyncError) -> None:
    """A system's trouble is a fact of the run; only the Halt family without a system goes up."""
    if error.system is None and not isinstance(error, Retryable):
        raise error
    hub.troubled.add(system)
    step.complete = False
    step.trouble.append(
        {"system": str(system), "entity": str(entity), "code": error.code, "count": 1, "remedy": error.remedy}
    )


# --- reads by id ------------------------------------------------------------------------------------------------


def _owed_reads(
    hub: Hub, connector: Connector, entity: Entity, judge: Judge, step: Step, lane: Lane, worst: int
) -> None:
    """Reads by id: those that a hint asked for, then attributes that lists hide, the most urgent first."""
    system = connector.system
    with hub.ledger.read() as conn:
        again = links.read_again(conn, system, entity, FETCH_BATCH * 10)
    if again:
        step.count("fenced_reads", fetch(hub, system, entity, again, judge, lane=lane))
    if (system, entity) not in DETAILED:
        return
    batch = 10
    left: int | None = None
    while True:
        with hub.ledger.read() as conn:
            ids = links.details_owed(conn, system, entity, batch, worst)
            # Counted once: a count for each batch would make a million reads cost their square.
            left = links.count_details(conn, system, entity) if left is None and ids else left
        if not ids:
            return
        fetch(hub, system, entity, ids, judge, lane=lane)
        hub.did(system, "details", len(ids))
        step.count("details", len(ids))
        left = max(0, (left or 0) - len(ids))
        done = int(step.counts["details"])
        hub.tell(f"{step.name} details", system=system, rows=done, total=done + left)
        if hub.paused() or (lane is Lane.BACKFILL and (hub.over(0.5) or hub.news_waits())):
            step.complete = False
            return


def fetch(hub: Hub, system: System, entity: Entity, ids: Sequence[str], judge: Judge, *, lane: Lane) -> int:
    """Fenced reads: begun after the fence, so they are the truth whatever their stamp. Gives how many answered."""
    connector = hub.connectors[system]
    count = 0
    for start in range(0, len(ids), FETCH_BATCH):
        chunk = list(ids[start : start + FETCH_BATCH])
        began_at = hub.now()
        with hub.ledger.begin() as conn:
            begun = number(conn)
        rows = vanished.traced(hub, connector, entity, list(connector.fetch(entity, chunk, lane=lane)))
        count += len(rows)
        with hub.ledger.begin() as conn:
            taken = take(hub, conn, system, rows, judge, begun=begun)
            _answered(conn, system, entity, [one for one in chunk if one not in taken.open], began_at)
    return count


_ANSWERED = ForIds(
    links.LINK.c.external_id,
    lambda given: (
        sql_update(links.LINK)
        .where(
            links.LINK.c.system == bindparam("b_system"),
            links.LINK.c.entity == bindparam("b_entity"),
            given,
            # Followed to its survivor later; looked at again by another run.
            links.LINK.c.state != str(LinkState.BARRED),
            or_(links.LINK.c.gone.is_(None), links.LINK.c.state != str(LinkState.ACTIVE)),
        )
        .values(again=False, detail=0, whole_at=bindparam("b_began_at"))
    ),
)


def _answered(conn: Connection, system: System, entity: Entity, ids: Sequence[str], began_at: datetime) -> None:
    _ANSWERED(conn, ids, b_system=system, b_entity=entity, b_began_at=began_at)


# --- taking rows ------------------------------------------------------------------------------------------------


def take(
    hub: Hub,
    conn: Connection,
    system: System,
    rows: Sequence[Row],
    judge: Judge,
    *,
    begun: int | None = None,
    fresh_list: bool = False,
    keeps_ends: bool = True,
) -> Taken:
    """Rows of one page → observations, shadows and dirty marks, in the caller's transaction.

    `begun` is the ledger number at which a fenced read began. Rows of several entities may be mixed. `keeps_ends`:
    whether the end of what nobody has seen is kept, so that a list which shows it still does not make it live.
    """
    taken = Taken()
    if hub.keep_out is not None:
        let_in = hub.keep_out.let_in(conn, rows, hub.lexicon, hub.now())
        _not_read_again(conn, system, [row for row in rows if row not in let_in] if len(let_in) < len(rows) else ())
        rows = let_in
    for entity in dict.fromkeys(row.entity for row in rows):
        for wave in _waves([row for row in rows if row.entity is entity]):
            _take(hub, conn, system, entity, wave, judge, taken, begun, fresh_list, keeps_ends)
    return taken


def _lift(hub: Hub, conn: Connection, system: System, entity: Entity, rows: Sequence[Row]) -> None:
    """Rows that can be read now have no mark any more; only this run sets such marks meanwhile."""
    if hub.unreadable is None:
        hub.unreadable = journal.any_unreadable(conn)
    if hub.unreadable:
        read = sorted({row.external_id for row in rows if row.attributes})
        journal.lift_rows(conn, system, entity, read, hub.now())


def _not_read_again(conn: Connection, system: System, kept_out: Sequence[Row]) -> None:
    """Nothing is stored of who stays out, so a read by id that was owed will never show anything: it is not owed."""
    for entity in dict.fromkeys(row.entity for row in kept_out):
        links.owe_nothing(conn, system, entity, [row.external_id for row in kept_out if row.entity is entity])


def _waves(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows in their order, each object once a wave: what a page shows twice is judged before it is overtaken."""
    waves: list[list[Row]] = []
    times: dict[str, int] = {}
    for row in rows:
        turn = times.get(row.external_id, 0)
        times[row.external_id] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(row)
    return waves


def _take(
    hub: Hub,
    conn: Connection,
    system: System,
    entity: Entity,
    rows: Sequence[Row],
    judge: Judge,
    taken: Taken,
    begun: int | None,
    fresh_list: bool,
    keeps_ends: bool,
) -> None:
    known = links.links_by_external(conn, system, entity, sorted({row.external_id for row in rows}))
    known |= _newborn(hub, conn, system, entity, known, rows)
    maps = hub.maps_shown(entity).get(system, {})
    shown: Shown = [
        (row, {n: v for n, v in observe(system, entity, row.attributes).items() if n in maps}) for row in rows
    ]
    known, shown = _judge_first(conn, system, entity, known, shown, maps, judge)
    touched: dict[str, Link] = {}
    more: list[str] = []
    dirty: set[str] = set()
    now = hub.now()
    observations: list[dict[str, Any]] = []
    for shown_row, fields in shown:
        row = replace(shown_row, stamp=None) if set(shown_row.attributes) <= PARTS else shown_row
        link = known.get(row.external_id)
        if not row.attributes and row.evidence is None:
            more.append(row.external_id)
            continue
        if link is not None and link.state is not LinkState.ACTIVE and begun is None and row.evidence is None:
            if (kept := take_past(hub, link, row, fields, now)) is not None:
                touched[link.external_id] = link
                observations += [kept] if kept else []
            continue
        if link is None:
            if row.evidence is not None and not (keeps_ends and told_for_good(row)):
                continue
            link = Link(0, None, system, entity, row.external_id, created_at=row.created_at)
            # Of what ended before anybody saw it nothing tells whose it was.
            link.awaits = placing.NOBODY if row.evidence is not None else None
            known[row.external_id] = link
        owed = link.detail
        was = link.state
        kept = _take_row(hub, link, row, fields, maps, taken, begun, fresh_list, now)
        if kept is None:
            continue
        if was is LinkState.GONE:
            after_an_end(conn, link)
        touched[link.external_id] = link
        if kept and link.awaits != placing.NOBODY:
            observations.append(kept)
        if link.record_id and (kept.get("taken") or (owed and not link.detail) or was is not link.state):
            dirty.add(str(link.record_id))
    brake.overtaken(hub, conn, entity, taken.overtaken)
    taken.overtaken = []
    links.save_links(conn, touched.values())
    journal.add_observations(conn, observations)
    _lift(hub, conn, system, entity, rows)
    taken.dirty |= dirty
    links.mark_dirty(conn, dirty)
    if more and (system, entity) in DETAILED:
        links.owe_detail(conn, system, entity, more, HAS_MORE)


def _newborn(
    hub: Hub, conn: Connection, system: System, entity: Entity, known: Mapping[str, Link], rows: Sequence[Row]
) -> dict[str, Link]:
    """Links of objects that a create of ours made whose answer was lost: shown here, it is settled before they are
    taken for something new."""
    from sync_platform.sync import settle  # settles by reads of its own, which come through here

    shown = [
        row
        for row in rows
        if row.evidence is None
        and row.attributes.get(MARKERS[system])
        and ((link := known.get(row.external_id)) is None or link.record_id is None)
    ]
    ids = settle.settle_shown(hub, conn, system, entity, shown) if shown else set()
    return links.links_by_external(conn, system, entity, sorted(ids)) if ids else {}


def _judge_first(
    conn: Connection,
    system: System,
    entity: Entity,
    known: dict[str, Link],
    shown: Shown,
    maps: dict[str, FieldMap],
    judge: Judge,
) -> tuple[dict[str, Link], Shown]:
    """A shadow never steps over a change that nobody judged: such records are judged now, or read again later."""
    overtaken = {
        str(link.record_id)
        for row, fields in shown
        if (link := known.get(row.external_id)) is not None and link.record_id and overtakes(link, row, fields, maps)
    }
    if not overtaken:
        return known, shown
    if judge is not None:
        judge(conn, overtaken)
        return links.links_by_external(conn, system, entity, sorted(known)), shown
    late = {name: link for name, link in known.items() if str(link.record_id) in overtaken}
    for link in late.values():
        link.again = True
    links.save_links(conn, late.values())
    return known, [(row, fields) for row, fields in shown if row.external_id not in late]


def _take_row(
    hub: Hub,
    link: Link,
    row: Row,
    fields: dict[str, Json],
    maps: dict[str, FieldMap],
    taken: Taken,
    begun: int | None,
    fresh_list: bool,
    now: datetime,
) -> dict[str, Any] | None:
    """One row against its link. None: nothing to save; {}: save the link; else also keep this observation."""
    if row.evidence is not None:
        return take_evidence(hub, link, row, taken, now)
    fresh = {
        name: theirs
        for name, theirs in fields.items()
        if (cell := link.cells.get(name)) is None
        or cell.shadow is UNSET
        or (cell.shadow != theirs and not stays(maps[name], cell.shadow, theirs))
    }
    verdict = order(link, row, bool(fresh), begun)
    if verdict == "later":
        link.again = True
        if link.state is LinkState.GONE:
            # Another of its record's objects there is being written: no look at that one tells that this one is back.
            taken.open.add(link.external_id)
        taken.again += 1
        return observation(hub, row, fresh, now, taken=False)
    if verdict == "ignore":
        taken.ignored += 1
        return None
    if verdict == "hint":
        link.again = True
        taken.again += 1
        return {}
    newer = row.stamp is not None and row.stamp != link.stamp
    reads_again = owe(link, row, newer, fresh_list)
    if not fresh and not newer and not reads_again and link.id and begun is None:
        return None
    for name in fresh:
        cell = link.cell(name)
        if cell.braked:
            # A held change that its own system replaces before anybody said a word about it. What was taken out of a
            # set is not taken back by another element: it stays a change.
            if maps[name].kind != "set":
                taken.overtaken.append((link, name, cell.shadow))
                cell.base = cell.shadow
            cell.braked = False
    move(link, row, fresh, begun, now)
    if not fresh:
        return {}
    taken.observed += 1
    return observation(hub, row, fresh, now, taken=True)
