"""A canary customer comes in by webhooks: good, forged, malformed. Dagster runs drain them and write them out.

None of its words is found afterwards in what the door answered or printed, in an address, in a log line of any level,
in Dagster's storage (events, metadata, run config, tags, cursors, ticks) or in the ledger's counts.
"""

from __future__ import annotations

import html
import http.client
import json
import logging
import re
import shutil
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from sync_platform.definitions import defs
from sync_platform.orchestration import triggers
from sync_platform.settings import environment_names
from sync_platform.sync.setup import setup
from tests.sync.desk import Desk, opened, settings_of, wait_for
from tests.sync.test_canary import PATTERN, PHONES, SECRET, WORD, Heard, files_in, findings, plant
from tests.web.calls import CLIENT, SHARED, dumped, gorgias_headers, v3_headers
from tests.web.conftest import client_of
from tests.web.filled import OPERATOR_TOKEN, VIEWER_TOKEN
from tests.web.serving import ROOT, Served, served

ENV = {"GORGIAS_WEBHOOK_SECRET": SHARED, "HUBSPOT_CLIENT_SECRET": CLIENT}
# What anybody may ask of the door; its answers are read like every other one.
ASKED = ("/health", f"/health?q={WORD}", f"/{WORD}.mail@example.com", f"/hooks/{WORD}", "/metrics", "/")


WALK_MAX = 150
ADDRESS = re.compile(r"""(?:href|src|action|formaction)=["']([^"']*)""")


@dataclass
class Heeded:
    """What was answered, logged and told on the way."""

    desk: Desk
    door: Served | None = None
    answers: list[tuple[int, str]] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    ticks: list[str] = field(default_factory=list)

    @property
    def trio(self) -> dict[str, str]:
        """The canary's tickets by system."""
        return {system: self.ticket(system) for system in ("gorgias", "hubspot", "erp")}

    def ticket(self, system: str) -> str:
        rows = self.desk.entity(system, "ticket")
        return next(id_ for id_, row in rows.items() if f"{WORD} subject" in json.dumps(row).casefold())


@pytest.fixture(scope="module")
def heeded(tmp_path_factory) -> Iterator[Heeded]:
    with opened(tmp_path_factory.mktemp("canary"), customers=8, tickets=10) as desk:
        shutil.copy(ROOT / "dagster.yaml", desk.root / "dagster.yaml")
        desk.settings = settings_of(desk.ready, desk.root, ENV)
        known = Heeded(desk)
        plant(SimpleNamespace(desk=desk))
        desk.sync()
        with served(desk.root, desk.settings.ledger_url, GORGIAS_HMAC_SECRET="", **ENV) as door:
            known.door = door
            setup(desk.settings, webhooks_url=door.ready["door"])
            with instance_of(known) as instance:
                good(known)
                known.ticks.append(ticked(instance))
                run(known, instance)
                bad(known)
                rubbish_that_is_signed(known)
                run(known, instance)
                known.ticks.append(ticked(instance))
                known.ticks += [repr(one) for one in instance.get_runs()]
        yield known


@contextmanager
def instance_of(known: Heeded) -> Iterator[dg.DagsterInstance]:
    """Dagster's storage as in real life, beside the ledger; every logger wide open."""
    heard = Heard(known.logged)
    with pytest.MonkeyPatch.context() as patch:
        for name in environment_names():
            patch.delenv(name, raising=False)
        patch.setenv("SYNC_ROOT", str(known.desk.root))
        patch.setenv("DAGSTER_HOME", str(known.desk.root))
        patch.setenv("SANDBOX_CONTROL_URL", known.desk.ready["control"]["url"])
        patch.setenv("LEDGER_DATABASE_URL", known.desk.settings.ledger_url)
        patch.setattr(triggers, "NEWS_WAIT_S", 0.0)
        patch.setattr("sync_platform.sync.hooks.STAY_S", 0.5)
        patch.chdir(known.desk.root)
        level = logging.root.level
        logging.root.addHandler(heard)
        logging.root.setLevel(logging.DEBUG)
        try:
            with dg.DagsterInstance.get() as instance:
                yield instance
        finally:
            logging.root.setLevel(level)
            logging.root.removeHandler(heard)


def run(known: Heeded, instance: dg.DagsterInstance) -> None:
    known.desk.advance(60)
    result = defs.resolve_job_def("sync").execute_in_process(instance=instance, raise_on_error=False)
    known.events += [repr(event) for event in result.all_events]


def ticked(instance: dg.DagsterInstance) -> str:
    """What a tick of the sensor gives Dagster to keep."""
    repository = defs.get_repository_def()
    news = next(one for one in repository.sensor_defs if one.name == "news")
    with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
        return repr(news.evaluate_tick(context))


# --- what comes in ----------------------------------------------------------------------------------------------


def good(known: Heeded) -> None:
    """A person edits the canary's ticket, Gorgias calls; HubSpot tells of its contact."""
    trio = known.trio
    known.desk.edit(
        "gorgias", "tickets", trio["gorgias"], subject=f"{WORD} subject by webhook", tags=[f"{WORD}-hooked"]
    )
    contact = next(
        i for i, row in known.desk.entity("hubspot", "customer").items() if f"{WORD}.mail" in json.dumps(row)
    )
    events = [{"eventId": 1, "subscriptionId": 7, "portalId": known.desk.ready["hubspot"]["portal_id"], "appId": 1,
               "occurredAt": 1772359200000, "subscriptionType": "contact.propertyChange", "attemptNumber": 0,
               "objectId": int(contact), "propertyName": "phone", "propertyValue": PHONES[1]}]  # fmt: skip
    post(known, "/hooks/hubspot", events, signed=True)
    wait_for(lambda: len(known.desk.ledger("SELECT id FROM inbox WHERE drained_at IS NULL")) >= 2)


def bad(known: Heeded) -> None:
    """Forged, torn, too deep, too large, at other addresses: each full of the canary's words."""
    whole = {"ticket": {"id": 5, "subject": f"{WORD} subject", "customer": {"email": f"{WORD}.mail@example.com",
             "phone": PHONES[0]}, "messages": []}}  # fmt: skip
    deep: Any = WORD
    for _ in range(40):
        deep = {WORD: deep}
    query = urllib.parse.urlencode({"email": f"{WORD}.mail@example.com", "phone": PHONES[2]})
    for path in ("/hooks/gorgias", "/hooks/hubspot"):
        post(known, path, whole, signed=False)
        post(known, f"{path}?{query}", whole, signed=False)
        post(known, path, dumped(whole)[:-9], signed=True)
        post(known, path, deep, signed=True)
        post(known, path, WORD, signed=True, **{"Content-Length": "2000000"})
        post(known, path, whole, signed=True, **{"Content-Encoding": WORD, "X-Forwarded-For": f"{WORD}.example"})
    for path in ASKED:
        ask(known, "GET", path)
    ask(known, "DELETE", "/hooks/gorgias", dumped(whole))
    assert known.door is not None
    known.answers.append(
        (0, known.door.raw(f"POST {WORD}.mail@example.com\r\n{WORD}: {PHONES[0]}\r\n\r\n".encode()).decode())
    )


def rubbish_that_is_signed(known: Heeded) -> None:
    """Deliveries that are let in and that nothing can be made of, or not what they say."""
    trio = known.trio
    known.desk.edit("erp", "tickets", trio["erp"], subject=f"{WORD} subject of the ERP")
    shown = known.desk.row("gorgias", "ticket", trio["gorgias"])
    for change in ({"subject": {WORD: [WORD]}}, {"messages": WORD}, {"customer": {"email": f"{WORD}@"}},
                   {"status": WORD}, {"updated_datetime": WORD}, {"tags": [{"name": {WORD: 1}}]}):  # fmt: skip
        post(known, "/hooks/gorgias", {"ticket": shown | {"id": int(trio["gorgias"])} | change}, signed=True)
    post(known, "/hooks/hubspot", [{"objectId": WORD, "subscriptionType": WORD, "propertyValue": WORD}], signed=True)


def post(known: Heeded, path: str, payload: Any, *, signed: bool, **more: str) -> None:
    body = dumped(payload)
    headers = {"content-type": "application/json"} | more
    if signed:
        assert known.door is not None
        address = known.door.ready["door"] + "/hooks/hubspot"
        headers |= gorgias_headers(body) if "gorgias" in path else v3_headers(body, uri=address)
    else:
        headers |= {"X-Sync-Secret": SECRET, "X-HubSpot-Signature-v3": SECRET}
    ask(known, "POST", path, body, headers)


def ask(known: Heeded, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
    assert known.door is not None
    with closing(http.client.HTTPConnection(*known.door.address, timeout=30)) as connection:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        known.answers.append((answer.status, f"{answer.headers}{answer.read().decode()}"))


# --- what is asserted -------------------------------------------------------------------------------------------


def telling(lines: list[str]) -> list[str]:
    return [line[:400] for line in lines if PATTERN.search(line.encode())]


def test_it_went_through_door_and_runs(heeded):
    statuses = {status for status, _ in heeded.answers}
    assert {200, 400, 403, 404, 405, 413} <= statuses, statuses
    assert not any(status >= 500 for status in statuses)
    assert not heeded.desk.ledger("SELECT id FROM inbox WHERE drained_at IS NULL")
    assert any("ASSET_MATERIALIZATION" in event for event in heeded.events)
    assert "inbox" in heeded.ticks[0]
    trio = heeded.trio
    assert f"{WORD} subject" in heeded.desk.row("hubspot", "ticket", trio["hubspot"])["properties"]["subject"]
    assert heeded.desk.ledger("SELECT id FROM observation WHERE channel = 'webhook'")


def test_the_door_neither_answers_nor_prints_a_word_of_it(heeded):
    assert len(heeded.answers) > 20
    assert not telling([text for _, text in heeded.answers])
    assert '"door"' in heeded.door.said
    assert not telling(heeded.door.said.splitlines())


def test_no_log_line_of_any_level_tells_of_it(heeded):
    assert len(heeded.logged) > 20
    assert not telling(heeded.logged)


def test_dagster_keeps_nothing_of_it(heeded):
    files = files_in(heeded.desk.root / ".sync" / "dagster")
    assert any(path.suffix == ".db" for path in files)
    assert not findings(files)
    assert len(heeded.ticks) >= 4
    assert not telling([*heeded.events, *heeded.ticks])


def test_what_is_counted_and_what_stays_of_a_delivery_is_without_it(heeded):
    kept = heeded.desk.ledger("SELECT key, value FROM meta") + heeded.desk.ledger("SELECT * FROM inbox")
    kept += heeded.desk.ledger("SELECT * FROM call") + heeded.desk.ledger("SELECT * FROM run")
    assert len(kept) > 10
    assert not telling([str(tuple(row)) for row in kept])


@dataclass
class Walk:
    """Somebody signed in who opens every page and follows every link: what they answered, addresses in them."""

    client: Any
    seen: dict[str, Any] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)

    def take(self, path: str, answer: Any) -> list[str]:
        """Keep an answer; gives where its links lead on this site."""
        self.seen[path] = answer
        found = {html.unescape(one) for one in ADDRESS.findall(answer.text)} | {str(answer.headers.get("location", ""))}
        self.addresses |= found
        return [one.partition("#")[0] for one in sorted(found) if one.startswith("/") and not one.startswith("/static")]

    def go(self) -> None:
        waiting = sorted({one.path for one in self.client.app.routes if "GET" in (getattr(one, "methods", None) or ())
                          and "{" not in one.path})  # fmt: skip
        while waiting and len(self.seen) < WALK_MAX:
            path = waiting.pop(0)
            if path not in self.seen and path != "/logout":
                waiting += self.take(path, self.client.get(path))

    def search(self, typed: str) -> str:
        guard = re.search(r'name="guard" value="([^"]+)"', self.client.get("/records").text)
        answer = self.client.post("/records", data={"q": typed, "guard": guard[1] if guard else ""})
        self.take(f"searched {len(self.seen)}", answer)
        return answer.text + str(answer.headers)


def test_the_pages_show_it_to_whoever_is_signed_in_and_name_it_in_no_address(heeded):
    env = ENV | {"SYNC_WEB_TOKEN": VIEWER_TOKEN, "SYNC_WEB_OPERATOR_TOKEN": OPERATOR_TOKEN}
    heard: list[str] = []
    handler = Heard(heard)
    level = logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.DEBUG)
    try:
        with client_of(settings_of(heeded.desk.ready, heeded.desk.root, env), OPERATOR_TOKEN) as client:
            walk = Walk(client)
            found = [walk.search(typed) for typed in (f"{WORD}.mail@example.com", PHONES[2], f"{WORD} subject")]
            walk.go()
    finally:
        logging.root.setLevel(level)
        logging.root.removeHandler(handler)
    shown = {path for path, one in walk.seen.items() if one.status_code == 200}
    assert {"/records", "/columns", "/runs", "/reviews", "/parked", "/plans", "/acts"} <= shown
    assert any(path.startswith("/records/") for path in walk.seen), "no record was opened"
    assert telling(found) or any(telling([one.text]) for one in walk.seen.values()), "it is on no page at all"
    assert not telling(sorted(walk.addresses | set(walk.seen)))
    assert not telling([one.text for path, one in walk.seen.items() if path == "/metrics"])
    assert not telling([line for line in heard if not line.startswith(("asyncio", "python_multipart"))])


def test_its_words_would_be_found(tmp_path):
    (tmp_path / "log").write_text(f"GET /{WORD}.mail@example.com")
    assert telling([f"call {PHONES[2]}", "nothing"]) == [f"call {PHONES[2]}"]
    assert findings(files_in(Path(tmp_path)))
