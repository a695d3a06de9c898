"""A helpdesk's export: what is guessed, what is left out and why, and what the systems hold afterwards."""

import csv
import io
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from sync_platform.sandbox import import_values as values
from sync_platform.sandbox.import_read import Unreadable
from sync_platform.sandbox.import_sample import write
from sync_platform.sandbox.importing import Wishes, read, wishes_of, words
from sync_platform.sandbox.server import Options, running

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 12, 12, tzinfo=UTC)
PLAIN = "Ticket ID,Customer name,Customer email,Subject,Description,Status,Priority,Channel,Created at,Rating\n"
ZENDESK = "Id;Requester;Requester email;Subject;Status;Priority;Via;Created at;Solved at;Satisfaction Score;Tags\n"
FRESHDESK = (
    "Ticket ID\tSubject\tStatus\tPriority\tSource\tCreated time\tClosed time\tLast update time\tFull name\tEmail\t"
    "Contact phone\tSurvey results\n"
)


@pytest.fixture
def load(tmp_path):
    """Call with the text of a file: what was imported."""

    def loaded(text, *, encoding="utf-8", taken=(), **wishes):
        path = tmp_path / "export.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return read(path, tmp_path / "import.db", Wishes(**wishes), now=NOW, taken=taken)

    return loaded


def row(id_="7", *, name="Ada Example", email="ada@example.com", subject="Lamp", text="It is broken", status="open",
        priority="high", channel="email", created="2026-03-01 10:00", rating=""):  # fmt: skip
    stream = io.StringIO()
    csv.writer(stream).writerow((id_, name, email, subject, text, status, priority, channel, created, rating))
    return stream.getvalue()


def test_a_plain_export_needs_no_mapping(load):
    found = load(PLAIN + row(rating="4") + row("8", email="ADA@Example.com", status="Solved", created="2026-03-05"))
    (person,) = found.people()
    first, second = found.cases()
    view = person.views["gorgias"]
    assert (view.name, view.first, view.last, view.emails) == ("Ada Example", "Ada", "Example", ("ada@example.com",))
    assert (view.created_at, view.updated_at) == (
        datetime(2026, 3, 1, 10, tzinfo=UTC),
        datetime(2026, 3, 5, tzinfo=UTC),
    )
    assert (first.reference, first.subject, first.status, first.priority, first.score) == (
        "7",
        "Lamp",
        "open",
        "high",
        4,
    )
    assert (first.messages[0].text, first.messages[0].from_agent) == ("It is broken", False)
    assert (second.status, second.closed_at) == ("resolved", datetime(2026, 3, 5, tzinfo=UTC))
    assert found.summary["loaded"] == {"customers": 1, "tickets": 2}
    assert (found.summary["left_out"], found.summary["bad_rows"]) == (0, [])


def test_headers_of_other_helpdesks_are_guessed(load):
    found = load(ZENDESK + "31;Bo Bell;bo@example.org;Hi;Hold;Urgent;Web form;2026-02-01T08:00:00Z;;Good;a, b\n")
    (case,) = found.cases()
    assert (case.status, case.priority, case.channel, case.score) == ("waiting", "critical", "contact_form", 5)
    assert case.tags == ("a", "b")
    assert found.summary["delimiter"] == ";"
    line = "5\tHi\tWaiting on Customer\tMedium\tPortal\t2026-02-01 08:00:00\t\t2026-02-02 08:00:00\tBo Bell\t"
    found = load(f"{FRESHDESK}{line}bo@example.org\t+1 917 555 0101\tExtremely Happy\n")
    (case,), (person,) = found.cases(), found.people()
    assert (case.status, case.priority, case.score) == ("waiting", "normal", 5)
    assert person.views["gorgias"].phones == ("+1 917 555 0101",)
    assert case.updated_at == datetime(2026, 2, 2, 8, tzinfo=UTC)


def test_a_column_that_nobody_could_guess_is_named(load):
    header = PLAIN.replace("Ticket ID", "Vorgang").replace("Customer email", "Wer")
    with pytest.raises(Unreadable, match=r"ticket_id.*'Vorgang'"):
        load(header + row())
    found = load(header + row(), columns={"ticket_id": "Vorgang", "customer_email": "wer"})
    assert found.summary["columns"]["ticket_id"] == "Vorgang"
    assert [case.reference for case in found.cases()] == ["7"]


@pytest.mark.parametrize(
    ("columns", "named"), [({"ticket": "Subject"}, "ticket_id"), ({"subject": "Betreff"}, "'Subject'")]
)
def test_a_mapping_that_is_wrong_names_what_there_is(load, columns, named):
    with pytest.raises(Unreadable, match=named):
        load(PLAIN + row(), columns=columns)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1"])
def test_the_encoding_is_guessed(load, encoding):
    found = load(PLAIN + row(name="Zoë Müller"), encoding=encoding)
    assert [person.views["gorgias"].name for person in found.people()] == ["Zoë Müller"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_guessed(load, delimiter):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerows(csv.reader(io.StringIO(PLAIN + row(text="one, two; three\nand a line"))))
    found = load(stream.getvalue())
    assert [case.messages[0].text for case in found.cases()] == ["one, two; three\nand a line"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(""), "the ticket has no id"),
        (row(email="ada at example"), "the e-mail is not an address"),
        (row(name="", email=""), "no customer: neither e-mail nor phone nor name"),
        (row(subject="", text=""), "neither a subject nor a description"),
        (row(status="lost"), "the status is not known"),
        (row(priority="soon"), "the priority is not known"),
        (row(rating="11"), "the rating is not one of 1 to 5"),
        (row(created="yesterday"), "created_at is not a time that can be read"),
        (row(created="2031-01-01"), "created_at lies in the future"),
        ("7,Ada\n", "2 values where the header has 10"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_reason_and_the_others_are_loaded(load, bad, reason):
    found = load(PLAIN + row("1") + "\n" + bad + row("2"))
    assert [case.reference for case in found.cases()] == ["1", "2"]
    assert found.summary["left_out"] == 1
    assert found.summary["reasons"] == {reason: 1}
    assert (found.summary["bad_rows"][0]["line"], found.summary["bad_rows"][0]["reason"]) == (4, reason)
    assert f"line 4: {reason}" in words(found.summary)


def test_the_line_of_a_bad_row_counts_lines_inside_of_values(load):
    found = load(PLAIN + row("1", text="three\nlines\nhere") + row("2", status="lost"))
    assert found.summary["bad_rows"][0]["line"] == 5


def test_what_is_said_on_the_terminal_holds_no_value_of_a_customer(load):
    found = load(PLAIN + row(email="secret-canary@@example") + row(status="secret-canary"))
    assert found.summary["left_out"] == 2
    assert "secret-canary" in str(found.summary)
    assert "secret-canary" not in words(found.summary)


def test_a_quote_that_is_never_closed_does_not_stop_the_import(load):
    found = load(PLAIN + row("1") + '2,"Ada,ada@example.com\n' + "x" * 5_000_000)
    assert [case.reference for case in found.cases()] == ["1"]
    assert found.summary["left_out"] >= 1


def test_the_later_of_two_rows_with_one_ticket_id_wins_and_is_counted(load):
    found = load(PLAIN + row(subject="old") + row("8") + row(subject="new", email="bo@example.org"))
    first, second = found.cases()
    people = {person.n: person.views["gorgias"].emails[0] for person in found.people()}
    assert (first.subject, people[first.person], people[second.person]) == ("new", "bo@example.org", "ada@example.com")
    assert found.summary["replaced"] == 1
    assert found.summary["loaded"]["tickets"] == 2


def test_customers_without_an_e_mail_are_told_apart_by_phone_then_by_name(load):
    header = PLAIN.replace("Rating", "Phone")
    found = load(
        header
        + row("1", email="", rating="+1 917 555 0101")
        + row("2", name="Somebody", email="", rating="+1 917 555 0101")
        + row("3", email="")
        + row("4", name="ADA example", email="")
    )
    assert [case.person for case in found.cases()] == [1, 1, 2, 2]


def test_an_address_with_a_name_before_it_gives_both(load):
    found = load(PLAIN + row(name="", email="Ada Example <ada@example.com>"))
    (person,) = found.people()
    assert (person.views["gorgias"].name, person.views["gorgias"].emails) == ("Ada Example", ("ada@example.com",))


def test_an_e_mail_of_an_invented_person_is_not_taken_twice(load):
    found = load(PLAIN + row(), taken=["Ada@example.com"])
    assert found.summary["reasons"] == {"the e-mail belongs to one of the invented people": 1}


def test_an_empty_file_and_one_without_headers_are_refused(load):
    for text, named in (("", "empty"), ("\n\n", "first line"), ("7;8;9\n", "no column")):
        with pytest.raises(Unreadable, match=named):
            load(text)


AT = datetime(2026, 2, 3, 16, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-03T16:05:00Z", "2026-02-03 16:05", "2026-02-03 16:05:00 UTC", "2026-02-03T18:05:00+02:00",
        "2026-02-03 18:05:00 +0200", "2026/02/03 16:05", "2026-2-3 4:05 PM", "02/03/2026 16:05", "2/3/2026 4:05 pm",
        "03.02.2026 16:05", "03.02.2026, 16:05:00", "Feb 3, 2026 4:05 PM", "February 3, 2026 at 16:05",
        "3 Feb 2026 16:05", "Tue, 03 Feb 2026 16:05:00 +0000", "1770134700", "1770134700000",
    ],
)  # fmt: skip
def test_times_are_read_in_many_forms(text):
    assert values.Times().read(text) == AT


def test_times_without_a_zone_are_of_the_zone_that_was_told(load):
    berlin = values.Times(ZoneInfo("Europe/Berlin"))
    assert berlin.read("2026-07-01 12:00") == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert berlin.read("2026-01-01 12:00") == datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert berlin.read("2026-01-01T12:00Z") == datetime(2026, 1, 1, 12, tzinfo=UTC)
    found = load(PLAIN + row(created="2026-07-01 12:00"), zone="Europe/Berlin")
    assert next(iter(found.cases())).created_at == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_whether_the_day_comes_first_is_guessed_from_the_whole_file(load):
    days = row("1", created="03/04/2026") + row("2", created="25/04/2026")
    assert [case.created_at.month for case in load(PLAIN + days).cases()] == [4, 4]
    assert next(iter(load(PLAIN + row(created="03/04/2026")).cases())).created_at.month == 3
    assert next(iter(load(PLAIN + row(created="03/04/2026"), days_first=True).cases())).created_at.month == 4


@pytest.mark.parametrize(
    "text", ["soon", "32.01.2026", "2026-13-01", "99/99/2026", "0001-01-01", "2026-01-01 25:00", "12"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is not a time"):
        values.Times().read(text)


@pytest.mark.parametrize(
    ("text", "score"),
    [("", None), ("Offered", None), ("5", 5), ("4.0", 4), ("3/5", 3), ("2 stars", 2), ("★★★★", 4), ("Bad", 1),
     ("good with comment", 5), ("Not rated", None)],
)  # fmt: skip
def test_ratings_are_read_in_many_forms(text, score):
    assert values.rating(text) == score


@pytest.mark.parametrize(
    "wrong", [(["ticket"], "gorgias", "UTC", "guess"), ([], "shopify", "UTC", "guess"), ([], "", "UTC", "guess"),
              ([], "gorgias", "Mars/Base", "guess"), ([], "gorgias", "UTC", "maybe")],
)  # fmt: skip
def test_wishes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError):
        wishes_of(*wrong)


def test_the_sample_loads_without_a_bad_row(load):
    stream = io.StringIO()
    write(stream, 500)
    found = load(stream.getvalue())
    assert (found.summary["rows"], found.summary["left_out"], found.summary["replaced"]) == (500, 0, 0)
    again = io.StringIO()
    write(again, 500)
    assert again.getvalue() == stream.getvalue()
    assert all(
        email.endswith((".test", "example.com", "example.org"))
        for person in found.people()
        for email in (address.lower() for address in person.views["gorgias"].emails)
    )


def test_memory_stays_bounded_however_long_the_file_is(load):
    stream = io.StringIO()
    write(stream, 300)
    header, body = stream.getvalue().split("\n", 1)
    tracemalloc.start()
    load(f"{header}\n{body}")
    _, small = tracemalloc.get_traced_memory()
    stream = io.StringIO()
    write(stream, 6000)
    text = stream.getvalue().encode()
    del stream
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    found = load(text)
    _, large = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.summary["rows"] == 6000
    assert large - before < small + 4_000_000


# In a sandbox.


def everything(client, path):
    return client.get(f"/state/{path}?limit=10000").json()["rows"]


def options(folder, **more):
    return Options(data_dir=folder / "sandbox", gorgias_port=0, hubspot_port=0, control_port=0, **more)


@pytest.fixture
def sample(tmp_path) -> Path:
    path = tmp_path / "sample.csv"
    with path.open("w", encoding="utf-8") as stream:
        write(stream, 200)
    return path


def test_an_import_leaves_the_invented_people_out_and_fills_gorgias_alone(tmp_path, sample):
    with running(options(tmp_path, import_file=sample)) as ready:
        with httpx.Client(base_url=ready["control"]["url"], timeout=30) as client:
            summary = client.get("/import").json()
            assert summary["loaded"]["tickets"] == 200
            tickets = everything(client, "gorgias/tickets")
            assert len(everything(client, "gorgias/customers")) == summary["loaded"]["customers"]
            assert everything(client, "hubspot/contacts") == everything(client, "erp/customers") == []
        wanted = {line["Ticket #"]: line for line in csv.DictReader(io.StringIO(sample.read_text(encoding="utf-8")))}
        assert {ticket["external_id"] for ticket in tickets} == set(wanted)
        for ticket in tickets:
            line = wanted[ticket["external_id"]]
            assert ticket["subject"] == line["Subject"]
            assert ticket["status"] == ("closed" if line["Status"] in ("Solved", "Closed") else "open")
            assert ticket["created_datetime"][:19] == line["Created at"].replace(" ", "T")
        door = ready["gorgias"]
        found = httpx.get(f"{door['url']}/api/tickets/{tickets[0]['id']}", auth=(door["email"], door["api_key"])).json()
        assert found["messages"][0]["body_text"] == wanted[found["external_id"]]["Description"]


def test_an_import_adds_nothing_to_what_the_export_says(tmp_path, sample):
    options = Options(
        data_dir=tmp_path / "world", import_file=sample, gorgias_port=0, hubspot_port=0, control_port=0, tickets=None
    )
    with running(options) as ready:
        base = ready["control"]["url"]
        tickets = httpx.get(f"{base}/state/gorgias/tickets?limit=1000").json()["rows"]
        customers = httpx.get(f"{base}/state/gorgias/customers?limit=1000").json()["rows"]
    assert len(tickets) > 10
    assert {(row["assignee_team"], row["assignee_user"]) for row in tickets} == {(None, None)}
    assert [row["custom_fields"] for row in [*tickets, *customers] if row["custom_fields"]] == []
    assert {(row["external_id"], row["data"]) for row in customers} == {(None, None)}


def test_an_import_can_go_to_all_systems_beside_invented_people(tmp_path, sample):
    wishes = Wishes(systems=("hubspot", "gorgias", "erp"))
    with (
        running(options(tmp_path, import_file=sample, wishes=wishes, customers=40, tickets=20)) as ready,
        httpx.Client(base_url=ready["control"]["url"], timeout=30) as client,
    ):
        loaded = client.get("/import").json()["loaded"]
        invented = {
            system: sum(len(everything(client, f"{system}/{kind}")) - loaded["customers"] for kind in (kinds,))
            for system, kinds in (("gorgias", "customers"), ("hubspot", "contacts"), ("erp", "customers"))
        }
        assert all(0 < count <= 40 for count in invented.values())
        assert 200 <= len(everything(client, "hubspot/tickets")) < 220
        assert len(everything(client, "gorgias/tickets")) < 20
        client.post("/reset", json={"seed": 1}).raise_for_status()
        assert client.get("/import").json()["loaded"] == loaded
        assert 200 <= len(everything(client, "hubspot/tickets")) < 220


@pytest.mark.postgres
def test_an_import_fills_an_erp_on_postgresql_too(tmp_path, sample, postgres_url):
    wishes = Wishes(systems=("erp",))
    with (
        running(options(tmp_path, import_file=sample, wishes=wishes, erp_url=postgres_url)) as ready,
        httpx.Client(base_url=ready["control"]["url"], timeout=30) as client,
    ):
        loaded = client.get("/import").json()["loaded"]
        assert loaded["tickets"] == 200
        for _ in range(2):
            assert len(everything(client, "erp/tickets")) == 200
            assert len(everything(client, "erp/customers")) == loaded["customers"]
            assert everything(client, "gorgias/tickets") == []
            client.post("/reset", json={"seed": 1}).raise_for_status()


def test_an_import_over_the_control_port_begins_the_world_again(tmp_path):
    with (
        running(options(tmp_path, customers=10, tickets=10)) as ready,
        httpx.Client(base_url=ready["control"]["url"], timeout=30) as client,
    ):
        assert client.get("/import").json() is None
        text = (PLAIN.replace("Ticket ID", "Nr") + row() + row("8", status="lost")).encode("utf-16")
        wrong = client.post("/import", content=text)
        assert (wrong.status_code, "'Nr'" in wrong.json()["error"]) == (400, True)
        assert len(everything(client, "gorgias/customers")) > 1
        found = client.post("/import", params={"map": "ticket_id=Nr", "to": "erp"}, content=text).json()
        assert (found["rows"], found["left_out"], found["encoding"]) == (2, 1, "utf-16")
        assert found["bad_rows"] == [{"line": 3, "reason": "the status is not known", "value": "lost"}]
        assert client.get("/import").json() == found
        assert everything(client, "gorgias/customers") == []
        assert [one["ticket_no"] for one in everything(client, "erp/tickets")] == ["7"]
        assert not list(tmp_path.rglob("received.csv"))
        for query in ("to=shopify", "colour=1", "customers=x", "zone=Mars", "days_first=maybe", "tickets=5"):
            assert client.post(f"/import?{query}", content=text).status_code == 400
        assert client.get("/import").json() == found


def test_an_import_outlives_a_restart(tmp_path, sample):
    with running(options(tmp_path, import_file=sample)) as ready:
        first = httpx.get(f"{ready['control']['url']}/import").json()
    with running(options(tmp_path)) as ready, httpx.Client(base_url=ready["control"]["url"], timeout=30) as client:
        assert client.get("/import").json() == first
        client.post("/reset", json={"seed": 9}).raise_for_status()
        assert len(everything(client, "gorgias/tickets")) == 200
        assert everything(client, "hubspot/contacts") == []


def test_the_command_line_prints_a_sample_and_loads_it(tmp_path):
    command = [sys.executable, "-m", "sync_platform.sandbox"]
    done = subprocess.run([*command, "--import-sample", "3"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == 3
    missing = [*command, "--import", str(tmp_path / "none.csv")]
    done = subprocess.run(missing, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, "none.csv" in done.stderr, done.stdout) == (1, True, "")
