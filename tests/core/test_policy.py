"""The policy file: complete after parsing, every mistake named with line, key and remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_platform.core.mappings import FIELDS
from sync_platform.core.policy import Brake, Rule, explain, parse
from sync_platform.core.records import ENTITIES, SYSTEMS, Entity, System
from sync_platform.errors import Misconfigured
from tests.core.strategies import DEFAULT, PATIENT, POLICY_FILE

TEXT = POLICY_FILE.read_text(encoding="utf-8")
BARE = "customer: {fields: {}}\nticket: {fields: {}}\n"


def customer(fields: str, rest: str = "") -> str:
    """A policy with these customer fields, one to a line."""
    lines = "".join(f"    {line}\n" for line in fields.splitlines())
    return f"customer:\n  fields:\n{lines}{rest}ticket: {{fields: {{}}}}\n"


def complaint(text: str) -> str:
    with pytest.raises(Misconfigured) as caught:
        parse(text, "my.yaml")
    return str(caught.value)


def test_the_default_policy_names_every_field_and_is_complete():
    for entity in ENTITIES:
        one = DEFAULT.entities[entity]
        assert set(one.fields) == set(FIELDS[entity])
        assert tuple(one.systems) == SYSTEMS
        for field in one.fields.values():
            assert set(field.order) == set(SYSTEMS)
            assert field.writers
            assert field.rules
            assert field.empty in {"keep", "clear"}
            assert not field.writers & field.at_birth


def test_the_default_policy_decides_every_field_that_two_systems_may_write():
    for entity in ENTITIES:
        for field in DEFAULT.entities[entity].fields.values():
            last = field.rules[-1]
            assert last.kind == "union" or set(last.order) == field.writers


def test_the_default_policy_keeps_the_erps_facts_one_way():
    fields = DEFAULT.entities[Entity.CUSTOMER].fields

    for name in ("credit_status", "lifetime_value", "order_count", "customer_no"):
        assert fields[name].writers == {System.ERP}
        assert fields[name].order[0] is System.ERP


def test_the_default_policy_keeps_the_conversations_facts_one_way():
    fields = DEFAULT.entities[Entity.TICKET].fields

    for name in ("channel", "created_at", "first_text", "closed_at"):
        assert fields[name].at_birth == {System.HUBSPOT, System.ERP}
    for name in ("message_count", "last_message_at", "satisfaction"):
        assert fields[name].writers == {System.GORGIAS}
        assert not fields[name].at_birth


def test_the_default_policy_creates_helpdesk_customers_only_for_tickets():
    systems = DEFAULT.entities[Entity.CUSTOMER].systems

    assert (systems[System.GORGIAS].create, systems[System.ERP].create) == ("when_ticket", "always")
    assert {one.create for one in DEFAULT.entities[Entity.TICKET].systems.values()} == {"always"}
    assert DEFAULT.entities[Entity.TICKET].systems[System.GORGIAS].allow_close


def test_vocabularies_keep_the_order_of_the_file_and_the_spelling_of_ids():
    status = DEFAULT.vocabulary[Entity.TICKET]["status"]

    assert list(status) == ["open", "new", "waiting", "closed", "resolved"]
    assert status["new"] == {System.GORGIAS: "open", System.HUBSPOT: "1", System.ERP: "new"}
    assert parse(TEXT.replace('hubspot: "1"', "hubspot: 1")).vocabulary == DEFAULT.vocabulary


def test_several_words_of_theirs_may_stand_for_one_of_ours():
    policy = parse(TEXT.replace('hubspot: "3"', 'hubspot: ["3", "8"]'))

    assert policy.vocabulary[Entity.TICKET]["status"]["open"][System.HUBSPOT] == ["3", "8"]


def test_rules_are_read_in_order():
    phone = DEFAULT.entities[Entity.CUSTOMER].fields["phone"]

    assert phone.rules == (
        Rule("owner", order=(System.ERP, System.GORGIAS, System.HUBSPOT), unless_blank=True),
        Rule("newest"),
        Rule("rank", order=(System.ERP, System.HUBSPOT, System.GORGIAS)),
    )
    assert phone.order == (System.ERP, System.GORGIAS, System.HUBSPOT)
    assert phone.first_link == phone.order


def test_what_a_blank_means_can_be_said_for_each_system():
    policy = parse(customer("note: {writers: [erp, hubspot], rules: [newest], empty: {hubspot: clear, erp: keep}}"))
    note = policy.entities[Entity.CUSTOMER].fields["note"]
    assert [system for system in System if note.blank_clears(system)] == [System.HUBSPOT]
    assert "a blank of HubSpot clears it, another one keeps the value" in explain(policy)


def test_what_is_left_out_gets_its_default():
    policy = parse(customer("credit_status: {writers: [erp]}"))
    one = policy.entities[Entity.CUSTOMER]

    assert one.fields["credit_status"].rules == (Rule("owner", order=(System.ERP,)),)
    assert one.fields["credit_status"].empty == "keep"
    assert one.brake == Brake(500, 0.1)
    assert {said.create for said in one.systems.values()} == {"always"}
    assert {said.delete for said in one.systems.values()} == {"ignore"}
    assert policy.entities[Entity.TICKET].fields == {}
    assert policy.tolerance_s == 2


def test_a_first_link_can_be_an_order_or_a_person():
    rules = "rules: [{rank: [erp, hubspot, gorgias]}]"

    ranked = parse(customer(f"phone: {{{rules}, first_link: [gorgias]}}")).entities[Entity.CUSTOMER].fields["phone"]
    asked = parse(customer(f"phone: {{{rules}, first_link: review}}")).entities[Entity.CUSTOMER].fields["phone"]

    assert ranked.first_link == (System.GORGIAS, System.ERP, System.HUBSPOT)
    assert asked.first_link == "review"


@pytest.mark.parametrize("spelling", ["opt-out", "opt_out"])
def test_own_rules_newest_and_both_spellings_of_opt_out_are_accepted(spelling):
    policy = parse(customer(f"marketing_opt_out: {{rules: [{spelling}, newest, {{own: mine}}, review]}}"))

    kinds = [rule.kind for rule in policy.entities[Entity.CUSTOMER].fields["marketing_opt_out"].rules]
    assert kinds == ["opt_out", "newest", "own", "review"]


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        (customer("phne: {writers: [erp]}"), 3, "customer.fields.phne", "Did you mean `phone`?"),
        (customer("phone: {writrs: [erp]}"), 3, "customer.fields.phone.writrs", "Did you mean `writers`?"),
        (customer("phone: {writers: [epr]}"), 3, "customer.fields.phone.writers", "Did you mean `erp`?"),
        (customer("phone: {writers: []}"), 3, "customer.fields.phone.writers", "names no system"),
        (customer("phone: {}"), 3, "customer.fields.phone", "no rule decides"),
        (customer("phone: {rules: []}"), 3, "customer.fields.phone.rules", "empty list"),
        (customer("phone: {rules: [newst]}"), 3, "customer.fields.phone.rules", "Did you mean `newest`?"),
        (customer("phone: {rules: [owner]}"), 3, "customer.fields.phone.rules", "needs a list"),
        (customer("phone: {rules: [union]}"), 3, "customer.fields.phone.rules", "for sets only"),
        (customer("phone: {rules: [opt_out]}"), 3, "customer.fields.phone.rules", "marketing_opt_out only"),
        (customer("phone: {rules: [{owner: [erp], rank: [erp]}]}"), 3, "customer.fields.phone.rules", "one kind"),
        (customer("phone: {rules: [{max: [a]}]}"), 3, "customer.fields.phone.rules.max", "at least two"),
        (customer("phone: {rules: [{rank: [erp], unless_blank: true}]}"), 3, "rules", "belongs to owner"),
        (customer("phone: {rules: [{owner: [erp, erp]}]}"), 3, "rules.owner", "stands twice"),
        (customer("phone: {writers: [erp], rules: [{rank: [gorgias]}]}"), 3, "rules", "may not write"),
        (customer("phone: {writers: [erp], empty: {erp: kep}}"), 3, "customer.fields.phone.empty.erp", "`keep`?"),
        (customer("phone: {writers: [erp], empty: {gorgias: keep}}"), 3, "phone.empty.gorgias", "may not write"),
        (customer("phone: {writers: [erp], empty: {shop: keep}}"), 3, "customer.fields.phone.empty", "shop"),
        (customer("phone: {writers: [erp], empty: kep}"), 3, "customer.fields.phone.empty", "Did you mean `keep`?"),
        (customer("phone: {writers: [erp], at_birth: [erp]}"), 3, "at_birth", "is a writer already"),
        (customer("phone: {writers: [erp]}\nphone: {writers: [erp]}"), 4, "customer.fields.phone", "stands twice"),
        (customer("phone: {writers: [ERP]}"), 3, "customer.fields.phone.writers", "Did you mean `erp`?"),
        (customer("phone: {rules: [review, {rank: [erp]}]}"), 3, "customer.fields.phone.rules", "Put `review` last."),
        (customer("phone: {rules: [{rank: [erp, hubspot, gorgias]}, newest]}"), 3, "phone.rules", "Put `rank` last."),
        (customer("phone: {rules: [newest, newest, review]}"), 3, "phone.rules", "`newest` stands twice"),
        (customer("phone: {rules: [{own: [long, short]}]}"), 3, "phone.rules.own", "more than one rule"),
        (customer("phone: [erp]"), 3, "customer.fields.phone", "must be a mapping"),
        (BARE.replace("}}", "}}", 1) + "tikcet: {}\n", 3, "tikcet", "Did you mean `ticket`?"),
        (BARE + "tolerance_s: soon\n", 3, "tolerance_s", "must be a number"),
        ("customer: {fields: {}}\n", 1, "ticket", "is missing"),
        ("customer: {}\nticket: {fields: {}}\n", 1, "customer", "has no fields"),
        ("", 1, "file", "not a mapping"),
        ("customer: [\n", 2, "file", "not YAML"),
        ("\x00", 1, "file", "not YAML"),
    ],
)
def test_a_mistake_is_named_with_line_key_and_remedy(text, line, key, words):
    said = complaint(text)

    assert f"my.yaml:{line}: " in said
    assert key in said
    assert words in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("gorgias: {create: when_ticket", "gorgias: {create: whenticket", "Did you mean `when_ticket`?"),
        ("gorgias: {create: always, delete: ignore, allow_close: true}", "gorgias: {create: when_ticket}", "create"),
        ("hubspot: {create: always, delete: ignore}", "hubspot: {allow_close: true}", "can send a survey"),
        ("      low: {gorgias: low", "      lo: {gorgias: low", "Did you mean `low`?"),
        ("erp: in_progress", "erp: inprogress", "Did you mean `in_progress`?"),
        ('gorgias: open, hubspot: "3", ', 'hubspot: "3", ', "has no word for gorgias"),
        ("erp: in_progress}", "erp: new}", "no row reads `in_progress` of erp"),
        ("    priority:\n      low:", "    priorty:\n      low:", "Did you mean `priority`?"),
        ("tags: {writers: [gorgias, hubspot, erp], rules: [union]}", "tags: {rules: [review]}", "cannot decide a set"),
        ("{max: [low, normal, high, critical]}", "{max: [low, urgent]}", "`urgent` is not a choice"),
        ("brake: {absolute: 500, share: 0.1}", "brake: {absolute: 0, share: 10}", "`10` is not a number from 0 to 1"),
        ("brake: {absolute: 500, share: 0.1}", "brake: {absolute: 1.5}", "`1.5` is not a whole number"),
        ("brake: {absolute: 500, share: 0.1}", "brake: {window_s: 1}", "from 60 to 2592000"),
        ("{max: [low, normal, high, critical]}", "{max: [low, critical]}", "has no place for normal, high"),
    ],
)
def test_a_mistake_in_systems_tables_or_brake_is_named(old, new, words):
    assert old in TEXT

    assert words in complaint(TEXT.replace(old, new))


def test_one_mistake_is_one_problem():
    said = complaint(customer("phone: {writers: [Gorgias, epr], rules: [{owner: [gorgias]}, {rank: [gorgias, erp]}]}"))

    assert said.splitlines()[0] == "my.yaml: 2 problems"
    assert "may not write" not in said


def test_all_problems_are_reported_at_once_in_the_order_of_the_file():
    said = complaint(customer("phne: {}\nemail: {writers: [nobody]}\nnote: {empty: maybe, writers: [erp]}"))

    assert said.splitlines()[0] == "my.yaml: 3 problems"
    lines = [int(line.split(":")[1]) for line in said.splitlines()[1:]]
    assert lines == sorted(lines)
    assert {3, 4, 5} == set(lines)


def test_the_hash_names_the_meaning_and_not_the_comments():
    assert parse(f"# mine\n{TEXT}\n\n").hash == DEFAULT.hash
    assert parse(TEXT.replace("absolute: 500", "absolute: 501")).hash != DEFAULT.hash


@PATIENT
@given(
    st.text(max_size=60) | st.sampled_from([BARE, TEXT]).flatmap(lambda t: st.integers(0, len(t)).map(lambda n: t[:n]))
)
def test_any_text_is_a_policy_or_a_complaint(text):
    said = ""
    try:
        said = parse(text).hash
    except Misconfigured as error:
        said = str(error).partition(":")[0]

    assert said == "policy.yaml" or len(said) == 16


@pytest.mark.parametrize("text", ["&a [*a]", "customer: &a {fields: *a}\nticket: *a", "a: &x [*x, *x]\n<<: {b: c}"])
def test_anchors_that_hold_themselves_are_complaints(text):
    assert "problem" in complaint(text)


def test_the_policy_is_told_back_in_words():
    words = explain(DEFAULT)

    assert "credit_status: the ERP may write it" in words
    assert "by rank the ERP, HubSpot then Gorgias, else a person decides" in words
    assert "channel: Gorgias may write it; HubSpot and the ERP only with a record that is new" in words
    assert "tags: Gorgias, HubSpot and the ERP may write it; when they differ: additions and removals" in words
    assert "one is created there when a ticket needs it" in words
    assert "which can send a survey" in words
    assert DEFAULT.hash in words


def test_a_small_share_is_told_as_it_is():
    said = explain(parse(TEXT.replace("share: 0.1}", "share: 0.004}")))

    assert "more than 500 rows and 0.4% of all rows" in said


def test_words_are_found_for_every_kind_of_rule():
    rules = "rules: [opt_out, newest, {max: [a, b]}, {own: mine}, {owner: [erp]}, {rank: [gorgias]}, review]"

    words = explain(parse(customer(f"marketing_opt_out: {{{rules}, first_link: review}}")))

    assert (
        "opt-out wins, else the newest, else the highest of a < b, else the rule mine, else the first of the ERP"
        in words
    )
    assert (
        "else by rank Gorgias, else a person decides; a blank keeps the value; at a first link a person decides"
        in words
    )
