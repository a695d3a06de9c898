"""Gorgias's twin against golden files of its answers' shapes (shapes.py), written from what is known of the vendor.

Beside the keys of shapes.py a file may have `form`, a form instead of a JSON body, and `credentials`: nobody, app (the
client's id and secret), reader (a token that may read the account alone) or crowded (a key whose window is full).
"""

import re
from datetime import timedelta

import httpx
import pytest

from sync_platform.sandbox.people import generate
from tests.sandbox import shapes
from tests.sandbox.gorgias_served import served_account
from tests.sandbox.test_gorgias_access import bearer, grant

FILES = shapes.files("gorgias")
ERRORS = {301, 400, 401, 403, 404, 405, 409, 413, 429, 501}
TIER_C = ("/api/reporting", "/api/upload")
INPUT = {"data_type": "text", "input_settings": {"input_type": "input"}}


class Filled:
    """The names of the golden files: ids in an account that has one of everything, and one more of what goes."""

    def __init__(self, gorgias):
        self.api = gorgias
        agents, people, cases = generate(1, 20, 120, 0.6)
        gorgias.side.seed(people, cases, agents)
        self.names = {"large": "x" * 11_000_000, "client_id": gorgias.keys["client_id"]}
        self._people()
        self._desk()
        self._tickets()
        self._plain()
        _, token = grant(gorgias, "account:read offline")
        self.token = token["access_token"]
        self.names["refresh_token"] = token["refresh_token"]

    def add(self, path, body, *names):
        """One new object for each name; its number stands where the body says {n}."""
        for n, name in enumerate(names):
            self.names[name] = self.api.post(path, filled(body, {"n": f"{name}{n}".replace("_", "-")}))["id"]

    def first(self, path, name):
        self.names[name] = self.api.get(path)["data"][0]["id"]

    def _people(self):
        api, names = self.api, self.names
        names["customer"] = api.customer("ada@example.com", "123", name="Ada")["id"]
        body = {"channels": [{"type": "email", "address": "{n}@example.org"}]}
        self.add(
            "customers", body, "gone_customer", "gone_customers", "other_customer", "source", "target", "merged", "into"
        )
        api.put(f"customers/merge?source_id={names['merged']}&target_id={names['into']}", {"name": "x"})

    def _desk(self):
        user = {"name": "Una", "email": "{n}@example.net", "role": {"name": "agent"}}
        self.add("users", user, "user", "gone_user")
        self.add("teams", {"name": "{n}", "members": [{"id": self.names["user"]}]}, "team", "gone_team")
        self.add("tags", {"name": "golden"}, "golden")
        self.add("tags", {"name": "{n}"}, "tag", "gone_tag", "gone_tags", "source_tag")
        self.add("views", {"slug": "{n}"}, "view", "gone_view")
        for kind in ("Ticket", "Customer"):
            body = {"object_type": kind, "label": "Golden", "definition": INPUT}
            self.add("custom-fields", body, f"{kind.lower()}_field")

    def _tickets(self):
        api, names = self.api, self.names
        values = {"custom_fields": [{"id": names["ticket_field"], "value": "x"}]}
        given = {"assignee_user": {"id": names["user"]}, "assignee_team": {"id": names["team"]}, **values}
        for name in ("ticket", "other_ticket", "gone_ticket"):
            tags = [{"name": "golden"}, {"name": api.get(f"tags/{names['tag']}")["name"]}]
            names[name] = api.ticket(names["customer"], tags=tags, **given)["id"]
        message = {"channel": "api", "via": "api", "from_agent": False, "sender": {"id": names["customer"]}}
        self.add(f"tickets/{names['ticket']}/messages", {**message, "body_text": "x"}, "message", "gone_message")
        ends = {"ticket_id": names["ticket"], "customer_id": names["customer"]}
        self.add("satisfaction-surveys", ends, "survey")
        for name in ("customer", "other_customer"):
            api.put(f"customers/{names[name]}/custom-fields", [{"id": names["customer_field"], "value": "x"}])
        self.add("views", {"slug": "items", "filters": f"eq(ticket.id, {names['ticket']})"}, "items_view")
        self.first("events", "event")

    def _plain(self):
        http = {"url": "https://erp.example.com/", "method": "POST", "headers": {"X-Key": "k"}}
        self.add("integrations", {"name": "I", "type": "http", "http": http}, "integration", "gone_integration")
        wrapper = {"type": "wrapper", "widgets": []}
        self.add("widgets", {"type": "custom", "template": wrapper}, "widget", "gone_widget")
        self.add("macros", {"name": "M", "actions": [{"name": "setStatus", "arguments": {}}]}, "macro", "gone_macro")
        self.add("rules", {"name": "R", "code": "if (true) {}"}, "rule", "gone_rule")
        later = (self.api.world.clock.now() + timedelta(minutes=30)).replace(microsecond=0).isoformat()
        job = {"type": "exportTicket", "params": {}, "scheduled_datetime": later}
        self.add("jobs", job, "job", "gone_job")
        self.add("account/settings", {"type": "views-ordering", "data": {}}, "setting")
        self.first("phone/voice-calls", "call")
        self.first("phone/voice-call-events", "call_event")
        recordings = [row["id"] for row in self.api.get("phone/voice-call-recordings")["data"]]
        self.names["recording"], self.names["gone_recording"] = recordings[0], recordings[-1]

    def client(self, kind):
        if kind == "reader":
            return bearer(self.api, self.token)
        auth = {
            "nobody": None,
            "app": (self.api.keys["client_id"], self.api.keys["client_secret"]),
        }.get(kind, (self.api.keys["email"], self.api.keys["api_key"]))
        return self.api.client(auth=auth)


def filled(value, names):
    """A value of a golden file with its {names} filled in; a text that is one name alone becomes what is named."""
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\{(\w+)\}", value)
    if whole and whole[1] in names:
        return names[whole[1]]
    return re.sub(r"\{(\w+)\}", lambda found: str(names.get(found[1], found[0])), value)


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with served_account(tmp_path_factory.mktemp("gorgias")) as gorgias:
        yield Filled(gorgias)


def ask(account, golden):
    method, _, path = golden["call"].partition(" ")
    more = {"json": filled(golden["send"], account.names)} if "send" in golden else {}
    more |= {"data": filled(golden["form"], account.names)} if "form" in golden else {}
    crowded = golden.get("credentials") == "crowded"
    with account.client(golden.get("credentials")) as client:
        account.api.world.rate_scale = 0.025 if crowded else 1_000.0
        try:
            return client.request(method, filled(path, account.names), **more)
        finally:
            account.api.world.rate_scale = 1_000.0


def content(answer):
    return answer.json() if answer.content else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_answer_has_the_shape_of_its_golden_file(account, path):
    golden = shapes.load(path)
    answer = ask(account, golden)
    assert answer.status_code == golden["status"], answer.text
    body = content(answer)
    assert list(shapes.differences(golden["answer"], body)) == []
    if isinstance(golden["answer"], dict) and isinstance(golden["answer"].get("data"), list):
        assert body["data"], "an empty list shows no row"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_field_of_a_golden_file_has_its_type_and_its_confidence(path):
    golden = shapes.load(path)
    assert list(shapes.unmarked(golden["answer"])) == []
    assert golden["confidence"] in shapes.MARKS
    assert isinstance(golden["status"], int)


def plain(path):
    return re.sub(r"\{[^}]*\}|(?<=/)\d+(?=/|$)", "{}", path.partition("?")[0])


def test_every_described_call_has_a_golden_file(account):
    described = httpx.get(account.api.url + "/openapi.json").json()["paths"]
    wanted = {(method.upper(), plain(path)) for path, methods in described.items() for method in methods}
    calls = [shapes.load(path)["call"].split(" ", 1) for path in FILES]
    there = {(method, plain(path)) for method, path in calls}
    assert sorted(call for call in wanted - there if not call[1].startswith(TIER_C)) == []


def test_every_kind_of_refusal_has_a_golden_file():
    assert {shapes.load(path)["status"] for path in FILES} >= ERRORS
