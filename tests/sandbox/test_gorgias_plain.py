"""Gorgias's twin: macros, rules, widgets, jobs, voice calls, search, settings, and what is not served."""

from datetime import timedelta

import pytest

from sync_platform.sandbox.people import generate
from tests.sandbox.gorgias_served import served_account
from tests.sandbox.test_gorgias_access import bearer, grant


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with served_account(tmp_path_factory.mktemp("gorgias")) as account:
        yield account


@pytest.fixture
def gorgias(account):
    """The account, reset, at default switches."""
    account.world.switches.restore()
    account.side.reset()
    return account


ACTION = {"name": "addTags", "title": "Add tags", "type": "user", "arguments": {"tags": "vip, late"}}
TEMPLATE = {"type": "wrapper", "widgets": [{"type": "card", "title": "Orders", "widgets": []}]}
BODIES = {
    "macros": {"name": "Late", "actions": [ACTION]},
    "rules": {"name": "R", "code": "if (true) {}", "event_types": "ticket-created,ticket-updated"},
    "widgets": {"type": "custom", "template": TEMPLATE},
    "jobs": {"type": "exportTicket", "params": {}},
    "integrations": {"name": "I", "type": "http", "http": {"url": "https://e.example.com/"}},
}
CHANGES = {
    "macros": {"name": "Later"}, "rules": {"priority": 3}, "widgets": {"order": 2}, "integrations": {"name": "J"},
}  # fmt: skip


@pytest.mark.parametrize("kind", list(CHANGES))
def test_plain_objects_are_created_read_changed_and_deleted(gorgias, kind):
    """[doc]"""
    made = gorgias.post(kind, BODIES[kind])
    assert made["uri"] == f"/api/{kind}/{made['id']}/"
    assert gorgias.get(f"{kind}/{made['id']}") == made
    changed = gorgias.put(f"{kind}/{made['id']}", CHANGES[kind])
    assert CHANGES[kind].items() <= changed.items()
    assert {**made, **CHANGES[kind], "updated_datetime": changed["updated_datetime"]} == changed
    gorgias.delete(f"{kind}/{made['id']}")
    gorgias.get(f"{kind}/{made['id']}", 404)
    stem = {"macros": "macro", "rules": "rule", "widgets": "widget", "integrations": "integration"}[kind]
    types = [name for name, number in gorgias.events() if number == made["id"]]
    assert types == [f"{stem}-created", f"{stem}-updated", f"{stem}-deleted"]


@pytest.mark.parametrize("kind", list(BODIES))
def test_plain_lists_are_paged_by_cursor(gorgias, kind):
    """[doc] envelope and paging."""
    made = [gorgias.post(kind, BODIES[kind])["id"] for _ in range(3)]
    first = gorgias.get(kind, limit=2)
    assert first["object"] == "list"
    assert first["uri"] == f"/api/{kind}?limit=2"
    rows = gorgias.walk(kind, limit=2, order_by="created_datetime:asc")
    assert [row["id"] for row in rows] == made
    assert [row["id"] for row in gorgias.get(kind)["data"]] == made[::-1]


@pytest.mark.parametrize("kind", list(BODIES))
def test_plain_lists_and_bodies_refuse_what_is_unknown(gorgias, kind):
    """[doc] unknown parameters are 400."""
    assert gorgias.get(kind, 400, nope=1)["error"]["data"] == {"nope": ["Unknown field."]}
    assert "nope" in gorgias.post(kind, {**BODIES[kind], "nope": 1}, 400)["error"]["data"]
    assert gorgias.post(kind, {}, 400)["error"]["data"]
    gorgias.get(f"{kind}/5", 404)
    gorgias.call("PATCH", kind, {}, 405)


@pytest.mark.parametrize(("kind", "scope"), [("macros", "macros"), ("rules", "rules"), ("jobs", "jobs")])
def test_plain_resources_ask_for_their_scopes(gorgias, kind, scope):
    """[inferred] pairs for the other resources exist."""
    _, answer = grant(gorgias, f"{scope}:read")
    with bearer(gorgias, answer["access_token"]) as client:
        assert client.get(f"/api/{kind}").status_code == 200
        assert client.post(f"/api/{kind}", json=BODIES[kind]).status_code == 403


def test_macros_are_ordered_as_tabled(gorgias):
    """[code]; relevance needs a ticket_id."""
    for name, language in (("B", "fr"), ("A", "en"), ("C", None)):
        gorgias.post("macros", {"name": name, "language": language})
    for order, names in (
        ("name:asc", "ABC"),
        ("name:desc", "CBA"),
        ("language:asc", "CAB"),
        ("created_datetime:asc", "BAC"),
    ):
        assert "".join(row["name"] for row in gorgias.walk("macros", order_by=order, limit=2)) == names
    gorgias.get("macros", order_by="usage:desc")
    gorgias.get("macros", 400, order_by="relevance:desc")
    gorgias.get("macros", order_by="relevance:desc", ticket_id=1)


def test_macros_are_filtered_as_tabled(gorgias):
    """[doc]"""
    late = gorgias.post("macros", {**BODIES["macros"], "language": "en"})["id"]
    other = gorgias.post("macros", {"name": "Other", "language": "fr"})["id"]
    for asked, found in (
        ({"search": "LAT"}, [late]), ({"tags": ["vip"]}, [late]), ({"languages": ["fr"]}, [other]),
        ({"languages": ["fr", "en"]}, [other, late]), ({"archived": "true"}, []),
    ):  # fmt: skip
        assert [row["id"] for row in gorgias.get("macros", **asked)["data"]] == found


def test_macros_are_archived_and_taken_back_with_a_result_for_each_id(gorgias):
    """[doc] at most 30 ids; [inferred] the shape of a result."""
    number = gorgias.post("macros", {"name": "M"})["id"]
    results = gorgias.put("macros/archive", {"ids": [number, 7]})["data"]
    assert results == [{"id": number, "status": "success"}, {"id": 7, "status": "not_found"}]
    assert gorgias.get(f"macros/{number}")["archived_datetime"]
    assert gorgias.get("macros")["data"] == []
    assert [row["id"] for row in gorgias.get("macros", archived="true")["data"]] == [number]
    gorgias.put("macros/unarchive", {"ids": [number]})
    assert gorgias.get(f"macros/{number}")["archived_datetime"] is None
    gorgias.put("macros/archive", {"ids": list(range(1, 32))}, 400)


def test_a_macro_that_a_rule_names_is_409(gorgias):
    """[doc]"""
    number = gorgias.post("macros", {"name": "M"})["id"]
    gorgias.post("rules", {"name": "R", "code": f"Action('applyMacro', {number})"})
    gorgias.delete(f"macros/{number}", status=409)


def test_the_list_of_rules_has_a_limit_of_100(gorgias):
    """[code]"""
    for _ in range(35):
        gorgias.post("rules", BODIES["rules"])
    assert len(gorgias.get("rules")["data"]) == 35
    assert len(gorgias.get("rules", limit=10)["data"]) == 10


def test_event_types_of_a_rule_are_a_list_of_known_words(gorgias):
    """[doc]"""
    assert gorgias.post("rules", BODIES["rules"])["event_types"] == "ticket-created,ticket-updated"
    gorgias.post("rules", {**BODIES["rules"], "event_types": "ticket-created,customer-created"}, 400)


def test_priorities_of_rules_are_set_all_or_none(gorgias):
    """[doc] the call; [inferred] all or none."""
    first, second = (gorgias.post("rules", BODIES["rules"])["id"] for _ in range(2))
    gorgias.post("rules/priorities", {"priorities": [{"id": first, "priority": 9}, {"id": second, "priority": 8}]}, 204)
    assert [gorgias.get(f"rules/{number}")["priority"] for number in (first, second)] == [9, 8]
    gorgias.post("rules/priorities", {"priorities": [{"id": first, "priority": 1}, {"id": 5, "priority": 1}]}, 404)
    assert gorgias.get(f"rules/{first}")["priority"] == 9


def test_the_built_in_rule_is_off_by_default(gorgias):
    """Ours: switch rule_tag_on_create."""
    made = gorgias.ticket(gorgias.customer()["id"])
    assert gorgias.get(f"tickets/{made['id']}")["tags"] == []
    gorgias.switch(rule_tag_on_create="on")
    tagged = gorgias.ticket(made["customer"]["id"])
    assert tagged["tags"] == []
    assert [tag["name"] for tag in gorgias.get(f"tickets/{tagged['id']}")["tags"]] == ["new-ticket"]
    assert [row["name"] for row in gorgias.get("rules")["data"]] == ["Tag on create"]


def test_a_widgets_template_begins_with_a_wrapper(gorgias):
    """[code]"""
    for template in ({"type": "card"}, [], {"type": "wrapper", "widgets": ["x"]}, {"type": "wrapper", "widgets": 1}):
        gorgias.post("widgets", {"type": "custom", "template": template}, 400)
    deep = {"type": "wrapper", "widgets": []}
    for _ in range(50):
        deep = {"type": "wrapper", "widgets": [deep]}
    gorgias.post("widgets", {"type": "custom", "template": deep}, 400)


def test_a_widget_of_type_http_shows_an_integration_and_is_found_by_it(gorgias):
    """[doc]"""
    number = gorgias.post("integrations", BODIES["integrations"])["id"]
    made = gorgias.post("widgets", {"type": "http", "integration_id": number, "template": TEMPLATE})
    gorgias.post("widgets", {"type": "customer_external_data", "app_id": "a1", "template": TEMPLATE})
    assert made["context"] == "ticket"
    assert made["order"] == 0
    assert [row["id"] for row in gorgias.get("widgets", integration_id=number)["data"]] == [made["id"]]
    assert len(gorgias.get("widgets", app_id="a1")["data"]) == 1
    gorgias.post("widgets", {"type": "http", "integration_id": 5, "template": TEMPLATE}, 400)


def test_widgets_are_ordered_by_their_order(gorgias):
    """[doc]"""
    for order in (3, 1, 2):
        gorgias.post("widgets", {**BODIES["widgets"], "order": order})
    assert [row["order"] for row in gorgias.walk("widgets", order_by="order:asc", limit=1)] == [1, 2, 3]
    assert [row["order"] for row in gorgias.get("widgets", order_by="order:desc")["data"]] == [3, 2, 1]


@pytest.fixture
def two(gorgias):
    """Two tickets' ids."""
    ada = gorgias.customer()["id"]
    return [gorgias.ticket(ada)["id"] for _ in range(2)]


def test_a_job_changes_tickets(gorgias, two):
    """[doc] bulk work is done by jobs."""
    params = {"ticket_ids": [*two, 5], "updates": {"status": "closed"}}
    made = gorgias.post("jobs", {"type": "updateTicket", "params": params})
    assert made["status"] == "pending"
    done = gorgias.get(f"jobs/{made['id']}")
    assert done["status"] == "done"
    assert done["info"] == {"ticket_ids": two, "errors": {"5": "Resource not found."}}
    assert {gorgias.get(f"tickets/{number}")["status"] for number in two} == {"closed"}


def test_a_job_deletes_tickets(gorgias, two):
    """[doc]"""
    gorgias.post("jobs", {"type": "deleteTicket", "params": {"ticket_ids": two}})
    for number in two:
        gorgias.get(f"tickets/{number}", 404)


def test_a_job_applies_a_macro(gorgias, two):
    """[doc] the type; [code] names of actions."""
    actions = [ACTION, {"name": "setStatus", "arguments": {"status": "closed"}}]
    macro = gorgias.post("macros", {"name": "M", "actions": actions})["id"]
    job = gorgias.post("jobs", {"type": "applyMacro", "params": {"ticket_ids": two, "macro_id": macro}})
    assert gorgias.get(f"jobs/{job['id']}")["status"] == "done"
    shown = gorgias.get(f"tickets/{two[0]}")
    assert shown["status"] == "closed"
    assert {tag["name"] for tag in shown["tags"]} == {"vip", "late"}
    assert gorgias.get(f"macros/{macro}")["usage"] == 2


def test_a_job_with_updates_that_do_not_fit_is_errored(gorgias, two):
    """[inferred]"""
    made = gorgias.post("jobs", {"type": "updateTicket", "params": {"ticket_ids": two, "updates": {"status": "x"}}})
    assert gorgias.get(f"jobs/{made['id']}")["status"] == "errored"


def test_a_job_that_the_sandbox_does_not_carry_out_says_so(gorgias):
    """Ours."""
    made = gorgias.post("jobs", BODIES["jobs"])
    shown = gorgias.get(f"jobs/{made['id']}")
    assert shown["status"] == "errored"
    assert "does not carry out exportTicket" in shown["info"]["msg"]


def later(gorgias, seconds):
    return (gorgias.world.clock.now() + timedelta(seconds=seconds)).isoformat()


def test_a_job_is_scheduled_at_most_60_minutes_ahead_and_runs_on_the_clock(gorgias, two):
    """[doc]"""
    body = {"type": "updateTicket", "params": {"ticket_ids": two, "updates": {"status": "closed"}}}
    gorgias.post("jobs", {**body, "scheduled_datetime": later(gorgias, 3_700)}, 400)
    made = gorgias.post("jobs", {**body, "scheduled_datetime": later(gorgias, 3_000)})
    assert made["status"] == "scheduled"
    assert gorgias.get(f"tickets/{two[0]}")["status"] == "open"
    assert [row["id"] for row in gorgias.get("jobs?status=scheduled&type=updateTicket")["data"]] == [made["id"]]
    gorgias.world.clock.advance(3_001)
    assert gorgias.get(f"tickets/{two[0]}")["status"] == "closed"


def test_deleting_a_job_cancels_it(gorgias, two):
    """[doc] 204."""
    body = {"type": "deleteTicket", "params": {"ticket_ids": two}, "scheduled_datetime": later(gorgias, 60)}
    number = gorgias.post("jobs", body)["id"]
    gorgias.put(f"jobs/{number}", {"scheduled_datetime": later(gorgias, 90)})
    gorgias.delete(f"jobs/{number}")
    gorgias.world.clock.advance(100)
    assert gorgias.get(f"jobs/{number}")["status"] == "canceled"
    gorgias.get(f"tickets/{two[0]}")
    gorgias.put(f"jobs/{number}", {"meta": {}}, 400)


@pytest.mark.parametrize("params", [{"ticket_ids": list(range(1, 102))}, {"ticket_ids": []}, {"nope": 1}])
def test_params_of_a_job_are_checked(gorgias, params):
    """[doc] at most 100 ticket_ids."""
    gorgias.post("jobs", {"type": "deleteTicket", "params": params}, 400)


@pytest.fixture
def phone(gorgias):
    """A seeded account; it has tickets that came by phone."""
    agents, people, cases = generate(1, 60, 200, 0.6)
    gorgias.side.seed(people, cases, agents)
    return gorgias


def test_voice_calls_are_listed_newest_first_and_filtered_by_ticket(phone):
    """[code]"""
    rows = phone.walk("phone/voice-calls", limit=2)
    assert rows
    assert [row["created_datetime"] for row in rows] == sorted((r["created_datetime"] for r in rows), reverse=True)
    found = phone.get("phone/voice-calls", ticket_id=rows[0]["ticket_id"])["data"]
    assert found == [rows[0]] == [phone.get(f"phone/voice-calls/{rows[0]['id']}")]
    phone.get("phone/voice-calls", 400, order_by="created_datetime:asc")
    phone.post("phone/voice-calls", {}, 405)


def test_events_of_voice_calls_are_listed_oldest_first(phone):
    """[code]"""
    call = phone.get("phone/voice-calls")["data"][0]
    rows = phone.get("phone/voice-call-events", call_id=call["id"])["data"]
    times = [row["created_datetime"] for row in rows]
    assert len(rows) == 3
    assert times == sorted(times)
    assert phone.get(f"phone/voice-call-events/{rows[0]['id']}") == rows[0]


def test_a_recording_can_be_deleted(phone):
    """[doc]"""
    row = phone.get("phone/voice-call-recordings")["data"][0]
    assert phone.get(f"phone/voice-call-recordings/{row['id']}") == row
    phone.delete(f"phone/voice-call-recordings/{row['id']}")
    phone.get(f"phone/voice-call-recordings/{row['id']}", 404)
    phone.delete(f"phone/voice-calls/{row['call_id']}", status=405)


def search(gorgias, kind, query, **more):
    return gorgias.post("search", {"type": kind, "query": query, **more}, 200)["data"]


def test_search_finds_each_type(gorgias):
    """[doc] the types; [inferred] what matches."""
    ada = gorgias.customer("ada@example.com", "+15555550100", name="Ada King")
    gorgias.post("tags", {"name": "vip"})
    gorgias.post("integrations", BODIES["integrations"])
    for query in ("ada@", "Ada", "king", "+1555"):
        for kind in ("customer", "customer_profile"):
            assert [row["id"] for row in search(gorgias, kind, query)] == [ada["id"]], query
    assert [row["id"] for row in search(gorgias, "customers_by_phone", "+15555550100")] == [ada["id"]]
    assert search(gorgias, "customers_by_phone", "ada") == []
    assert [row["type"] for row in search(gorgias, "customer_channel", "")] == ["phone", "email"]
    assert [row["address"] for row in search(gorgias, "customer_channel_email", "ADA")] == ["ada@example.com"]
    assert search(gorgias, "customer_channel_phone", "+1")[0]["customer"] == {"id": ada["id"], "name": "Ada King"}
    assert [row["name"] for row in search(gorgias, "tag", "VI")] == ["vip"]
    assert search(gorgias, "integration", "i")[0]["type"] == "http"
    assert search(gorgias, "agent", "owner")[0]["email"] == gorgias.keys["email"]
    assert search(gorgias, "team", "none of that name") == []


def test_search_gives_ten_rows_and_at_most_fifty(gorgias):
    """[doc]"""
    for number in range(12):
        gorgias.post("tags", {"name": f"t{number}"})
    assert len(search(gorgias, "tag", "t")) == 10
    assert len(search(gorgias, "tag", "t", size=50)) == 12
    gorgias.post("search", {"type": "tag", "query": "t", "size": 51}, 400)


def test_search_does_not_know_tickets(gorgias):
    """[doc]"""
    gorgias.post("search", {"type": "ticket", "query": "x"}, 400)


def test_whether_search_answers_a_bare_list_is_a_switch(gorgias):
    """Not established."""
    gorgias.switch(search_reply="bare")
    assert gorgias.post("search", {"type": "tag", "query": "x"}, 200) == []


def test_settings_are_created_and_changed(gorgias):
    """[doc]"""
    made = gorgias.post("account/settings", {"type": "auto-merge", "data": {"enabled": True}})
    assert gorgias.put(f"account/settings/{made['id']}", {"data": {"enabled": False}})["data"] == {"enabled": False}
    shown = gorgias.get("account/settings", type="auto-merge")["data"]
    assert shown == [{**made, "data": {"enabled": False}}]
    assert {row["type"] for row in gorgias.get("account")["settings"]} >= {"auto-merge", "business-hours"}
    gorgias.post("account/settings", {"type": "auto-merge", "data": {}}, 409)
    gorgias.post("account/settings", {"type": "nope", "data": {}}, 400)
    gorgias.put("account/settings/99", {"data": {}}, 404)


def test_the_setting_of_surveys_has_an_effect(gorgias):
    """[code] its name; the sandbox acts on it."""
    data = {"send_survey_for_email": True, "send_survey_for_chat": True, "survey_interval": 5}
    gorgias.put("account/settings/1", {"type": "satisfaction-surveys", "data": data})
    shown = gorgias.get("account/settings", type="satisfaction-surveys")["data"][0]
    assert shown["id"] == 1
    assert data.items() <= shown["data"].items()
    assert gorgias.world.switches.get("gorgias.survey_after_close") == "on"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "reporting/stats"),
        ("POST", "upload"),
        ("GET", "attachment/download/ab12/x.pdf"),
        ("GET", "gorgias-chat"),
    ],
)
def test_what_is_not_served_answers_501_with_its_name(gorgias, method, path):
    """Ours: tier C."""
    answer = gorgias.call(method, path, {} if method == "POST" else None, 501)
    assert answer["error"]["msg"] == f"This call is not served by the sandbox: {method} /api/{path}"


def test_an_unknown_path_is_404_by_a_switch(gorgias):
    """[doc] 404; the vendor's internal paths are not listed."""
    gorgias.switch(unknown_path=404)
    assert gorgias.get("gorgias-chat", 404)["error"]["msg"] == "Resource not found."


def test_an_id_that_is_no_number_is_404(gorgias):
    """[inferred]"""
    gorgias.get("customers/abc", 404)
    gorgias.get("tickets/abc/messages/1", 404)


def test_legacy_statistics_do_not_exist(gorgias):
    """[code]"""
    assert "does not exist" in gorgias.call("POST", "stats/overview", {}, 400)["error"]["msg"]


def test_what_is_not_served_still_asks_for_credentials(gorgias):
    """[doc] 401 comes first."""
    with gorgias.client() as client:
        assert client.post("/api/upload").status_code == 401
