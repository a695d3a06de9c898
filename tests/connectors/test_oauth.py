"""Connecting once by a browser, and refreshing by one process at a time, against the twin's OAuth endpoints."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sync_platform.connectors.gorgias import GorgiasConnector
from sync_platform.connectors.oauth import App, OAuthCredentials, Tokens, connect
from sync_platform.errors import Misconfigured, NotAllowed, OutcomeUnknown
from tests.connectors.conftest import GorgiasTwin
from tests.connectors.contract import FreeMeter

START = datetime(2026, 6, 1, tzinfo=UTC)


class Shelf:
    """A store in memory, shared by credentials that play several processes."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self.kept = None if tokens is None else json.dumps(tokens.dump())
        self.saves = 0
        self._lock = threading.Lock()

    def load(self) -> Tokens | None:
        return None if self.kept is None else Tokens.load(json.loads(self.kept))

    def save(self, tokens: Tokens) -> None:
        assert self._lock.locked()
        self.kept = json.dumps(tokens.dump())
        self.saves += 1

    @contextmanager
    def lock(self) -> Iterator[None]:
        with self._lock:
            yield


class Endpoint:
    """A token endpoint that gives t1, t2 … and remembers the forms."""

    def __init__(self, *, rotates: bool, more: Callable[[], dict[str, Any]] = dict) -> None:
        self.rotates = rotates
        self.more = more
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str] = []
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.forms.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
        self.authorizations.append(request.headers["authorization"])
        if self.status != 200:
            return httpx.Response(self.status, json={"error": "invalid_grant"})
        n = len(self.forms)
        body: dict[str, Any] = {"access_token": f"t{n}", "token_type": "bearer", "expires_in": 86400, **self.more()}
        if self.rotates:
            body["refresh_token"] = f"r{n}"
        return httpx.Response(200, json=body)

    def app(self) -> App:
        return App("https://acme.example.com/api", "client", lambda: "secret", httpx.MockTransport(self))


def old(life_s: float = -1.0) -> Tokens:
    return Tokens("t0", "r0", START + timedelta(seconds=life_s))


def browse(url: str, *, change: Callable[[str], str] = str) -> None:
    """What a person's browser does: opens the address and follows where it leads."""
    answer = httpx.get(url)
    httpx.get(change(answer.headers["location"]))


def in_background(step: Callable[[str], None]) -> Callable[[str], None]:
    return lambda url: threading.Thread(target=step, args=(url,), daemon=True).start()


def twin_app(twin: GorgiasTwin) -> App:
    return App(twin.url, twin.credentials["client_id"], lambda: twin.credentials["client_secret"])


def test_a_person_connects_and_the_connector_reads(gorgias_twin: GorgiasTwin) -> None:
    shelf, app = Shelf(), twin_app(gorgias_twin)
    tokens = connect(app, shelf, show=in_background(browse), timeout_s=20)
    assert shelf.load() == tokens
    connector = GorgiasConnector(gorgias_twin.url, OAuthCredentials(app, shelf), FreeMeter())
    assert connector.account().identity == gorgias_twin.system.identity()
    assert all(finding.ok for finding in connector.examine(()))
    connector.close()


@pytest.mark.parametrize("rotation", ["off", "on", "omit"])
def test_a_token_that_ends_is_refreshed_however_the_server_rotates(gorgias_twin: GorgiasTwin, rotation: str) -> None:
    gorgias_twin.switch("refresh_rotation", rotation)
    shelf, app = Shelf(), twin_app(gorgias_twin)
    first = connect(app, shelf, show=in_background(browse), timeout_s=20)
    connector = GorgiasConnector(
        gorgias_twin.url, OAuthCredentials(app, shelf, now=gorgias_twin.world.clock.now), FreeMeter()
    )
    for _ in range(2):
        gorgias_twin.advance(25 * 3600)
        connector.account()
    later = shelf.load()
    assert later is not None
    assert later.access != first.access
    assert (later.refresh != first.refresh) is (rotation == "on")
    connector.close()


def test_a_401_takes_the_refresh_token_once(gorgias_twin: GorgiasTwin) -> None:
    shelf, app = Shelf(), twin_app(gorgias_twin)
    connect(app, shelf, show=in_background(browse), timeout_s=20)
    # Our clock says that the token is good; the server's says that it ended.
    gorgias_twin.advance(25 * 3600)
    connector = GorgiasConnector(gorgias_twin.url, OAuthCredentials(app, shelf), FreeMeter())
    assert connector.account().identity
    assert shelf.saves == 2
    connector.close()


def test_an_answer_with_another_state_is_not_ours(gorgias_twin: GorgiasTwin) -> None:
    forge = lambda url: url.replace("state=", "state=x")
    with pytest.raises(NotAllowed, match="in time"):
        connect(
            twin_app(gorgias_twin),
            Shelf(),
            show=in_background(lambda url: browse(url, change=forge)),
            timeout_s=2,
        )


def test_a_person_may_refuse() -> None:
    def refuse(url: str) -> None:
        asked = parse_qs(urlsplit(url).query)
        httpx.get(asked["redirect_uri"][0], params={"state": asked["state"][0], "error": "access_denied"})

    with pytest.raises(NotAllowed, match="refused"):
        connect(Endpoint(rotates=True).app(), Shelf(), show=in_background(refuse), timeout_s=20)


def agree(seen: dict[str, str]) -> Callable[[str], None]:
    def step(url: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        seen.update(asked)
        httpx.get(asked["redirect_uri"], params={"state": asked["state"], "code": "c1"})

    return step


def id_token(nonce: str) -> str:
    part = base64.urlsafe_b64encode(json.dumps({"nonce": nonce}).encode()).decode().rstrip("=")
    return f"e30.{part}.sig"


def test_the_code_is_exchanged_with_the_same_redirect_and_the_clients_secret() -> None:
    seen: dict[str, str] = {}
    endpoint = Endpoint(rotates=True, more=lambda: {"id_token": id_token(seen["nonce"])})
    connect(endpoint.app(), Shelf(), show=in_background(agree(seen)), timeout_s=20, now=lambda: START)
    (form,) = endpoint.forms
    assert form == {
        "grant_type": "authorization_code",
        "code": "c1",
        "redirect_uri": seen["redirect_uri"],
        "client_id": "client",
    }
    assert endpoint.authorizations == ["Basic " + base64.b64encode(b"client:secret").decode()]
    assert "offline" in seen["scope"].split()


@pytest.mark.parametrize("token", ["other", "rubbish"])
def test_an_id_token_with_another_nonce_is_refused(token: str) -> None:
    shelf = Shelf()
    endpoint = Endpoint(rotates=True, more=lambda: {"id_token": id_token("x") if token == "other" else token})
    with pytest.raises(NotAllowed):
        connect(endpoint.app(), shelf, show=in_background(agree({})), timeout_s=20)
    assert shelf.load() is None


def test_an_app_without_a_refresh_token_is_misconfigured() -> None:
    with pytest.raises(Misconfigured, match="refresh"):
        connect(Endpoint(rotates=False).app(), Shelf(), show=in_background(agree({})), timeout_s=20)


def test_many_at_once_refresh_once() -> None:
    endpoint, shelf = Endpoint(rotates=True), Shelf(old())
    gate = threading.Barrier(8)
    seen: list[str] = []

    def work() -> None:
        mine = OAuthCredentials(endpoint.app(), shelf, now=lambda: START)
        gate.wait()
        seen.append(mine.authorization())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == ["Bearer t1"] * 8
    assert endpoint.forms == [{"grant_type": "refresh_token", "refresh_token": "r0", "client_id": "client"}]


def test_a_token_that_another_process_refreshed_is_taken() -> None:
    endpoint, shelf = Endpoint(rotates=True), Shelf(old(3600))
    mine, other = (OAuthCredentials(endpoint.app(), shelf, now=lambda: START) for _ in range(2))
    assert mine.authorization() == other.authorization() == "Bearer t0"
    other.renew()
    assert other.authorization() == "Bearer t1"
    mine.renew()
    assert mine.authorization() == "Bearer t1"
    assert len(endpoint.forms) == 1


def test_a_token_is_refreshed_before_it_ends() -> None:
    endpoint = Endpoint(rotates=True)
    mine = OAuthCredentials(endpoint.app(), Shelf(old(299)), now=lambda: START)
    assert mine.authorization() == "Bearer t1"


def test_a_new_refresh_token_is_kept_before_it_is_used() -> None:
    endpoint, shelf = Endpoint(rotates=True), Shelf(old())
    OAuthCredentials(endpoint.app(), shelf, now=lambda: START).authorization()
    kept = shelf.load()
    assert kept is not None
    assert (kept.access, kept.refresh, kept.ends_at) == ("t1", "r1", START + timedelta(days=1))


def test_a_refused_refresh_asks_to_connect_again() -> None:
    endpoint, shelf = Endpoint(rotates=True), Shelf(old())
    endpoint.status = 400
    with pytest.raises(NotAllowed) as caught:
        OAuthCredentials(endpoint.app(), shelf, now=lambda: START).authorization()
    assert "connect gorgias" in caught.value.remedy
    assert "r0" not in str(caught.value)
    assert shelf.saves == 0


def test_a_lost_answer_keeps_the_old_tokens_for_the_next_try() -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("x")

    shelf = Shelf(old())
    app = App("https://acme.example.com", "client", lambda: "secret", httpx.MockTransport(lost))
    with pytest.raises(OutcomeUnknown):
        OAuthCredentials(app, shelf, now=lambda: START).authorization()
    assert shelf.load() == old()


@pytest.mark.parametrize("kept", [None, Tokens("t0", None, START)])
def test_without_a_refresh_token_a_person_is_asked(kept: Tokens | None) -> None:
    with pytest.raises(NotAllowed) as caught:
        OAuthCredentials(Endpoint(rotates=True).app(), Shelf(kept), now=lambda: START).authorization()
    assert "connect gorgias" in caught.value.remedy


def test_secrets_are_not_shown() -> None:
    mine = OAuthCredentials(Endpoint(rotates=True).app(), Shelf(old(3600)), now=lambda: START)
    mine.authorization()
    shown = repr(mine) + repr(old()) + repr(mine.app)
    assert not [secret for secret in ("'t0'", "'r0'", "secret'") if secret in shown]
