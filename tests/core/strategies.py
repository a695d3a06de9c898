"""Generated values: canonical values, what systems can show, and a lexicon that knows them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sync_platform.core import normalize
from sync_platform.core.mappings import Lexicon
from sync_platform.core.policy import Policy, parse
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System

POLICY_FILE = Path(__file__).parents[2] / "sync_platform" / "policy.yaml"
DEFAULT: Policy = parse(POLICY_FILE.read_text(encoding="utf-8"), "policy.yaml")

# The machine may be busy with something else: slowness is no failure.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(PATIENT, max_examples=30)

AGENTS = {"7": "Mia@Example.com", "8": "noor@example.com", "12": "noor@example.com", "30": "yuki@example.org"}
CUSTOMERS = {f"{n:032x}": str(100 + n) for n in range(5)}


def lexicon(system: System, entity: Entity) -> Lexicon:
    """What a mapping may know, with the words of the default policy, four agents and five customers."""
    words = {
        name: {canonical: cells[system] for canonical, cells in table.items() if system in cells}
        for name, table in DEFAULT.vocabulary[entity].items()
    }
    to_record = {external: record for record, external in CUSTOMERS.items()} | {"99": f"{0:032x}"}
    return Lexicon("US", to_record, CUSTOMERS, AGENTS, words)


CASES = [(system, entity) for system in SYSTEMS for entity in ENTITIES]

# No surrogates (not UTF-8), but all else that people and machines type: emoji, right-to-left, control characters.
raw_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
odd_texts = st.sampled_from(
    ["", " ", "\t\n", "Zoë", "Zoe\u0308 ", "محمد", "山田 太郎", "🧑‍🚀 Ada", "a\r\nb", "\x00", "ﬁ", "  x  "]
)
any_texts = raw_texts | odd_texts
texts = any_texts.map(normalize.text).filter(bool)

raw_emails = st.builds(
    "{}{}@{}".format,
    st.sampled_from(["", " "]),
    st.from_regex(r"[A-Za-z][A-Za-z0-9._+-]{0,12}[A-Za-z0-9]", fullmatch=True).filter(lambda local: ".." not in local),
    st.sampled_from(["example.com", "Example.ORG", "shop.test", "BÜCHER.example.com", "xn--bcher-kva.example.com"]),
)
emails = raw_emails.map(normalize.email_text).filter(bool)

_SPELLINGS = """
+1 (415) 555-0132 | 4155550132 | 001 415 555 0132 | tel:+1-415-555-0132 | +44 20 7946 0018 | +972 2 123 4567
| +81 3-1234-5678 | 0044 20 7946 0018 | +390612345678 | 5550132 | call me | 415-555-0132 x5 | +39 06 12345678
"""
raw_phones = st.sampled_from([one.strip() for one in _SPELLINGS.split("|")]) | st.from_regex(
    r"\+?[0-9][0-9 ()-]{4,16}", fullmatch=True
)
phones = raw_phones.map(lambda raw: normalize.phone(raw) or normalize.text(raw)).filter(bool)

names = st.one_of(
    st.builds(lambda full: {"full": full, "first": None, "last": None}, texts),
    st.builds(lambda first, last: {"full": f"{first} {last}", "first": first, "last": last}, texts, texts),
    st.builds(lambda full, first, last: {"full": full, "first": first, "last": last}, texts, texts, texts),
    st.builds(lambda last: {"full": last, "first": None, "last": last}, texts),
    st.builds(lambda full, first: {"full": full, "first": first, "last": None}, texts, texts),
)

moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds
times = moments.map(lambda at: at.isoformat(timespec="microseconds"))
raw_times = times | moments.map(lambda at: at.isoformat().replace("+00:00", "Z")) | st.just("2026-03-08T01:59:59-08:00")

moneys = st.decimals(-(10**9), 10**9, places=2, allow_nan=False, allow_infinity=False).map(normalize.decimal)
counts = st.integers(0, 10**9)
languages = st.sampled_from(["en", "de", "he", "zh", "pt"])
raw_languages = st.sampled_from(["EN", "en-us", "iw", "zh_TW", "pt-br", "de", "", None])
tag_sets = st.lists(texts, max_size=5).map(lambda tags: sorted(set(tags)))

CANONICAL: dict[str, st.SearchStrategy] = {
    "email": emails,
    "email_2": emails,
    "phone": phones,
    "name": names,
    "language": languages,
    "company": texts,
    "customer_no": texts,
    "note": texts,
    "marketing_opt_out": st.booleans(),
    "credit_status": st.sampled_from(["ok", "hold", "blocked"]),
    "lifetime_value": moneys,
    "order_count": counts,
    "subject": texts,
    "status": st.sampled_from(["new", "open", "waiting", "resolved", "closed"]),
    "priority": st.sampled_from(["low", "normal", "high", "critical"]),
    "channel": st.sampled_from(["email", "chat", "phone", "api"]),
    "assignee": st.sampled_from(["mia@example.com", "noor@example.com", "yuki@example.org"]),
    "tags": tag_sets,
    "customer": st.sampled_from(sorted(CUSTOMERS)),
    "created_at": times,
    "closed_at": times,
    "first_text": texts,
    "message_count": counts,
    "last_message_at": times,
    "satisfaction": st.integers(1, 5),
}


def canonical(field: str) -> st.SearchStrategy:
    """Canonical values of a field, None among them (an empty list for sets)."""
    return CANONICAL[field] if field == "tags" else st.none() | CANONICAL[field]


_maybe_text = st.none() | any_texts
_BY_ATTRIBUTE: dict[str, st.SearchStrategy] = {
    "name": _maybe_text,
    "emails": st.none() | st.lists(raw_emails | st.just("not an address"), max_size=3),
    "hs_additional_emails": st.none() | st.lists(raw_emails, max_size=3),
    "phones": st.none() | st.lists(raw_phones, max_size=3),
    "hs_language": raw_languages,
    "sync_marketing_opt_out": st.sampled_from(["true", "false", "", None]),
    "sync_lifetime_value": st.sampled_from(["12.5", "12.50", "0", "1e3", None]),
    "sync_order_count": st.sampled_from(["3", "3.0", "", None]),
    "hs_pipeline_stage": st.sampled_from(["1", "2", "3", "4", None]),
    "hs_ticket_priority": st.sampled_from(["LOW", "MEDIUM", "HIGH", "URGENT", None]),
    "assignee_user_id": st.sampled_from([*AGENTS, None]),
    "hubspot_owner_id": st.sampled_from([*AGENTS, "", None]),
    "owner_email": st.sampled_from(["Mia@Example.com", "noor@example.com ", None]),
    "customer_id": st.sampled_from([*CUSTOMERS.values(), "99", None]),
    "contact": st.sampled_from([*CUSTOMERS.values(), "99", None]),
    "first_message": st.none() | st.builds(lambda at, text: {"id": "5", "at": at, "text": text}, times, any_texts),
    "sync_message_count": st.sampled_from(["1", "22", None]),
    "sync_satisfaction": st.sampled_from(["1", "5", None]),
    "credit_status": st.sampled_from(["ok", "hold", None]),
}
_BY_FIELD: dict[str, st.SearchStrategy] = {
    "email": st.none() | raw_emails,
    "email_2": st.none() | raw_emails,
    "phone": st.none() | raw_phones,
    "language": raw_languages,
    "marketing_opt_out": st.none() | st.booleans(),
    "lifetime_value": st.none() | moneys,
    "order_count": st.none() | counts,
    "tags": st.none() | st.lists(any_texts, max_size=5),
    "created_at": st.none() | raw_times,
    "closed_at": st.none() | raw_times,
    "last_message_at": st.none() | raw_times,
    "message_count": st.none() | counts,
    "satisfaction": st.none() | st.integers(1, 5),
}
_GORGIAS_AND_ERP_WORDS = {
    ("gorgias", "status"): ["open", "closed"],
    ("erp", "status"): ["new", "in_progress", "waiting", "resolved", "closed"],
    ("gorgias", "priority"): ["low", "normal", "high", "critical"],
    ("erp", "priority"): ["low", "normal", "high", "critical"],
}


def theirs(system: System, field: str, attributes: tuple[str, ...]) -> st.SearchStrategy:
    """What a system can show for a field, clumsy spellings and blanks among them."""
    if len(attributes) > 1:
        return st.fixed_dictionaries(dict.fromkeys(attributes, _maybe_text))
    words = _GORGIAS_AND_ERP_WORDS.get((str(system), field))
    if words:
        return st.sampled_from([*words, None])
    return _BY_ATTRIBUTE.get(attributes[0], _BY_FIELD.get(field, _maybe_text))


def decomposed(text: str) -> str:
    """The same text in another Unicode form."""
    return unicodedata.normalize("NFD", text)
