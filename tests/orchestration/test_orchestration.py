"""The platform as Dagster sees it: keys, checks, what trouble does to a run, and what never enters Dagster."""

import http.server
import json
import threading
import time
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest
from pydantic import PrivateAttr

from sync_platform.definitions import defs
from sync_platform.errors import AnotherCycleRuns, WrongAccount
from sync_platform.ledger import accounts
from sync_platform.ledger.database import Ledger
from sync_platform.orchestration import resources, triggers, upkeep
from sync_platform.orchestration.assets import all_assets
from sync_platform.settings import environment_names
from sync_platform.sync.hub import Progress, Step

CANARY = "canary.ada@example.com"
TROUBLE = {"system": "hubspot", "entity": "ticket", "code": "MISSING_SCOPES", "count": 2, "remedy": "grant the scope"}
KEYS = {
    "systems": "gorgias/customers gorgias/tickets hubspot/contacts hubspot/tickets erp/customers erp/tickets",
    "pull": "observed/gorgias_customers observed/gorgias_tickets observed/hubspot_contacts observed/hubspot_tickets "
    "observed/erp_customers observed/erp_tickets",
    "reconcile": "records/customers records/tickets",
    "push": "written/gorgias_customers written/gorgias_tickets written/hubspot_contacts written/hubspot_tickets "
    "written/erp_customers written/erp_tickets",
    "cycle": "cycle/outcome",
    "audit": "audit/equality",
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder of its own, no setting from outside, a ledger that is not there yet."""
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SYNC_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


class ScriptedCycle:
    """A cycle whose steps are given; it notes what was asked of it."""

    run = "r1"

    def __init__(self, trouble=(), raises=None, progress=None):
        self.trouble, self.raises, self.progress = list(trouble), raises, progress
        self.asked: list[str] = []

    def _step(self, name, system, entity, **counts):
        self.asked.append(f"{name} {system or ''} {entity}")
        if self.raises is not None and name == "reconcile":
            raise self.raises
        if self.progress is not None:
            self.progress(Progress(step=name, pages=2, rows=200, calls=2, total=900, eta_s=7.0))
        trouble = [t for t in self.trouble if (t["system"], t["entity"]) == (system, entity)]
        row = {"record": "r-1", "system": str(system), "verb": "update", "fields": ["phone"], "rule": "owner"}
        return Step(name, counts, [row | {"value": CANARY}], trouble, complete=not trouble)

    def pull(self, system, entity):
        return self._step("pull", system, entity, observed=3, rows=12, calls=2, lower_bound=2, ratio=1.0)

    def reconcile(self, entity):
        return self._step("reconcile", None, entity, conflicts=1, in_review=1)

    def push(self, system, entity):
        return self._step("push", system, entity, created=1, updated=2, parked=0)

    def finish(self):
        self.asked.append("finish")
        one = {"calls": {"read": 3, "write": 1}, "lower_bound": 4, "ratio": 1.0, "rate_limited": 0, "waited_s": 0.5}
        return {
            "run": "r1",
            "complete": not self.trouble,
            "outcome": "partial" if self.trouble else "ok",
            "seconds": 1.5,
            "systems": {"gorgias": one, "hubspot": {**one, "rate_limited": 1}, "erp": one},
            "entities": {
                "customer": {"observed": 9, "created": {"gorgias": 1, "erp": 2}, "in_review": 1},
                "ticket": {"observed": 4, "created": {"erp": 2}, "updated": {"hubspot": 1}, "parked": 2},
            },
            "errors": self.trouble,
        }


class ScriptedResource(resources.CycleResource):
    """The shared cycle, opened from a script."""

    _cycle_given: Any = PrivateAttr(default=None)
    _opening: Any = PrivateAttr(default=None)
    _closed: int = PrivateAttr(default=0)

    @contextmanager
    def open_slice(self, progress):
        if self._opening is not None:
            raise self._opening
        if self._cycle_given.progress is not None:
            self._cycle_given.progress = progress
        try:
            yield self._cycle_given
        finally:
            self._closed += 1


def run_sync(instance, cycle=None, *, opening=None, selection=None):
    # Dagster makes a copy of a resource for each run; the script travels in its class.
    made = type("Given", (ScriptedResource,), {"__annotations__": {}, "setup_for_execution": given(cycle, opening)})()
    found = dg.Definitions(
        assets=all_assets(),
        jobs=[triggers.sync_job],
        resources=resources.resources() | {"cycle": made},
        executor=dg.in_process_executor,
    )
    job = found.resolve_job_def("sync")
    return job.execute_in_process(instance=instance, raise_on_error=False, asset_selection=selection)


def given(cycle, opening):
    def setup_for_execution(self, context):
        resources.CycleResource.setup_for_execution(self, context)
        self._cycle_given, self._opening = cycle, opening

    return setup_for_execution


def materializations(result):
    return {
        event.asset_key.to_user_string(): event.materialization
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION
    }


def checks(result):
    return {
        (e.asset_check_evaluation_data.asset_key.to_user_string(), e.asset_check_evaluation_data.check_name): (
            e.asset_check_evaluation_data
        )
        for e in result.all_events
        if e.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    }


def failure(result):
    failed = [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_FAILURE]
    return {e.step_key: e.event_specific_data.user_failure_data or e.event_specific_data.error for e in failed}


def said(instance, run_id):
    """Everything that Dagster stored about a run."""
    records = instance.get_records_for_run(run_id).records
    return "\n".join(str(record.event_log_entry.to_json()) for record in records)


# --- the graph -------------------------------------------------------------------------------------------------------


def test_the_asset_keys_and_groups_are_the_ones_that_others_rely_on():
    graph = defs.resolve_asset_graph()
    found: dict[str, set[str]] = {}
    for key in graph.get_all_asset_keys():
        found.setdefault(graph.get(key).group_name, set()).add(key.to_user_string())
    assert found == {group: set(keys.split()) for group, keys in KEYS.items()}


def test_the_systems_are_external_and_say_who_writes_them():
    graph = defs.resolve_asset_graph()
    for key in KEYS["systems"].split():
        node = graph.get(dg.AssetKey(key.split("/")))
        assert not node.is_materializable
        assert "written/" in node.description


@pytest.mark.parametrize(
    ("key", "parents"),
    [
        ("observed/hubspot_contacts", "hubspot/contacts"),
        ("records/customers", "observed/gorgias_customers observed/hubspot_contacts observed/erp_customers"),
        (
            "records/tickets",
            "observed/gorgias_tickets observed/hubspot_tickets observed/erp_tickets records/customers",
        ),
        ("written/hubspot_contacts", "records/customers"),
        ("written/hubspot_tickets", "records/tickets written/hubspot_contacts"),
        ("cycle/outcome", KEYS["push"]),
    ],
)
def test_each_step_waits_for_the_steps_before_it(key, parents):
    node = defs.resolve_asset_graph().get(dg.AssetKey(key.split("/")))
    assert {parent.to_user_string() for parent in node.parent_keys} == set(parents.split())


def test_every_step_is_examined():
    found = {(k.asset_key.to_user_string(), k.name) for k in defs.resolve_asset_graph().asset_check_keys}
    wanted = {(key, "complete") for key in (KEYS["pull"] + " " + KEYS["push"]).split()}
    wanted |= {(key, "nothing_parked") for key in KEYS["push"].split()}
    wanted |= {(key, name) for key in KEYS["reconcile"].split() for name in ("agreement", "no_doubles")}
    wanted |= {("cycle/outcome", "budget"), ("cycle/outcome", "lag"), ("audit/equality", "equality")}
    assert found == wanted


def test_no_check_stops_anybody():
    graph = defs.resolve_asset_graph()
    assert not [key for key in graph.asset_check_keys if graph.get_check_spec(key).blocking]


def test_jobs_triggers_and_resources_have_their_names():
    repository = defs.get_repository_def()
    assert {"sync", "plan", "approve", "audit", "prune"} <= {job.name for job in repository.get_all_jobs()}
    assert {sensor.name for sensor in repository.sensor_defs} == {"news", "run_failed"}
    assert {(one.name, one.cron_schedule, one.execution_timezone) for one in repository.schedule_defs} == {
        ("nightly_full", "0 2 * * *", "UTC"),
        ("nightly_prune", "30 3 * * *", "UTC"),
        ("audit_sweep", "*/15 * * * *", "UTC"),
    }
    assert set(repository.get_top_level_resources()) == {"gorgias", "hubspot", "erp", "ledger", "cycle"}


def test_the_triggers_run_by_default_and_all_steps_share_one_process():
    repository = defs.get_repository_def()
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in repository.sensor_defs)
    assert {one.default_status for one in repository.schedule_defs} == {dg.DefaultScheduleStatus.RUNNING}
    assert defs.resolve_job_def("sync").executor_def.name == "in_process"


def test_the_plan_job_materializes_nothing():
    job = defs.resolve_job_def("plan")
    assert job.asset_layer.executable_asset_keys == set() or not job.asset_layer.selected_asset_keys


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_run_shares_one_cycle_and_ends_it_once(instance):
    cycle = ScriptedCycle()
    result = run_sync(instance, cycle)
    assert result.success
    assert cycle.asked[-1] == "finish"
    assert len(cycle.asked) == 6 + 2 + 6 + 1
    assert set(materializations(result)) == {
        key for group, keys in KEYS.items() if group not in ("systems", "audit") for key in keys.split()
    }


def test_metadata_are_numbers_that_plot_and_tables_without_values(instance):
    result = run_sync(instance, ScriptedCycle())
    shown = materializations(result)["observed/gorgias_customers"].metadata
    assert shown["observed"].value == 3
    assert shown["dagster/row_count"].value == 12
    assert shown["complete"].value == 1
    assert "| field | gorgias | written by | rules |" in shown["columns"].md_str
    assert "| phone | `phones` ↔ | gorgias, hubspot, erp |" in shown["columns"].md_str
    assert "phone" in shown["fields"].md_str
    assert shown["page"].url.endswith(f"/runs/{result.run_id}")
    total = materializations(result)["cycle/outcome"].metadata
    numbers = ("observed", "created", "calls", "lower_bound", "ratio", "rate_limited", "waited_s", "complete")
    assert all(isinstance(total[name].value, int | float) for name in numbers)
    assert total["calls"].value == 12
    assert {name: total[name].value for name in ("observed", "created", "updated", "parked")} == {
        "observed": 13,
        "created": 5,
        "updated": 1,
        "parked": 2,
    }
    assert CANARY not in said(instance, result.run_id)


def test_trouble_of_one_system_leaves_the_others_going_and_fails_the_run_at_the_end(instance):
    result = run_sync(instance, ScriptedCycle(trouble=[TROUBLE]))
    assert not result.success
    assert len(materializations(result)) == 15
    failing = {key for key, check in checks(result).items() if not check.passed}
    assert ("observed/hubspot_tickets", "complete") in failing
    assert ("written/hubspot_tickets", "complete") in failing
    assert not any(key[0].startswith(("observed/gorgias", "written/erp")) for key in failing)
    assert materializations(result)["observed/hubspot_tickets"].metadata["outcome"].value == "partial"
    (only,) = failure(result)
    assert only == "cycle__outcome"
    assert "MISSING_SCOPES × 2 — grant the scope" in failure(result)[only].description


def test_reviews_and_refused_calls_are_warnings(instance):
    found = checks(run_sync(instance, ScriptedCycle()))
    agreement, budget = found["records/customers", "agreement"], found["cycle/outcome", "budget"]
    assert not agreement.passed
    assert not budget.passed
    assert agreement.severity == budget.severity == dg.AssetCheckSeverity.WARN
    assert found["cycle/outcome", "lag"].passed


def test_another_cycle_ends_the_run_green_and_says_so(instance):
    result = run_sync(instance, opening=AnotherCycleRuns())
    assert result.success
    shown = materializations(result)
    assert {m.metadata["outcome"].value for m in shown.values()} == {"skipped"}
    assert shown["cycle/outcome"].metadata["reason"].value == "another cycle is running"


def test_what_stops_everything_raises_at_once_with_its_remedy(instance):
    result = run_sync(instance, opening=WrongAccount("another portal", system="hubspot"))
    assert not result.success
    assert materializations(result) == {}
    told = {data.description for data in failure(result).values()}
    assert told == {f"hubspot: another portal — {WrongAccount.remedy}"}


def test_an_error_that_nobody_foresaw_never_shows_its_words(instance):
    cycle = ScriptedCycle(raises=RuntimeError(f"duplicate key: {CANARY}"))
    result = run_sync(instance, cycle)
    assert not result.success
    assert CANARY not in said(instance, result.run_id)
    assert "unexpected RuntimeError in test_orchestration.py" in said(instance, result.run_id)
    assert "written/gorgias_customers" not in materializations(result)


def test_long_steps_show_their_progress(instance, monkeypatch):
    monkeypatch.setattr(resources, "PROGRESS_EVERY_S", 0.0)
    result = run_sync(instance, ScriptedCycle(progress=True))
    seen = [e for e in result.all_events if e.event_type == dg.DagsterEventType.ASSET_OBSERVATION]
    assert seen
    metadata = seen[0].event_specific_data.asset_observation.metadata
    assert {name: value.value for name, value in metadata.items()} == {
        "pages": 2,
        "rows": 200,
        "calls": 2,
        "total": 900,
        "eta_s": 7.0,
    }


def test_full_and_only_reach_the_cycle_from_the_launch_pad(instance, monkeypatch):
    launched = {}

    def noted(self, _progress):
        launched.update(full=self.full, only=self.only, run=self._run)
        raise AnotherCycleRuns

    monkeypatch.setattr(resources.CycleResource, "open_slice", noted)
    config = {"resources": {"cycle": {"config": {"full": True, "only": ["hubspot"]}}}}
    result = defs.resolve_job_def("sync").execute_in_process(instance=instance, run_config=config)
    assert launched == {"full": True, "only": ["hubspot"], "run": result.run_id}


def test_the_nightly_run_lists_everything_again():
    (nightly,) = [one for one in defs.get_repository_def().schedule_defs if one.name == "nightly_full"]
    with dg.build_schedule_context() as context:
        (request,) = nightly.evaluate_tick(context).run_requests
    assert request.run_config["resources"]["cycle"]["config"] == {"full": True}


def audited(instance, monkeypatch, outcome):
    """The job `audit` with what the audit says (or raises)."""

    def run_audit(settings, *, run):
        assert run
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr("sync_platform.sync.audit.run_audit", run_audit)
    return defs.resolve_job_def("audit").execute_in_process(instance=instance, raise_on_error=False)


def found_by_audit(differ):
    one = {"fields_compared": 90, "fields_differ": 0, "never_compared": 4, "oldest_comparison_s": 60.5, "calls": 3}
    return {
        "fields_compared": 270,
        "fields_differ": differ,
        "complete": False,
        "outcome": "ok",
        "systems": {"gorgias": one, "hubspot": {**one, "fields_differ": differ}, "erp": one},
        "errors": [],
    }


@pytest.mark.parametrize("differ", [0, 2])
def test_the_audit_shows_fields_compared_differing_and_the_oldest_comparison(instance, monkeypatch, differ):
    result = audited(instance, monkeypatch, found_by_audit(differ))
    assert result.success
    found = checks(result)["audit/equality", "equality"]
    assert found.passed == (differ == 0)
    shown = {name: value.value for name, value in found.metadata.items()}
    assert (shown["fields_compared_hubspot"], shown["fields_differ_hubspot"]) == (90, differ)
    assert shown["oldest_comparison_s_erp"] == 60.5
    metadata = materializations(result)["audit/equality"].metadata
    assert (metadata["fields_compared"].value, metadata["oldest_comparison_s"].value) == (270, 60.5)


def test_an_audit_gives_way_to_a_cycle_at_work(instance, monkeypatch):
    result = audited(instance, monkeypatch, AnotherCycleRuns("somebody is at work"))
    assert result.success
    assert materializations(result)["audit/equality"].metadata["outcome"].value == "skipped"


def test_an_audit_that_fails_never_shows_words_of_strangers(instance, monkeypatch):
    result = audited(instance, monkeypatch, RuntimeError(CANARY))
    assert not result.success
    assert CANARY not in said(instance, result.run_id)


def test_dagsters_old_runs_go_but_the_last_of_each_job(instance):
    jobs = [defs.resolve_job_def(name) for name in ("plan", "plan", "plan", "prune")]
    runs = [job.execute_in_process(instance=instance, raise_on_error=False).run_id for job in jobs]
    assert upkeep.delete_runs(instance, keep_days=1) == 0, "they are not old yet"
    assert upkeep.delete_runs(instance, keep_days=0) == 2
    assert {run.run_id for run in instance.get_runs()} == set(runs[2:])


def test_a_ledger_that_is_not_set_up_is_told_with_its_remedy(instance):
    result = defs.resolve_job_def("sync").execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert "sync-platform setup" in said(instance, result.run_id)


def test_a_plan_without_a_ledger_is_told_with_its_remedy(instance):
    result = defs.resolve_job_def("plan").execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert "sync-platform setup" in said(instance, result.run_id)


# --- triggers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def stamped(home):
    ledger = Ledger.open(f"sqlite:///{home}/.sync/ledger.db", migrate=True)
    accounts.stamp(ledger, {name: (f"{name}-1", True) for name in ("gorgias", "hubspot", "erp")})
    ledger.close()


def tick(instance):
    news = next(s for s in defs.get_repository_def().sensor_defs if s.name == "news")
    with dg.build_sensor_context(instance=instance, repository_def=defs.get_repository_def()) as context:
        return news.evaluate_tick(context)


def test_the_sensor_is_quiet_and_says_why_before_set_up(instance, monkeypatch):
    monkeypatch.setattr(triggers, "NEWS_WAIT_S", 0.0)
    found = tick(instance)
    assert found.run_requests == []
    assert "setup" in found.skip_message


@pytest.mark.usefixtures("stamped")
def test_the_sensor_asks_for_one_run_with_a_key_that_stays_until_a_cycle_ends(instance, monkeypatch):
    monkeypatch.setattr(triggers, "NEWS_WAIT_S", 0.0)
    first, again = tick(instance), tick(instance)
    (request,) = first.run_requests
    assert request.run_key
    assert request.run_key == again.run_requests[0].run_key
    assert request.tags["sync/reasons"]


@pytest.mark.usefixtures("stamped")
def test_the_sensor_starts_nothing_while_a_cycle_is_under_way(instance, monkeypatch):
    monkeypatch.setattr(triggers, "NEWS_WAIT_S", 0.0)
    instance.create_run_for_job(defs.resolve_job_def("sync"), status=dg.DagsterRunStatus.STARTED)
    found = tick(instance)
    assert found.run_requests == []
    assert found.skip_message == "a cycle is queued or running"


@pytest.mark.usefixtures("stamped")
def test_the_sensor_waits_for_the_end_of_a_cycle_within_its_tick(instance):
    run = instance.create_run_for_job(defs.resolve_job_def("sync"), status=dg.DagsterRunStatus.STARTED)
    ends = threading.Timer(0.5, lambda: instance.report_run_failed(run))
    ends.start()
    began = time.monotonic()
    found = tick(instance)
    ends.join()
    assert len(found.run_requests) == 1
    assert time.monotonic() - began < triggers.NEWS_WAIT_S


@pytest.mark.usefixtures("stamped")
def test_a_run_that_ended_without_finishing_its_cycle_is_followed_by_another_one_after_a_growing_pause(
    instance, monkeypatch
):
    monkeypatch.setattr(triggers, "NEWS_WAIT_S", 0.0)
    keys = []
    for attempt in range(3):
        monkeypatch.setattr(triggers, "RETRY_S", 0.0)
        (request,) = tick(instance).run_requests
        keys.append(request.run_key)
        instance.report_run_failed(instance.create_run_for_job(defs.resolve_job_def("sync"), tags=dict(request.tags)))
        monkeypatch.setattr(triggers, "RETRY_S", 60.0)
        assert f"after {60 * 2**attempt} s" in tick(instance).skip_message
    assert len(set(keys)) == 3
    assert keys[1:] == [f"{keys[0]}-1", f"{keys[0]}-2"]


@pytest.fixture
def alarm():
    """A webhook that notes what it was told."""
    told = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", told
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_failed_run_is_told_without_any_value(instance, alarm, monkeypatch):
    address, told = alarm
    monkeypatch.setenv("SYNC_ALERT_URL", address)
    result = run_sync(instance, ScriptedCycle(trouble=[TROUBLE]))
    run = instance.get_run_by_id(result.run_id)
    event = next(e for e in result.all_events if e.event_type == dg.DagsterEventType.RUN_FAILURE)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failed", dagster_instance=instance, dagster_run=run, dagster_event=event
    ).for_run_failure()
    triggers.run_failed(context)
    assert [(body["run"], body["job"], body["steps"]) for body in told] == [(result.run_id, "sync", ["cycle__outcome"])]


def test_an_alert_that_cannot_be_sent_hides_its_address(caplog):
    assert not triggers.tell("http://127.0.0.1:9/secret-hook", {"text": "x"})
    assert not triggers.tell("file:///etc/secret-hook", {"text": "x"})
    assert "secret-hook" not in caplog.text
