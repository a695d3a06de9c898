"""An undo takes away what we created, where nobody touched it, and it does not come back."""

from __future__ import annotations

import pytest

from sync_platform.connectors.protocol import Outcome, Receipt
from sync_platform.ledger.database import Ledger
from sync_platform.ledger.holds import APPROVED
from sync_platform.sync import plans, undo
from tests.sync.memory_desk import CUSTOMER, TICKET, E, G, H, MemoryDesk, policy_with

WHO = "kim"


class Undoing(MemoryDesk):
    """A desk whose cycles take up what people said, and at which plans of undo are drawn up."""

    def draft(self, what):
        ledger = Ledger.open(self.url, migrate=False)
        try:
            hub = self.hub(ledger)
            with ledger.begin() as conn:
                return undo.draft(hub, conn, str(what), who=WHO)
        finally:
            ledger.close()

    def say(self, plan, word=APPROVED):
        ledger = Ledger.open(self.url, migrate=False)
        try:
            with ledger.begin() as conn:
                return plans.answer(conn, plan["plan"], word, who=WHO, why=None, at=self.now_at)
        finally:
            ledger.close()

    def carry(self):
        ledger = Ledger.open(self.url, migrate=False)
        try:
            plans.carry_out(self.hub(ledger))
        finally:
            ledger.close()

    def undone(self, what):
        plan = self.draft(what)
        self.say(plan)
        self.carry()
        self.cycles()
        return plan

    def record(self, entity=CUSTOMER):
        return self.sql("SELECT id FROM record WHERE entity = :e ORDER BY born_at DESC", e=str(entity))[0][0]

    def refused(self, plan):
        return self.sql("SELECT summary FROM plan WHERE id = :p", p=plan["plan"])[0][0]


@pytest.fixture
def desk(tmp_path):
    """Somebody was typed into the ERP alone, and we created her in the others."""
    desk = Undoing(tmp_path)
    desk.person("Eve Hill", "eve@example.com")
    desk.cycles()
    desk.ids = desk.person("Ada Brook", "ada@example.com", E)
    desk.cycles()
    assert len(desk.live(G)) == len(desk.live(H)) == 2
    return desk


def named(desk, system):
    return [one for one in desk.live(system).values() if one["email"] == "ada@example.com"]


def test_what_a_record_was_created_as_is_taken_away_where_people_did_not_make_it_and_stays_away(desk):
    plan = desk.draft(desk.record())
    assert {(one["system"], one["verb"]): one["count"] for one in plan["counts"]} == {
        ("gorgias", "delete"): 1,
        ("hubspot", "delete"): 1,
    }
    assert plan["would_write"] == 2
    assert plan["calls"]["gorgias"] >= 1
    desk.cycles(2)
    assert named(desk, G), "a plan that nobody approved does nothing"
    desk.say(plan)
    desk.carry()
    desk.cycles()
    assert not named(desk, G)
    assert not named(desk, H)
    assert named(desk, E)
    desk.assert_quiet()
    desk.systems[E].edit(CUSTOMER, desk.ids[E], {"company": "Copper Lamp"})
    desk.cycles()
    desk.cycle(full=True)
    assert not named(desk, G)
    assert not named(desk, H)
    assert len(desk.live(G)) == len(desk.live(H)) == 1
    desk.assert_quiet()


def test_the_run_that_created_is_undone_even_where_it_decided_nothing_else(desk):
    run = desk.sql("SELECT run FROM intent WHERE verb = 'create' ORDER BY id DESC LIMIT 1")[0][0]
    desk.sql("DELETE FROM decision WHERE run = :run", run=run)
    desk.sql(
        "INSERT INTO run (id, kind, started_at, complete) VALUES (:run, 'sync', :at, true)", run=run, at=desk.now_at
    )
    desk.undone(run)
    assert not named(desk, G)
    assert not named(desk, H)
    assert len(desk.live(E)) == 2


def test_a_birth_is_undone_by_its_number(desk):
    number = desk.sql("SELECT id FROM decision WHERE rule = 'birth' ORDER BY id DESC LIMIT 1")[0][0]
    desk.undone(number)
    assert not named(desk, G)
    assert not named(desk, H)


def test_what_somebody_edited_before_the_plan_stays_and_the_plan_says_so(desk):
    (ours,) = [key for key, one in desk.live(H).items() if one["email"] == "ada@example.com"]
    desk.systems[H].edit(CUSTOMER, ours, {"company": "Copper Lamp"})
    desk.cycles()
    birth = desk.sql("SELECT id FROM decision WHERE rule = 'birth' ORDER BY id DESC LIMIT 1")[0][0]
    plan = desk.undone(birth)
    assert [one["reason"] for one in plan["skipped"] if "hubspot" in one["reason"]] == [
        f"hubspot {ours}: edited there since"
    ]
    assert named(desk, H)[0]["company"] == named(desk, E)[0]["company"] == "Copper Lamp"
    assert not named(desk, G)
    desk.assert_quiet()


def test_what_somebody_edits_between_the_plan_and_its_approval_is_refused(desk):
    plan = desk.draft(desk.record())
    (ours,) = [key for key, one in desk.live(H).items() if one["email"] == "ada@example.com"]
    desk.systems[H].edit(CUSTOMER, ours, {"company": "Copper Lamp"})
    desk.cycles()
    desk.say(plan)
    desk.carry()
    desk.cycles()
    assert "edited there since" in desk.refused(plan)
    assert named(desk, H)[0]["company"] == named(desk, E)[0]["company"] == "Copper Lamp"
    assert not named(desk, G)


def test_an_edit_that_only_the_read_before_the_delete_shows_keeps_the_object(desk):
    plan = desk.draft(desk.record())
    desk.say(plan)
    (ours,) = [key for key, one in desk.live(H).items() if one["email"] == "ada@example.com"]
    edited = []

    class Busy(type(desk.systems[H])):
        """Somebody types just before it is read by id."""

        __slots__ = ()

        def fetch(self, entity, ids, *, lane):
            if not edited and ours in ids:
                edited.append(True)
                self.edit(CUSTOMER, ours, {"company": "Copper Lamp"})
            return super().fetch(entity, ids, lane=lane)

    desk.systems[H].__class__ = Busy
    desk.carry()
    desk.cycles()
    assert edited
    assert named(desk, H)[0]["company"] == named(desk, E)[0]["company"] == "Copper Lamp"
    assert not named(desk, G)
    rules = desk.sql("SELECT rule FROM decision WHERE cause = 'undo' AND field = '*' ORDER BY id")
    assert ("edit_wins",) in rules
    desk.assert_quiet()


@pytest.fixture
def ticketed(tmp_path):
    """A person whom we created in Gorgias for a ticket that somebody opened in the ERP."""
    desk = Undoing(tmp_path, policy=policy_with(gorgias={"create": "when_ticket"}))
    desk.person("Eve Hill", "eve@example.com")
    desk.cycles()
    desk.ids = desk.person("Ada Brook", "ada@example.com", E, H)
    desk.cycles()
    desk.systems[E].put(TICKET, {"subject": "Where is my lamp", "customer_id": desk.ids[E], "status": "new"})
    desk.cycles()
    assert len(desk.live(G, TICKET)) == len(desk.live(H, TICKET)) == 1
    return desk


def test_tickets_that_we_made_are_taken_away_and_not_made_anew(ticketed):
    ticketed.undone(ticketed.record(TICKET))
    assert not ticketed.live(G, TICKET)
    assert not ticketed.live(H, TICKET)
    assert len(ticketed.live(E, TICKET)) == 1
    assert named(ticketed, G), "the person is another record"
    ticketed.assert_quiet()


def test_a_customer_whose_ticket_stays_there_stays_as_well(ticketed):
    plan = ticketed.draft(ticketed.record(CUSTOMER))
    assert not plan["would_write"]
    assert any("tickets there are theirs" in one["reason"] for one in plan["skipped"])


def test_a_customer_goes_after_the_tickets_that_the_same_plan_takes_away(ticketed):
    run = "together"
    ticketed.sql("UPDATE intent SET run = :run WHERE verb = 'create' AND system = 'gorgias'", run=run)
    ticketed.sql(
        "INSERT INTO run (id, kind, started_at, complete) VALUES (:run, 'sync', :at, true)", run=run, at=ticketed.now_at
    )
    seen = []

    class Watched(type(ticketed.systems[G])):
        """Notes in which order objects are taken away."""

        __slots__ = ()

        def remove(self, entity, external_id):
            seen.append(entity)
            return super().remove(entity, external_id)

    ticketed.systems[G].__class__ = Watched
    ticketed.undone(run)
    assert seen == [TICKET, CUSTOMER]
    assert not named(ticketed, G)
    assert not ticketed.live(G, TICKET)
    assert len(ticketed.live(H, TICKET)) == 1
    ticketed.assert_quiet()


def test_a_ticket_that_somebody_opens_for_a_doomed_customer_keeps_the_customer(desk):
    plan = desk.draft(desk.record())
    (ours,) = [key for key, one in desk.live(G).items() if one["email"] == "ada@example.com"]
    desk.say(plan)
    desk.carry()
    desk.systems[G].put(TICKET, {"subject": "A lamp", "customer_id": ours, "status": "open"})
    desk.cycles()
    assert named(desk, G)
    assert not named(desk, H)


def test_a_delete_that_is_refused_is_parked_and_goes_after_a_retry(desk):
    world = desk.systems[H]
    refusing = [True]

    class Stubborn(type(world)):
        """Refuses every delete while it is told to."""

        __slots__ = ()

        def _changed(self, change, wanted):
            if refusing and change.verb == "delete":
                return Receipt(change.token, Outcome.REJECTED, change.external_id, code="FORBIDDEN", words="no")
            return super()._changed(change, wanted)

    world.__class__ = Stubborn
    desk.undone(desk.record())
    assert named(desk, H)
    assert desk.sql("SELECT code FROM parked WHERE lifted_at IS NULL") == [("FORBIDDEN",)]
    desk.assert_quiet()
    refusing.clear()
    desk.sql("UPDATE parked SET retry_at = :at", at=desk.now_at)
    desk.cycles()
    assert not named(desk, H)


def test_a_delete_whose_answer_was_lost_is_settled_and_done_once(desk):
    world = desk.systems[H]
    lost = []

    class Lossy(type(world)):
        """Carries the first delete out and loses its answer."""

        __slots__ = ()

        def _changed(self, change, wanted):
            receipt = super()._changed(change, wanted)
            if change.verb == "delete" and not lost:
                lost.append(change.external_id)
                return Receipt(change.token, Outcome.UNKNOWN, change.external_id)
            return receipt

    world.__class__ = Lossy
    desk.undone(desk.record())
    assert lost
    assert not named(desk, H)
    assert desk.sql("SELECT count(*) FROM hold_item") == [(0,)]
    desk.assert_quiet()
