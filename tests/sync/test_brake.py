"""The brake: too large a change waits for a person, and nothing else waits with it."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from sync_platform import cli
from sync_platform.cli_words import verify_text
from sync_platform.definitions import defs
from sync_platform.errors import NotFound
from sync_platform.sync import plans
from sync_platform.sync.counterfactual import diff
from sync_platform.sync.preview import plan
from tests.sync.desk import written

WHO = "kim"
MOST = 4


@pytest.fixture
def braked(open_desk, tmp_path):
    """A loaded world in which more than four changes of one kind wait for a person."""
    text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    path = tmp_path / "policy.yaml"
    path.write_text(text.replace("brake: {absolute: 500, share: 0.1}", f"brake: {{absolute: {MOST}, share: 0}}"))
    return open_desk(env={"SYNC_POLICY": str(path)})


def people(desk, count):
    return list(desk.trios("customer").values())[:count]


def companies(desk, trio):
    return {system: company(desk, system, trio[system]) for system in ("hubspot", "erp")}


def company(desk, system, id_):
    row = desk.row(system, "customer", id_)
    return row["properties"].get("company") if system == "hubspot" else row["company"]


def rename(desk, trios, word="Braked"):
    for number, ids in enumerate(trios):
        desk.edit("hubspot", "contacts", ids["hubspot"], company=f"{word} {number}")


def held(summary):
    return {(one["stage"], one["system"], one["verb"], one["field"]): one for one in summary["held"]}


def test_the_first_load_and_a_change_under_the_limit_are_not_held(braked):
    assert braked.first_load["held"] == []
    trios = people(braked, MOST)
    rename(braked, trios)
    summary = braked.later(7200)
    assert summary["held"] == []
    assert [companies(braked, ids)["erp"] for ids in trios] == [f"Braked {n}" for n in range(MOST)]


def test_writes_over_the_limit_are_held_while_other_fields_of_the_same_records_are_written(braked):
    trios = people(braked, MOST + 2)
    before = [companies(braked, ids)["erp"] for ids in trios]
    rename(braked, trios)
    braked.edit("hubspot", "contacts", trios[0]["hubspot"], company="Braked 0", lastname="Othername")
    summary = braked.later(7200)
    found = held(summary)
    assert found["intents", "erp", "update", "company"]["count"] == MOST + 2
    assert summary["complete"]
    assert [companies(braked, ids)["erp"] for ids in trios] == before
    assert braked.row("erp", "customer", trios[0]["erp"])["last_name"] == "Othername"


def test_many_small_changes_count_together_in_the_window(braked):
    trios = people(braked, MOST + 2)
    rename(braked, trios[: MOST - 1])
    assert braked.later(600)["held"] == []
    rename(braked, trios, "Again")
    assert held(braked.later(600))["intents", "erp", "update", "company"]["count"] == MOST + 2


def test_an_approval_lets_exactly_what_it_named_through_and_a_newer_value_stays_held(braked):
    trios = people(braked, MOST + 2)
    rename(braked, trios)
    hold = held(braked.later(7200))["intents", "erp", "update", "company"]["hold"]
    said = plans.approve(braked.settings, str(hold), who=WHO, why="a new list")
    assert said == {"hold": hold, "state": "approved", "items": MOST + 2}
    braked.edit("hubspot", "contacts", trios[0]["hubspot"], company="Newer than the word")
    summary = braked.later(7200)
    assert [companies(braked, ids)["erp"] for ids in trios[1:]] == [f"Braked {n}" for n in range(1, MOST + 2)]
    assert companies(braked, trios[0])["erp"] != "Newer than the word"
    again = held(summary)["intents", "erp", "update", "company"]
    assert again["count"] == 1
    assert again["hold"] != hold
    for one in summary["held"]:
        plans.approve(braked.settings, str(one["hold"]), who=WHO)
    braked.settled()
    assert companies(braked, trios[0])["erp"] == "Newer than the word"
    assert braked.ledger("SELECT count(*) FROM hold_item")[0][0] == 0
    assert ("approve", f"hold:{hold}", WHO, "a new list") in [
        tuple(row) for row in braked.ledger("SELECT verb, subject, who, why FROM act")
    ]
    braked.assert_equal()


def test_what_is_dropped_is_left_apart_until_it_changes_again(braked):
    trios = people(braked, MOST + 1)
    before = [companies(braked, ids)["erp"] for ids in trios]
    rename(braked, trios)
    for one in braked.later(7200)["held"]:
        plans.drop(braked.settings, str(one["hold"]), who=WHO)
    summary = braked.later(7200)
    assert summary["held"] == []
    assert written(braked.later(7200)) == 0
    assert [companies(braked, ids)["erp"] for ids in trios] == before
    found = braked.verify()
    assert len(found["differences"]) == MOST + 1
    assert {system for one in found["differences"] for system in one["apart"]} <= {"gorgias", "erp"}
    assert all("left apart in" in line for line in verify_text(found).splitlines() if "field company" in line)
    again = diff(braked.settings, braked.settings.policy_file)
    assert again["differ"] == 0, "what a person dropped is no judgement of any policy"
    rename(braked, trios[:1], "Later")
    braked.later(7200)
    assert companies(braked, trios[0]) == {"hubspot": "Later 0", "erp": "Later 0"}


def test_blanks_over_the_limit_are_not_judged_until_somebody_says_so(braked):
    trios = people(braked, MOST + 2)
    for ids in trios:
        braked.edit("gorgias", "customers", ids["gorgias"], note="A note")
    for one in braked.later(7200)["held"]:
        plans.approve(braked.settings, str(one["hold"]), who=WHO)
    braked.settled()
    braked.advance(7200)
    for ids in trios:
        braked.edit("gorgias", "customers", ids["gorgias"], note="")
    decided = braked.ledger("SELECT count(*) FROM decision")[0][0]
    found = held(braked.later(7200))
    assert found["claims", "gorgias", "blanked", "note"]["count"] == MOST + 2
    assert braked.ledger("SELECT count(*) FROM decision")[0][0] == decided
    assert all(braked.row("erp", "customer", ids["erp"])["note"] == "A note" for ids in trios)


def test_a_plan_shows_what_is_held_and_what_would_be(braked):
    trios = people(braked, MOST + 1)
    rename(braked, trios)
    braked.advance(7200)
    shown = held(plan(braked.settings))
    assert shown["intents", "erp", "update", "company"]["count"] == MOST + 1
    braked.cycle()
    assert held(plan(braked.settings))["intents", "erp", "update", "company"]["count"] == MOST + 1


def test_the_door_and_the_job_take_a_persons_word(braked, monkeypatch, capsys):
    settings = braked.settings
    monkeypatch.setenv("SANDBOX_CONTROL_URL", braked.ready["control"]["url"])
    monkeypatch.setenv("LEDGER_DATABASE_URL", settings.ledger_url)
    monkeypatch.setenv("SYNC_POLICY", str(settings.policy_file))
    monkeypatch.chdir(braked.root)
    rename(braked, people(braked, MOST + 1))
    braked.advance(7200)
    assert cli.run(["sync", "--json"]) == 4
    one, two = (one["hold"] for one in json.loads(capsys.readouterr().out)["held"])
    assert cli.run(["plan"]) == 4
    assert f"approve {one}" in capsys.readouterr().out
    assert cli.run(["approve", str(one), "--who", WHO, "--why", "said so"]) == 0
    config = {"ops": {"approval": {"config": {"plan": str(two), "who": WHO, "why": "in the UI"}}}}
    job = defs.resolve_job_def("approve")
    assert job.execute_in_process(run_config=config).success
    assert not job.execute_in_process(run_config=config, raise_on_error=False).success
    assert cli.run(["approve", str(one)]) == 1
    assert cli.run(["pause", "--why", "a move"]) == 0
    assert cli.run(["sync"]) == 4
    assert cli.run(["status"]) == 4
    assert "paused by" in capsys.readouterr().out
    assert cli.run(["resume"]) == 0
    assert cli.run(["sync", "--json"]) == 0
    run = json.loads(capsys.readouterr().out.splitlines()[-1])["run"]
    assert cli.run(["undo", str(braked.ledger("SELECT max(id) FROM decision")[0][0])]) == 4
    assert cli.run(["undo", run]) == 0
    said = braked.ledger("SELECT verb, who, why FROM act ORDER BY id")
    assert [tuple(row) for row in said[:2]] == [("approve", WHO, "said so"), ("approve", WHO, "in the UI")]


def test_a_name_that_nothing_open_has_is_refused(braked):
    with pytest.raises(NotFound, match="no open plan or hold"):
        plans.approve(braked.settings, "77", who=WHO)
    shown = plan(braked.settings)
    with pytest.raises(NotFound, match="preview"):
        plans.drop(braked.settings, shown["plan"], who=WHO)


def test_a_source_that_is_empty_all_at_once_stops_its_pull_and_nothing_follows_from_it(desk):
    for (name,) in desk.sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'erp_tickets'"):
        desk.sql(f"DROP TRIGGER {name}")
    desk.sql("DELETE FROM erp_tickets")
    summary = desk.sync(full=True)
    assert ("erp", "ticket", "SOURCE_EMPTIED") in {(e["system"], e["entity"], e["code"]) for e in summary["errors"]}
    assert not summary["complete"]
    assert written(summary) == 0
    links = desk.ledger("SELECT count(*) FROM link WHERE system = 'erp' AND entity = 'ticket' AND state = 'active'")
    assert links[0][0] > 0
