"""A walk over everything that Gorgias's twin serves: list, get, write, err. The session checks each answer."""

import json
from datetime import UTC, datetime, timedelta


class Walk:
    """The calls, each with the status that it must have."""

    def __init__(self, http, gorgias):
        self.http = http
        self.gorgias = gorgias

    def call(self, method, path, body=None, status=200, **query):
        """The JSON of an answer of this status."""
        data = None if body is None else json.dumps(body)
        answer = self.http.request(
            method, f"/api/{path}", data=data, params=query or None, headers={"content-type": "application/json"}
        )
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def get(self, path, status=200, **query):
        return self.call("GET", path, None, status, **query)

    def post(self, path, body, status=201, **query):
        return self.call("POST", path, body, status, **query)

    def put(self, path, body, status=200, **query):
        return self.call("PUT", path, body, status, **query)

    def delete(self, path, body=None, status=204, **query):
        return self.call("DELETE", path, body, status, **query)

    def pages(self, path, **query):
        """All rows of a list in pages of 20."""
        rows, cursor = [], None
        while True:
            page = self.get(path, limit=20, **query, **({"cursor": cursor} if cursor else {}))
            rows += page["data"]
            cursor = page["meta"]["next_cursor"]
            if cursor is None:
                return rows


def walk(http, gorgias):
    """Every endpoint, with a success at least once, and the errors that can be had."""
    one = Walk(http, gorgias)
    for part in (
        _customers, _tickets, _messages, _tags, _surveys, _custom_fields, _staff, _views, _integrations, _plain, _jobs,
        _phone, _search, _account, _errors,
    ):  # fmt: skip
        part(one)


def _account(one):
    one.get("account")
    one.get("account/settings")
    kept = one.post("account/settings", {"type": "auto-merge", "data": {"enabled": True}})
    one.put(f"account/settings/{kept['id']}", {"data": {"enabled": False}})
    one.post("account/settings", {"type": "auto-merge", "data": {}}, 409)
    for path in ("users", "events"):
        rows = one.pages(path)
        for row in rows[:3]:
            assert one.get(f"{path}/{row['id']}") == row
    one.get("users/0")


def _customer(one, email, **more):
    channels = [{"type": "email", "address": email, "preferred": True}]
    return one.post("customers", {"channels": channels, **more})


def _customers(one):
    for row in one.pages("customers"):
        assert one.get(f"customers/{row['id']}")["id"] == row["id"]
    ada = _customer(one, "ada@example.com", name="Ada L", language="en", timezone="Europe/Paris", meta={"a": 1})
    bea = _customer(one, "bea@example.com", name=None)
    one.post("customers", {"channels": [{"type": "email", "address": "ada@example.com"}]}, 409)
    one.put(f"customers/{ada['id']}", {"name": "Ada Lovelace", "note": "n"})
    one.put(f"customers/{ada['id']}/data", {"data": {"orders": [1]}, "version": "2026-01-01T00:00:00Z"}, 202)
    one.get(f"customers/{ada['id']}", relationships="custom_fields")
    one.put("customers/merge", {"name": "Bea"}, source_id=ada["id"], target_id=bea["id"])
    one.get(f"customers/{ada['id']}", 301)
    one.delete(f"customers/{ada['id']}", status=301)
    one.delete(f"customers/{bea['id']}")
    one.get(f"customers/{bea['id']}", 404)
    gone = _customer(one, "cyd@example.com")
    one.delete("customers", {"ids": [gone["id"]]})


def _new_ticket(one, email="dee@example.com", **more):
    message = {
        "channel": "email", "via": "api", "from_agent": False, "sender": {"email": email}, "body_html": "<p>Hi</p>",
        "source": {"type": "email", "from": {"address": email}, "to": [{"address": "help@example.com", "name": None}]},
        "attachments": [{"url": "https://example.com/a.png", "name": "a", "size": 3, "content_type": "image/png"}],
    }  # fmt: skip
    return one.post("tickets", {"messages": [message], "tags": [{"name": "walked"}], **more})


def _tickets(one):
    for row in one.pages("tickets")[:20]:
        assert one.get(f"tickets/{row['id']}")["id"] == row["id"]
    ticket = _new_ticket(one, subject="Hi", external_id="x-1", meta={"a": 1}, priority="high")
    path = f"tickets/{ticket['id']}"
    owner = one.get("users/0")["id"]
    one.put(path, {"status": "closed", "assignee_user": {"id": owner}, "spam": True})
    one.put(path, {"trashed_datetime": "2026-01-01T00:00:00Z", "assignee_user": None, "is_unread": False})
    one.get("tickets", trashed="false", customer_id=ticket["customer"]["id"])
    tag = one.get(f"{path}/tags")["data"][0]
    one.delete(f"{path}/tags", {"ids": [tag["id"]]})
    one.post(f"{path}/tags", {"names": ["walked"]})
    one.put(f"{path}/tags", {}, 202)
    one.post(f"{path}/tags", {"names": ["nobody made it"]}, 400)
    one.delete(path)
    one.get(path, 404)


def _messages(one):
    one.pages("messages")
    ticket = _new_ticket(one)
    path = f"tickets/{ticket['id']}/messages"
    new = {"channel": "api", "via": "api", "from_agent": True, "body_text": "Hello"}
    sent = one.post(path, new, action="force")
    note = one.post(path, {**new, "channel": "internal-note"})
    assert one.get(f"{path}/{note['id']}") == note
    one.put(f"{path}/{sent['id']}", {**new, "body_text": "Hello again"}, 202)
    one.get(path)
    one.delete(f"{path}/{note['id']}")
    one.post(path, {}, 400)


def _tags(one):
    tags = [one.post("tags", {"name": f"tag {n}", "decoration": {"color": "#fff"}}) for n in range(4)]
    one.post("tags", {"name": "tag 0"}, 409)
    first = tags[0]["id"]
    one.pages("tags")
    one.get(f"tags/{first}")
    one.put(f"tags/{first}", {"description": "d"})
    one.put(f"tags/{first}/merge", {"source_tags_ids": [tags[1]["id"]]})
    one.delete(f"tags/{tags[2]['id']}")
    one.delete("tags", {"ids": [tags[3]["id"]]})


def _surveys(one):
    rows = one.pages("satisfaction-surveys")
    ticket = _new_ticket(one)
    ends = {"ticket_id": ticket["id"], "customer_id": ticket["customer"]["id"]}
    survey = one.post("satisfaction-surveys", ends)
    one.post("satisfaction-surveys", ends, 409)
    path = f"satisfaction-surveys/{survey['id']}"
    one.put(path, {**ends, "score": 5, "body_text": "Fine"})
    assert one.get(path)["score"] == 5
    assert one.get(f"tickets/{ticket['id']}")["satisfaction_survey"]["score"] == 5
    assert rows


def _custom_fields(one):
    tier = {"data_type": "text", "input_settings": {"input_type": "dropdown", "choices": ["a", "b"]}}
    size = {"data_type": "number", "input_settings": {"input_type": "input_number", "min": 0, "max": 9.5}}
    for kind, path in (("Ticket", "tickets"), ("Customer", "customers")):
        one.get("custom-fields", object_type=kind, archived="false")
        made = one.post("custom-fields", {"object_type": kind, "label": f"Walked {kind}", "definition": tier})
        other = one.post("custom-fields", {"object_type": kind, "label": f"Size {kind}", "definition": size})
        number = made["id"]
        one.get(f"custom-fields/{number}")
        one.put(f"custom-fields/{number}", {"object_type": kind, "label": f"Tier {kind}", "definition": tier})
        owner = one.get(path, limit=1)["data"][0]["id"]
        held = f"{path}/{owner}/custom-fields"
        one.put(held, [{"id": number, "value": "a"}, {"id": other["id"], "value": 3}])
        one.put(held, [{"id": number, "value": "c"}], 400)
        assert one.get(f"{path}/{owner}", relationships="custom_fields")["custom_fields"][str(number)]["value"] == "a"
        one.put(f"{held}/{number}", {"id": number, "value": "b"})
        one.get(held)
        one.get(path, limit=100)
        one.delete(f"{held}/{number}")
        one.put("custom-fields", [{"id": number, "deactivated_datetime": "2026-01-01T00:00:00Z"}])
        one.get("custom-fields", object_type=kind, archived="true")
    one.get("custom-fields", 400)


def _staff(one):
    new = {"name": "Eve Example", "email": "eve@example.com", "role": {"name": "agent"}}
    eve = one.post("users", new)
    one.post("users", new, 409)
    one.put(f"users/{eve['id']}", {"name": "Eve E", "bio": "b", "country": "DE"})
    team = one.post("teams", {"name": "Night", "decoration": {"emoji": "🌙"}, "members": [{"id": eve["id"]}]})
    one.get("teams", limit=2)
    one.get(f"teams/{team['id']}")
    one.put(f"teams/{team['id']}", {"description": "d"})
    ticket = _new_ticket(one, assignee_team={"id": team["id"]}, assignee_user={"id": eve["id"]})
    assert one.get(f"tickets/{ticket['id']}")["assignee_team_id"] == team["id"]
    one.get("tickets")
    one.delete(f"teams/{team['id']}")
    one.delete(f"users/{eve['id']}")


def _views(one):
    view = one.post("views", {"slug": "walked", "name": "Walked", "filters": "eq(ticket.status, 'open')"})
    one.post("views", {"slug": "wrong", "filters": "eq(ticket.status"}, 400)
    one.get("views", limit=2)
    path = f"views/{view['id']}"
    one.get(path)
    one.put(path, {"order_by": "created_datetime", "shared_with_users": [one.get("users/0")["id"]]})
    following = one.get(f"{path}/items", limit=2)["meta"]["next_items"]
    assert following
    assert one.get(following.removeprefix("/api/"))["meta"]["prev_items"]
    one.put("views/0/items", {"view": {"type": "ticket-list", "filters": "isNotEmpty(ticket.created_datetime)"}})
    one.put("views/0/items", {"view": {"type": "customer-list"}}, limit=3)
    one.put(f"{path}/items", {"view": {"order_dir": "asc"}})
    one.get("tickets", view_id=view["id"])
    one.delete(path)


def _integrations(one):
    http = {"url": "http://127.0.0.1:9/never", "method": "POST", "form": {"id": "{{ticket.id}}"}, "hmac_secret": "s"}
    made = one.post("integrations", {"name": "Walked", "type": "http", "http": http})
    assert "hmac_secret" not in made["http"]
    path = f"integrations/{made['id']}"
    one.get(path)
    one.get("integrations", type="http")
    one.put(path, {"http": {"headers": {"x-own": "1"}, "triggers": {"ticket-created": True}}})
    one.put(path, {"deactivated_datetime": "2026-01-01T00:00:00Z"})
    code = f"Action('call', {{integration: {made['id']}}})"
    rule = one.post("rules", {"name": "Uses it", "code": code, "event_types": "ticket-created"})
    one.delete(path, status=409)
    one.get("rules")
    one.get(f"rules/{rule['id']}")
    one.put(f"rules/{rule['id']}", {"description": "d"})
    one.post("rules/priorities", {"priorities": [{"id": rule["id"], "priority": 3}]}, 204)
    one.delete(f"rules/{rule['id']}")
    one.delete(path)


def _plain(one):
    action = {"name": "addTags", "arguments": {"tags": "walked"}}
    macro = one.post("macros", {"name": "Walked", "language": "en", "actions": [action]})
    one.put(f"macros/{macro['id']}", {"intent": "other"})
    one.put("macros/archive", {"ids": [macro["id"], 1]})
    one.get("macros", archived="true")
    one.put("macros/unarchive", {"ids": [macro["id"]]})
    one.get(f"macros/{macro['id']}")
    one.get("macros", search="walk", order_by="usage:desc")
    template = {"type": "wrapper", "widgets": [{"type": "card", "title": "Orders", "path": "orders", "widgets": []}]}
    widget = one.post("widgets", {"type": "custom", "template": template})
    one.post("widgets", {"type": "custom", "template": {"type": "card"}}, 400)
    one.get("widgets", order_by="order:asc")
    one.get(f"widgets/{widget['id']}")
    one.put(f"widgets/{widget['id']}", {"order": 2, "context": "customer"})
    one.delete(f"widgets/{widget['id']}")
    one.delete(f"macros/{macro['id']}")


def _jobs(one):
    ticket = _new_ticket(one)
    params = {"ticket_ids": [ticket["id"]], "updates": {"status": "closed"}}
    job = one.post("jobs", {"type": "updateTicket", "params": params})
    one.get(f"jobs/{job['id']}")
    assert one.get(f"tickets/{ticket['id']}")["status"] == "closed"
    assert one.get(f"jobs/{job['id']}")["status"] == "done"
    one.post("jobs", {"type": "exportTicket", "params": {}})
    later = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    waiting = one.post("jobs", {"type": "deleteTicket", "params": params, "scheduled_datetime": later})
    one.put(f"jobs/{waiting['id']}", {"meta": {"a": 1}})
    one.delete(f"jobs/{waiting['id']}")
    assert [row["status"] for row in one.get("jobs", type="deleteTicket")["data"]] == ["canceled"]
    one.get("jobs")


def _phone(one):
    for kind in ("voice-calls", "voice-call-events", "voice-call-recordings"):
        rows = one.get(f"phone/{kind}")["data"]
        assert one.get(f"phone/{kind}/{rows[0]['id']}") == rows[0]
    one.delete(f"phone/voice-call-recordings/{rows[0]['id']}")


def _search(one):
    one.post("teams", {"name": "Searched"})
    for kind in (
        "agent", "customer", "customer_profile", "customer_channel", "customer_channel_email",
        "customer_channel_phone", "customers_by_phone", "integration", "team", "tag",
    ):  # fmt: skip
        one.post("search", {"type": kind, "query": "", "size": 5}, 200)
    one.gorgias.switch(search_reply="bare")
    one.post("search", {"type": "customer", "query": "a"}, 200)
    one.gorgias.switch(search_reply="list")


def _errors(one):
    one.get("customers/1", 404)
    one.get("tickets", 400, limit=101)
    one.get("tickets", 400, cursor="nonsense")
    one.gorgias.switch(key_role="observer-agent")
    one.post("tags", {"name": "forbidden"}, 403)
    one.gorgias.switch(key_role="admin")
    auth, one.http.auth = one.http.auth, ("nobody@example.com", "wrong")
    one.get("account", 401)
    one.http.auth = auth
