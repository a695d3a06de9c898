"""The drawing of a way is well-formed, linked, told to those who hear it, and shows every text as text."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from sync_platform.core.records import Entity, System
from sync_platform.ledger import accounts
from sync_platform.settings import Settings
from sync_platform.web.drawing import Box, Column, draw
from sync_platform.web.elsewhere import addresses
from sync_platform.web.values import as_json, titled, told

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "\"><script>alert(1)</script>&amp;'</text>"


def drawn(*columns: Column) -> ET.Element:
    return ET.fromstring(draw("way", "Title", "Description", columns))


def test_boxes_are_links_with_names_and_arrows_lead_between_them():
    seen = Box("a", ("+1", "ERP 20"), "/observations/1", "erp")
    decided = Box("b", ("+1", "by rule owner"), "/decisions/2", after=("a",))
    root = drawn(Column("Seen", (seen,)), Column("Decided", (decided,)))
    assert [one.get("href") for one in root.iter(f"{SVG}a")] == ["/observations/1", "/decisions/2"]
    assert [one.get("aria-label") for one in root.iter(f"{SVG}a")] == ["+1 · ERP 20", "+1 · by rule owner"]
    assert sum((one.get("class") or "").startswith("arrow") for one in root.iter(f"{SVG}path")) == 1
    named = {one.get("id"): one.text for one in root if one.get("id")}
    assert {named[one] for one in (root.get("aria-labelledby") or "").split()} == {"Title", "Description"}
    assert "style" not in {name for one in root.iter() for name in one.attrib}


def test_no_text_becomes_markup():
    root = drawn(Column(HOSTILE, (Box("a", (HOSTILE, HOSTILE), HOSTILE, "erp"),)))
    assert not list(root.iter(f"{SVG}script"))
    assert next(root.iter(f"{SVG}a")).get("href") == HOSTILE
    assert isinstance(draw("way", HOSTILE, HOSTILE, []), Markup)
    assert "<script" not in draw("way", HOSTILE, HOSTILE, [])


def test_boxes_never_overlap_and_stay_within_the_drawing():
    columns = [Column(str(n), tuple(Box(f"{n}-{m}", ("x",) * 3) for m in range(n + 1))) for n in range(4)]
    root = drawn(*columns)
    _, _, wide, tall = map(int, (root.get("viewBox") or "").split())
    boxes = [tuple(int(one.get(k) or 0) for k in ("x", "y", "width", "height")) for one in root.iter(f"{SVG}rect")]
    assert len(boxes) == 10
    for at, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert x + w <= wide
        assert y + h <= tall
        for x2, y2, w2, h2 in boxes[at + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_long_texts_are_cut_and_told_in_full():
    root = drawn(Column("Seen", (Box("a", ("a" * 80,)),)))
    shown = [one.text or "" for one in root.iter(f"{SVG}text")]
    assert max(map(len, shown)) <= 31
    assert "a" * 80 in [one.text for one in root.iter(f"{SVG}title")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        ("", "—"),
        ([], "—"),
        (True, "yes"),
        (0, "0"),
        ("x", "x"),
        (["a", "b"], "a, b"),
        ({"full": "Ada King", "first": "Ada", "last": "King"}, "Ada King"),
        ({"firstname": "Ada", "lastname": None}, "firstname Ada · lastname —"),
        ({"a": {"b": 1}}, '{"a": {"b": 1}}'),
    ],
)
def test_values_are_told_in_plain_words(value, text):
    assert told(value) == text
    assert as_json(value)


def test_long_values_are_bounded_and_names_are_titles():
    assert len(told("x" * 9999)) == 400
    assert titled("customer_no") == "Customer no"


def test_objects_have_their_addresses_in_real_accounts_and_none_where_there_is_none(ledger, ledger_url, tmp_path):
    found = {"gorgias": ("acme", False), "hubspot": ("4711", False), "erp": ("x", False)}
    accounts.stamp(ledger, found)
    env = {
        "LEDGER_DATABASE_URL": ledger_url,
        "GORGIAS_BASE_URL": "https://acme.gorgias.test/api",
        "GORGIAS_EMAIL": "ops@example.com",
        "GORGIAS_API_KEY": "k",
        "HUBSPOT_ACCESS_TOKEN": "t",
        "ERP_DATABASE_URL": "sqlite:///erp.db",
    }
    of = addresses(Settings.load(env, root=tmp_path), ledger)
    assert of(System.GORGIAS, Entity.CUSTOMER, "12") == "https://acme.gorgias.test/app/customer/12"
    assert of(System.GORGIAS, Entity.TICKET, "13") == "https://acme.gorgias.test/app/ticket/13"
    assert of(System.HUBSPOT, Entity.CUSTOMER, "14") == "https://app.hubspot.com/contacts/4711/record/0-1/14"
    assert of(System.HUBSPOT, Entity.TICKET, "15") == "https://app.hubspot.com/contacts/4711/record/0-5/15"
    assert of(System.ERP, Entity.CUSTOMER, "16") is None
    assert of(System.HUBSPOT, Entity.TICKET, "javascript:alert(1)") is None
