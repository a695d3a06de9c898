"""Who the account is and what doctor finds there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from sync_platform.connectors.gorgias import GorgiasConnector
from sync_platform.connectors.gorgias_setup import surveys
from sync_platform.connectors.http import BasicCredentials, Credentials
from sync_platform.connectors.protocol import Finding
from sync_platform.core.records import Json, System
from sync_platform.errors import Misconfigured
from tests.connectors.conftest import GorgiasTwin
from tests.connectors.contract import FreeMeter
from tests.connectors.test_gorgias import GorgiasBench


@pytest.fixture
def bench(gorgias_twin: GorgiasTwin, meter: FreeMeter) -> Iterator[GorgiasBench]:
    made = GorgiasBench(gorgias_twin, meter)
    yield made
    made.connector.close()


def served(
    answer: Callable[[httpx.Request], httpx.Response], credentials: Credentials | None = None
) -> GorgiasConnector:
    return GorgiasConnector(
        "https://account.example.com",
        credentials or BasicCredentials(lambda: ("user@example.com", "key")),
        FreeMeter(),
        transport=httpx.MockTransport(answer),
    )


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_the_account_is_the_sandbox_only_on_the_twin(bench: GorgiasBench) -> None:
    account = bench.connector.account()
    assert (account.system, account.identity, account.sandbox) == (
        System.GORGIAS,
        bench.twin.system.identity(),
        True,
    )
    answer = httpx.Response(200, json={"domain": "acme"}, headers={"server": "sync-platform-sandbox"})
    assert served(lambda request: answer).account().sandbox is False
    assert bench.meter.count("setup") == bench.meter.calls == 1


@pytest.mark.parametrize(
    "answer", [httpx.Response(301, headers={"location": "https://x.example"}), httpx.Response(200, json={"hello": 1})]
)
def test_an_address_that_is_not_the_api_is_said_to_be_wrong(answer: httpx.Response) -> None:
    with pytest.raises(Misconfigured) as caught:
        served(lambda request: answer).account()
    assert "GORGIAS_BASE_URL" in caught.value.remedy


def test_agents_are_listed_by_id_with_their_email_in_lower_case(bench: GorgiasBench) -> None:
    user_id = min(bench.twin.rows("users"))
    bench.twin.edit("users", user_id, email="Mixed.Case@Support.example.com")
    agents = bench.connector.directory().agents
    assert agents[user_id] == "mixed.case@support.example.com"
    assert set(agents) == set(bench.twin.rows("users"))


def test_all_pages_of_agents_are_read() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        first = int(request.url.params.get("cursor", 0))
        users = [{"id": n, "email": f"a{n}@example.com"} for n in range(first, first + 100)]
        return httpx.Response(
            200, json={"data": users, "meta": {"next_cursor": str(first + 100) if first < 200 else None}}
        )

    assert len(served(answer).directory().agents) == 300


def test_doctor_finds_a_healthy_account(bench: GorgiasBench) -> None:
    findings = by_name(bench.connector.examine(()))
    assert all(finding.ok for finding in findings.values())
    assert {f"gorgias.read.{name}" for name in ("customers", "tickets", "events", "users")} <= set(findings)
    assert "sandbox" in findings["gorgias.account"].found
    assert "/" in findings["gorgias.limit"].found


@pytest.mark.parametrize(("role", "ok"), [("observer-agent", False), ("lite-agent", False), ("agent", True)])
def test_doctor_names_a_role_that_may_not_write(role: str, ok: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(200, json={"domain": "acme", "role": {"name": role}, "data": []})

    finding = by_name(served(answer).examine(()))["gorgias.user"]
    assert finding.ok is ok
    assert role in finding.found
    assert bool(finding.remedy) is not ok


def test_doctor_names_each_right_that_is_missing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/events":
            return httpx.Response(403, json={"error": {"msg": "You do not have enough permissions"}})
        if request.url.path == "/api/account":
            return httpx.Response(200, json={"domain": "acme"})
        return httpx.Response(200, json={"data": [], "role": {"name": "admin"}, "meta": {}})

    findings = by_name(served(answer).examine(()))
    assert [name for name, finding in findings.items() if not finding.ok] == ["gorgias.read.events"]
    assert "events" in findings["gorgias.read.events"].remedy


def test_doctor_says_in_one_line_when_nothing_is_reachable(bench: GorgiasBench) -> None:
    bench.twin.credentials["api_key"] = "revoked"
    other = GorgiasBench(bench.twin, bench.meter)
    (finding,) = other.connector.examine(())
    assert (finding.name, finding.ok) == ("gorgias.account", False)
    assert finding.remedy
    other.connector.close()


@pytest.mark.parametrize(
    ("settings", "on"),
    [
        (None, None),
        ([], False),
        ([{"type": "business-hours", "data": {"x": True}}], False),
        (
            [{"type": "satisfaction-surveys", "data": {"send_survey_for_email": False, "survey_email_html": "<p>"}}],
            False,
        ),
        ([{"type": "satisfaction-surveys", "data": {"send_survey_for_email": True}}], True),
    ],
)
def test_the_survey_setting_of_the_account_is_read(settings: Json, on: bool | None) -> None:
    assert surveys({"settings": settings}) is on


def test_doctor_sees_the_twins_survey_setting(bench: GorgiasBench) -> None:
    assert bench.connector.account().facts["surveys"] is not True
    bench.twin.switch("survey_after_close", "on")
    assert bench.connector.account().facts["surveys"] is True


def test_set_up_has_nothing_to_make(bench: GorgiasBench) -> None:
    (finding,) = bench.connector.prepare(())
    assert finding.ok
    assert bench.meter.calls == 0


def test_limits_follow_the_kind_of_credentials() -> None:
    class Bearer:
        oauth = True

        def authorization(self) -> str:
            return "Bearer x"

        def renew(self) -> bool:
            return False

    answer = lambda request: httpx.Response(200)
    assert [(one.name, one.allowed, one.window_s) for one in served(answer).limits] == [("window", 40, 20.0)]
    assert [one.allowed for one in served(answer, Bearer()).limits] == [80]
    basic = BasicCredentials(lambda: ("user@example.com", "key"))
    slow = GorgiasConnector("https://a.example.com", basic, FreeMeter(), per_second=2)
    assert [(one.name, one.allowed, one.window_s) for one in slow.limits][1:] == [("second", 2, 1.0)]
    slow.close()
