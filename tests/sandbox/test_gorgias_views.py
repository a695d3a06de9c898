"""Gorgias's twin: views, their items and the filter language. The docstrings say how sure the rule is."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox.gorgias_served import served_account


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


@pytest.fixture
def ada(gorgias):
    return gorgias.customer("ada@example.com", name="Ada")


def view(gorgias, filters="", **more):
    return gorgias.post("views", {"slug": "v", "filters": filters, **more})


def items(gorgias, path, body=None, **params):
    """All items of a view, by meta.next_items."""
    rows = []
    method = "PUT" if body is not None else "GET"
    page = gorgias.call(method, f"{path}/items", body, params=params or None)
    while True:
        rows += page["data"]
        url = page["meta"]["next_items"]
        if url is None:
            return rows
        page = gorgias.call(method, url.removeprefix("/api/"), body)


def found(gorgias, filters, **more):
    rows = items(gorgias, "views/0", {"view": {"type": "ticket-list", "filters": filters, **more}}, limit=100)
    return [row["id"] for row in rows]


def test_a_view_has_the_documented_fields(gorgias):
    """[doc]"""
    made = view(gorgias, "eq(ticket.status, 'open')", name="Open", fields=["subject"], decoration={"emoji": ":eyes:"})
    assert made == {
        "id": made["id"], "uri": f"/api/views/{made['id']}/", "slug": "v", "name": "Open", "type": "ticket-list",
        "category": "user", "filters": "eq(ticket.status, 'open')", "order_by": "updated_datetime",
        "order_dir": "desc", "fields": ["subject"], "search": None, "visibility": "public", "shared_with_users": [],
        "shared_with_teams": [], "decoration": {"emoji": ":eyes:"}, "created_datetime": made["created_datetime"],
        "deactivated_datetime": None,
    }  # fmt: skip
    assert gorgias.get(f"views/{made['id']}") == made
    changed = gorgias.put(f"views/{made['id']}", {"order_dir": "asc"})
    assert (changed["order_dir"], changed["filters"]) == ("asc", made["filters"])
    gorgias.delete(f"views/{made['id']}")
    gorgias.get(f"views/{made['id']}", 404)
    gorgias.post("views", {"slug": "v", "order_by": "subject"}, 400)


def test_whether_the_slug_is_required_is_a_switch(gorgias):
    """[doc spec 2026]"""
    assert gorgias.post("views", {"name": "My view"}, 400)["error"]["data"].keys() == {"slug"}
    gorgias.switch(view_slug_required="off")
    assert gorgias.post("views", {"name": "My view"})["slug"] == "my-view"


def test_a_private_view_is_shared_with_exactly_one_user(gorgias):
    """[code Nango] 400 otherwise."""
    me = gorgias.get("users/0")
    una = gorgias.post("users", {"name": "U", "email": "u@example.com", "role": {"name": "agent"}})
    for shared in ([], [me["id"], una["id"]], [5]):
        refused = gorgias.post("views", {"slug": "v", "visibility": "private", "shared_with_users": shared}, 400)
        assert "shared_with_users" in refused["error"]["data"]
    made = view(gorgias, visibility="private", shared_with_users=[me["id"]])
    assert [row["id"] for row in made["shared_with_users"]] == [me["id"]]
    gorgias.put(f"views/{made['id']}", {"shared_with_users": []}, 400)
    gorgias.switch(view_shared_as="ids")
    assert gorgias.get(f"views/{made['id']}")["shared_with_users"] == [me["id"]]
    gorgias.switch(view_shared_as="objects")
    team = gorgias.post("teams", {"name": "T"})
    both = view(gorgias, visibility="shared", shared_with_users=[{"id": una["id"]}], shared_with_teams=[team["id"]])
    assert [row["name"] for row in both["shared_with_users"] + both["shared_with_teams"]] == ["U", "T"]


def test_system_views_are_there_and_stay(gorgias):
    """[doc] category system; [inferred] 403."""
    rows = [row for row in gorgias.walk("views", limit=100) if row["category"] == "system"]
    assert {"inbox", "my-tickets", "all", "trash", "spam"} <= {row["slug"] for row in rows}
    gorgias.put(f"views/{rows[0]['id']}", {"name": "x"}, 403)
    gorgias.delete(f"views/{rows[0]['id']}", status=403)
    for row in rows:
        gorgias.get(f"views/{row['id']}/items")


def test_views_are_ordered_by_creation_both_ways(gorgias):
    """[doc] with meta.total_resources."""
    for n in range(3):
        view(gorgias, name=str(n))
    down = [row["id"] for row in gorgias.walk("views", limit=5)]
    up = [row["id"] for row in gorgias.walk("views", limit=5, order_by="created_datetime:asc")]
    assert down == up[::-1]
    assert gorgias.get("views")["meta"]["total_resources"] is None
    gorgias.get("views", 400, order_by="name:asc")


def test_items_have_an_envelope_of_their_own(gorgias, ada):
    """[doc spec][code] current_cursor, next_items, prev_items with cursor, ignored_item, direction."""
    made = [gorgias.ticket(ada["id"])["id"] for _ in range(5)][::-1]
    path = f"views/{view(gorgias)['id']}/items"
    first = gorgias.get(path, limit=2)
    assert list(first) == ["object", "uri", "data", "meta"]
    assert first["meta"].keys() == {"current_cursor", "next_items", "prev_items"}
    assert first["meta"]["prev_items"] is None
    url = urlsplit(first["meta"]["next_items"])
    query = parse_qs(url.query)
    assert (url.scheme, url.netloc, url.path) == ("", "", f"/api/{path}")
    assert (query["direction"], query["ignored_item"], query["limit"]) == (["next"], [str(made[1])], ["2"])
    second = gorgias.get(first["meta"]["next_items"].removeprefix("/api/"))
    third = gorgias.get(second["meta"]["next_items"].removeprefix("/api/"))
    assert [[row["id"] for row in page["data"]] for page in (first, second, third)] == [made[:2], made[2:4], made[4:]]
    assert third["meta"]["next_items"] is None
    back = gorgias.get(third["meta"]["prev_items"].removeprefix("/api/"))
    assert back["data"] == second["data"]
    again = gorgias.get(path, limit=2, cursor=second["meta"]["current_cursor"])
    assert again["data"] == second["data"]
    start = gorgias.get(back["meta"]["prev_items"].removeprefix("/api/"))
    assert (start["data"], start["meta"]["prev_items"]) == (first["data"], None)


def test_a_cursor_of_items_that_is_broken_or_old_is_refused(gorgias, ada):
    """[doc] short-lived; the status is inferred."""
    for _ in range(3):
        gorgias.ticket(ada["id"])
    path = f"views/{view(gorgias)['id']}/items"
    cursor = gorgias.get(path, limit=1)["meta"]["current_cursor"]
    gorgias.get(path, 400, cursor="nonsense")
    gorgias.get(path, 400, cursor=cursor, order_by="priority:asc")
    gorgias.get(path, 400, direction="up")
    gorgias.get(path, 400, page=2)
    gorgias.get(path, cursor=cursor)
    gorgias.world.clock.advance(90_000)
    gorgias.get(path, 400, cursor=cursor)


@pytest.mark.parametrize(
    "name",
    ["created", "updated", "last_message", "last_received_message", "closed", "snooze", "priority"],
)
def test_items_are_ordered_by_each_documented_field(gorgias, ada, name):
    """[doc]"""
    at = datetime(2026, 5, 1, tzinfo=UTC)
    for n, priority in enumerate(("low", "critical", "normal", "high", "low")):
        day = (at + timedelta(days=(n * 3) % 5)).isoformat()
        times = {f"{key}_datetime": day for key in ("created", "closed", "snooze")} if n < 4 else {}
        made = gorgias.ticket(ada["id"], priority=priority, **times)
        last = {"last_message_datetime": day, "last_received_message_datetime": day}
        gorgias.put(f"tickets/{made['id']}", last)
    rank = {"low": 0, "normal": 1, "high": 2, "critical": 3}
    field = "priority" if name == "priority" else f"{name}_datetime"
    key = (lambda row: (rank[row["priority"]], row["id"])) if name == "priority" else (
        lambda row: (row[field] or "", row["id"])
    )  # fmt: skip
    path = f"views/{view(gorgias)['id']}"
    up = items(gorgias, path, order_by=f"{field}:asc", limit=2)
    assert len(up) == 5
    assert up == sorted(up, key=key)
    assert items(gorgias, path, order_by=f"{field}:desc", limit=2) == up[::-1]
    own = view(gorgias, order_by=field, order_dir="asc")
    assert items(gorgias, f"views/{own['id']}", limit=2) == up
    gorgias.get(f"{path}/items", 400, order_by="subject:asc")


def test_an_updated_since_view_reads_what_changed_in_ascending_order(gorgias, ada):
    """[code brooklyn] gte(ticket.updated_datetime, …) ordered ascending."""
    old = gorgias.ticket(ada["id"])
    gorgias.world.clock.advance(60)
    edge = gorgias.world.clock.now().isoformat()
    new = [gorgias.ticket(ada["id"])["id"] for _ in range(3)]
    made = view(
        gorgias, f"gte(ticket.updated_datetime, '{edge}')", order_by="updated_datetime", order_dir="asc",
        visibility="private", shared_with_users=[gorgias.get("users/0")["id"]],
    )  # fmt: skip
    assert [row["id"] for row in items(gorgias, f"views/{made['id']}", limit=2)] == new
    gorgias.put(f"tickets/{old['id']}", {"priority": "high"})
    assert [row["id"] for row in items(gorgias, f"views/{made['id']}")] == [*new, old["id"]]
    gorgias.delete(f"views/{made['id']}")


def test_a_view_in_the_body_needs_no_stored_one(gorgias, ada):
    """[doc] PUT /views/0/items; over a stored view its fields count."""
    open_, closed = gorgias.ticket(ada["id"]), gorgias.ticket(ada["id"], status="closed", subject="Refund please")
    assert found(gorgias, "eq(ticket.status, 'closed')") == [closed["id"]]
    assert found(gorgias, "", search="refund PLEASE") == [closed["id"]]
    assert found(gorgias, "", search="ada@", order_dir="asc") == [open_["id"], closed["id"]]
    made = view(gorgias, "eq(ticket.status, 'open')")
    path = f"views/{made['id']}/items"
    assert [row["id"] for row in gorgias.put(path, {"view": {}})["data"]] == [open_["id"]]
    body = {"view": {"filters": "eq(ticket.status, 'closed')"}}
    assert [row["id"] for row in gorgias.put(path, body)["data"]] == [closed["id"]]
    assert gorgias.get(f"views/{made['id']}") == made
    gorgias.put("views/0/items", {}, 400)
    gorgias.put("views/5/items", {"view": {}}, 404)
    gorgias.get("views/0/items", 404)


def test_tickets_and_customers_are_filtered_by_view(gorgias, ada):
    """[doc] view_id."""
    gorgias.ticket(ada["id"])
    closed = gorgias.ticket(ada["id"], status="closed")
    made = view(gorgias, "eq(ticket.status, 'closed')")
    assert [row["id"] for row in gorgias.get("tickets", view_id=made["id"])["data"]] == [closed["id"]]
    gorgias.customer("b@example.com", name="Bo", language="fr")
    french = view(gorgias, "eq(customer.language, 'fr')", type="customer-list")
    assert [row["name"] for row in gorgias.get("customers", view_id=french["id"])["data"]] == ["Bo"]
    assert [row["name"] for row in items(gorgias, f"views/{french['id']}")] == ["Bo"]
    gorgias.get("customers", 404, view_id=made["id"])
    gorgias.get("tickets", 404, view_id=5)


def test_whether_views_hide_spam_and_trash_is_a_switch(gorgias, ada):
    """⚠ likely unless the filter names them."""
    plain = gorgias.ticket(ada["id"])["id"]
    spam = gorgias.ticket(ada["id"], spam=True)["id"]
    trash = gorgias.ticket(ada["id"], trashed_datetime="2026-01-01T00:00:00Z")["id"]
    assert found(gorgias, "", order_dir="asc") == [plain]
    assert found(gorgias, "eq(ticket.spam, true)") == [spam]
    assert found(gorgias, "isNotEmpty(ticket.trashed_datetime)") == [trash]
    gorgias.switch(view_hides="nothing")
    assert found(gorgias, "", order_dir="asc") == [plain, spam, trash]


def test_views_may_lag_behind_the_writes(gorgias, ada):
    """[inferred] eventually consistent; a direct GET is not."""
    gorgias.switch(view_lag_s=5)
    made = gorgias.ticket(ada["id"])
    assert found(gorgias, "eq(ticket.status, 'open')") == []
    assert gorgias.get(f"tickets/{made['id']}")["status"] == "open"
    gorgias.world.clock.advance(6)
    assert found(gorgias, "eq(ticket.status, 'open')") == [made["id"]]
    gorgias.put(f"tickets/{made['id']}", {"status": "closed"})
    assert found(gorgias, "eq(ticket.status, 'open')") == [made["id"]]
    assert found(gorgias, "eq(ticket.status, 'closed')") == []
    gorgias.world.clock.advance(6)
    assert found(gorgias, "eq(ticket.status, 'closed')") == [made["id"]]
    gorgias.delete(f"tickets/{made['id']}")
    assert found(gorgias, "") == [made["id"]]
    gorgias.switch(view_lag_s=0)
    assert found(gorgias, "") == []


def test_relative_times_count_back_from_now(gorgias, ada):
    """[code] gteTimedelta; [inferred] lteTimedelta; '1d' as documented."""
    now = gorgias.world.clock.now()
    made = {
        days: gorgias.ticket(ada["id"], created_datetime=(now - timedelta(days=days)).isoformat())["id"]
        for days in (0.1, 2, 20)
    }
    assert found(gorgias, "gteTimedelta(ticket.created_datetime, '1d')") == [made[0.1]]
    assert found(gorgias, "lteTimedelta(ticket.created_datetime, '1w')") == [made[20]]
    assert len(found(gorgias, "lteTimedelta(ticket.created_datetime, '100m')")) == 3
    for bad in ("'1y'", "'d'", "5", "'-1d'"):
        gorgias.post("views", {"slug": "v", "filters": f"gteTimedelta(ticket.created_datetime, {bad})"}, 400)


@pytest.mark.parametrize("variable", ["{{current_user.id}}", "'{{current_user.id}}'", "'{{ current_user.id }}'"])
def test_the_calling_user_may_stand_in_a_filter(gorgias, ada, variable):
    """[doc][code]"""
    mine = gorgias.ticket(ada["id"], assignee_user={"id": gorgias.get("users/0")["id"]})
    gorgias.ticket(ada["id"])
    assert found(gorgias, f"eq(ticket.assignee_user.id, {variable})") == [mine["id"]]


def test_custom_fields_stand_in_filters(gorgias, ada):
    """[inferred] the path."""
    field = next(
        row for row in gorgias.get("custom-fields", object_type="Ticket")["data"] if row["label"] == "Order number"
    )
    gorgias.ticket(ada["id"])
    made = gorgias.ticket(ada["id"], custom_fields=[{"id": field["id"], "value": "7"}])
    path = f"ticket.custom_fields[{field['id']}].value"
    assert found(gorgias, f"eq({path}, '7')") == found(gorgias, f"isNotEmpty({path})") == [made["id"]]
    assert len(found(gorgias, f"neq({path}, '7')")) == 1


@pytest.mark.parametrize(
    ("filters", "place"),
    [
        ("eq(ticket.status)", 17),
        ("eq(ticket.status, 'open'", 25),
        ("eq(ticket.status, 'open') &&", 29),
        ("eq(ticket.status, 'open') & eq(ticket.id, 1)", 27),
        ("eq(ticket.status, 'open') eq(ticket.id, 1)", 27),
        ("like(ticket.status, 'open')", 1),
        ("eq(ticket.colour, 'red')", 4),
        ("eq(customer.name, 'x')", 4),
        ("eq(ticket.status, open)", 19),
        ("eq(ticket.status, 5)", 19),
        ("eq(ticket.id, 'x')", 15),
        ("gt(ticket.status, 'open')", 19),
        ("gte(ticket.created_datetime, 'soon')", 30),
        ("containsAny(ticket.status, 'open')", 28),
        ("eq(ticket.status, ['open'])", 19),
        ("gteTimedelta(ticket.status, '1d')", 29),
        ("eq(ticket.id, {{user.id}})", 15),
        ("eq(ticket.status, 'open)", 19),
        ("(" * 60 + "eq(ticket.id, 1)" + ")" * 60, 52),
        ("; drop table tickets", 1),
    ],
)
def test_a_filter_that_can_not_be_read_answers_400_and_names_the_place(gorgias, filters, place):
    """[inferred] the text."""
    refused = gorgias.post("views", {"slug": "v", "filters": filters}, 400)
    assert f"at character {place}:" in refused["error"]["data"]["filters"][0]
    inner = gorgias.put("views/0/items", {"view": {"filters": filters}}, 400)
    assert inner["error"]["data"]["view"]["filters"] == refused["error"]["data"]["filters"]


# --- the compiled filters against a naive evaluation -----------------------------------------------------------------

CHANNELS, TAGS, LANGUAGES = ("api", "chat", "phone"), ("vip", "new", "it's"), ("en", "fr", None)
SUBJECTS = ("Refund please", "Where is it?", "", None, 'a "quote"', "back\\slash")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """300 tickets of all sorts, and their rows as the API lists them."""
    with served_account(tmp_path_factory.mktemp("crowd")) as account:
        people = [account.customer(f"c{n}@example.com", name=f"C {n}")["id"] for n in range(3)]
        users = [
            account.post("users", {"name": f"U{n}", "email": f"u{n}@example.com", "role": {"name": "agent"}})["id"]
            for n in range(2)
        ]
        team = account.post("teams", {"name": "T"})["id"]
        now = account.world.clock.now()
        for n in range(300):
            times = {
                f"{name}_datetime": (now - timedelta(hours=n * step % 400)).isoformat()
                for name, step, every in (("closed", 7, 3), ("snooze", 5, 4), ("trashed", 3, 7))
                if n % every == 0
            }
            account.ticket(
                people[n % 3], status=("open", "closed")[n % 2], priority=("low", "normal", "high", "critical")[n % 4],
                channel=CHANNELS[n % 3], language=LANGUAGES[n % 3 - n % 2], subject=SUBJECTS[n % 6], spam=n % 9 == 0,
                external_id=f"e{n % 5}" if n % 2 else None, created_datetime=(now - timedelta(hours=n)).isoformat(),
                assignee_user={"id": users[n % 2]} if n % 3 else None,
                assignee_team={"id": team} if n % 5 == 0 else None,
                tags=[{"name": tag} for k, tag in enumerate(TAGS) if n >> k & 1], **times,
            )  # fmt: skip
        account.rows = account.walk("tickets", limit=100)
        assert len(account.rows) == 300
        account.known = {
            path: sorted({v for row in account.rows for v in values(row, path)}) for path in NUMBERS + TIMES
        }
        yield account


STRINGS = {
    "ticket.status": ("open", "closed", "odd"),
    "ticket.priority": ("low", "high", ""),
    "ticket.channel": CHANNELS,
    "ticket.language": ("en", "fr"),
    "ticket.external_id": ("e1", "e2", "e9"),
    "ticket.customer.email": ("c1@example.com", "C1@example.com"),
    "ticket.subject": ("refund", "is it", '"', "\\", "zzz"),
    "ticket.tags.name": (*TAGS, "none"),
}
NUMBERS = ("ticket.id", "ticket.customer.id", "ticket.assignee_user.id", "ticket.assignee_team.id", "ticket.tags.id")
TIMES = tuple(f"ticket.{name}_datetime" for name in ("created", "updated", "closed", "snooze", "trashed"))
FREE_TEXT = ("ticket.subject",)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def texts(path):
    return st.sampled_from(STRINGS[path])


@st.composite
def calls(draw, crowd):
    """A call: (text, operator, path, value as Python sees it)."""
    kind = draw(st.sampled_from(["string", "set", "empty", "number", "time", "delta", "bool"]))
    if kind in ("string", "set"):
        path = draw(st.sampled_from(sorted(STRINGS)))
        if kind == "string":
            operator, value = draw(st.sampled_from(["eq", "neq"])), draw(texts(path))
            return f"{operator}({path}, {quoted(value)})", operator, path, value
        operator = draw(st.sampled_from(["containsAny", "containsAll"]))
        value = draw(st.lists(texts(path), max_size=3))
        return f"{operator}({path}, [{', '.join(map(quoted, value))}])", operator, path, value
    if kind == "empty":
        path = draw(st.sampled_from([*sorted(STRINGS), *NUMBERS, *TIMES]))
        operator = draw(st.sampled_from(["isEmpty", "isNotEmpty"]))
        return f"{operator}({path})", operator, path, None
    if kind == "bool":
        value = draw(st.booleans())
        return f"eq(ticket.spam, {str(value).lower()})", "eq", "ticket.spam", value
    operator = draw(st.sampled_from(["eq", "neq", "gt", "gte", "lt", "lte"]))
    if kind == "number":
        path = draw(st.sampled_from(NUMBERS))
        value = draw(st.sampled_from(crowd.known[path])) + draw(st.integers(-1, 1))
        return f"{operator}({path}, {draw(st.sampled_from([str(value), quoted(str(value))]))})", operator, path, value
    path = draw(st.sampled_from(TIMES))
    if kind == "delta":
        hours = draw(st.integers(0, 500))
        operator = draw(st.sampled_from(["gteTimedelta", "lteTimedelta"]))
        return f"{operator}({path}, '{hours}h')", operator, path, hours
    value = draw(st.sampled_from(crowd.known[path]))
    return f"{operator}({path}, '{value}')", operator, path, value


def trees(crowd):
    """Text and the same as a nested tuple."""
    join = lambda inner: st.tuples(st.sampled_from(["&&", "||"]), st.lists(inner, min_size=2, max_size=3)).map(
        lambda both: ("(" + f" {both[0]} ".join(text for text, _ in both[1]) + ")", (both[0], [t for _, t in both[1]]))
    )
    return st.recursive(calls(crowd).map(lambda call: (call[0], call[1:])), join, max_leaves=5)


def values(row, path):
    """The values at a path as a list: none for null, several for tags."""
    at = [row]
    for part in path.split(".")[1:]:
        at = [entry[part] for entry in at if entry is not None]
        at = [inner for entry in at for inner in (entry if isinstance(entry, list) else [entry])]
    return [entry for entry in at if entry is not None]


def holds(tree, row, now):
    if tree[0] in ("&&", "||"):
        return (all if tree[0] == "&&" else any)(holds(part, row, now) for part in tree[1])
    operator, path, value = tree
    have = values(row, path)
    same = (lambda a, b: b.lower() in a.lower()) if path in FREE_TEXT else (lambda a, b: a == b)
    if operator in ("isEmpty", "isNotEmpty"):
        return any(entry != "" for entry in have) == (operator == "isNotEmpty")
    if operator in ("containsAny", "containsAll"):
        return (any if operator == "containsAny" else all)(any(same(a, b) for a in have) for b in value)
    if operator in ("eq", "neq"):
        return any(same(entry, value) for entry in have) == (operator == "eq")
    if operator.endswith("Timedelta"):
        value, operator = now - timedelta(hours=value), operator.removesuffix("Timedelta")
        have = [datetime.fromisoformat(entry) for entry in have]
    compare = {
        "gt": lambda a: a > value,
        "gte": lambda a: a >= value,
        "lt": lambda a: a < value,
        "lte": lambda a: a <= value,
    }
    return any(compare[operator](entry) for entry in have)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_filter_finds_what_a_plain_reading_of_it_finds(crowd, data):
    """[doc][code] the language; [inferred] the meaning of what is missing."""
    text, tree = data.draw(trees(crowd))
    got = set(found(crowd, text))
    now = crowd.world.clock.now()
    wanted = {
        row["id"]
        for row in crowd.rows
        if holds(tree, row, now)
        and ("ticket.spam" in text or not row["spam"])
        and ("ticket.trashed" in text or not row["trashed_datetime"])
    }
    assert got == wanted
