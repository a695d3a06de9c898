"""Policies as files: mistakes with line and key, words, and what another one would have decided."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from sync_platform import cli
from sync_platform.sync.counterfactual import diff
from sync_platform.sync.policy_desk import check, words
from tests.sync.desk import opened

TEXT = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
PHONE = "rules: [{owner: [erp, gorgias, hubspot], unless_blank: true}, newest, {rank: [erp, hubspot, gorgias]}]"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A world with a day of edits behind it, contests among them."""
    with opened(tmp_path_factory.mktemp("policy"), customers=40, tickets=60) as desk:
        people = list(desk.trios("customer").values())
        for number, ids in enumerate(people[:6]):
            for side, kind in (("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers")):
                desk.edit(side, kind, ids[side], phone=f"+1646555{3000 + 10 * number + len(side)}")
            desk.edit("erp", "customers", ids["erp"], company=f"Erp {number}", credit_status="hold")
            desk.edit("hubspot", "contacts", ids["hubspot"], company=f"Crm {number}")
        for ids in list(desk.trios("ticket").values())[:5]:
            desk.edit("gorgias", "tickets", ids["gorgias"], priority="low", tags=["a"])
            desk.edit("erp", "tickets", ids["erp"], priority="critical", status="waiting", tags=["b"])
            desk.edit("hubspot", "tickets", ids["hubspot"], subject="Another subject")
        desk.settled()
        yield desk


@pytest.fixture
def policy(tmp_path):
    """A policy in which something is replaced."""

    def write(old: str = "", new: str = ""):
        assert old in TEXT
        path = tmp_path / "other.yaml"
        path.write_text(TEXT.replace(old, new), encoding="utf-8")
        return path

    return write


def test_the_policy_in_force_decides_its_own_history_as_it_was_decided(world, policy):
    world.forget_calls()
    found = diff(world.settings, policy())
    assert found["differ"] == 0, found["by"]
    assert found["same_by_another_rule"] == 0
    assert found["judged_again"] > 30
    assert world.calls() == {}


def test_another_order_of_owners_shows_whom_it_would_have_chosen(world, policy):
    other = policy(PHONE, PHONE.replace("[erp, gorgias, hubspot]", "[hubspot, gorgias, erp]"))
    found = diff(world.settings, other)
    assert ("phone", "owner", "owner") in {(one["field"], one["was"], one["would"]) for one in found["by"]}
    assert {one["field"] for one in found["by"]} == {"phone"}
    assert found["differ"] == len(found["items"]) >= 6
    assert {one["would"]["system"] for one in found["items"] if one["was"]["rule"] == "owner"} == {"hubspot"}
    assert "+1646" not in json.dumps(found)
    shown = diff(world.settings, other, show_values=True)
    assert all(one["was"]["value"] != one["would"]["value"] for one in shown["items"])


def test_counts_are_whole_where_the_list_is_cut(world, policy):
    other = policy(PHONE, "rules: [review]")
    found = diff(world.settings, other, items_max=2)
    assert len(found["items"]) == 2
    assert found["items_truncated"] is True
    assert found["differ"] == sum(one["count"] for one in found["by"]) >= 6
    assert {one["would"] for one in found["by"] if one["was"] == "owner"} == {"review"}


def test_a_right_taken_away_and_a_field_left_out_are_seen(world, policy):
    refused = diff(world.settings, policy("credit_status: {writers: [erp]", "credit_status: {writers: [gorgias]"))
    assert ("only_change", "refused") in {(one["was"], one["would"]) for one in refused["by"]}
    without = diff(world.settings, policy("    credit_status: {writers: [erp], empty: clear}\n"))
    assert {one["would"] for one in without["by"]} == {"not_in_policy"}


def test_words_that_mean_something_else_are_read_anew(world, policy):
    rows = """new: {gorgias: open, hubspot: "1", erp: new}
      waiting: {gorgias: open, hubspot: "2", erp: waiting}"""
    swapped = rows.replace("erp: new", "erp: x").replace("erp: waiting", "erp: new").replace("erp: x", "erp: waiting")
    other = policy(rows, swapped)
    found = diff(world.settings, other)
    assert "status" in {one["field"] for one in found["by"]}


def test_every_mistake_has_line_key_and_remedy(world, policy, tmp_path):
    path = policy("empty: keep}", "empty: sometimes}")
    found = check(world.settings, path)
    assert found["ok"] is False
    assert len(found["problems"]) > 5
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "sometimes" in text)
    first = found["problems"][0]
    assert (first["line"], first["key"]) == (line, "customer.fields.email.empty")
    assert first["remedy"]
    assert check(world.settings, policy())["ok"] is True


def test_the_commands_answer_with_their_exit_codes(world, policy, monkeypatch, capsys):
    monkeypatch.setattr("sync_platform.cli_policy.Settings.load", lambda: world.settings)
    good = str(policy())
    assert cli.run(["policy", "check", good]) == 0
    assert cli.run(["policy", "explain", good]) == 0
    assert "the first of the ERP" in capsys.readouterr().out
    assert cli.run(["policy", "diff", good, "--json"]) == 0
    bad = str(policy("tolerance_s: 2", "tolerance_s: soon"))
    assert cli.run(["policy", "check", bad, "--json"]) == 1
    assert cli.run(["policy", "diff", str(policy(PHONE, "rules: [review]"))]) == 3
    assert "a person decides" in capsys.readouterr().out


NOBODYS = str(10**23)
WRONG = [
    (["sync", "--only", "hubspt"], "names no system"),
    (["plan", "--only", "ada@example.com"], "names no system"),
    (["approve", NOBODYS], "no open plan or hold"),
    (["drop", NOBODYS], "no open plan or hold"),
    (["undo", NOBODYS], "no decision has this number"),
    (["reviews", "show", NOBODYS], "Invalid value for 'ID'"),
    (["parked", "drop", NOBODYS], "Invalid value for 'ID'"),
    (["prune", "--keep-days", NOBODYS], "Invalid value for '--keep-days'"),
]


@pytest.mark.parametrize(("words_", "said"), WRONG, ids=[" ".join(words[:2]) for words, _said in WRONG])
def test_a_word_or_number_that_nothing_bears_is_refused_before_anything_is_done(
    world, monkeypatch, capsys, words_, said
):
    monkeypatch.setattr("sync_platform.settings.Settings.load", lambda: world.settings)
    assert cli.run(words_) in (1, 2)
    shown = capsys.readouterr()
    assert said in shown.err
    assert "ada@" not in shown.err
    assert "unexpected" not in shown.err


def test_the_policy_in_force_is_told_where_no_file_is_named(world):
    assert words(world.settings)["policy"] == check(world.settings)["policy"]
