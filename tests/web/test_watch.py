"""Columns, runs, status and metrics: what they tell is what the ledger, the policy and the runs hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from sync_platform.core import columns, mappings
from sync_platform.core.records import ENTITIES, SYSTEMS
from sync_platform.sync.cycle import load_policy
from sync_platform.sync.status import status
from sync_platform.web import metrics, plot
from tests.web.conftest import BASE
from tests.web.filled import OPERATOR_TOKEN, VIEWER_TOKEN

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAST = timedelta(hours=1)
WAITING = ("/reviews", "/parked", "/plans")


# --- columns


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_field_of_the_policy_stands_in_the_lineage_as_the_mappings_and_the_policy_say(filled_ledger, entity):
    policy = load_policy(filled_ledger.settings)
    lines = columns.lines(policy, entity)
    assert [one.field for one in lines] == list(policy.entities[entity].fields)
    for line in lines:
        rule = policy.entities[entity].fields[line.field]
        for system in SYSTEMS:
            mapping = mappings.field_maps(system, entity).get(line.field)
            assert (system in line.places) == (mapping is not None)
            if mapping is not None:
                place = line.places[system]
                assert place.attributes == mapping.attributes
                assert place.sets == (system in rule.writers)
                assert (place.written == "never") == (mapping.mode == "read")


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_columns_page_names_every_attribute_of_every_system(reader, filled_ledger, entity):
    page = reader.get(f"/columns?entity={entity}").text
    for line in columns.lines(load_policy(filled_ledger.settings), entity):
        for place in line.places.values():
            assert f"<code>{', '.join(place.attributes)}</code>" in page
    assert page.count("<svg") == 1


def test_one_field_can_be_chosen_and_a_field_that_is_none_shows_all(reader):
    one = reader.get("/columns?entity=customer&field=phone").text
    assert one.count('<th scope="row">') == 1
    assert reader.get("/columns?entity=customer&field=nonsense").text.count('<th scope="row">') > 1


# --- runs


def numbers(page: str, what: str) -> list[int]:
    return [int(one) for one in re.findall(rf'href="/{what}/(\d+)"', page)]


def test_the_list_leads_to_every_run_and_each_run_shows_what_the_ledger_holds_of_it(reader, filled_ledger):
    runs = [row.id for row in filled_ledger.desk.ledger("SELECT id FROM run ORDER BY ended_at DESC")]
    listed = re.findall(r'href="/runs/([0-9a-f-]+)"', reader.get("/runs").text)
    assert listed == runs
    for run in runs:
        page = reader.get(f"/runs/{run}").text
        for what, table in (("decisions", "decision"), ("observations", "observation")):
            rows = filled_ledger.desk.ledger(f"SELECT id FROM {table} WHERE run = :run ORDER BY id LIMIT 50", run=run)
            assert numbers(page, what) == [row.id for row in rows], (run, what)


def test_what_a_run_wrote_are_the_answers_that_it_got(reader, filled_ledger):
    rows = filled_ledger.desk.ledger("SELECT intent_id FROM receipt ORDER BY id")
    runs = [row.id for row in filled_ledger.desk.ledger("SELECT id FROM run ORDER BY started_at")]
    told: list[int] = []
    for run in runs:
        path: str | None = f"/runs/{run}"
        while path:
            page = reader.get(path).text
            told += numbers(page, "intents")
            more = re.search(r'href="(/runs/[0-9a-f-]+\?wrote=\d+)#wrote"', page)
            path = more[1] if more else None
    assert told == [row.intent_id for row in rows]


def test_a_run_that_nobody_knows_is_a_page_that_says_so(reader):
    for path in ("/runs/nobody", "/runs/" + "a" * 70, "/runs/%3Cscript%3E"):
        answer = reader.get(path)
        assert answer.status_code == 404
        assert "<script>" not in answer.text.replace('<script src="/static', "")


def test_a_run_of_dagster_leads_to_dagsters_page_of_it(reader, filled_ledger):
    run = "6f1b2c3d-0000-4000-8000-000000000001"
    desk = filled_ledger.desk
    (last,) = desk.ledger("SELECT id FROM run ORDER BY ended_at DESC LIMIT 1")
    assert "Not started by Dagster." in reader.get(f"/runs/{last.id}").text
    with reader_over_a_copy(filled_ledger, run) as client:
        assert f'href="http://127.0.0.1:3000/runs/{run}"' in client.get(f"/runs/{run}").text


def reader_over_a_copy(filled, run):
    import contextlib
    import sqlite3

    from tests.web.conftest import client_of

    source = filled.settings.ledger_url.removeprefix("sqlite:///")
    copy = filled.settings.root / "copy.db"

    @contextlib.contextmanager
    def opened():
        with sqlite3.connect(source) as before, sqlite3.connect(copy) as after:
            before.backup(after)
            after.execute("UPDATE run SET id = ? WHERE id = (SELECT max(id) FROM run)", (run,))
        before.close()
        after.close()
        settings = filled.settings.model_copy(
            update={"ledger_database_url": type(filled.settings.ledger_database_url)(f"sqlite:///{copy}")}
        )
        with client_of(settings, VIEWER_TOKEN) as client:
            yield client

    return opened()


# --- status


def test_status_tells_what_waits_as_the_command_does_and_leads_to_it(reader, filled_ledger):
    page = reader.get("/status").text
    told = status(filled_ledger.settings)
    for entity, facts in told["entities"].items():
        row = re.search(rf'<th scope="row">{entity}</th>(.*?)</tr>', page, flags=re.DOTALL)
        assert row is not None
        cells = [int(one.replace(",", "")) for one in re.findall(r'class="n">([\d,]+)<', row[1])]
        waits = [facts["pending"], facts["in_review"], facts["parked"]]
        assert cells == [facts["records"], *(facts["links"].get(str(s), 0) for s in SYSTEMS), cells[4], *waits]
    for path in WAITING:
        assert f'href="{path}"' in page


@given(
    st.lists(
        st.tuples(st.integers(0, 3599), st.integers(0, 1200), st.integers(0, 10_000)),
        max_size=20,
    ),
    st.integers(1, 90),
)
def test_a_course_over_time_loses_no_call_and_invents_none(given_, parts):
    course = []
    for after_s, length_s, n in given_:
        begin = NOW - PAST + timedelta(seconds=after_s)
        course.append((begin, min(begin + timedelta(seconds=length_s), NOW), n))
    values = plot.spread(course, NOW, PAST, parts)
    assert len(values) == parts
    # Parts are whole microseconds.
    assert sum(values) == pytest.approx(sum(n for _, _, n in course), rel=1e-3)


# --- metrics


def scraped(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_metrics_need_a_token_or_a_session(nobody, reader):
    refused = nobody.get("/metrics")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert nobody.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
    for token in (VIEWER_TOKEN, OPERATOR_TOKEN):
        assert nobody.get("/metrics", headers={"authorization": f"Bearer {token}"}).status_code == 200
    assert reader.get("/metrics").status_code == 200


def test_every_figure_is_there_and_says_what_the_status_says(reader, filled_ledger):
    found = scraped(reader.get("/metrics").text)
    assert set(found) == {one.name for one in metrics.FIGURES}
    told = status(filled_ledger.settings)
    for entity, facts in told["entities"].items():
        assert found["sync_records"][entity,] == facts["records"]
        in_review = sum(n for labels, n in found["sync_open_reviews"].items() if entity in labels)
        assert in_review == facts["in_review"]
        assert sum(n for labels, n in found["sync_parked"].items() if entity in labels) == facts["parked"]
        for system, n in facts["links"].items():
            assert n in [value for labels, value in found["sync_links"].items() if {system, entity} == set(labels)]
    assert found["sync_open_holds"][()] == len(told["held"])
    assert found["sync_open_plans"][()] == len(told["plans"])
    assert found["sync_paused"][()] == 0


def test_no_figure_has_a_label_that_a_customer_could_fill(reader, filled_ledger):
    words = set(re.findall(r'="([^"]*)"', reader.get("/metrics").text))
    limits = {"window", "per_second", "day", "search", "ten_seconds", "connections"}
    known = {*SYSTEMS, *ENTITIES, "field", "twin", "ambiguous", "merge", "planned", "sent", "unknown", "ok", "partial"}
    assert words <= {str(one) for one in known} | limits | {"failed", "skipped", "none"}


def test_the_pages_without_a_run_say_what_would_be_there(tmp_path):
    from sync_platform.ledger.inbox import open_inbox
    from sync_platform.settings import Settings
    from sync_platform.web import pages

    env = {"LEDGER_DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}", "SYNC_WEB_TOKEN": VIEWER_TOKEN}
    settings = Settings.load(env | {"SANDBOX_CONTROL_URL": "http://127.0.0.1:9"}, root=tmp_path)
    open_inbox(settings.ledger_url).close()
    app = pages.app(settings)
    with TestClient(app, base_url=BASE) as client:
        client.post("/login", data={"name": "rae", "token": VIEWER_TOKEN, "next": "/"})
        assert "No run yet." in client.get("/runs").text
        assert "Counted by the first run that ends." in client.get("/status").text
        assert scraped(client.get("/metrics").text)["sync_last_complete_run_seconds"][()] == -1
    app.state.shelf.close()
