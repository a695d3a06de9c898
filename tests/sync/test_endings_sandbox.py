"""Deletes, merges and restores as the vendors show them: whole syncs over the real clients."""

from __future__ import annotations

import pytest

from sync_platform.sync import relink
from tests.sync.desk import Desk, written

DELETES = """
    gorgias: {create: when_ticket, delete: delete}
    hubspot: {create: always, delete: delete}
    erp: {create: always, delete: delete}
"""
KINDS = {"gorgias": "customers", "hubspot": "contacts", "erp": "customers"}


@pytest.fixture(scope="module")
def people(shared_desk) -> list[tuple[str, dict[str, str]]]:
    return list(shared_desk.trios("customer").items())


def remove(desk: Desk, system: str, kind: str, id_: str) -> None:
    desk.call("POST", "/edit", {"system": system, "kind": kind, "id": id_, "set": {}, "delete": True})


def states(desk: Desk, record: str) -> dict[str, str]:
    rows = desk.ledger("SELECT system, state FROM link WHERE record_id = :one AND entity = 'customer'", one=record)
    return {row.system: row.state for row in rows}


def full(desk: Desk) -> None:
    desk.advance(2000)
    desk.sync(full=True)
    desk.settled()


@pytest.mark.parametrize("system", ["gorgias", "hubspot", "erp"])
def test_a_delete_is_seen_and_ignored_and_nothing_is_made_anew(shared_desk, people, system):
    record, ids = people.pop()
    remove(shared_desk, system, KINDS[system], ids[system])
    full(shared_desk)
    assert states(shared_desk, record)[system] == "gone"
    others = set(ids) - {system}
    assert all(ids[other] in shared_desk.entity(other, "customer") for other in others)
    shared_desk.assert_no_doubles()


def test_a_contact_that_comes_back_from_the_bin_is_kept_equal_again(shared_desk, people):
    record, ids = people.pop()
    remove(shared_desk, "hubspot", "contacts", ids["hubspot"])
    full(shared_desk)
    shared_desk.edit("erp", "customers", ids["erp"], company="Copper Lamp")
    full(shared_desk)
    shared_desk.edit("hubspot", "contacts", ids["hubspot"], restore=True)
    full(shared_desk)
    assert states(shared_desk, record)["hubspot"] == "active"


def test_what_was_deleted_of_somebody_goes_with_them_to_another_record_and_back(shared_desk, people):
    record, ids = people.pop()
    parts = [f"customer:{system}:{ids[system]}" for system in ("erp", "gorgias")]
    own = relink.unlink(shared_desk.settings, parts[0])["moves"][0]["to"]
    remove(shared_desk, "hubspot", "contacts", ids["hubspot"])
    full(shared_desk)
    there = len(shared_desk.entity("hubspot", "customer"))
    assert relink.link(shared_desk.settings, parts[1], own)["moves"][0]["emptied"]
    full(shared_desk)
    assert states(shared_desk, own) == {"gorgias": "active", "erp": "active", "hubspot": "gone"}
    assert len(shared_desk.entity("hubspot", "customer")) == there
    relink.link(shared_desk.settings, parts[1], record)
    assert states(shared_desk, own) == {"erp": "active"}
    relink.link(shared_desk.settings, parts[0], record)
    full(shared_desk)
    assert states(shared_desk, record) == {"gorgias": "active", "erp": "active", "hubspot": "gone"}
    assert len(shared_desk.entity("hubspot", "customer")) == there


@pytest.mark.parametrize("system", ["gorgias", "hubspot"])
def test_a_merge_in_one_system_deletes_nothing_and_creates_nothing_anywhere(shared_desk, people, system):
    (one, kept), (other, absorbed) = people.pop(), people.pop()
    before = {side: len(shared_desk.entity(side, "customer")) for side in KINDS}
    body = {"system": system, "kind": KINDS[system], "from": absorbed[system], "into": kept[system]}
    shared_desk.call("POST", "/merge", body)
    full(shared_desk)
    after = {side: len(shared_desk.entity(side, "customer")) for side in KINDS}
    assert after == before | {system: before[system] - 1}
    rows = shared_desk.ledger(
        "SELECT external_id, state FROM link WHERE system = :system AND entity = 'customer'", system=system
    )
    assert (absorbed[system], "barred") in [tuple(row) for row in rows]
    open_reviews = shared_desk.ledger(
        "SELECT kind FROM review WHERE state = 'open' AND record_id IN (:a, :b)", a=one, b=other
    )
    assert ("merge",) in [tuple(row) for row in open_reviews]
    shared_desk.advance(2000)
    assert written(shared_desk.sync()) == 0


def test_a_delete_goes_on_where_the_policy_says_so(open_desk, tmp_path):
    policy = tmp_path / "policy.yaml"
    from importlib.resources import files

    text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    customer, _, ticket = text.partition("\nticket:")
    policy.write_text(customer.replace("delete: ignore}", "delete: delete}") + "\nticket:" + ticket, encoding="utf-8")
    desk = open_desk(env={"SYNC_POLICY": str(policy)})
    trios = list(desk.trios("customer").items())
    for system, (record, ids) in zip(KINDS, trios, strict=False):
        remove(desk, system, KINDS[system], ids[system])
        full(desk)
        assert set(states(desk, record).values()) == {"gone"}
        assert all(ids[other] not in desk.entity(other, "customer") for other in ids)
