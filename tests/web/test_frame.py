"""The frame around all pages, looked at as an attacker would: sessions, forms, headers, what an answer gives away."""

from __future__ import annotations

import base64
import json
import logging
import re

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from sync_platform.errors import NotFound
from sync_platform.settings import Settings
from sync_platform.web import frame, login, pages
from tests.web.conftest import BASE, client_of
from tests.web.filled import OPERATOR_TOKEN, TOKENS, VIEWER_TOKEN

SAME = {"sec-fetch-site": "same-origin"}
ACTS = [
    "/reviews/1/answer",
    "/reviews/1/apart",
    "/reviews/1/one",
    "/parked/1/retry",
    "/parked/1/drop",
    "/plans/1/approve",
    "/plans/1/drop",
    "/pause",
    "/resume",
    "/undo",
]
LOOKS = ["/reviews", "/reviews/1", "/parked", "/parked/1", "/plans", "/plans/1", "/undo", "/acts"]


@pytest.fixture(autouse=True)
def with_the_ledger(filled_ledger):
    return filled_ledger


def guard_of(client):
    """What the forms of this client's pages carry."""
    return client.get("/plans").text.partition('name="guard" value="')[2].partition('"')[0]


def everything_in_the_ledger(filled_ledger):
    tables = ("act", "review", "parked", "plan", "hold", "hold_item", "record", "decision", "intent")
    return {table: filled_ledger.desk.ledger(f"SELECT * FROM {table}") for table in tables}


def session(client):
    return client.cookies.get(login.COOKIE)


def with_cookie(client, value):
    return {"cookie": f"{login.COOKIE}={value}"}


# --- who is let in


@pytest.mark.parametrize("path", LOOKS)
def test_nobody_sees_a_page_without_a_session(nobody, path):
    answer = nobody.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")


@pytest.mark.parametrize("path", ACTS)
def test_nobody_acts_without_a_session_and_comes_back_to_the_page_above(nobody, path, filled_ledger):
    before = everything_in_the_ledger(filled_ledger)
    answer = nobody.post(path, data={"why": "x"}, headers=SAME)
    assert answer.status_code == 303
    onward = answer.headers["location"].removeprefix("/login?next=").removesuffix("&lost=1")
    assert path.startswith(onward)
    assert onward in [*LOOKS, "/"]
    assert "was not done" in nobody.get(answer.headers["location"]).text
    assert everything_in_the_ledger(filled_ledger) == before


@pytest.mark.parametrize("path", ACTS)
def test_a_viewer_cannot_act(reader, path, filled_ledger):
    before = everything_in_the_ledger(filled_ledger)
    guard = frame_guard(reader)
    answer = reader.post(path, data={"guard": guard, "why": "x", "seen": ""}, headers=SAME)
    assert answer.status_code == 403
    assert "signed in for reading" in answer.text
    assert everything_in_the_ledger(filled_ledger) == before


def frame_guard(client):
    """The guard of somebody whose pages show no form: worked out as the pages do."""
    body = session(client).partition(".")[0]
    return login._mac(b"guard", body.encode(), VIEWER_TOKEN)


def test_pages_show_no_form_to_a_viewer(reader):
    for path in LOOKS[:6]:
        shown = reader.get(path).text
        assert shown.count("<form") == 1, f"only the one to sign out: {path}"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://testserver.evil.example"},
    ],
)
def test_a_form_from_elsewhere_is_refused_even_with_the_right_guard(operator, headers, filled_ledger):
    before = everything_in_the_ledger(filled_ledger)
    for path in ACTS:
        answer = operator.post(path, data={"guard": guard_of(operator), "why": "x"}, headers=headers)
        assert (path, answer.status_code) == (path, 403)
    assert operator.post("/logout", data={"out": "1"}, headers=headers).status_code == 403
    assert everything_in_the_ledger(filled_ledger) == before


@pytest.mark.parametrize("guard", ["", "0" * 64, "ü", None])
def test_a_form_without_the_sessions_own_guard_is_refused(operator, guard, filled_ledger):
    before = everything_in_the_ledger(filled_ledger)
    data = {"why": "x"} if guard is None else {"why": "x", "guard": guard}
    assert {operator.post(path, data=data, headers=SAME).status_code for path in ACTS} == {403}
    assert everything_in_the_ledger(filled_ledger) == before


def test_the_guard_of_another_session_opens_nothing(operator, filled_ledger):
    with client_of(filled_ledger.settings, OPERATOR_TOKEN, "lou") as other:
        answer = operator.post("/pause", data={"guard": guard_of(other), "why": "x"}, headers=SAME)
    assert answer.status_code == 403


def test_a_sign_in_from_elsewhere_is_refused(nobody):
    form = {"name": "eve", "token": VIEWER_TOKEN, "next": "/"}
    answer = nobody.post("/login", data=form, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


# --- sessions


def test_a_session_is_a_cookie_of_this_host_alone(filled_ledger):
    with client_of(filled_ledger.settings) as client:
        answer = client.post("/login", data={"name": "kim", "token": VIEWER_TOKEN, "next": "/plans"}, headers=SAME)
    said = answer.headers["set-cookie"].lower()
    assert answer.headers["location"] == "/plans"
    for word in ("__host-sync=", "httponly", "secure", "samesite=strict", "path=/", "max-age="):
        assert word in said
    assert "domain" not in said


def forged(name="eve", by="SYNC_WEB_OPERATOR_TOKEN", until=9e12):
    body = base64.urlsafe_b64encode(json.dumps({"name": name, "by": by, "until": until}).encode()).decode().rstrip("=")
    return [f"{body}.{mac}" for mac in ("", "0" * 64, "é", login._mac(b"session", body.encode(), ""))]


def test_forged_and_broken_sessions_are_nobody(nobody, operator):
    body, _, mac = session(operator).partition(".")
    told = json.loads(base64.urlsafe_b64decode(body + "=="))
    older = base64.urlsafe_b64encode(json.dumps(told | {"name": "root"}).encode()).decode().rstrip("=")
    deep = base64.urlsafe_b64encode(b"[" * 9000).decode()
    broken = [f"{older}.{mac}", f"{body}.{mac}0", f"{body}.", body, f".{mac}", "", "a.b", f"{deep}.{mac}", "ü.ü"]
    for cookie in [*forged(), *broken]:
        answer = nobody.get("/plans", headers={"cookie": f"{login.COOKIE}={cookie}".encode()})
        assert answer.status_code == 303, cookie[:80]
    assert nobody.get("/plans", headers=with_cookie(nobody, session(operator))).status_code == 200


def test_a_viewers_session_does_not_become_an_operators(reader, nobody):
    body, _, mac = session(reader).partition(".")
    told = json.loads(base64.urlsafe_b64decode(body + "==")) | {"by": "SYNC_WEB_OPERATOR_TOKEN"}
    risen = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    assert nobody.get("/plans", headers=with_cookie(nobody, f"{risen}.{mac}")).status_code == 303
    own = login._mac(b"session", risen.encode(), VIEWER_TOKEN)
    assert nobody.get("/plans", headers=with_cookie(nobody, f"{risen}.{own}")).status_code == 303


def test_a_session_ends_after_its_time(filled_ledger, nobody, monkeypatch):
    with client_of(filled_ledger.settings, VIEWER_TOKEN) as client:
        assert client.get("/plans").status_code == 200
        now = login.time.time()
        monkeypatch.setattr(login.time, "time", lambda: now + login.SESSION_S + 1)
        assert client.get("/plans").status_code == 303


def test_a_rotated_token_in_a_file_ends_its_sessions_without_a_restart(filled_ledger, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("the first one")
    env = {
        "SYNC_WEB_OPERATOR_TOKEN_FILE": str(secret),
        "LEDGER_DATABASE_URL": filled_ledger.settings.ledger_url,
    }
    settings = Settings.load(env, root=tmp_path)
    with client_of(settings, "the first one") as client:
        assert client.get("/plans").status_code == 200
        secret.write_text("the second one")
        assert client.get("/plans").status_code == 303
        form = {"name": "kim", "token": "the first one"}
        assert client.post("/login", data=form, headers=SAME).status_code == 403
        assert client.post("/login", data=form | {"token": "the second one"}, headers=SAME).status_code == 303
        assert client.get("/plans").status_code == 200
        secret.unlink()
        answer = client.get("/plans")
        assert answer.status_code == 503
        assert "second one" not in answer.text


def test_who_signs_out_is_out(filled_ledger):
    with client_of(filled_ledger.settings, VIEWER_TOKEN) as client:
        assert client.post("/logout", data={"out": "1"}, headers=SAME).status_code == 303
        assert client.get("/plans").status_code == 303


def test_without_any_token_nobody_can_sign_in(filled_ledger, tmp_path):
    settings = Settings.load({"LEDGER_DATABASE_URL": filled_ledger.settings.ledger_url}, root=tmp_path)
    with client_of(settings) as client:
        assert "No token is set" in client.get("/login").text
        assert client.post("/login", data={"name": "eve", "token": ""}, headers=SAME).status_code == 403


def test_wrong_guesses_are_slowed_down_whatever_the_token_then(filled_ledger):
    with client_of(filled_ledger.settings) as client:
        form = {"name": "eve", "token": "a guess"}
        answers = [client.post("/login", data=form, headers=SAME).status_code for _ in range(login.TRIES_MAX + 2)]
        assert answers == [403] * login.TRIES_MAX + [429] * 2
        assert client.post("/login", data=form | {"token": VIEWER_TOKEN}, headers=SAME).status_code == 429


def test_guesses_are_forgotten_after_a_while_and_one_address_does_not_stop_another(monkeypatch):
    tries = login.Tries()
    for _ in range(login.TRIES_MAX):
        tries.wrong("192.0.2.1")
    assert (tries.too_many("192.0.2.1"), tries.too_many("192.0.2.2")) == (True, False)
    now = login.time.monotonic()
    monkeypatch.setattr(login.time, "monotonic", lambda: now + login.TRIES_WINDOW_S + 1)
    assert not tries.too_many("192.0.2.1")


def test_whoever_guesses_from_many_addresses_does_not_free_the_others():
    tries = login.Tries()
    for _ in range(login.TRIES_MAX):
        tries.wrong("192.0.2.1")
    for number in range(100):
        tries.wrong(f"198.51.100.{number}")
    assert tries.too_many("192.0.2.1")


@pytest.mark.parametrize(
    "onward",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a?b=c", "/ü", "", "evil"],
)
def test_signing_in_leads_nowhere_else(filled_ledger, onward):
    with client_of(filled_ledger.settings) as client:
        form = {"name": "kim", "token": VIEWER_TOKEN, "next": onward}
        assert client.post("/login", data=form, headers=SAME).headers["location"] == "/"
        assert 'name="next" value="/"' in client.get("/login", params={"next": onward}).text


def test_a_bearers_guesses_are_slowed_down_as_well(filled_ledger):
    def asked(request):
        return frame.trouble(request, status=200 if login.by_bearer(request) else 401, title="asked")

    with client_of(filled_ledger.settings) as client:
        client.app.router.routes.insert(0, Route("/asked", asked))
        right, wrong = {"authorization": f"Bearer {VIEWER_TOKEN}"}, {"authorization": "Bearer é".encode()}
        assert client.get("/asked", headers=right).status_code == 200
        assert {client.get("/asked", headers=wrong).status_code for _ in range(login.TRIES_MAX)} == {401}
        assert client.get("/asked", headers=right).status_code == 401
        assert client.get("/asked", headers={"authorization": "Basic eA=="}).status_code == 401


# --- a proxy


def proxied(filled_ledger, root, proxy):
    env = TOKENS | {"LEDGER_DATABASE_URL": filled_ledger.settings.ledger_url, "SYNC_TRUSTED_PROXY": proxy}
    return Settings.load(env, root=root)


@pytest.fixture
def from_proxy(filled_ledger, tmp_path):
    """A client whose requests come from 192.0.2.7, which is the trusted proxy."""
    settings = proxied(filled_ledger, tmp_path, "192.0.2.0/29")
    app = pages.app(settings)
    with TestClient(app, base_url=BASE, follow_redirects=False, client=("192.0.2.7", 50000)) as client:
        yield client
    app.state.shelf.close()


def test_the_header_of_a_proxy_counts_from_the_trusted_one_alone(filled_ledger, tmp_path, from_proxy):
    named = {login.USER_HEADER: "ada"}
    with client_of(proxied(filled_ledger, tmp_path, "198.51.100.7")) as somebody:
        assert somebody.get("/plans", headers=named).status_code == 303
    with client_of(filled_ledger.settings) as nobody:
        assert nobody.get("/plans", headers=named).status_code == 303
    assert "ada" in from_proxy.get("/plans", headers=named).text
    assert from_proxy.get("/plans").status_code == 303


def test_whom_a_proxy_names_reads_and_acts_only_with_the_token(from_proxy):
    ada, bob = {login.USER_HEADER: "ada"} | SAME, {login.USER_HEADER: "bob"} | SAME
    assert "<form" not in from_proxy.get("/plans", headers=ada).text.partition("<main")[2]
    form = {"token": OPERATOR_TOKEN, "name": "somebody else"}
    assert from_proxy.post("/login", data=form, headers=ada).status_code == 303
    shown = from_proxy.get("/plans", headers=ada).text
    assert "Pause" in shown
    assert "somebody else" not in shown
    other = from_proxy.get("/plans", headers=bob).text
    assert "bob" in other
    assert "<form" not in other.partition("<main")[2], "a session of somebody else gives no right to act"


# --- answers


def test_every_answer_carries_the_headers(nobody, operator):
    answers = [
        operator.get("/plans"),
        operator.get("/nothing-here"),
        operator.get("/static/style.css"),
        operator.get("/static/nothing"),
        operator.get("/static/../frame.py"),
        operator.put("/plans"),
        operator.get("/reviews/999999"),
        operator.get("/reviews/" + "9" * 5000),
        nobody.get("/plans"),
        nobody.get("/login"),
        nobody.post("/login", data={"token": "x", "name": "x"}, headers=SAME),
        nobody.post("/plans/1/approve"),
    ]
    assert {one.status_code for one in answers} == {200, 303, 403, 404, 405}
    for answer in answers:
        for name, value in frame.HEADERS.items():
            assert answer.headers[name] == value, (answer.url, name)
        assert "server" not in answer.headers


def test_what_breaks_is_a_page_with_headers_and_its_words_enter_no_log(filled_ledger, caplog):
    def broken(_request):
        raise ValueError("ada@example.com broke it")

    with client_of(filled_ledger.settings, OPERATOR_TOKEN) as client:
        client.app.router.routes.insert(0, Route("/broken", frame.seen(broken)))
        with caplog.at_level(logging.DEBUG):
            answer = client.get("/broken")
    assert answer.status_code == 500
    assert answer.headers["content-security-policy"] == frame.HEADERS["content-security-policy"]
    assert "Something broke" in answer.text
    assert "ada@example.com" not in answer.text + caplog.text
    assert "ValueError" in caplog.text
    assert "Traceback" not in answer.text + caplog.text


def test_an_error_of_ours_is_a_page_with_its_remedy(filled_ledger):
    def missing(_request):
        raise NotFound("no such thing", remedy="Look elsewhere.")

    with client_of(filled_ledger.settings, OPERATOR_TOKEN) as client:
        client.app.router.routes.insert(0, Route("/missing", frame.seen(missing)))
        answer = client.get("/missing")
    assert answer.status_code == 404
    assert "Look elsewhere." in answer.text


def test_a_ledger_that_is_not_there_is_said_on_every_page(tmp_path):
    settings = Settings.load(TOKENS | {"LEDGER_DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}, root=tmp_path)
    with client_of(settings, OPERATOR_TOKEN) as client:
        for path in LOOKS:
            if path != "/undo":
                assert client.get(path).status_code == 503
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    "body",
    [
        {"content": b"x" * (frame.FORM_BYTES_MAX + 1)},
        {"content": b"\xff\xfe=1"},
        {"content": b"&".join(b"a%d=1" % number for number in range(1001))},
        {"json": {"guard": "x"}},
        {"content": b""},
    ],
)
def test_forms_that_are_none_or_too_large_are_refused(operator, body):
    headers = dict(SAME) if "json" in body else SAME | {"content-type": "application/x-www-form-urlencoded"}
    for path in ("/plans/1/approve", "/login"):
        assert operator.post(path, headers=headers, **body).status_code in (400, 403)


def test_looking_changes_nothing(operator, filled_ledger):
    before = everything_in_the_ledger(filled_ledger)
    for path in [*LOOKS, f"/undo?record={filled_ledger.records['conflict']}", f"/plans/{filled_ledger.plan}"]:
        assert operator.get(path).status_code in (200, 400)
        assert operator.head(path).status_code in (200, 400)
    for path in ACTS[:-1]:
        assert operator.get(path).status_code in (404, 405)
    assert everything_in_the_ledger(filled_ledger) == before


def test_no_page_of_the_desk_names_a_person_in_an_address(operator, filled_ledger):
    """Addresses lead by ids and numbers; what people are called is text."""
    for path in [*LOOKS[:6], "/acts", f"/plans/{filled_ledger.plan}"]:
        for address in re.findall(r'(?:href|action)="([^"]*)"', operator.get(path).text):
            assert re.fullmatch(r"/[A-Za-z0-9/._?=&;#-]*|#main", address), address
            assert "@" not in address
