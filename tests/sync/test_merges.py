"""Merges over whole cycles: nothing is deleted, nothing is created, the old id leads to the one who lives on."""

from __future__ import annotations

from sync_platform.connectors.protocol import Outcome, Receipt
from tests.sync.memory_desk import CUSTOMER, FORMS, TICKET, E, G, H, MemoryDesk, policy_with

ADA, BEA = ("Ada Brook", "ada@example.com"), ("Bea Brook", "bea@example.com")


def counted(desk: MemoryDesk) -> dict[str, int]:
    return {str(system): len(desk.live(system)) for system in (G, H, E)}


def test_two_that_were_merged_everywhere_become_one_record(tmp_path):
    desk = MemoryDesk(tmp_path)
    ada, bea = desk.person(*ADA), desk.person(*BEA)
    desk.cycles()
    for system in (G, H, E):
        desk.systems[system].merge(CUSTOMER, bea[system], ada[system])
        desk.cycle()
    desk.cycles(3)
    assert counted(desk) == {"gorgias": 1, "hubspot": 1, "erp": 1}
    assert len(desk.records()) == 1
    assert not desk.sql("SELECT id FROM review WHERE state = 'open'")
    assert not desk.sql("SELECT id FROM intent WHERE verb = 'delete'")
    assert {one for one in desk.links() if one[2] == "barred"} == {
        (str(system), bea[system], "barred") for system in (G, H, E)
    }
    desk.assert_quiet()


def test_16_merged_in_one_system_and_apart_in_another_both_live_on_and_nothing_is_created(tmp_path):
    desk = MemoryDesk(tmp_path)
    ada, bea = desk.person(*ADA), desk.person(*BEA)
    desk.cycles()
    desk.systems[G].merge(CUSTOMER, bea[G], ada[G])
    desk.systems[G].edit(CUSTOMER, ada[G], {"emails": [ADA[1], BEA[1]]})
    desk.cycles(4)
    assert counted(desk) == {"gorgias": 1, "hubspot": 2, "erp": 2}
    assert len(desk.records()) == 2
    assert desk.live(H)[ada[H]]["hs_additional_emails"] == []
    assert ("merge",) in desk.sql("SELECT kind FROM review WHERE state = 'open'")
    desk.assert_quiet()


def test_a_record_whose_only_object_was_merged_away_is_absorbed_and_its_values_are_told(tmp_path):
    desk = MemoryDesk(tmp_path, policy=policy_with(hubspot={"create": "never"}, erp={"create": "never"}))
    ada, bea = desk.person(*ADA), desk.person(*BEA, G)
    desk.cycles()
    desk.systems[G].merge(CUSTOMER, bea[G], ada[G])
    desk.cycles(3)
    assert len(desk.records()) == 1
    told = desk.sql("SELECT replaced FROM decision WHERE rule = 'merge'")
    assert len(told) == 1
    assert BEA[1] in told[0][0]
    assert desk.sql("SELECT count(DISTINCT record_id) FROM link") == [(1,)]
    desk.assert_quiet()


def test_a_survivor_that_was_never_seen_takes_the_place_of_the_old_id(tmp_path):
    desk = MemoryDesk(tmp_path)
    ada = desk.person(*ADA)
    desk.cycles()
    before = desk.records()
    new = desk.systems[H].put(CUSTOMER, {**desk.live(H)[ada[H]], "company": "Copper Lamp"})
    desk.systems[H].things[CUSTOMER, new].attributes["sync_id"] = None
    desk.systems[H].merge(CUSTOMER, ada[H], new)
    desk.cycles(4)
    assert desk.records() == before
    assert {("hubspot", ada[H], "barred"), ("hubspot", new, "active")} <= desk.links()
    assert counted(desk) == {"gorgias": 1, "hubspot": 1, "erp": 1}
    desk.assert_quiet()


def test_tickets_of_the_one_who_was_merged_away_belong_to_the_one_who_lives_on(tmp_path):
    desk = MemoryDesk(tmp_path)
    ada, bea = desk.person(*ADA), desk.person(*BEA)
    case = desk.systems[E].put(TICKET, {"subject": "Where is my lamp", "customer_id": bea[E], "status": "new"})
    desk.cycles()
    for system in (G, H, E):
        desk.systems[system].merge(CUSTOMER, bea[system], ada[system])
    desk.systems[E].edit(TICKET, case, {"customer_id": ada[E]})
    desk.cycles(4)
    assert str(desk.live(E, TICKET)[case]["customer_id"]) == ada[E]
    # Where a ticket still bears the old id, that is an alias of the one who lives on.
    assert desk.sql("SELECT parent FROM record WHERE entity = 'ticket'") == [
        (one,) for (one,) in desk.sql("SELECT id FROM record WHERE entity = 'customer' AND tombstone IS NULL")
    ]
    assert counted(desk) == {"gorgias": 1, "hubspot": 1, "erp": 1}
    desk.assert_quiet()


def test_14_a_twin_of_one_whose_id_vanished_without_a_word_takes_its_place(tmp_path):
    """Gorgias said nothing of the merge: the old id is not found, and its address is at another customer."""
    desk = MemoryDesk(tmp_path)
    ada = desk.person(*ADA)
    desk.cycles()
    before = desk.records()
    del desk.systems[G].things[CUSTOMER, ada[G]]
    new = desk.systems[G].put(CUSTOMER, {**FORMS[G](*ADA), "phones": ["+14155550132"]}, "900")
    desk.cycles(4)
    assert {("gorgias", ada[G], "barred"), ("gorgias", new, "active")} <= desk.links()
    assert desk.records() == before
    assert not desk.sql("SELECT id FROM review WHERE state = 'open'")
    assert desk.live(E)[ada[E]]["phone"] == "+14155550132"
    desk.assert_quiet()


def test_a_merge_that_is_seen_while_a_write_is_unsettled_is_followed_afterwards(tmp_path):
    desk = MemoryDesk(tmp_path)
    ada, bea = desk.person(*ADA), desk.person(*BEA, G, H)
    desk.cycles()
    world = desk.systems[E]
    real = type(world)

    class Mute(real):
        """It takes every write and answers none."""

        __slots__ = ()

        def apply(self, changes, *, lane):
            for change in changes:
                list(super().apply([change], lane=lane))
                yield Receipt(change.token, Outcome.UNKNOWN, change.external_id)

    world.__class__ = Mute
    desk.systems[H].edit(CUSTOMER, bea[H], {"company": "Copper Lamp"})
    desk.cycle()
    assert desk.sql("SELECT id FROM intent WHERE state = 'unknown'")
    theirs = next(one for one, shown in desk.live(E).items() if shown["email"] == BEA[1])
    for system, old in ((G, bea[G]), (H, bea[H]), (E, theirs)):
        desk.systems[system].merge(CUSTOMER, old, ada[system])
    world.__class__ = real
    desk.cycles(5)
    assert len(desk.records()) == 1
    assert counted(desk) == {"gorgias": 1, "hubspot": 1, "erp": 1}
    desk.assert_quiet()


def test_a_merge_into_what_was_merged_again_leads_to_the_last_survivor(tmp_path):
    desk = MemoryDesk(tmp_path, policy=policy_with(hubspot={"create": "never"}, erp={"create": "never"}))
    ids = [desk.person(name, email, G)[G] for name, email in (ADA, BEA, ("Cy Brook", "cy@example.com"))]
    desk.cycles()
    desk.systems[G].merge(CUSTOMER, ids[0], ids[1])
    desk.systems[G].merge(CUSTOMER, ids[1], ids[2])
    desk.cycles(3)
    assert len(desk.records()) == 1
    assert desk.sql("SELECT count(DISTINCT record_id) FROM link") == [(1,)]
    desk.assert_quiet()
