"""An engine that is wrong does not write or wait for ever: it stops, says so, and goes on with everybody else."""

from sync_platform.core import merge
from sync_platform.core.records import ENTITIES
from sync_platform.ledger.database import Ledger
from sync_platform.simulation.planted import Plant
from sync_platform.sync import pull, push, reconcile, settle
from tests.sync.memory_desk import CUSTOMER, E, G, H, MemoryDesk

ADA, BEN = ("Ada Brook", "ada@example.com"), ("Ben Ford", "ben@example.com")


def an_answer_that_is_not_heard(right):
    def field(hub, intent, link, name, sent, *rest):
        if sent != "round and round":
            right(hub, intent, link, name, sent, *rest)

    return field


def a_judgement_that_never_comes(right):
    def judge(scene, name, policy, fresh):
        return not any(claim.value == "never judged" for _, claim in fresh) and right(scene, name, policy, fresh)

    return judge


def a_system_that_is_never_heard(right):
    def take(hub, conn, system, *rest):
        if system is not E:
            right(hub, conn, system, *rest)

    return take


def cycle(desk: MemoryDesk) -> list[dict]:
    """One cycle; gives its trouble."""
    desk.now_at += desk.now_at.resolution * 60_000_000
    ledger = Ledger.open(desk.url, migrate=False)
    try:
        hub = desk.hub(ledger)
        pulled = [pull.pull(hub, s, of, reconcile.judge_now(hub, of)) for of in ENTITIES for s in desk.order]
        judged = [reconcile.reconcile(hub, of) for of in ENTITIES]
        pushed = [push.push(hub, s, of) for of in ENTITIES for s in desk.order]
    finally:
        ledger.close()
    return [fact for step in pulled + judged + pushed for fact in step.trouble]


def loaded(tmp_path) -> tuple[MemoryDesk, dict, dict]:
    desk = MemoryDesk(tmp_path)
    ada, ben = desk.person(*ADA), desk.person(*BEN)
    desk.cycles()
    desk.assert_quiet()
    return desk, ada, ben


def test_a_write_that_is_carried_out_again_and_again_is_parked_with_its_reason_and_blocks_nobody(tmp_path):
    desk, ada, ben = loaded(tmp_path)
    desk.systems[E].edit(CUSTOMER, ada[E], {"note": "round and round"})
    desk.systems[E].edit(CUSTOMER, ben[E], {"note": "as it should be"})
    with Plant("", (), ((settle, "_acknowledge_field", an_answer_that_is_not_heard),)).grown():
        trouble = cycle(desk)
    assert {(one["system"], one["code"]) for one in trouble} == {
        ("gorgias", "WRITTEN_IN_VAIN"),
        ("hubspot", "WRITTEN_IN_VAIN"),
    }
    assert all(one["remedy"] for one in trouble)
    assert desk.live(H)[ben[H]]["sync_note"] == desk.live(G)[ben[G]]["note"] == "as it should be"
    parked = desk.sql("SELECT system, field, code FROM parked WHERE lifted_at IS NULL ORDER BY system")
    assert parked == [("gorgias", "note", "WRITTEN_IN_VAIN"), ("hubspot", "note", "WRITTEN_IN_VAIN")]


def test_a_write_that_waits_for_a_judgement_that_never_comes_is_left_and_goes_out_once_it_came(tmp_path):
    desk, ada, ben = loaded(tmp_path)
    desk.systems[H].edit(CUSTOMER, ada[H], {"company": "never judged"})
    desk.systems[E].edit(CUSTOMER, ada[E], {"note": "waits in HubSpot"})
    desk.systems[E].edit(CUSTOMER, ben[E], {"note": "waits for nothing"})
    with Plant("", (), ((merge, "_judge", a_judgement_that_never_comes),)).grown():
        trouble = cycle(desk)
    assert [(one["system"], one["code"], one["count"]) for one in trouble] == [("hubspot", "NEVER_SENT", 1)]
    assert desk.live(H)[ben[H]]["sync_note"] == "waits for nothing"
    assert desk.live(H)[ada[H]]["sync_note"] is None
    assert cycle(desk) == []
    assert desk.live(H)[ada[H]]["sync_note"] == "waits in HubSpot"
    assert desk.live(E)[ada[E]]["company"] == "never judged"


def test_a_write_that_an_edit_which_nobody_takes_is_always_before_is_left_and_goes_out_once_it_was_taken(tmp_path):
    desk, ada, ben = loaded(tmp_path)
    desk.systems[H].edit(CUSTOMER, ada[H], {"company": "waits in the ERP"})
    desk.systems[H].edit(CUSTOMER, ben[H], {"company": "waits for nothing"})
    desk.systems[E].edit(CUSTOMER, ada[E], {"note": "not heard"})
    with Plant("", (), ((pull, "_take", a_system_that_is_never_heard),)).grown():
        trouble = cycle(desk)
    assert [(one["system"], one["code"], one["count"]) for one in trouble] == [("erp", "NEVER_SENT", 1)]
    assert desk.live(E)[ben[E]]["company"] == "waits for nothing"
    assert desk.live(E)[ada[E]]["company"] != "waits in the ERP"
    assert cycle(desk) == []
    assert desk.live(E)[ada[E]]["company"] == "waits in the ERP"
    assert cycle(desk) == []
    assert desk.live(H)[ada[H]]["sync_note"] == "not heard"
