"""Brake, plans, undo, joining, audit and pruning on a ledger in PostgreSQL; skipped by name without a server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest

from sync_platform.sync import plans, relink
from sync_platform.sync.audit import run_audit
from sync_platform.sync.cycle import load_policy
from sync_platform.sync.prune import run_prune
from sync_platform.sync.status import status
from sync_platform.sync.undo import undo
from sync_platform.sync.why import why
from tests.sync.desk import Desk, opened, written

pytestmark = pytest.mark.postgres
WHO = "kim"


@pytest.fixture
def world(tmp_path, postgres_url) -> Iterator[Desk]:
    """A small world whose ledger is in PostgreSQL, with a brake that a handful of writes is over."""
    policy = tmp_path / "policy.yaml"
    text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    policy.write_text(
        text.replace("absolute: 500", "absolute: 3").replace("share: 0.1", "share: 0.01"), encoding="utf-8"
    )
    with opened(tmp_path / "w", env={"LEDGER_DATABASE_URL": postgres_url, "SYNC_POLICY": str(policy)}) as desk:
        yield desk


def companies(desk, trios):
    return [desk.row("erp", "customer", ids["erp"])["company"] for ids in trios]


def test_a_hold_an_approval_and_an_undo(world):
    trios = list(world.trios("customer").values())[:6]
    before = companies(world, trios)
    for number, ids in enumerate(trios):
        world.edit("hubspot", "contacts", ids["hubspot"], company=f"Wrong {number}")
    held = world.later(7200)["held"]
    (hold,) = [one["hold"] for one in held if one["system"] == "erp" and one["field"] == "company"]
    assert companies(world, trios) == before
    for one in held:
        plans.approve(world.settings, str(one["hold"]), who=WHO)
    run = world.later(7200)["run"]
    assert hold
    assert companies(world, trios) == [f"Wrong {number}" for number in range(6)]
    decided = world.ledger("SELECT run FROM decision WHERE field = 'company' ORDER BY id DESC LIMIT 1")[0][0]
    found = undo(world.settings, decided, load_policy(world.settings), who=WHO)
    assert found["would_write"] >= 6, run
    plans.approve(world.settings, found["plan"], who=WHO)
    assert written(world.later(7200)) >= 6
    assert companies(world, trios) == before
    world.settled()
    world.assert_equal()


def test_what_we_created_is_taken_away_by_an_undo(world):
    ticket = world.edit("erp", "tickets", None, subject="Wrong import", status="new", ticket_no="T-1")
    row = world.edit("erp", "customers", None, email="eve@example.com", full_name="Eve Hill", customer_no="I-1")
    runs = [one["run"] for one in world.settled()]
    creates = {row[0] for row in world.ledger("SELECT run FROM intent WHERE verb = 'create'")}
    (run,) = [one for one in runs if one in creates]
    found = undo(world.settings, run, load_policy(world.settings), who=WHO)
    assert {(one["system"], one["verb"]) for one in found["counts"]} >= {("hubspot", "delete")}
    assert all(one["verb"] == "delete" for one in found["counts"]), row
    plans.approve(world.settings, found["plan"], who=WHO)
    world.settled()
    assert not any("eve@example.com" in str(one) for one in world.entity("hubspot", "customer").values())
    assert not any("Wrong import" in str(one) for one in world.entity("hubspot", "ticket").values()), ticket


def test_parting_joining_auditing_and_pruning(world):
    record, ids = next(iter(world.trios("customer").items()))
    what = f"customer:erp:{ids['erp']}"
    own = relink.unlink(world.settings, what, who=WHO)["moves"][0]["to"]
    assert own != record
    world.settled()
    relink.link(world.settings, what, record, who=WHO)
    world.settled()
    found = run_audit(world.settings)
    assert (found["fields_differ"], found["errors"]) == (0, [])
    assert status(world.settings)["systems"]["hubspot"]["audit"]["never_compared"] == 0
    before = why(world.settings, record, "name")
    later = datetime.now(UTC) + timedelta(days=60)
    said = run_prune(world.settings, dry_run=True, now=lambda: later)
    done = run_prune(world.settings, now=lambda: later)
    assert said["rows"] == done["rows"]
    assert done["rows"]["receipts"] > 0
    after = why(world.settings, record, "name")
    assert {**after, "pruned_before": None} == before
    world.settled()
    world.assert_equal()
