"""Why a value is here, and what a record was at any moment: against states that were kept while they were true."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import event

from sync_platform import cli
from sync_platform.core.normalize import blank
from sync_platform.core.records import LinkState
from sync_platform.errors import NotFound
from sync_platform.ledger import links
from sync_platform.ledger.database import Ledger
from sync_platform.settings import Settings
from sync_platform.sync import relink
from sync_platform.sync.as_of import as_of
from sync_platform.sync.lineage import gather
from sync_platform.sync.offline import over
from sync_platform.sync.prune import run_prune
from sync_platform.sync.timeline import timeline
from sync_platform.sync.why import stories, why
from tests.sync.memory_desk import CUSTOMER, E, G, H, MemoryDesk, policy_with

FIELDS = {
    G: {"name": ["Ada King", "Ada Byron"], "note": ["from the helpdesk", "", "blue"]},
    H: {"company": ["Engines Ltd", None, "Engines"], "phone": ["+12125550150", "+12125550151", None]},
    E: {"company": ["Analytical", "Engines"], "note": ["from the ERP", None], "phone": ["+12125550152"]},
}


@pytest.fixture
def world(tmp_path):
    desk = MemoryDesk(tmp_path)
    ids = desk.person("Ada Lovelace", "ada@example.com")
    desk.person("Bo Quiet", "bo@example.com")
    return SimpleNamespace(desk=desk, ids=ids, settings=Settings.load({"LEDGER_DATABASE_URL": desk.url}, root=tmp_path))


def kept(ledger):
    """Each record's values and what its systems show, as they are now."""
    with ledger.read() as conn:
        ids = conn.execute(links.RECORD.select().with_only_columns(links.RECORD.c.id)).scalars().all()
        records = links.records_by_id(conn, ids)
        by_record = links.links_of(conn, ids)
    return {
        one: (
            {name: value for name, value in record.fields.items() if not blank(value)},
            {
                link.system: {name: cell.shadow for name, cell in link.cells.items() if not cell.unread}
                for link in by_record[one]
                if link.state is LinkState.ACTIVE
            },
            set(record.reviews),
            (record.tombstone or {}).get("cause"),
        )
        for one, record in records.items()
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_record_as_of_a_moment_is_what_it_was_then(world, seed):
    draw = random.Random(seed)
    desk, states = world.desk, []
    with Ledger.open(desk.url, migrate=False) as ledger:
        for number in range(14):
            if number > 2:
                for system in draw.sample((G, H, E), draw.randint(0, 3)):
                    field = draw.choice(sorted(FIELDS[system]))
                    desk.systems[system].edit(CUSTOMER, world.ids[system], {field: draw.choice(FIELDS[system][field])})
            desk.cycle()
            states.append((desk.now_at, kept(ledger)))
        hub = over(ledger, world.settings)
        compared = 0
        with ledger.read() as conn:
            for at, state in states:
                for record, (fields, shown, reviews, ended) in state.items():
                    past = as_of(hub, conn, record, at)
                    assert past.complete
                    assert {name: value for name, value in past.fields.items() if not blank(value)} == fields
                    assert past.reviews == reviews
                    assert (past.ended or {}).get("cause") == ended
                    for system, values in shown.items():
                        told = past.shown.get(system, {})
                        for name, theirs in values.items():
                            if name in told or not blank(theirs):
                                compared += 1
                                assert told[name] == theirs, (at, system, name)
    assert compared > 200


def test_a_deleted_record_lived_before_and_is_ended_after(world):
    desk = world.desk
    desk.cycles(3)
    lived = desk.now_at
    record = why(world.settings, f"customer:erp:{world.ids[E]}")[0]["record"]
    for system in (G, H, E):
        desk.systems[system].remove(CUSTOMER, world.ids[system])
    desk.cycles(4)
    with Ledger.open(desk.url, migrate=False) as ledger, ledger.read() as conn:
        hub = over(ledger, world.settings)
        before, after = (as_of(hub, conn, record, at) for at in (lived, desk.now_at))
    assert before.ended is None
    assert set(before.shown) == {G, H, E}
    assert after.ended is not None
    assert not after.shown


def test_a_moment_before_what_prune_kept_says_so(world):
    desk = world.desk
    desk.cycles(3)
    early = desk.now_at
    record = why(world.settings, f"customer:erp:{world.ids[E]}")[0]["record"]
    desk.systems[H].edit(CUSTOMER, world.ids[H], {"company": "Later"})
    desk.cycles(3)
    run_prune(world.settings, now=lambda: desk.now_at + timedelta(days=60))
    with Ledger.open(desk.url, migrate=False) as ledger, ledger.read() as conn:
        hub = over(ledger, world.settings)
        past = as_of(hub, conn, record, early)
        assert not past.complete
        assert past.fields["name"]["full"] == "Ada Lovelace"
        assert as_of(hub, conn, record, desk.now_at + timedelta(days=61)).complete


def test_a_record_that_never_was_has_no_past(world):
    world.desk.cycle()
    with Ledger.open(world.desk.url, migrate=False) as ledger, ledger.read() as conn, pytest.raises(NotFound):
        as_of(over(ledger, world.settings), conn, "0" * 32, world.desk.now_at)


# --- why ------------------------------------------------------------------------------------------------------------


def test_a_system_to_which_a_write_is_owed_does_not_agree(world):
    desk = world.desk
    desk.cycles(3)
    desk.writes = False
    desk.systems[H].edit(CUSTOMER, world.ids[H], {"company": "Engines Ltd"})
    desk.cycle()
    told = why(world.settings, f"customer:erp:{world.ids[E]}", "company")
    assert told["value"] == "Engines Ltd"
    assert told["agrees"]["hubspot"] is True
    assert told["agrees"]["erp"] is False
    assert told["systems"]["erp"]["mark"] == "owed"
    assert told["all_agree"] is False
    desk.writes = True
    desk.cycles(2)
    told = why(world.settings, f"customer:erp:{world.ids[E]}", "company")
    assert told["agrees"] == {"hubspot": True, "erp": True}
    assert told["systems"]["erp"]["mark"] is None
    # Gorgias has not shown where this field would stand: of what nobody read nothing is said.
    assert told["systems"]["gorgias"]["mark"] == "unread"
    assert told["all_agree"] is False


def test_what_a_system_keeps_in_its_own_spelling_agrees(world):
    desk = world.desk
    desk.cycles(3)
    desk.systems[G].edit(CUSTOMER, world.ids[G], {"phones": ["1-212-555-0170"]})
    desk.cycles(3)
    told = why(world.settings, f"customer:erp:{world.ids[E]}", "phone")
    assert told["value"] == "+12125550170"
    assert told["systems"]["gorgias"]["shows"] == ["1-212-555-0170"]
    assert told["systems"]["gorgias"]["reads_as"] == "+12125550170"
    assert told["all_agree"] is True


def test_an_origin_is_what_was_seen_before_the_decision(world):
    desk = world.desk
    desk.cycles(3)
    for value in ("First", "Second", "First"):
        desk.systems[E].edit(CUSTOMER, world.ids[E], {"company": value})
        desk.cycles(2)
    told = why(world.settings, f"customer:erp:{world.ids[E]}", "company")
    assert told["from"]["system"] == "erp"
    assert told["from"]["at"] <= told["at"]
    assert [one["value"] for one in told["history"]][-3:] == ["First", "Second", "First"]


def test_a_refused_edit_is_told_as_lost_with_its_rule(world):
    desk = world.desk
    desk.cycles(3)
    desk.systems[E].edit(CUSTOMER, world.ids[E], {"credit_status": "ok"})
    desk.cycles(2)
    desk.systems[H].edit(CUSTOMER, world.ids[H], {"sync_credit_status": "blocked"})
    desk.cycles(2)
    told = why(world.settings, f"customer:erp:{world.ids[E]}", "credit_status")
    assert told["value"] == "ok"
    assert [(one["system"], one["value"], one["rule"]) for one in told["lost"]] == [("hubspot", "blocked", "refused")]


def test_what_tells_two_apart_that_may_be_one_waits_and_is_not_owed(world):
    desk = world.desk
    other = desk.person("Eve Moss", "eve@example.com")
    desk.cycles(3)
    desk.systems[H].merge(CUSTOMER, other[H], world.ids[H])
    desk.cycles(3)
    desk.systems[E].edit(CUSTOMER, world.ids[E], {"email": "ada.king@example.com"})
    desk.cycles(2)
    told = why(world.settings, f"customer:erp:{world.ids[E]}", "email")
    assert told["value"] == "ada.king@example.com"
    assert told["systems"]["gorgias"]["mark"] == "twin"
    assert told["all_agree"] is False
    assert desk.live(G)[world.ids[G]]["email"] == "ada@example.com"


def statements(ledger, ask) -> int:
    said: list[str] = []

    def note(_conn, _cursor, statement, *_rest) -> None:
        said.append(statement)

    with ledger.read() as conn:
        # On the connection itself: statements that are known go past what listens to the engine.
        event.listen(conn, "before_cursor_execute", note)
        ask(conn)
        event.remove(conn, "before_cursor_execute", note)
    return len(said)


def test_the_number_of_statements_does_not_grow_with_fields_or_history(world):
    desk = world.desk
    desk.cycles(3)
    record = why(world.settings, f"customer:erp:{world.ids[E]}")[0]["record"]

    def asked(ledger):
        hub = over(ledger, world.settings)
        return (
            statements(ledger, lambda conn: stories(gather(hub, conn, record))),
            statements(ledger, lambda conn: timeline(conn, record)),
            statements(ledger, lambda conn: as_of(hub, conn, record, desk.now_at)),
        )

    with Ledger.open(desk.url, migrate=False) as ledger:
        before = asked(ledger)
        for number in range(8):
            desk.systems[H].edit(CUSTOMER, world.ids[H], {"company": f"C{number}", "sync_note": f"N{number}"})
            desk.cycles(2)
        assert asked(ledger) == before
    assert max(before) <= 16


def test_two_records_that_became_one_are_told_apart_before_and_as_one_after(world):
    desk = world.desk
    desk.policy = policy_with(gorgias={"create": "never"}, hubspot={"create": "never"}, erp={"create": "never"})
    one = desk.person("Eve Moss", "eve@example.com", G, H)
    other = desk.person("Eve Moss", "eve.moss@example.com", E)
    desk.cycles(3)
    desk.systems[E].edit(CUSTOMER, other[E], {"company": "Moss & Co"})
    desk.systems[H].edit(CUSTOMER, one[H], {"company": "Moss"})
    desk.cycles(2)
    apart = desk.now_at
    first, second = (
        why(world.settings, f"customer:{system}:{ids[system]}")[0]["record"] for system, ids in ((H, one), (E, other))
    )
    assert first != second
    relink.link(world.settings, f"customer:erp:{other[E]}", first, who="kim")
    desk.cycles(3)
    assert why(world.settings, second)[0]["record"] == first
    with Ledger.open(desk.url, migrate=False) as ledger, ledger.read() as conn:
        hub = over(ledger, world.settings)
        # What a person does bears the time of the day, not that of this world.
        today = datetime.now(UTC)
        then, theirs, now = (as_of(hub, conn, *asked) for asked in ((first, apart), (second, apart), (first, today)))
    assert set(then.shown) == {G, H}
    assert set(theirs.shown) == {E}
    assert theirs.fields["company"] == "Moss & Co"
    assert theirs.ended is None
    assert set(now.shown) == {G, H, E}


def test_a_record_that_a_merge_took_in_is_told_as_it_was_while_it_lived(world):
    desk = world.desk
    desk.policy = policy_with(gorgias={"create": "never"}, hubspot={"create": "never"}, erp={"create": "never"})
    one = desk.person("Eve Moss", "eve@example.com", G, H)
    other = desk.person("Eve Marsh", "marsh@example.com", G, E)
    desk.cycles(3)
    desk.systems[E].edit(CUSTOMER, other[E], {"company": "Marsh Ltd"})
    desk.systems[H].edit(CUSTOMER, one[H], {"company": "Moss"})
    desk.cycles(2)
    apart = desk.now_at
    first, second = (
        why(world.settings, f"customer:{system}:{ids[system]}")[0]["record"] for system, ids in ((H, one), (E, other))
    )
    desk.systems[G].merge(CUSTOMER, other[G], one[G])
    desk.cycles(4)
    assert why(world.settings, second)[0]["record"] == why(world.settings, first)[0]["record"]
    with Ledger.open(desk.url, migrate=False) as ledger, ledger.read() as conn:
        hub = over(ledger, world.settings)
        then, theirs = as_of(hub, conn, first, apart), as_of(hub, conn, second, apart)
    assert (then.fields["company"], theirs.fields["company"]) == ("Moss", "Marsh Ltd")
    assert (set(then.shown), set(theirs.shown)) == ({G, H}, {G, E})
    assert theirs.shown[E]["company"] == "Marsh Ltd"
    assert then.shown[G]["email"] == "eve@example.com"


def test_the_command_tells_a_moment_as_the_page_does(world, monkeypatch, capsys):
    desk = world.desk
    desk.cycles(3)
    desk.systems[H].edit(CUSTOMER, world.ids[H], {"company": "Early"})
    desk.cycles(2)
    early = desk.now_at.isoformat()
    desk.systems[H].edit(CUSTOMER, world.ids[H], {"company": "Late"})
    desk.cycles(2)
    for name, value in (("LEDGER_DATABASE_URL", desk.url), ("SYNC_ROOT", str(desk.root))):
        monkeypatch.setenv(name, value)
    assert cli.run(["why", f"customer:erp:{world.ids[E]}", "--at", early, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["known"], told["complete"], told["ended"]) == (True, True, None)
    company = next(one for one in told["fields"] if one["field"] == "company")
    assert company["value"] == "Early"
    assert {system: side["shows"] for system, side in company["systems"].items()} == {
        "hubspot": "Early",
        "erp": "Early",
    }
    assert cli.run(["why", f"customer:erp:{world.ids[E]}", "--at", early]) == 0
    assert "company = 'Early'" in capsys.readouterr().out
    assert cli.run(["why", f"customer:erp:{world.ids[E]}", "--at", "2001-01-01"]) == 0
    assert "not known yet" in capsys.readouterr().out
    assert cli.run(["why", f"customer:erp:{world.ids[E]}", "--at", "yesterday"]) == 1
    assert "moment" in capsys.readouterr().err
