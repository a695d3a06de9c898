"""Draining the inbox on deliveries of our own: order, other accounts, rubbish; the run that stays; the sensor."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from sync_platform.core.records import Entity, System
from sync_platform.ledger import inbox
from sync_platform.ledger.database import Ledger
from sync_platform.sync.cycle import open_cycle
from sync_platform.sync.news import news
from tests.sync.desk import opened, wait_for, written


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("hooks")) as one:
        yield one


def put(desk, *deliveries):
    with Ledger.open(desk.settings.ledger_url, migrate=False) as ledger:
        return inbox.put(ledger, deliveries, datetime.now(UTC))


def of_ticket(name, ticket, **more):
    body = {"id": str(ticket["id"]), "at": ticket.get("updated_datetime"), "ticket": ticket} | more
    return inbox.Delivery(System.GORGIAS, Entity.TICKET, name, body)


def whole(desk, external_id, **more):
    """A ticket as the context of an integration shows it."""
    shown = desk.row("gorgias", "ticket", external_id)
    return {"messages": [], "satisfaction_survey": None, **shown, "id": int(external_id), **more}


def later(desk, external_id, seconds):
    at = datetime.fromisoformat(desk.row("gorgias", "ticket", external_id)["updated_datetime"])
    return (at + timedelta(seconds=seconds)).isoformat()


def waits(desk):
    return desk.ledger("SELECT id FROM inbox WHERE drained_at IS NULL")


def subject(desk, ids):
    return desk.row("erp", "ticket", ids["erp"])["subject"]


def reads_by_id(desk):
    return sum(
        n for (of, method, path), n in desk.calls().items() if of == "gorgias" and method == "GET" and "{" in path
    )


def pick(desk, number):
    return list(desk.trios("ticket").values())[number]


def test_what_is_older_than_what_we_know_changes_nothing(desk):
    ids = pick(desk, 0)
    before = subject(desk, ids)
    put(desk, of_ticket("old", whole(desk, ids["gorgias"], subject="From long ago",
                                     updated_datetime=later(desk, ids["gorgias"], -3600))))  # fmt: skip
    summary = desk.cycle()
    assert not waits(desk)
    assert (written(summary), subject(desk, ids)) == (0, before)


def test_the_newest_state_wins_in_whatever_order_deliveries_arrive(desk):
    ids = pick(desk, 1)
    states = {n: whole(desk, ids["gorgias"], subject=f"State {n}", updated_datetime=later(desk, ids["gorgias"], n))
              for n in (1, 2, 3)}  # fmt: skip
    put(desk, *(of_ticket(f"order {n}", states[n]) for n in (2, 3, 1)))
    desk.cycle()
    assert subject(desk, ids) == "State 3"
    assert not waits(desk)


def test_a_ticket_whose_types_a_template_has_lost_is_read_by_id(desk):
    ids = pick(desk, 2)
    put(desk, of_ticket("typed", whole(desk, ids["gorgias"], subject={"rendered": True},
                                       updated_datetime=later(desk, ids["gorgias"], 5))))  # fmt: skip
    desk.forget_calls()
    before = subject(desk, ids)
    summary = desk.cycle()
    assert not waits(desk)
    assert not summary["errors"]
    assert subject(desk, ids) == before
    assert reads_by_id(desk) >= 1


def test_deliveries_of_another_account_are_dropped(desk):
    ids = pick(desk, 3)
    before = subject(desk, ids)
    stranger = whole(desk, ids["gorgias"], subject="A stranger's", updated_datetime=later(desk, ids["gorgias"], 9))
    put(desk, of_ticket("strange", stranger | {"account": {"domain": "somebody-else"}}))
    told = {"ids": [ids["hubspot"]], "portal": "1"}
    put(desk, inbox.Delivery(System.HUBSPOT, Entity.TICKET, "strange", told))
    desk.cycle()
    assert not waits(desk)
    assert subject(desk, ids) == before


USELESS = (None, [], 7, {}, {"ids": [1, None, {}]}, {"id": 5}, {"ticket": {"id": 5}},
           {"id": "999999999", "what": "deletion"}, {"id": "999999998", "at": "no time"})  # fmt: skip


@pytest.mark.parametrize("body", USELESS)
def test_a_delivery_that_says_nothing_of_use_is_drained_and_blocks_nobody(desk, body):
    name = json.dumps(body)
    put(desk, *(inbox.Delivery(system, entity, name, body) for system in (System.GORGIAS, System.HUBSPOT)
                for entity in Entity))  # fmt: skip
    summary = desk.cycle()
    assert not waits(desk)
    assert not summary["errors"]


def test_what_a_systems_trouble_keeps_from_being_read_stays_until_the_next_poll(desk):
    ids = pick(desk, 4)
    put(desk, inbox.Delivery(System.HUBSPOT, Entity.TICKET, "later", {"ids": [ids["hubspot"]], "what": "creation"}))
    assert "inbox" in news(desk.settings).reasons
    desk.faults({"system": "hubspot", "path": "*", "kind": "5xx", "share": 1, "seed": 1})
    assert desk.cycle()["outcome"] == "partial"
    assert len(waits(desk)) == 1
    assert "inbox" not in news(desk.settings).reasons
    desk.faults()
    desk.cycle()
    assert not waits(desk)


def test_a_drained_delivery_loses_its_contents_and_is_known_when_it_comes_again(desk):
    one = inbox.Delivery(System.GORGIAS, Entity.CUSTOMER, "once", {"id": "999999997"})
    assert put(desk, one) == 1
    desk.cycle()
    (row,) = desk.ledger("SELECT body, drained_at FROM inbox WHERE delivery LIKE '%once'")
    assert row.body is None
    assert row.drained_at is not None
    assert put(desk, one) == 0


def test_a_run_stays_for_the_next_delivery_and_carries_it_through(desk):
    first, second = pick(desk, 5), pick(desk, 6)
    put(desk, of_ticket("stay 1", whole(desk, first["gorgias"], subject="Came first",
                                        updated_datetime=later(desk, first["gorgias"], 5))))  # fmt: skip
    done = threading.Event()

    def run():
        from sync_platform.core.records import ENTITIES, SYSTEMS

        with open_cycle(desk.settings, stay_s=6.0) as cycle:
            for entity in ENTITIES:
                for system in SYSTEMS:
                    cycle.pull(system, entity)
            cycle.settle()
            cycle.finish()
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: subject(desk, first) == "Came first")
    put(desk, of_ticket("stay 2", whole(desk, second["gorgias"], subject="Came while it stayed",
                                        updated_datetime=later(desk, second["gorgias"], 5))))  # fmt: skip
    wait_for(lambda: subject(desk, second) == "Came while it stayed")
    assert not done.is_set()
    thread.join(60)
    assert done.is_set()


def test_a_run_that_drained_nothing_does_not_stay(desk):
    began = datetime.now(UTC)
    with open_cycle(desk.settings, stay_s=600.0) as cycle:
        cycle.finish()
    assert datetime.now(UTC) - began < timedelta(seconds=300)


def test_what_waits_is_carried_through_before_any_system_is_polled(desk):
    ids = pick(desk, 6)
    put(desk, of_ticket("first", whole(desk, ids["gorgias"], subject="News first",
                                       updated_datetime=later(desk, ids["gorgias"], 11))))  # fmt: skip
    desk.forget_calls()
    with open_cycle(desk.settings, stay_s=0.01) as cycle:
        observed = cycle.pull(System.GORGIAS, Entity.CUSTOMER)
        assert subject(desk, ids) == "News first"
        searches = [path for (of, _, path), _ in desk.calls().items() if of == "hubspot" and "search" in path]
        assert searches == []
        assert "delivered" not in observed.counts
        steps = {step.name: step for step in (cycle.pull(System.GORGIAS, Entity.TICKET),
                                              cycle.reconcile(Entity.TICKET),
                                              cycle.push(System.ERP, Entity.TICKET))}  # fmt: skip
        summary = cycle.finish()
    assert steps["observed/gorgias_ticket"].counts["delivered"] == 1
    assert steps["written/erp_ticket"].counts["updated"] == 1
    assert summary["entities"]["ticket"]["updated"]["erp"] == 1
    assert summary["systems"]["hubspot"]["calls"]["write"] == 1


def test_what_arrives_while_a_run_is_at_work_is_drained_by_that_run(desk):
    ids = pick(desk, 7)
    with open_cycle(desk.settings, stay_s=0.3) as cycle:
        for entity in Entity:
            for system in System:
                cycle.pull(system, entity)
        cycle.settle()
        assert not cycle.hub.drained
        put(desk, of_ticket("meanwhile", whole(desk, ids["gorgias"], subject="Meanwhile",
                                               updated_datetime=later(desk, ids["gorgias"], 13))))  # fmt: skip
        cycle.finish()
    assert not waits(desk)
    assert subject(desk, ids) == "Meanwhile"
