"""Somebody is forgotten: gone in the systems and in the ledger, and nothing brings them back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sync_platform.cli import run
from sync_platform.connectors.memory import MemorySystem
from sync_platform.connectors.protocol import Outcome, Receipt
from sync_platform.core.records import Lane, System
from sync_platform.errors import Misconfigured, Unavailable
from sync_platform.ledger import erasure
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings
from sync_platform.sync import erasing, keep_out, pull, reconcile
from sync_platform.sync.erasing import Forgetting
from sync_platform.sync.forget import forget
from sync_platform.sync.hub import Step
from sync_platform.sync.status import status
from sync_platform.sync.why import why
from tests.sync.memory_desk import CUSTOMER, FORMS, TICKET, E, G, H, MemoryDesk, policy_with

KEY = "a key for tests, not a secret of anybody"
ADA, BEA = ("Ada Brook", "ada@example.com"), ("Bea Stone", "bea@example.com")


def forgotten(desk: MemoryDesk, what: str = f"customer:{ADA[1]}", *, sure: bool = True) -> dict:
    ledger = Ledger.open(desk.url, migrate=False)
    try:
        return Forgetting(desk.hub(ledger), KEY).carry_out(what, "US", sure=sure)
    finally:
        ledger.close()


class Remembering(MemoryDesk):
    """A desk whose cycles keep out who was forgotten."""

    def hub(self, ledger):
        hub = super().hub(ledger)
        hub.keep_out = keep_out.load(ledger, KEY)
        return hub

    def carry_on(self) -> Step:
        """What a cycle does of an erasure that is not done."""
        ledger = Ledger.open(self.url, migrate=False)
        try:
            step = Step("forgotten")
            erasing.carry_on(self.hub(ledger), step)
        finally:
            ledger.close()
        return step

    def under_way(self) -> list[dict]:
        ledger = Ledger.open(self.url, migrate=False)
        try:
            with ledger.read() as conn:
                return [one.shown() for one in erasure.under_way(conn)]
        finally:
            ledger.close()


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("ledger.db*"))


def ticket_first(desk, ids, *, placed=False, then_customer=False):
    """A ticket in the ERP that is read there, and has a record if `placed`, before its customer is read, if ever."""
    desk.systems[E].put(TICKET, {"subject": "Where is my lamp", "customer_id": ids[E], "status": "new"})
    ledger = Ledger.open(desk.url, migrate=False)
    try:
        hub = desk.hub(ledger)
        pull.pull(hub, E, TICKET, None, full=True)
        if placed:
            reconcile.reconcile(hub, TICKET)
        if then_customer:
            pull.pull(hub, E, CUSTOMER, None, full=True)
    finally:
        ledger.close()


def test_the_erased_appear_nowhere_in_the_systems_or_in_the_ledger(tmp_path):
    desk = Remembering(tmp_path)
    ids = desk.person(*ADA)
    desk.person(*BEA)
    desk.systems[E].put(TICKET, {"subject": "Where is my lamp", "customer_id": ids[E], "status": "new"})
    desk.cycles()
    found = forgotten(desk)
    assert found["done"]
    assert found["mentions_left"] == 0
    assert found["purged"]["observation"] >= 3
    for system in (G, H, E):
        assert [one["email"] for one in desk.live(system).values()] == [BEA[1]]
    assert desk.live(E, TICKET) == desk.live(H, TICKET) == desk.live(G, TICKET) == {}
    desk.sql("VACUUM")
    assert ADA[1].encode() not in bytes_of(tmp_path)
    desk.cycles(2)
    assert len(desk.records()) == 1
    assert ADA[1].encode() not in bytes_of(tmp_path)
    desk.assert_quiet()


def test_who_comes_back_with_an_address_that_was_erased_is_not_taken_in(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA)
    desk.cycles()
    forgotten(desk)
    desk.systems[H].put(CUSTOMER, FORMS[H]("Ada Brook", ADA[1].upper()))
    desk.cycles()
    assert not desk.records()
    assert desk.live(G) == desk.live(E) == {}
    assert not desk.sql("SELECT id FROM link")


def test_where_the_policy_keeps_a_system_out_of_it_its_object_stays_there_and_out_of_the_ledger(tmp_path):
    desk = Remembering(tmp_path, policy=policy_with(erp={"erase": "ledger"}))
    ids = desk.person(*ADA)
    desk.cycles()
    found = forgotten(desk)
    assert found["done"]
    assert found["only_in_ledger"] == [{"system": "erp", "entity": "customer"}]
    desk.systems[E].edit(CUSTOMER, ids[E], {"note": "paid"})
    desk.cycles(3)
    assert ids[E] in desk.live(E)
    assert not desk.records()
    assert desk.live(G) == desk.live(H) == {}


def test_without_the_word_to_do_it_nothing_is_done(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA)
    desk.cycles()
    found = forgotten(desk, sure=False)
    assert found["waits"]
    assert {(one["system"], one["count"]) for one in found["objects"]} == {("gorgias", 1), ("hubspot", 1), ("erp", 1)}
    assert len(desk.records()) == 1
    assert desk.sql("SELECT hash FROM erased") == []


def test_while_an_object_is_still_there_the_ledger_knows_of_it_and_the_command_can_be_repeated(tmp_path):
    desk = Remembering(tmp_path)
    ids = desk.person(*ADA)
    desk.cycles()
    world = desk.systems[H]
    real = type(world)

    class Away(real):
        __slots__ = ()

        def apply(self, changes, *, lane):
            yield from (Receipt(change.token, Outcome.RETRY, code="UNAVAILABLE") for change in changes)

    world.__class__ = Away
    found = forgotten(desk)
    assert not found["done"]
    assert ids[H] in desk.live(H)
    assert desk.links()
    world.__class__ = real
    assert forgotten(desk)["done"]
    assert not desk.links()
    assert desk.live(H) == {}


def test_what_was_absorbed_by_a_merge_is_forgotten_with_its_record(tmp_path):
    desk = Remembering(tmp_path)
    ada, bea = desk.person(*ADA), desk.person(*BEA)
    desk.cycles()
    for system in (G, H, E):
        desk.systems[system].merge(CUSTOMER, bea[system], ada[system])
    desk.cycles()
    assert forgotten(desk)["done"]
    desk.sql("VACUUM")
    assert BEA[1].encode() not in bytes_of(tmp_path)


def test_somebody_who_was_never_known_can_be_kept_out_too(tmp_path):
    desk = Remembering(tmp_path)
    found = forgotten(desk, "customer:cy@example.com")
    assert found["done"]
    assert found["kept_out_by"] == 1
    desk.person("Cy Reed", "cy@example.com", E)
    desk.cycles()
    assert not desk.sql("SELECT id FROM link")


def test_another_key_than_that_of_the_hashes_stops_the_run(tmp_path):
    desk = Remembering(tmp_path)
    forgotten(desk, "customer:cy@example.com")
    ledger = Ledger.open(desk.url, migrate=False)
    try:
        for key in (None, "another"):
            with pytest.raises(Misconfigured, match="SYNC_ERASURE_KEY"):
                keep_out.load(ledger, key)
    finally:
        ledger.close()


@pytest.fixture
def settings(desk) -> Settings:
    env = {"SANDBOX_CONTROL_URL": desk.ready["control"]["url"], "SYNC_ERASURE_KEY": KEY}
    return Settings.load({**env, "LEDGER_DATABASE_URL": f"sqlite:///{desk.root / 'ledger.db'}"}, root=desk.root)


def test_on_the_sandbox_a_person_is_erased_in_all_three_and_stays_out(desk, settings, monkeypatch, capsys):
    record, ids = next(iter(desk.trios("customer").items()))
    email = desk.row("erp", "customer", ids["erp"])["email"].lower()
    with pytest.raises(Misconfigured, match="SYNC_ERASURE_KEY"):
        forget(desk.settings, record, sure=True)
    monkeypatch.setenv("SYNC_ROOT", str(desk.root))
    monkeypatch.setenv("SYNC_ERASURE_KEY", KEY)
    monkeypatch.setenv("SANDBOX_CONTROL_URL", desk.ready["control"]["url"])
    monkeypatch.setenv("LEDGER_DATABASE_URL", settings.ledger_url)
    assert run(["forget", record, "--json"]) == 4
    assert run(["forget", record, "--yes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["done"]
    assert found["mentions_left"] == 0
    assert {one["system"] for one in found["systems"]} == {str(one) for one in System}
    for system in ids:
        assert ids[system] not in desk.entity(system, "customer")
    desk.settings = settings
    desk.settled()
    assert not desk.ledger("SELECT id FROM record WHERE id = :one", one=record)
    assert not desk.ledger("SELECT 1 FROM match_key WHERE value = :email", email=email)
    desk.assert_equal()


def test_a_delete_for_good_is_an_intent_that_was_committed_before_the_call(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA)
    desk.cycles()
    seen: list[tuple[str, str]] = []
    real = type(desk.systems[H])

    class Watched(real):
        __slots__ = ()

        def apply(self, changes, *, lane):
            for change in changes:
                seen.extend(desk.sql("SELECT verb, state FROM intent WHERE id = :one", one=int(change.token)))
            yield from (Receipt(change.token, Outcome.RETRY, code="UNAVAILABLE") for change in changes)

    desk.systems[H].__class__ = Watched
    assert not forgotten(desk)["done"]
    assert seen == [("erase", "sent")]
    states = dict(desk.sql("SELECT system, state FROM intent WHERE verb = 'erase'"))
    assert states == {"gorgias": "acknowledged", "erp": "acknowledged", "hubspot": "dropped"}
    desk.systems[H].__class__ = real
    assert forgotten(desk)["done"]
    assert desk.sql("SELECT 1 FROM intent") == []


def test_while_somebody_is_only_half_forgotten_nothing_more_is_written_of_them(tmp_path):
    desk = Remembering(tmp_path)
    ids = desk.person(*ADA)
    desk.cycles()
    real = type(desk.systems[H])

    class Away(real):
        __slots__ = ()

        def apply(self, changes, *, lane):
            yield from (Receipt(change.token, Outcome.RETRY, code="UNAVAILABLE") for change in changes)

    desk.systems[E].edit(CUSTOMER, ids[E], {"note": "call back"})
    desk.systems[H].__class__ = Away
    assert not forgotten(desk)["done"]
    desk.systems[H].__class__ = real
    desk.cycles(2)
    assert desk.live(G) == desk.live(E) == {}
    assert desk.live(H)[ids[H]]["sync_note"] is None
    assert forgotten(desk)["done"]


def test_a_create_that_may_still_land_is_waited_for(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA, E)
    real = type(desk.systems[H])

    class Silent(real):
        __slots__ = ()

        def apply(self, changes, *, lane):
            yield from (Receipt(change.token, Outcome.UNKNOWN) for change in changes)

    desk.systems[H].__class__ = Silent
    desk.cycle()
    desk.systems[H].__class__ = real
    assert desk.sql("SELECT state FROM intent WHERE system = 'hubspot'") == [("unknown",)]
    found = forgotten(desk)
    assert not found["done"]
    assert found["unsettled"] == 1
    assert desk.live(E) == {}
    assert not desk.carry_on().complete
    record = desk.sql("SELECT marker FROM intent WHERE system = 'hubspot' AND verb = 'create'")[0][0]
    desk.systems[H].put(CUSTOMER, {**FORMS[H](*ADA), "sync_id": record})
    found = forgotten(desk)
    assert found["done"]
    assert desk.live(H) == {}


def test_an_object_that_was_typed_in_since_the_last_read_goes_too(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA, E)
    desk.cycles()
    desk.systems[G].put(CUSTOMER, FORMS[G]("Ada B", ADA[1]))
    desk.systems[H].remove(CUSTOMER, next(iter(desk.live(H))))
    desk.systems[H].put(CUSTOMER, FORMS[H](*ADA))
    found = forgotten(desk)
    assert found["done"]
    assert found["mentions_left"] == 0
    assert desk.live(G) == desk.live(H) == desk.live(E) == {}
    desk.sql("VACUUM")
    assert ADA[1].encode() not in bytes_of(tmp_path)


def test_the_object_of_somebody_else_who_also_has_the_address_stays(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA)
    bea = desk.person(*BEA)
    desk.cycles()
    desk.systems[E].edit(CUSTOMER, bea[E], {"email_2": ADA[1]})
    assert forgotten(desk)["done"]
    assert bea[E] in desk.live(E)


def test_a_ticket_that_was_read_before_its_customer_goes_with_them(tmp_path):
    desk = Remembering(tmp_path)
    ids = desk.person(*ADA, E)
    ticket_first(desk, ids)
    desk.cycle()
    assert forgotten(desk)["done"]
    assert desk.live(E, TICKET) == {}
    assert desk.sql("SELECT 1 FROM link") == desk.sql("SELECT 1 FROM observation") == []


def test_tickets_of_others_stay_also_where_ids_of_tickets_and_customers_are_alike(tmp_path):
    desk = Remembering(tmp_path)
    ada, bea = desk.person(*ADA, E), desk.person(*BEA, E)
    desk.systems[E].put(TICKET, {"subject": "A lamp", "customer_id": bea[E], "status": "new"})
    desk.systems[E].put(TICKET, {"subject": "A chair", "customer_id": ada[E], "status": "new"})
    desk.cycles()
    assert forgotten(desk)["done"]
    assert [one["subject"] for one in desk.live(E, TICKET).values()] == ["A lamp"]
    assert [one["subject"] for one in desk.live(H, TICKET).values()] == ["A lamp"]


def test_a_part_of_an_address_in_what_a_ticket_of_another_is_found_by_goes_too(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA)
    others = desk.person(*BEA)
    subject = f"{'Lamp ' * 22}{ADA[1]}"
    desk.systems[E].put(TICKET, {"subject": subject, "customer_id": others[E], "status": "new"})
    desk.cycles()
    found_by = "SELECT named FROM record WHERE entity = 'ticket'"
    ((named,),) = desk.sql(found_by)
    assert named.endswith(" ada@exampl")
    assert forgotten(desk)["mentions_left"] == 0
    ((named,),) = desk.sql(found_by)
    assert not named


class Away(MemorySystem):
    """A system that does nothing that it is asked to."""

    __slots__ = ()

    def apply(self, changes, *, lane):
        yield from (Receipt(change.token, Outcome.RETRY, code="UNAVAILABLE") for change in changes)


class Mute(MemorySystem):
    """A system that cannot be asked who stands there."""

    __slots__ = ()

    def lookup(self, entity, keys, *, lane):
        raise Unavailable("no answer", system=str(self.system))


def half_forgotten(tmp_path) -> tuple[Remembering, dict]:
    """Ada is forgotten while HubSpot does nothing; then it works again."""
    desk = Remembering(tmp_path)
    ids = desk.person(*ADA)
    desk.person(*BEA)
    desk.cycles()
    desk.systems[H].__class__ = Away
    assert not forgotten(desk)["done"]
    desk.systems[H].__class__ = MemorySystem
    return desk, ids


def test_what_a_forget_left_is_carried_on_with_until_it_is_proven_without_anybody_repeating_it(tmp_path):
    desk, ids = half_forgotten(tmp_path)
    desk.systems[H].__class__ = Away
    step = desk.carry_on()
    assert [(one["system"], one["code"], one["count"]) for one in step.trouble] == [("hubspot", "UNAVAILABLE", 1)]
    assert not step.complete
    assert ids[H] in desk.live(H)
    desk.systems[H].__class__ = MemorySystem
    step = desk.carry_on()
    assert (step.complete, step.trouble, step.counts["erased"]) == (True, [], 1)
    assert [one["email"] for one in desk.live(H).values()] == [BEA[1]]
    assert desk.under_way() == []
    assert desk.sql("SELECT count(*) FROM act WHERE verb = 'forget'") == [(1,)]
    desk.sql("VACUUM")
    assert ADA[1].encode() not in bytes_of(tmp_path)
    assert desk.carry_on().counts == {}


def test_what_is_left_of_an_erasure_is_told_without_a_word_of_the_person(tmp_path):
    desk, _ = half_forgotten(tmp_path)
    left = [{"system": "hubspot", "entity": "customer", "left": 1, "codes": ["UNAVAILABLE"]}]
    assert [one["left"] for one in desk.under_way()] == [left]
    asked = Settings.load({"LEDGER_DATABASE_URL": desk.url}, root=tmp_path)
    told = status(asked)["erasures"]
    assert [one["left"] for one in told] == [left]
    assert ADA[1] not in json.dumps(told)
    record = desk.sql("SELECT id FROM record WHERE tombstone LIKE '%forgotten%'")[0][0]
    assert {one["erasure"]["erasure"] for one in why(asked, record)} == {told[0]["erasure"]}


def test_a_read_by_id_that_shows_nobody_but_who_is_kept_out_is_not_owed_again(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA)
    bea = desk.person(*BEA)
    desk.cycles()
    assert forgotten(desk)["done"]
    desk.systems[G].edit(CUSTOMER, bea[G], {"emails": [BEA[1], ADA[1]]})
    desk.cycle()
    assert desk.sql("SELECT count(*) FROM link WHERE system = 'gorgias'") == [(1,)]
    assert desk.sql("SELECT external_id FROM link WHERE detail > 0 OR again") == []


def test_with_writing_off_an_erasure_waits_and_says_so(tmp_path):
    desk, ids = half_forgotten(tmp_path)
    desk.writes = False
    step = desk.carry_on()
    assert "SYNC_WRITES" in step.trouble[0]["remedy"]
    assert ids[H] in desk.live(H)


def test_a_system_that_cannot_be_asked_who_stands_there_is_asked_later(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA, E)
    desk.systems[E].__class__ = Mute
    found = forgotten(desk)
    assert not found["done"]
    assert [one["system"] for one in found["systems"] if one["left"]] == ["erp"]
    desk.systems[E].__class__ = MemorySystem
    assert desk.carry_on().complete
    assert desk.live(E) == {}
    desk.sql("VACUUM")
    assert ADA[1].encode() not in bytes_of(tmp_path)


def test_who_ended_before_by_a_delete_is_found_by_the_address_and_erased_where_they_still_stand(tmp_path):
    desk = Remembering(tmp_path, policy=policy_with(hubspot={"delete": "unlink"}))
    ids = desk.person(*ADA)
    desk.person(*BEA)
    desk.cycles()
    desk.systems[H].remove(CUSTOMER, ids[H])
    desk.cycles(2)
    assert len(desk.records()) == 1
    assert forgotten(desk)["done"]
    assert {one["email"] for system in (G, E) for one in desk.live(system).values()} == {BEA[1]}


def test_whose_end_was_taken_back_by_an_edit_is_known_by_their_address_again(tmp_path):
    desk = Remembering(tmp_path, policy=policy_with(hubspot={"delete": "delete"}))
    ids = desk.person(*ADA)
    desk.person(*BEA)
    desk.cycles()
    desk.systems[H].remove(CUSTOMER, ids[H])
    ledger = Ledger.open(desk.url, migrate=False)
    try:
        hub = desk.hub(ledger)
        for system in (H, G, E):
            pull.pull(hub, system, CUSTOMER, reconcile.judge_now(hub, CUSTOMER), full=True)
        reconcile.reconcile(hub, CUSTOMER)
        assert len(desk.records()) == 1
        desk.systems[E].edit(CUSTOMER, ids[E], {"note": "call back"})
        pull.fetch(hub, E, CUSTOMER, [ids[E]], reconcile.judge_now(hub, CUSTOMER), lane=Lane.DELTA)
        reconcile.judge_all(hub, CUSTOMER, Step("records"))
    finally:
        ledger.close()
    assert len(desk.records()) == 2
    assert desk.sql("SELECT count(*) FROM match_key WHERE value = :one", one=ADA[1]) == [(1,)]
    assert forgotten(desk)["done"]
    assert desk.live(E).keys() & {ids[E]} == set()


def test_tickets_of_somebody_who_came_back_are_kept_out_as_well(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA)
    desk.cycles()
    assert forgotten(desk)["done"]
    again = desk.person(*ADA, E)
    desk.systems[E].put(TICKET, {"subject": "Once more", "customer_id": again[E], "status": "new"})
    desk.cycles()
    assert desk.sql("SELECT 1 FROM link") == []
    assert desk.live(H, TICKET) == {}
    assert [one["subject"] for one in desk.live(E, TICKET).values()] == ["Once more"]


def test_a_ticket_that_was_read_before_the_one_who_came_back_leaves_the_ledger_and_stays_there(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*ADA)
    desk.cycles()
    assert forgotten(desk)["done"]
    again = desk.person(*ADA, E)
    desk.systems[E].put(TICKET, {"subject": "Once more", "customer_id": again[E], "status": "new"})
    ledger = Ledger.open(desk.url, migrate=False)
    try:
        hub = desk.hub(ledger)
        pull.pull(hub, E, TICKET, reconcile.judge_now(hub, TICKET))
        reconcile.reconcile(hub, TICKET)
        assert desk.sql("SELECT count(*) FROM link") == [(1,)]
        pull.pull(hub, E, CUSTOMER, reconcile.judge_now(hub, CUSTOMER))
    finally:
        ledger.close()
    assert desk.carry_on().complete
    assert desk.sql("SELECT 1 FROM link") == desk.sql("SELECT 1 FROM observation WHERE entity = 'ticket'") == []
    assert [one["subject"] for one in desk.live(E, TICKET).values()] == ["Once more"]
    desk.cycles()
    assert desk.sql("SELECT 1 FROM link") == []


def test_what_somebody_else_shares_with_the_forgotten_is_read_anew_and_never_written_as_blotted_out(tmp_path):
    phone = "+12025550101"
    desk = Remembering(tmp_path)
    ada, bea = desk.person(*ADA), desk.person(*BEA)
    desk.systems[H].edit(CUSTOMER, ada[H], {"phone": phone})
    desk.systems[E].edit(CUSTOMER, bea[E], {"phone": "(202) 555-0101"})
    desk.cycles()
    desk.systems[H].edit(CUSTOMER, bea[H], {"phone": phone, "company": "Brook Ltd"})
    desk.cycles()
    assert forgotten(desk)["mentions_left"] == 0
    assert phone not in json.dumps(desk.sql("SELECT fields FROM record"))
    desk.systems[H].edit(CUSTOMER, bea[H], {"company": "Stone Ltd"})
    desk.cycles()
    assert desk.live(G)[bea[G]]["phones"] == [phone]
    assert desk.live(H)[bea[H]]["phone"] == phone
    assert [one["company"] for one in desk.live(E).values()] == ["Stone Ltd"]
    assert desk.sql("SELECT 1 FROM record WHERE json_extract(fields, '$.phone') = :phone", phone=phone)
    desk.assert_quiet()


def test_a_planned_write_that_carries_what_was_erased_is_planned_anew(tmp_path):
    phone = "+12025550101"
    desk = Remembering(tmp_path)
    ada, bea = desk.person(*ADA), desk.person(*BEA)
    desk.cycles()
    desk.systems[H].edit(CUSTOMER, ada[H], {"phone": phone})
    desk.cycles()
    desk.systems[G].__class__ = Away
    desk.systems[E].edit(CUSTOMER, bea[E], {"phone": phone})
    desk.cycle()
    assert desk.sql("SELECT 1 FROM intent WHERE state = 'planned'")
    desk.systems[G].__class__ = MemorySystem
    assert forgotten(desk)["done"]
    assert not desk.sql("SELECT 1 FROM intent WHERE state = 'planned'")
    desk.cycles(6)
    assert desk.live(G)[bea[G]]["phones"] == [phone]


def test_a_ticket_that_was_read_goes_with_a_customer_whom_nobody_had_read(tmp_path):
    desk = Remembering(tmp_path)
    desk.person(*BEA)
    desk.cycles()
    ids = desk.person(*ADA, E)
    ticket_first(desk, ids, placed=True)
    assert forgotten(desk)["done"]
    assert desk.live(E, TICKET) == {}
    assert not desk.sql("SELECT 1 FROM observation WHERE entity = 'ticket'")


def test_what_an_erasure_would_be_about_counts_the_tickets_of_a_customer_without_a_record(tmp_path):
    desk = Remembering(tmp_path)
    ids = desk.person(*ADA, E)
    ticket_first(desk, ids, placed=True, then_customer=True)
    objects = forgotten(desk, sure=False)["objects"]
    assert {(one["system"], one["entity"], one["count"]) for one in objects} == {
        ("erp", "ticket", 1),
        ("erp", "customer", 1),
    }
    assert forgotten(desk)["objects"] == objects
