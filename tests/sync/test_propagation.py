"""The table of the policy: an edit of every field in every system, and where it is after one cycle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url

from sync_platform.core.mappings import field_maps
from sync_platform.core.policy import parse
from sync_platform.core.records import Entity, System
from tests.sync.desk import SYSTEMS, Desk, opened, written
from tests.sync.edits import NO_EDIT, Edit, World, coarse, edit_of, shows, sql_value, wants

POLICY = parse(files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8"), "policy.yaml")
ORIGINS = (*SYSTEMS, "sql")  # sql: the ERP's tables, edited by another program's own connection


def system_of(origin: str) -> str:
    return "erp" if origin == "sql" else origin


def has(system: str, entity: str, field: str) -> bool:
    return field in field_maps(System(system), Entity(entity))


EDITS = [
    (str(entity), field, origin)
    for entity, policy in POLICY.entities.items()
    for field in policy.fields
    for origin in ORIGINS
    if has(system_of(origin), str(entity), field) and (system_of(origin), field) not in NO_EDIT
]
CELLS = [
    (entity, field, origin, to)
    for entity, field, origin in EDITS
    for to in SYSTEMS
    if to != system_of(origin) and has(to, entity, field)
]


def writes(entity: str, field: str, origin: str) -> bool:
    return System(system_of(origin)) in POLICY.entities[Entity(entity)].fields[field].writers


@dataclass
class Played:
    """All edits on records of their own, one cycle, and the sandbox's own store before and after."""

    desk: Desk
    edits: dict[tuple[str, str, str], tuple[str, Edit]]
    before: dict[tuple[str, str], dict[str, Any]]
    after: dict[tuple[str, str], dict[str, Any]]
    world: World
    later: World
    cycle: dict[str, Any]

    def shown(self, entity: str, record: str, system: str, field: str, *, late: bool) -> Any:
        rows, world = (self.after, self.later) if late else (self.before, self.world)
        external_id = self.desk.trios(entity)[record][system]
        return shows(system, field, rows[system, entity][external_id], world)


def look(desk: Desk) -> tuple[dict[tuple[str, str], dict[str, Any]], World]:
    rows = {(system, entity): desk.entity(system, entity) for system in SYSTEMS for entity in ("customer", "ticket")}
    surveys = desk.rows("gorgias", "surveys").values()
    counts: dict[str, int] = {}
    for message in desk.rows("gorgias", "messages").values():
        counts[str(message["ticket_id"])] = counts.get(str(message["ticket_id"]), 0) + 1
    for number, row in rows["gorgias", "ticket"].items():
        row.setdefault("messages_count", counts.get(number, 0))
    world = World(
        users={row["email"].lower(): str(row["id"]) for row in desk.rows("gorgias", "users").values()},
        owners={row["email"].lower(): str(row["id"]) for row in desk.rows("hubspot", "owners").values()},
        customers=desk.trios("customer"),
        scores={str(row["ticket_id"]): float(row["score"]) for row in surveys if row.get("score") is not None},
    )
    return rows, world


def chosen(desk: Desk, before: Any, world: World) -> dict[tuple[str, str, str], tuple[str, Edit]]:
    """A record of its own for each edit; the pickiest edits choose first."""
    free = {entity: list(desk.trios(entity).items()) for entity in ("customer", "ticket")}
    picky = ("satisfaction", "email", "email_2", "closed_at", "status", "message_count", "last_message_at")
    out: dict[tuple[str, str, str], tuple[str, Edit]] = {}
    order = sorted(
        EDITS, key=lambda one: (picky.index(one[1]) if one[1] in picky else len(picky), one[1] == "satisfaction")
    )
    for n, (entity, field, origin) in enumerate(order):
        for place, (record, ids) in enumerate(free[entity]):
            trio = {system: before[system, entity][ids[system]] for system in SYSTEMS}
            if wants(system_of(origin), field, trio, world):
                out[entity, field, origin] = record, edit_of(system_of(origin), field, n, trio, world)
                del free[entity][place]
                break
        else:
            raise AssertionError(f"the world is too small: no {entity} left for {field} in {origin}")
    return out


def carry_out(desk: Desk, origin: str, edit: Edit) -> None:
    if origin != "sql":
        desk.edit(origin, edit.kind, edit.id, **edit.values)
        return
    postgres = desk.ready["erp"]["url"].startswith("postgres")
    values = {name: sql_value(name, value, postgres=postgres) for name, value in edit.values.items()}
    kept = ", ".join(
        f"{name} = CAST(:{name} AS json)" if postgres and name == "tags" else f"{name} = :{name}" for name in values
    )
    desk.sql(f"UPDATE erp_{edit.kind} SET {kept} WHERE id = :id", id=int(edit.id or 0), **values)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def played(request, tmp_path_factory) -> Iterator[Played]:
    options: dict[str, Any] = {}
    if request.param == "postgres":
        admin = create_engine(
            make_url(request.getfixturevalue("postgres_server")).set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
        )
        with admin.connect() as conn:
            for name in ("propagation_ledger", "propagation_erp"):
                conn.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                conn.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.dispose()
        server = make_url(request.getfixturevalue("postgres_server"))
        ledger, erp = (
            server.set(database=name).render_as_string(hide_password=False)
            for name in ("propagation_ledger", "propagation_erp")
        )
        options = {"env": {"LEDGER_DATABASE_URL": ledger}, "erp_url": erp}
    root = tmp_path_factory.mktemp("propagation")
    with opened(root, customers=130, tickets=75, overlap=0.9, **options) as desk:
        before, world = look(desk)
        edits = chosen(desk, before, world)
        for (_entity, _field, origin), (_record, edit) in edits.items():
            carry_out(desk, origin, edit)
        cycle = desk.later()
        after, later = look(desk)
        yield Played(desk, edits, before, after, world, later, cycle)


@pytest.mark.parametrize(("entity", "field", "origin", "to"), CELLS, ids=["-".join(cell) for cell in CELLS])
def test_an_edit_is_where_the_policy_sends_it_after_one_cycle(played, entity, field, origin, to):
    record, edit = played.edits[entity, field, origin]
    home = system_of(origin)
    there = played.shown(entity, record, to, field, late=True)
    here = played.shown(entity, record, home, field, late=True)
    if writes(entity, field, origin):
        wanted = edit.expected[to]
        wanted = here if wanted is ... else wanted
        assert there == coarse(to, field, wanted)
        assert here == coarse(home, field, wanted)
        assert here != played.shown(entity, record, home, field, late=False), "the edit itself is still there"
    else:
        assert there == played.shown(entity, record, to, field, late=False), "one way: it never comes here"
        assert here == played.shown(entity, record, home, field, late=False), "one way: it is taken back at its origin"


def test_that_cycle_was_complete_and_told_of_every_reversal(played):
    assert played.cycle["outcome"] == "ok"
    assert played.cycle["errors"] == []
    one_way = [1 for entity, field, origin in EDITS if not writes(entity, field, origin)]
    told = sum(entity["reverted"] for entity in played.cycle["entities"].values())
    assert told >= len(one_way)


@pytest.mark.parametrize(("system", "field"), sorted(NO_EDIT))
def test_what_nobody_can_edit_there_is_shown_by_the_others_as_it_is(played, system, field):
    checked = 0
    texts: dict[str, str] = {}
    for message in sorted(
        played.desk.rows("gorgias", "messages").values(), key=lambda m: (m["created_datetime"], m["id"])
    ):
        texts.setdefault(str(message["ticket_id"]), (message["stripped_text"] or message["body_text"] or "").strip())
    for record, ids in played.desk.trios("ticket").items():
        shown = {
            s: played.shown("ticket", record, s, field, late=True)
            for s in SYSTEMS
            if s != "gorgias" or field != "first_text"
        }
        if field == "first_text":
            shown["gorgias"] = texts.get(ids["gorgias"]) or None
        if any(value is not None for value in shown.values()):
            assert len(set(shown.values())) == 1, record
            checked += 1
    assert checked > 30


def test_nothing_is_left_to_do_and_everything_is_equal(played):
    """Written last in this module, and harmless to the others: nothing is edited here."""
    again = played.desk.later(7200)
    assert written(again) == 0
    assert again["complete"]
    played.desk.assert_equal()
    played.desk.assert_no_doubles()
