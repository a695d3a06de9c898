"""A policy or a mapping that changes: what is open is judged anew, what is settled stays, fields come and go."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from typing import NamedTuple

import pytest

from sync_platform.core.mappings import field_maps
from sync_platform.core.policy import parse
from sync_platform.sync import hub as hubs
from tests.sync.memory_desk import CUSTOMER, E, G, H, MemoryDesk

SHIPPED = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")


def policy_saying(**rules):
    """The shipped policy, customers everywhere, in which a customer's field has these words; None: it is not there."""
    head, mark, tail = SHIPPED.partition("\nticket:")
    lines = []
    for line in head.splitlines():
        name = line.strip().partition(":")[0]
        of_a_field = line.startswith("    ") and not line.startswith("     ") and name in rules
        if line.startswith("    gorgias: {create"):
            lines.append("    gorgias: {create: always, delete: ignore}")
        elif not of_a_field:
            lines.append(line)
        elif rules[name] is not None:
            lines.append(f"    {name}: {rules[name]}")
    return parse("\n".join(lines) + mark + tail, "test.yaml")


OWNER = "{writers: [gorgias, hubspot, erp], rules: [{owner: [erp, hubspot, gorgias]}], empty: keep}"
CRM = "{writers: [gorgias, hubspot, erp], rules: [{owner: [hubspot, erp, gorgias]}], empty: keep}"
ASK = "{writers: [gorgias, hubspot, erp], rules: [review], empty: keep}"


@pytest.fixture
def desk(tmp_path):
    desk = MemoryDesk(tmp_path, policy=policy_saying(company=ASK))
    desk.ids = desk.person("Ada Brook", "ada@example.com")
    desk.cycles()
    desk.assert_quiet()
    return desk


def company(desk):
    return {one: desk.live(one)[desk.ids[one]].get("company") for one in (H, E)}


def quarrel(desk):
    desk.systems[H].edit(CUSTOMER, desk.ids[H], {"company": "Crm"})
    desk.systems[E].edit(CUSTOMER, desk.ids[E], {"company": "Erp"})
    desk.cycles(2)


def test_an_open_review_is_judged_anew_by_the_changed_policy(desk):
    quarrel(desk)
    assert desk.sql("SELECT count(*) FROM review WHERE state = 'open'") == [(1,)]
    assert company(desk) == {H: "Crm", E: "Erp"}
    desk.policy = policy_saying(company=CRM)
    desk.cycles(2)
    assert company(desk) == {H: "Crm", E: "Crm"}
    assert desk.sql("SELECT count(*) FROM review WHERE state = 'open'") == [(0,)]
    assert desk.sql("SELECT rule, cause FROM decision ORDER BY id DESC LIMIT 1") == [("owner", "policy")]
    desk.assert_quiet()


def test_an_open_contest_is_judged_anew_and_becomes_a_review_where_the_policy_asks_a_person(desk):
    desk.policy = policy_saying(company=OWNER)
    desk.writes = False
    desk.cycle()
    quarrel(desk)
    assert desk.sql("SELECT count(*) FROM record WHERE contests IS NOT NULL") == [(1,)]
    desk.policy = policy_saying(company=ASK)
    desk.cycle()
    assert desk.sql("SELECT field FROM review WHERE state = 'open'") == [("company",)]
    desk.policy = policy_saying(company=CRM)
    desk.writes = True
    desk.cycles(2)
    assert company(desk) == {H: "Crm", E: "Crm"}
    desk.assert_quiet()


def test_what_is_settled_is_not_settled_again(desk):
    desk.policy = policy_saying(company=OWNER)
    quarrel(desk)
    desk.cycles()
    assert company(desk) == {H: "Erp", E: "Erp"}
    desk.assert_quiet()
    desk.policy = policy_saying(company=CRM)
    desk.cycle()
    assert not desk.counts.get("decisions")
    assert company(desk) == {H: "Erp", E: "Erp"}
    desk.assert_quiet()


@pytest.mark.parametrize("order", [(G, H, E), (E, H, G)])
def test_a_field_that_comes_in_waits_for_a_full_reading_and_then_goes_by_first_link(tmp_path, order):
    desk = MemoryDesk(tmp_path, policy=policy_saying(company=None), order=order)
    desk.ids = desk.person("Ada Brook", "ada@example.com")
    other = desk.person("Eve Hill", "eve@example.com")
    desk.cycles()
    desk.systems[H].edit(CUSTOMER, desk.ids[H], {"company": "Crm"})
    desk.systems[E].edit(CUSTOMER, desk.ids[E], {"company": "Erp"})
    desk.systems[H].edit(CUSTOMER, other[H], {"company": "Alone"})
    desk.cycles()
    assert desk.sql("SELECT count(*) FROM decision WHERE field = 'company'") == [(0,)]
    desk.policy = policy_saying(company=OWNER)
    desk.cycles()
    assert company(desk) == {H: "Erp", E: "Erp"}, "by the order of the first link, whoever was read first"
    assert desk.live(E)[other[E]]["company"] == "Alone"
    assert {row[0] for row in desk.sql("SELECT cause FROM decision WHERE field = 'company'")} == {"first_link"}
    desk.assert_quiet()


def test_a_field_that_comes_in_takes_part_in_nothing_before_every_system_was_read(tmp_path):
    desk = MemoryDesk(tmp_path, policy=policy_saying(company=None))
    desk.ids = desk.person("Ada Brook", "ada@example.com")
    desk.cycles()
    desk.systems[E].edit(CUSTOMER, desk.ids[E], {"company": "Erp"})
    desk.policy = policy_saying(company=OWNER)
    world = desk.systems[H]

    class Stuck(type(world)):
        """Its list does not come to an end."""

        __slots__ = ()

        def pull(self, feed, cursor, *, lane, known=None):
            page = super().pull(feed, cursor, lane=lane, known=known)
            return replace(page, complete=False) if feed.kind == "list" else page

    own = type(world)
    world.__class__ = Stuck
    ledger_hub = desk.hub

    def short(ledger):
        one = ledger_hub(ledger)
        one.timing = replace(one.timing, run_max_s=0.0)
        return one

    desk.hub = short
    desk.cycle()
    assert desk.sql("SELECT count(*) FROM decision WHERE field = 'company'") == [(0,)]
    assert company(desk)[H] is None
    desk.hub, world.__class__ = ledger_hub, own
    desk.cycles(3)
    assert company(desk) == {H: "Erp", E: "Erp"}


def test_a_field_that_is_taken_out_keeps_its_base_and_what_was_edited_meanwhile_is_an_edit_when_it_is_back(desk):
    desk.policy = policy_saying(company=OWNER)
    desk.systems[E].edit(CUSTOMER, desk.ids[E], {"company": "Before"})
    desk.cycles()
    assert company(desk) == {H: "Before", E: "Before"}
    desk.policy = policy_saying(company=None)
    desk.cycle()
    desk.systems[H].edit(CUSTOMER, desk.ids[H], {"company": "While it was out"})
    desk.cycles()
    assert company(desk) == {H: "While it was out", E: "Before"}
    desk.assert_quiet()
    desk.policy = policy_saying(company=OWNER)
    desk.cycles()
    assert company(desk) == {H: "While it was out", E: "While it was out"}
    assert desk.sql("SELECT rule, cause FROM decision ORDER BY id DESC LIMIT 1") == [("only_change", "change")]
    desk.assert_quiet()


class Brand(NamedTuple):
    """The company as HubSpot shows it by another mapping: behind a word that is not part of it."""

    word: str = "co: "

    def get(self, theirs, _current, _lexicon):
        return (theirs or "").removeprefix(self.word) or None

    def put(self, canonical, _lexicon):
        return self.word + canonical if canonical else None


@pytest.fixture
def remap(monkeypatch):
    """Call it, and from then on HubSpot's company goes by another mapping."""

    def now():
        def mapped(system, entity):
            found = dict(field_maps(system, entity))
            if (system, entity) == (H, CUSTOMER):
                found["company"] = replace(found["company"], get=Brand().get, put=Brand().put)
            return found

        monkeypatch.setattr(hubs, "field_maps", mapped)
        monkeypatch.setattr(hubs, "VERSION", "another")

    return now


def last(desk):
    return desk.sql("SELECT rule, cause, value FROM decision WHERE field = 'company' ORDER BY id DESC LIMIT 1")


def test_a_changed_mapping_reads_what_stands_there_anew_in_one_decision_with_that_cause(tmp_path, remap):
    desk = MemoryDesk(tmp_path, policy=policy_saying(company=CRM))
    desk.ids = desk.person("Ada Brook", "ada@example.com")
    desk.cycles()
    desk.systems[H].edit(CUSTOMER, desk.ids[H], {"company": "co: Crm"})
    desk.cycles()
    assert company(desk) == {H: "co: Crm", E: "co: Crm"}
    remap()
    desk.cycles(2)
    assert last(desk) == [("reread", "mapping", '"Crm"')]
    assert company(desk) == {H: "co: Crm", E: "Crm"}
    desk.assert_quiet()


def test_a_changed_mapping_writes_its_own_form_where_the_value_came_from_elsewhere(tmp_path, remap):
    desk = MemoryDesk(tmp_path, policy=policy_saying(company=CRM))
    desk.ids = desk.person("Ada Brook", "ada@example.com")
    desk.cycles()
    desk.systems[E].edit(CUSTOMER, desk.ids[E], {"company": "co: Erp"})
    desk.cycles()
    remap()
    desk.cycles(2)
    assert last(desk) == [("reread", "mapping", '"co: Erp"')]
    assert company(desk) == {H: "co: co: Erp", E: "co: Erp"}
    desk.assert_quiet()


def test_what_a_changed_mapping_would_write_is_held_by_the_brake(tmp_path, remap):
    tight = policy_saying(company=CRM)
    tight = replace(
        tight,
        entities={
            entity: replace(one, brake=replace(one.brake, absolute=1, share=0.0))
            for entity, one in tight.entities.items()
        },
    )
    desk = MemoryDesk(tmp_path, policy=policy_saying(company=CRM))
    people = [desk.person(f"Ada {name}", f"{name}@example.com".lower()) for name in ("Brook", "Hill", "Lake")]
    desk.cycles()
    for ids in people:
        desk.systems[H].edit(CUSTOMER, ids[H], {"company": "co: Crm"})
    desk.cycles()
    desk.sql("INSERT INTO meta (key, value) VALUES ('loaded_at', 'then')")
    desk.policy = tight
    desk.now_at += timedelta(days=2)
    remap()
    desk.cycles(2)
    assert {one["company"] for one in desk.live(E).values()} == {"co: Crm"}
    assert desk.sql("SELECT system, field, count FROM hold WHERE state = 'open'") == [("erp", "company", 3)]


def test_another_version_of_the_same_mapping_decides_nothing_even_where_a_write_still_waits(tmp_path, monkeypatch):
    desk = MemoryDesk(tmp_path, policy=policy_saying(company=CRM))
    desk.ids = desk.person("Ada Brook", "ada@example.com")
    desk.cycles()
    desk.writes = False
    desk.systems[E].edit(CUSTOMER, desk.ids[E], {"company": "Erp"})
    desk.cycle()
    monkeypatch.setattr(hubs, "VERSION", "another")
    desk.cycle()
    desk.writes = True
    desk.cycles(2)
    assert company(desk) == {H: "Erp", E: "Erp"}
    assert desk.sql("SELECT count(*) FROM decision WHERE cause = 'mapping'") == [(0,)]
    desk.assert_quiet()
