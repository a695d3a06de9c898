"""Writes that would go round for ever: what an engine that is right never does, it must not do when it is wrong either.

Within one slice the same write (record, system, payload) is sent a few times at most, and is taken up a few times
before it is sent. What goes beyond is named as trouble of the run and blocks nothing else: a write that was carried
out each time is parked; one that could not be sent, or before which the object had always moved, is left to the next
slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync_platform.core.records import Entity, Json, System, payload_hash
from sync_platform.errors import NeverSent, SyncError, WrittenInVain
from sync_platform.ledger import journal, links, outbox
from sync_platform.ledger.outbox import Intent
from sync_platform.sync import marks
from sync_platform.sync.hub import Hub, Payload, Step

# A person cannot ask for the same write more often: one slice reads each system once, or a few times.
CARRIED_OUT_MAX = 4
# A read before the write, a judgement of what it showed, a look-up: each takes a write up once more.
TAKEN_UP_MAX = 8
# Somebody who edits one object between our read and our write does so once or twice in a slice.
OUTRUN_MAX = 4
JUDGED_AGAIN_AT = 3


def leave(hub: Hub, system: System, entity: Entity, intents: Sequence[Intent], step: Step) -> bool:
    """Count that these are taken up, and set aside those that go round; True when there were any."""
    hub.taken_up.update(_payload(intent) for intent in intents)
    vain = [intent for intent in intents if hub.carried_out[_payload(intent)] >= CARRIED_OUT_MAX]
    stuck = [one for one in intents if _goes_round(hub, one) and one not in vain]
    again = {str(one.record_id) for one in intents if hub.taken_up[_payload(one)] == JUDGED_AGAIN_AT}
    if again:
        # What keeps the write back may be a judgement that another slice left undone.
        with hub.ledger.begin() as conn:
            links.mark_dirty(conn, again)
    if vain:
        with hub.ledger.begin() as conn:
            journal.park(conn, [mark for intent in vain for mark in _marks(hub, intent)])
            outbox.drop_planned(conn, [intent.id for intent in vain])
            links.mark_dirty(conn, [str(intent.record_id) for intent in vain])
        step.count("parked", len(vain))
        _tell(step, entity, WrittenInVain(system=str(system), code="WRITTEN_IN_VAIN"), len(vain))
    if stuck:
        hub.left |= {intent.id for intent in stuck}
        step.complete = False
        _tell(step, entity, NeverSent(system=str(system), code="NEVER_SENT"), len(stuck))
    return bool(vain or stuck)


def sent(hub: Hub, intents: Sequence[Intent]) -> None:
    """These go out now: what was taken up before was not in vain."""
    for intent in intents:
        hub.taken_up.pop(_payload(intent), None)


def outrun(hub: Hub, intent: Intent) -> None:
    """The object had moved before this arrived."""
    hub.outrun[_payload(intent)] += 1


def _goes_round(hub: Hub, intent: Intent) -> bool:
    payload = _payload(intent)
    return hub.taken_up[payload] > TAKEN_UP_MAX or hub.outrun[payload] >= OUTRUN_MAX


def carried_out(hub: Hub, intent: Intent) -> None:
    """The system says that this is done."""
    hub.carried_out[_payload(intent)] += 1


def _payload(intent: Intent) -> Payload:
    digest = payload_hash({"verb": str(intent.verb), "values": intent.values})
    return str(intent.record_id), str(intent.system), digest


def _marks(hub: Hub, intent: Intent) -> list[dict[str, Any]]:
    """One mark for each field, as the plan looks for them; one for the whole object where it comes or goes."""
    fields: dict[str, Json] = dict(intent.values) if intent.link_id is not None and intent.values else {}
    words = "written several times in one run, each time with success, and still owed"
    return [
        marks.row(hub, intent, name, value, code="WRITTEN_IN_VAIN", words=words, remedy=WrittenInVain.remedy)
        for name, value in (fields or {"*": intent.values}).items()
    ]


def _tell(step: Step, entity: Entity, error: SyncError, count: int) -> None:
    step.trouble.append(
        {"system": error.system, "entity": str(entity), "code": error.code, "count": count, "remedy": error.remedy}
    )
