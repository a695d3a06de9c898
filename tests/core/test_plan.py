"""What is owed: only what is not agreed, one write for each system, and nothing that would have to be taken back."""

import dataclasses

import pytest

from sync_platform.core.mappings import AWAITS_CUSTOMER, Lexicon, field_maps
from sync_platform.core.mappings_forms import agent, customer_reference
from sync_platform.core.plan import Facts, plan
from sync_platform.core.policy import SystemPolicy
from sync_platform.core.records import SYSTEMS, UNSET, Cell, Entity, Record, RecordId, Verb, payload_hash
from tests.core.harness import FIELDS, Bench, E, G, H, _map, entity_policy, lexicons, maps, owned
from tests.core.strategies import CASES, DEFAULT, lexicon


def test_only_fields_that_differ_are_written_and_only_where_they_do():
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    bench.show(E, "title", "b")
    bench.judge()
    assert bench.owes() == {G: {"title": "b"}, H: {"title": "b"}}


def test_a_write_names_what_it_replaces_and_the_decision_it_shows():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    decision = bench.judge()[0]
    write = bench.write_for(G)
    assert (write.verb, dict(write.pre), dict(write.numbers)) == (
        Verb.UPDATE,
        {"title": "a"},
        {"title": decision.number},
    )
    assert write.external_id == bench.link(G).external_id


def test_planning_changes_nothing():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    before = bench.state()
    plan(bench.scene(), Facts(creatable=SYSTEMS))
    assert bench.state() == before


@pytest.mark.parametrize("change", [{"apart": True}, {"base": UNSET}, {"shadow": UNSET, "base": UNSET}])
def test_a_field_left_apart_or_never_read_is_not_owed(change):
    bench = Bench().settled_on("title", "a")
    bench.link(G).cells["title"] = dataclasses.replace(Cell("x", "x", "old", "old"), **change)
    assert G not in {write.system for write in plan(bench.scene(), Facts(ever_linked=SYSTEMS)).writes}


def test_a_link_with_an_unsettled_write_gets_no_other():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.judge()
    bench.send(G)
    bench.show(E, "title", "c")
    bench.judge()
    assert set(bench.owes()) == {H}


def test_a_create_that_may_have_landed_is_not_planned_again():
    bench = Bench(facts={"unsettled": {H}}).settled_on("title", "a", G)
    assert set(bench.owes()) == {E}


def test_a_refused_payload_is_skipped_until_it_changes_and_the_others_go():
    bench = Bench().settled_on("title", "a").settled_on("note", "n")
    bench.show_all("title", {E: "b"})
    bench.show_all("note", {E: "m"})
    bench.parked[G, "title"] = payload_hash("b")
    bench.judge()
    assert bench.owes()[G] == {"note": "m"}
    bench.show(E, "title", "c")
    bench.judge()
    assert bench.owes()[G] == {"note": "m", "title": "c"}


def test_a_payload_refused_as_a_whole_is_skipped_until_it_changes():
    bench = Bench().settled_on("title", "a")
    bench.show(E, "title", "b")
    bench.parked[G, "*"] = payload_hash({"title": "b"})
    bench.judge()
    assert set(bench.owes()) == {H}


def test_set_elements_are_named_one_by_one():
    bench = Bench().settled_on("tags", ["stays", "goes"])
    bench.show(E, "tags", ["stays", "new"])
    bench.judge()
    write = bench.write_for(G)
    assert (dict(write.add), dict(write.remove)) == ({"tags": ["new"]}, {"tags": ["goes"]})


# --- creates ----------------------------------------------------------------------------------------------------


def test_a_record_is_created_where_it_never_was_with_its_marker_and_without_blanks():
    bench = Bench()
    bench.show(G, "note", None)
    bench.settled_on("title", "a", G)
    write = bench.write_for(H)
    assert (write.verb, dict(write.values), write.marker) == (Verb.CREATE, {"title": "a"}, bench.record.id)


def test_nothing_is_created_where_a_link_ever_was():
    assert not Bench(facts={"ever_linked": set(SYSTEMS)}).settled_on("title", "a", G).owes()


def test_nothing_is_created_before_everybody_was_read():
    bench = Bench(facts={"creatable": {E}}).settled_on("title", "a", G)
    assert set(bench.owes()) == {E}
    assert bench.planned.awaits == {H: "not_read_yet"}


@pytest.mark.parametrize("mark", [{"twin": True}, {"tombstone": {"cause": "deleted"}}])
def test_nothing_is_created_for_twins_and_deleted_records(mark):
    bench = Bench(record=Record(RecordId("0" * 32), Entity.TICKET, **mark)).settled_on("title", "a", G)
    assert not bench.owes()


def test_an_address_that_another_record_holds_too_is_neither_written_nor_written_over_while_that_is_asked():
    of_people = {
        system: {**shown, "title": dataclasses.replace(shown["title"], match="email")}
        for system, shown in maps().items()
    }
    bench = Bench(maps=of_people).settled_on("title", "old@example.com").settled_on("note", "n")
    bench.show_all("title", {E: "new@example.com"})
    bench.show_all("note", {E: "m"})
    bench.judge()
    assert bench.owes() == {key: {"title": "new@example.com", "note": "m"} for key in (G, H)}
    for held in ("New@example.com", "old@example.com"):
        bench.facts["elsewhere"] = {held.lower()}
        bench.judge()
        assert bench.owes() == {key: {"note": "m"} for key in (G, H)}


@pytest.mark.parametrize(
    ("create", "wanted", "systems"), [("never", True, {H}), ("when_ticket", False, {H}), ("when_ticket", True, {H, E})]
)
def test_the_policy_says_where_records_are_created(create, wanted, systems):
    policy = entity_policy()
    said = {**policy.systems, E: SystemPolicy(create, "ignore", allow_close=False)}
    bench = Bench(policy=dataclasses.replace(policy, systems=said), facts={"wanted": wanted})
    assert set(bench.settled_on("title", "a", G).owes()) == systems


def test_a_field_in_review_is_no_part_of_a_create():
    bench = Bench()
    bench.show_all("asked", {G: "a", E: "b"})
    bench.show_all("title", {G: "t", E: "t"})
    bench.policy = entity_policy({**FIELDS, "asked": owned("asked", first_link="review", rules=FIELDS["asked"].rules)})
    bench.judge()
    assert bench.record.reviews.keys() == {"asked"}
    assert bench.owes() == {H: {"title": "t"}}


# --- gaps and waiting -------------------------------------------------------------------------------------------


def with_form(name, made, kind="scalar", **known):
    shapes = maps()
    for system in SYSTEMS:
        shapes[system][name] = _map(name, made, kind=kind)
    words = lexicons()
    words |= {system: Lexicon(**said) for system, said in known.items()}
    return Bench(policy=entity_policy({**FIELDS, name: owned(name)}), maps=shapes, lexicons=words)


AGENTS = {"1": "mia@example.com", "2": "noor@example.com"}


def test_a_value_without_a_counterpart_is_a_gap_and_everything_else_is_written():
    bench = with_form("agent", agent("agent"), gorgias={"agents": AGENTS}, hubspot={"agents": {"1": AGENTS["1"]}})
    bench.show_all("agent", {G: "1", H: "1"})
    bench.show_all("title", {G: "a", H: "a"})
    bench.judge()
    bench.show_all("agent", {G: "2"})
    bench.show_all("title", {G: "b"})
    bench.judge()
    assert bench.owes()[H] == {"title": "b"}
    assert (H, "agent") in bench.planned.gaps
    assert not bench.planned.awaits


def test_a_customer_who_is_not_there_yet_is_waited_for():
    mine, theirs = "1" * 32, "100"
    made = customer_reference("client")
    here = {"to_record": {theirs: mine}, "to_external": {mine: theirs}}
    bench = with_form("client", made, "reference", gorgias=here, hubspot={"to_external": {}}, erp={"to_external": {}})
    bench.show(H, "client", None)
    bench.show(G, "client", theirs)
    bench.judge()
    assert bench.planned.awaits == {H: AWAITS_CUSTOMER, E: AWAITS_CUSTOMER}
    assert not bench.owes()
    assert bench.planned.gaps == []


def test_a_ticket_in_gorgias_needs_a_customer():
    shapes = {system: dict(field_maps(system, Entity.TICKET)) for system in SYSTEMS}
    words = {system: lexicon(system, Entity.TICKET) for system in SYSTEMS}
    bench = Bench(policy=DEFAULT.entities[Entity.TICKET], maps=shapes, lexicons=words)
    bench.settled_on("subject", "Where is it", E)
    assert bench.planned.awaits == {G: "no_customer"}
    assert set(bench.owes()) == {H}


@pytest.mark.parametrize("allowed", [True, False])
def test_a_ticket_is_closed_in_gorgias_only_where_the_policy_allows_it(allowed):
    policy = entity_policy()
    said = {**policy.systems, G: SystemPolicy("always", "ignore", allow_close=allowed)}
    bench = Bench(policy=dataclasses.replace(policy, systems=said)).settled_on("status", "open")
    bench.show(E, "status", "closed")
    bench.judge()
    assert bench.owes()[H] == {"status": "4"}
    assert bench.owes().get(G) == ({"status": "closed"} if allowed else None)
    assert ((G, "status") in bench.planned.gaps) is not allowed


@pytest.mark.parametrize(("system", "entity"), CASES)
def test_a_create_on_the_real_maps_is_agreed_when_it_is_acknowledged(system, entity):
    """Whatever one system brings is created in the others, and then nothing is owed any more."""
    shapes = {one: dict(field_maps(one, entity)) for one in SYSTEMS}
    words = {one: lexicon(one, entity) for one in SYSTEMS}
    bench = Bench(
        policy=DEFAULT.entities[entity],
        maps=shapes,
        lexicons=words,
        record=Record(RecordId("f" * 32), entity),
        facts={"wanted": True},
    )
    values = {"email": "ada@example.com", "name": {"full": "Ada L", "first": "Ada", "last": "L"}, "subject": "Hi"}
    values |= {"status": "waiting", "customer": f"{1:032x}", "tags": ["vip"], "phone": "+14155550132"}
    for name, value in values.items():
        if name in shapes[system]:
            bench.show(system, name, shapes[system][name].put(value, words[system]))
    bench.judge()
    assert set(bench.owes()) == set(SYSTEMS) - {system}
    bench.acknowledge_all()
    assert bench.judge() == []
    assert not bench.owes()
