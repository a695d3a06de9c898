"""Virtual time as clients see it: a day passes in no time, and windows, cursors, tokens and lags follow."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from sync_platform.sandbox.server import Options, running
from sync_platform.sandbox.world import Clock

DEADLINE_S = 20


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    options = Options(
        customers=60,
        tickets=120,
        data_dir=tmp_path_factory.mktemp("clock"),
        gorgias_port=0,
        hubspot_port=0,
        control_port=0,
    )
    with running(options) as line:
        yield line


@pytest.fixture
def control(ready):
    with httpx.Client(base_url=ready["control"]["url"], timeout=30) as client:
        yield client
        client.post("/clock", json={"rate": 1}).raise_for_status()
        client.put("/switches", json=[{**row, "value": row["default"]} for row in client.get("/switches").json()])
        client.post("/clock", json={"advance_s": 100}).raise_for_status()  # empty windows for the next test


@pytest.fixture
def gorgias(ready):
    door = ready["gorgias"]
    with httpx.Client(base_url=door["url"], auth=(door["email"], door["api_key"]), timeout=30) as client:
        yield client


@pytest.fixture
def hubspot(ready):
    door = ready["hubspot"]
    headers = {"authorization": f"Bearer {door['access_token']}"}
    with httpx.Client(base_url=door["url"], headers=headers, timeout=30) as client:
        yield client


def present(control) -> datetime:
    return datetime.fromisoformat(control.get("/clock").json()["now"])


def step(control, seconds: float) -> None:
    control.post("/clock", json={"advance_s": seconds}).raise_for_status()


def test_a_full_window_of_gorgias_is_free_again_20_s_later(control, gorgias):
    answers = [gorgias.get("/api/account").status_code for _ in range(41)]
    assert answers == [200] * 40 + [429]
    step(control, 19)
    assert gorgias.get("/api/account").status_code == 429
    step(control, 1)
    assert gorgias.get("/api/account").status_code == 200


def test_a_full_window_of_hubspot_is_free_again_10_s_later(control, hubspot):
    control.put("/switches", json={"hubspot.plan": "free"}).raise_for_status()
    answers = [hubspot.get("/crm/v3/owners").status_code for _ in range(101)]
    assert (answers[:100], answers[100]) == ([200] * 100, 429)
    step(control, 10)
    assert hubspot.get("/crm/v3/owners").status_code == 200


def test_a_cursor_of_gorgias_expires_on_the_sandbox_s_clock(control, gorgias):
    cursor = gorgias.get("/api/customers", params={"limit": 1}).json()["meta"]["next_cursor"]
    lives_s = next(row["value"] for row in control.get("/switches").json() if row["name"] == "gorgias.cursor_ttl_s")
    assert gorgias.get("/api/customers", params={"limit": 1, "cursor": cursor}).status_code == 200
    step(control, lives_s + 1)
    assert gorgias.get("/api/customers", params={"limit": 1, "cursor": cursor}).status_code == 400


def test_search_of_hubspot_sees_an_edit_once_its_lag_has_passed(control, hubspot):
    control.put("/switches", json={"hubspot.search_lag_s": 3600}).raise_for_status()
    row = control.get("/state/hubspot/contacts?limit=1").json()["rows"][0]
    edit = {"system": "hubspot", "kind": "contacts", "id": row["id"], "set": {"firstname": "Zebedee"}}
    control.post("/edit", json=edit).raise_for_status()
    body = {"filterGroups": [{"filters": [{"propertyName": "firstname", "operator": "EQ", "value": "Zebedee"}]}]}
    assert hubspot.post("/crm/v3/objects/contacts/search", json=body).json()["total"] == 0
    step(control, 3600)
    assert hubspot.post("/crm/v3/objects/contacts/search", json=body).json()["total"] == 1


def test_every_answer_bears_the_date_of_the_sandbox_s_clock(control, gorgias, hubspot):
    step(control, 86_400)
    for answer in (gorgias.get("/api/account"), hubspot.get("/crm/v3/owners")):
        assert abs(parsedate_to_datetime(answer.headers["date"]) - present(control)) < timedelta(seconds=10)
    assert present(control) - datetime.now(UTC) > timedelta(days=1)


def test_a_clock_that_runs_faster_empties_a_window_by_itself(control, gorgias):
    while gorgias.get("/api/account").status_code != 429:
        pass
    shown = control.post("/clock", json={"rate": 600}).json()
    assert shown["rate"] == 600
    until = time.monotonic() + DEADLINE_S / 2
    while gorgias.get("/api/account").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.01)
    first, second = present(control), present(control)
    assert second >= first


@pytest.mark.parametrize("body", [{"rate": 0}, {"rate": 0.5}, {"rate": "fast"}, {"rate": 1e9}, {"pace": 2}, {}])
def test_a_pace_that_makes_no_sense_is_refused(control, body):
    before = control.get("/clock").json()
    answer = control.post("/clock", json=body)
    assert (answer.status_code, "error" in answer.json()) == (400, True)
    after = control.get("/clock").json()
    assert after["rate"] == before["rate"]


def _advance_often(clock: Clock) -> None:
    for _ in range(100):
        clock.advance(9e9)


def test_the_clock_stops_before_the_years_run_out():
    clock = Clock()
    clock.advance(9e9)
    with pytest.raises(ValueError, match="forward"):
        _advance_often(clock)
    assert 2300 < clock.now().year < 9999


def test_a_sleeper_wakes_when_the_clock_begins_to_run_faster():
    clock = Clock()

    async def wait() -> None:
        waiting = asyncio.create_task(clock.sleep(3600))
        await asyncio.sleep(0)
        clock.run_at(86_400)
        await asyncio.wait_for(waiting, DEADLINE_S)

    asyncio.run(wait())
    assert clock.rate == 86_400


def test_the_offset_stays_when_the_pace_changes():
    clock = Clock()
    clock.advance(500)
    clock.run_at(1000)
    before = clock.offset_s
    clock.run_at(1)
    assert 500 <= before <= clock.offset_s < 500 + 86_400
    assert clock.rate == 1


@pytest.fixture
def day(tmp_path):
    options = Options(data_dir=tmp_path / "day", gorgias_port=0, hubspot_port=0, control_port=0)
    with running(options) as line, httpx.Client(base_url=line["control"]["url"], timeout=60) as client:
        yield client


def test_a_day_of_edits_passes_in_about_a_second_and_its_stamps_are_spread(day):
    begin_at = present(day)
    begin = time.monotonic()
    found = day.post("/script/day", json={"hours": 24}).json()
    took_s = time.monotonic() - begin
    assert took_s < 5, "a day should take about a second, even on a busy machine"
    assert found["events"] == len(found["happened"]) > 40
    assert (found["left"], found["skipped"]) == (0, 0)
    assert all(found["edits"][system] > 5 for system in ("gorgias", "hubspot", "erp"))
    passed = datetime.fromisoformat(found["to"]) - begin_at
    assert timedelta(hours=24) <= passed < timedelta(hours=24, minutes=5)
    stamps = []
    for system, kind, name in (("gorgias", "customers", "updated_datetime"), ("hubspot", "contacts", "updatedAt")):
        rows = day.get(f"/state/{system}/{kind}?limit=10000").json()["rows"]
        at = [datetime.fromisoformat(row[name]) for row in rows]
        stamps += [one.replace(tzinfo=one.tzinfo or UTC) for one in at]
    today = sorted(one for one in stamps if one > begin_at)
    assert today[-1] - today[0] > timedelta(hours=15)
    assert len({one.hour for one in today}) > 8


def test_a_day_without_events_left_still_passes(day):
    day.post("/script/day").raise_for_status()
    before = present(day)
    found = day.post("/script/day", json={"hours": 2}).json()
    assert (found["events"], found["happened"]) == (0, [])
    assert present(day) - before >= timedelta(hours=2)


def test_hours_that_make_no_sense_are_refused(day):
    for hours in (-1, "24", True, 1e6):
        assert day.post("/script/day", json={"hours": hours}).status_code == 400
    assert day.post("/script/next").json()["event"]["n"] == 1
