"""A ledger in which every page has something to show: made by real syncs over the sandbox.

It holds customers and tickets in all three systems, a conflict with its loser, the review of a field, records that may
be one, two that a system merged, a parked write, holds of the brake, an open plan, a deleted record and one that went
up in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from sync_platform.settings import Settings
from sync_platform.sync import desk as at
from sync_platform.sync import relink, undo
from sync_platform.sync.cycle import load_policy
from tests.sync.desk import Desk, opened

VIEWER_TOKEN, OPERATOR_TOKEN = "a-token-that-reads", "a-token-that-acts"
TOKENS = {"SYNC_WEB_TOKEN": VIEWER_TOKEN, "SYNC_WEB_OPERATOR_TOKEN": OPERATOR_TOKEN}
WRITERS = "company: {writers: [hubspot, erp, gorgias], rules: "
COMPANY = WRITERS + "[{owner: [hubspot], unless_blank: true}, newest, {rank: [hubspot, erp, gorgias]}]"
BRAKE = "brake: {absolute: 500, share: 0.1}"
HELD_MOST = 5


@dataclass
class Filled:
    """The world and where in it what is: record ids by what happened to them, numbers of what waits."""

    desk: Desk
    people: list[tuple[str, dict[str, str]]]
    records: dict[str, str] = field(default_factory=dict)
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    plan: str = ""

    @property
    def settings(self) -> Settings:
        return self.desk.settings

    def take(self, what: str) -> dict[str, str]:
        """A customer that nothing else was done to; gives its ids by system."""
        self.records[what], self.ids[what] = self.people.pop()
        return self.ids[what]


def policy_file(root: Path) -> Path:
    """The shipped policy, but a person decides about `company`, and the brake holds more than five changes."""
    text = files("sync_platform").joinpath("policy.yaml").read_text(encoding="utf-8")
    assert COMPANY in text
    assert BRAKE in text
    text = text.replace(COMPANY, WRITERS + "[review]")
    path = root / "policy.yaml"
    # Of customers alone, the first in the file: the limit says as well how many rows a list may lack.
    path.write_text(text.replace(BRAKE, f"brake: {{absolute: {HELD_MOST}, share: 0}}", 1), encoding="utf-8")
    return path


@contextmanager
def world(root: Path, ledger_url: str | None = None, **options: Any) -> Iterator[Desk]:
    """A loaded sandbox with the policy of these tests and both tokens."""
    root.mkdir(parents=True, exist_ok=True)
    env = TOKENS | {"SYNC_POLICY": str(policy_file(root))}
    if ledger_url is not None:
        env["LEDGER_DATABASE_URL"] = ledger_url
    with opened(root / "world", env=env, **options) as desk:
        yield desk


@contextmanager
def filled_world(root: Path, ledger_url: str | None = None) -> Iterator[Filled]:
    """The same after all that the pages show has happened; the sandbox still runs."""
    with world(root, ledger_url) as desk:
        made = Filled(desk, list(desk.trios("customer").items()))
        _ended(made)
        _merged(made)
        _merged_there(made)
        _contested(made)
        _in_review(made)
        _alike(made)
        _parked(made)
        _held(made)
        made.plan = undo.undo(made.settings, made.records["conflict"], load_policy(made.settings), who="kim")["plan"]
        yield made


def filled(root: Path, ledger_url: str) -> Settings:
    """Make the ledger and let the sandbox go: what the pages need is in the ledger."""
    with filled_world(root, ledger_url) as made:
        return made.settings


def env_of(settings: Settings) -> dict[str, str]:
    """What a process of its own is told, to serve this ledger."""
    return TOKENS | {"SYNC_POLICY": str(settings.policy_file)}


# --- what happens


def _ended(made: Filled) -> None:
    ids = made.take("deleted")
    for system, kind in (("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers")):
        body = {"system": system, "kind": kind, "id": ids[system], "set": {}, "delete": True}
        made.desk.call("POST", "/edit", body)
    made.desk.advance(2000)
    made.desk.sync(full=True)


def _merged(made: Filled) -> None:
    """A person says that what the ERP held apart is the one whom the others know."""
    ids = made.take("survivor")
    what = f"customer:erp:{ids['erp']}"
    made.records["merged"] = relink.unlink(made.settings, what, who="kim")["moves"][0]["to"]
    relink.link(made.settings, what, made.records["survivor"], who="kim", why="one and the same")
    made.desk.later(2000)


def _merged_there(made: Filled) -> None:
    """HubSpot merges two contacts whom the others hold apart: a person is asked about it."""
    into, gone = made.take("kept"), made.take("absorbed")
    body = {"system": "hubspot", "kind": "contacts", "from": gone["hubspot"], "into": into["hubspot"]}
    made.desk.call("POST", "/merge", body)
    made.desk.advance(2000)
    made.desk.sync(full=True)


def _contested(made: Filled) -> None:
    """Two systems change one field at once: the owner's value wins, and what lost is told."""
    ids = made.take("conflict")
    made.desk.edit("hubspot", "contacts", ids["hubspot"], phone="+12125550181")
    made.desk.edit("erp", "customers", ids["erp"], phone="+12125550182")
    made.desk.later(2000)
    made.desk.later(2000)


def _in_review(made: Filled) -> None:
    ids = made.take("review")
    disagree(made.desk, ids)
    made.numbers["review"] = review_of(made.settings, made.records["review"])


def disagree(desk: Desk, ids: dict[str, str], hubspot: str = "Copper Lamp", erp: str = "Copper Lamp Ltd") -> None:
    """Two values of the field about which a person decides, and the cycle that asks."""
    desk.edit("hubspot", "contacts", ids["hubspot"], company=hubspot)
    desk.edit("erp", "customers", ids["erp"], company=erp)
    desk.later(1000)


def review_of(settings: Settings, record: str) -> int:
    """The number of the open review of a record."""
    return next(int(one["id"]) for one in at.reviews(settings)["reviews"] if one["record"] == record)


def _alike(made: Filled) -> None:
    made.numbers["twin"] = alike(made.desk, "4001")


def alike(desk: Desk, number: str) -> int:
    """Somebody new in the ERP and somebody new in HubSpot who share a phone; gives the number of the question."""
    phone = f"+1212555{number}"
    desk.edit("erp", "customers", None, full_name="Robin Quill", email=f"rq{number}@example.com", phone=phone)
    names = {"firstname": "Robin", "lastname": "Quill"}
    desk.edit("hubspot", "contacts", None, email=f"r{number}@example.org", phone=phone, **names)
    desk.later(2000)
    desk.later(2000)
    return max(int(one["id"]) for one in at.reviews(desk.settings)["reviews"] if one["kind"] != "field")


def _parked(made: Filled) -> None:
    ids = made.take("parked")
    made.numbers["parked"] = refused(made.desk, made.records["parked"], ids)


def refused(desk: Desk, record: str, ids: dict[str, str], note: str = "Rings at the back door") -> int:
    """A write that Gorgias does not take, parked; the account takes it again afterwards. Gives the mark's number."""
    desk.switch(gorgias__note_writable="off")
    desk.edit("erp", "customers", ids["erp"], note=note)
    desk.later(1000)
    desk.switch(gorgias__note_writable="on")
    return next(int(one["id"]) for one in at.parked(desk.settings)["parked"] if one["record"] == record)


def _held(made: Filled) -> None:
    rename(made.desk, [ids for _, ids in made.people[: HELD_MOST + 2]])
    found = made.desk.later(7200)["held"]
    made.numbers |= {f"hold_{one['system']}": int(one["hold"]) for one in found}


def rename(desk: Desk, trios: list[dict[str, str]], word: str = "Brook") -> None:
    """More people than the brake lets through get another name in HubSpot."""
    for number, ids in enumerate(trios):
        desk.edit("hubspot", "contacts", ids["hubspot"], lastname=f"{word}{'abcdefghij'[number]}")
