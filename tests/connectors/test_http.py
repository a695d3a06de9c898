"""What an answer, or none, means: the table of statuses, repeats, the budget's lessons, and that nothing leaks."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

import httpx
import pytest

from sync_platform.connectors.http import (
    FREEZE_DEFAULT_S,
    FREEZE_MAX_S,
    TRIES_MAX,
    BasicCredentials,
    JsonApi,
    Refused,
    branch,
    is_loopback,
    post_form,
    retry_after_s,
    safe_words,
    translate,
)
from sync_platform.core.records import Lane
from sync_platform.errors import (
    Conflict,
    Halt,
    Misconfigured,
    Moved,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Retryable,
    SyncError,
    Unavailable,
)
from tests.connectors.conftest import FreeMeter

CANARY = "canary-4711@example.test"
Handler = Callable[[httpx.Request], httpx.Response]


class Wire:
    """A transport that answers by a function and counts."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content, request=request)


def api(
    wire: Wire,
    meter: FreeMeter | None = None,
    *,
    secrets: list[str] | None = None,
    limits: tuple[str, ...] = ("window",),
) -> JsonApi:
    keys = iter(secrets or [])
    return JsonApi(
        "http://127.0.0.1:9/api",
        BasicCredentials(lambda: ("user@example.com", next(keys, "key"))),
        meter or FreeMeter(),
        system="gorgias",
        limits=limits,
        transport=httpx.MockTransport(wire),
    )


def raised(call: Callable[[], object]) -> Exception:
    with pytest.raises((SyncError, Refused)) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("status", range(400, 600))
def test_every_failing_status_has_one_branch(status: int) -> None:
    expected: dict[int, type[SyncError]] = {
        401: NotAllowed,
        402: NotAllowed,
        403: NotAllowed,
        404: NotFound,
        407: NotAllowed,
        408: Unavailable,
        409: Conflict,
        410: NotFound,
        412: Conflict,
        423: Unavailable,
        425: Unavailable,
        429: RateLimited,
    }
    assert branch(status, write=False) is expected.get(status, Unavailable if status >= 500 else Rejected)
    doubt = status >= 500 or status == 408
    assert branch(status, write=True) is (OutcomeUnknown if doubt else expected.get(status, Rejected))


@pytest.mark.parametrize("status", range(400, 600))
def test_a_permanent_refusal_is_never_tried_again(status: int) -> None:
    wire = Wire(httpx.Response(status))
    error = raised(lambda: api(wire).read("/customers", lane=Lane.DELTA))
    repeated = issubclass(branch(status, write=False), Retryable)
    # A 401 is tried once more with the secret read anew.
    assert len(wire.requests) == (TRIES_MAX if repeated else 2 if status == 401 else 1)
    assert isinstance(error, Retryable) is repeated


@pytest.mark.parametrize("status", [301, 308])
def test_a_moved_object_is_a_refusal_and_is_not_followed(status: int) -> None:
    wire = Wire(httpx.Response(status, headers={"location": "/api/customers/7/"}))
    error = raised(lambda: api(wire).read("/customers/5", lane=Lane.DELTA))
    assert isinstance(error, Refused)
    assert isinstance(error.error, Moved)
    assert error.answer.headers["location"] == "/api/customers/7/"
    assert len(wire.requests) == 1


def test_any_other_redirect_means_a_wrong_address() -> None:
    error = raised(lambda: api(Wire(httpx.Response(302))).read("/account", lane=Lane.DELTA))
    assert isinstance(error, Misconfigured)
    assert "base URL" in error.remedy


def _transport_errors(kind: type[Exception] = httpx.TransportError) -> list[type[Exception]]:
    found = []
    for one in kind.__subclasses__():
        found += [one, *_transport_errors(one)]
    return found


@pytest.mark.parametrize("kind", [*_transport_errors(), httpx.DecodingError, httpx.TooManyRedirects])
@pytest.mark.parametrize("write", [False, True])
def test_every_error_of_the_library_becomes_one_of_ours(kind: type[Exception], write: bool) -> None:
    def call() -> object:
        wire = Wire(kind(f"about {CANARY}"))  # type: ignore[call-arg]
        one = api(wire)
        if write:
            return one.write("POST", "/customers", {"email": CANARY}, lane=Lane.DELTA)
        return one.read("/customers", [("email", CANARY)], lane=Lane.DELTA)

    error = raised(call)
    unsent = kind in (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
    wrong = kind in (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
    assert type(error) is (Misconfigured if wrong else OutcomeUnknown if write and not unsent else Unavailable)
    assert CANARY not in "".join(traceback.format_exception(error, chain=True))
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_strange_exception_is_not_swallowed() -> None:
    assert isinstance(translate(httpx.InvalidURL("x"), system="gorgias", write=True), Misconfigured)
    with pytest.raises(RuntimeError):
        api(Wire(RuntimeError("bug"))).read("/account", lane=Lane.DELTA)


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(503), httpx.ReadTimeout("x"), httpx.ReadError("x")]
)
def test_a_write_that_may_have_landed_is_sent_once(answer: httpx.Response | Exception) -> None:
    wire = Wire(answer)
    error = raised(lambda: api(wire).write("POST", "/customers", {}, lane=Lane.DELTA))
    assert isinstance(error, OutcomeUnknown)
    assert len(wire.requests) == 1


def test_a_write_that_never_left_is_sent_again() -> None:
    wire = Wire(httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.Response(201, json={"id": 1}))
    assert api(wire).write("POST", "/customers", {}, lane=Lane.DELTA).body == {"id": 1}
    assert len(wire.requests) == 3


def test_only_a_patient_write_is_sent_again_after_a_429() -> None:
    wire = Wire(httpx.Response(429), httpx.Response(200, json={}))
    error = raised(lambda: api(wire).write("PUT", "/customers/1", {}, lane=Lane.DELTA))
    assert isinstance(error, RateLimited)
    wire = Wire(httpx.Response(429), httpx.Response(200, json={}))
    assert api(wire).write("PUT", "/customers/1", {}, lane=Lane.DELTA, patient=True).status == 200


def test_a_read_survives_trouble_that_passes() -> None:
    wire = Wire(httpx.ReadTimeout("x"), httpx.Response(502), httpx.Response(429), httpx.Response(200, json=[1]))
    meter = FreeMeter()
    assert api(wire, meter).read("/tags", lane=Lane.REPAIR).body == [1]
    assert meter.spends == [(("window",), Lane.REPAIR, "read")] * 4


@pytest.mark.parametrize(("write", "kind"), [(False, Unavailable), (True, OutcomeUnknown)])
def test_a_success_that_is_not_json_is_no_success(write: bool, kind: type[SyncError]) -> None:
    one = api(Wire(httpx.Response(200, html="<p>maintenance</p>")))
    call = lambda: one.write("PUT", "/x", {}, lane=Lane.DELTA) if write else one.read("/x", lane=Lane.DELTA)
    assert type(raised(call)) is kind


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_empty_success_has_no_body(status: int) -> None:
    answer = api(Wire(httpx.Response(status))).write("PUT", "/x", {}, lane=Lane.DELTA)
    assert (answer.status, answer.body) == (status, None)


def test_after_a_401_the_secret_is_read_once_more() -> None:
    wire = Wire(httpx.Response(401), httpx.Response(200, json={}))
    api(wire, secrets=["old", "new"]).write("POST", "/customers", {}, lane=Lane.DELTA)
    first, second = (request.headers["authorization"] for request in wire.requests)
    assert first != second
    wire = Wire(httpx.Response(401))
    error = raised(lambda: api(wire, secrets=["old", "new"]).read("/account", lane=Lane.DELTA))
    assert isinstance(error, NotAllowed)
    assert isinstance(error, Halt)
    assert len(wire.requests) == 2


def test_the_budget_learns_from_each_answer() -> None:
    meter = FreeMeter()
    api(Wire(httpx.Response(404, headers={"X-Gorgias-Account-Api-Call-Limit": "7/80"})), meter)
    one = api(Wire(httpx.Response(200, json={}, headers={"X-Gorgias-Account-Api-Call-Limit": "7/80"})), meter)
    one.read("/account", lane=Lane.DELTA)
    assert meter.lessons == [("window", {"used": 7, "allowed": 80, "window_s": None, "frozen_s": None})]


@pytest.mark.parametrize(("header", "frozen_s"), [("11", 11.0), (None, FREEZE_DEFAULT_S), ("99999", FREEZE_MAX_S)])
def test_a_429_freezes_the_budget(header: str | None, frozen_s: float) -> None:
    meter = FreeMeter()
    wire = Wire(httpx.Response(429, headers={"retry-after": header} if header else {}))
    raised(lambda: api(wire, meter).write("POST", "/x", {}, lane=Lane.DELTA))
    assert [(name, said["frozen_s"]) for name, said in meter.lessons] == [("window", frozen_s)]


def test_a_429_with_room_in_the_window_means_the_limit_per_second() -> None:
    meter = FreeMeter()
    headers = {"retry-after": "1", "x-gorgias-account-api-call-limit": "3/40"}
    wire = Wire(httpx.Response(429, headers=headers))
    raised(lambda: api(wire, meter, limits=("window", "second")).write("POST", "/x", {}, lane=Lane.DELTA))
    assert [name for name, said in meter.lessons if said["frozen_s"]] == ["second"]
    assert meter.spends[0][0] == ("window", "second")


@pytest.mark.parametrize(("value", "wait_s"), [("3", 3.0), ("1.5", 1.5), ("soon", None), ("", None), ("-1", None)])
def test_only_numbers_count_as_retry_after(value: str, wait_s: float | None) -> None:
    assert retry_after_s({"retry-after": value}) == wait_s


def test_the_sandbox_is_a_loopback_host_that_says_so() -> None:
    for headers, expected in (({"server": "sync-platform-sandbox"}, True), ({"server": "nginx"}, False)):
        one = api(Wire(httpx.Response(200, json={}, headers=headers)))
        one.read("/account", lane=Lane.DELTA)
        assert one.sandbox is expected
    assert is_loopback("http://[::1]:1/api")
    assert is_loopback("http://localhost:1")
    assert not is_loopback("https://account.gorgias.com/api")


def test_errors_tell_status_category_and_correlation_and_nothing_else() -> None:
    body = {"error": {"msg": f"{CANARY} exists", "data": {"email": [CANARY]}}}
    wire = Wire(httpx.Response(409, json=body, headers={"x-request-id": "ab12"}))
    one = api(wire)
    error = raised(lambda: one.write("POST", f"/customers?x={CANARY}", {"email": CANARY}, lane=Lane.DELTA))
    assert isinstance(error, Refused)
    assert str(error) == "gorgias: A unique value or a row version belongs to somebody else. (status 409, id ab12)"
    assert CANARY not in repr(error)
    assert CANARY not in repr(error.answer)
    assert CANARY not in "".join(traceback.format_exception(error))


def test_nothing_of_a_call_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        assert logging.getLogger(name).level == logging.WARNING
    wire = Wire(httpx.Response(500), httpx.Response(200, json={"email": CANARY}))
    api(wire).read("/customers", [("email", CANARY)], lane=Lane.DELTA)
    assert CANARY not in caplog.text
    assert "example" not in caplog.text


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("Not a valid integer.", "Not a valid integer."),
        ("Failed to create customer", "Failed to create customer"),
        (f"The email {CANARY} already exists.", "The email … already exists."),
        ("Ada Lovelace is already used", "… is already used"),
        (None, ""),
    ],
)
def test_words_of_a_refusal_carry_no_value(said: str | None, passed: str) -> None:
    assert safe_words(said) == passed


def test_a_body_with_a_lone_surrogate_is_sent_for_the_system_to_judge() -> None:
    wire = Wire(httpx.Response(200, json={}))
    api(wire).write("POST", "/customers", {"name": "\ud800"}, lane=Lane.DELTA)
    assert wire.requests[0].content == b'{"name":"\\ud800"}'


def test_a_token_endpoint_that_does_not_answer_leaves_the_outcome_open() -> None:
    def call(error: Exception) -> object:
        transport = httpx.MockTransport(Wire(error))
        return post_form(
            "http://127.0.0.1:9/token", {"code": CANARY}, user="u", secret=CANARY, system="gorgias", transport=transport
        )

    for error, kind in ((httpx.ReadTimeout(CANARY), OutcomeUnknown), (httpx.ConnectError(CANARY), Unavailable)):
        found = raised(lambda error=error: call(error))
        assert type(found) is kind
        assert CANARY not in "".join(traceback.format_exception(found))
