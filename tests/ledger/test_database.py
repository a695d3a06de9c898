"""Opening a ledger, its transactions, its errors."""

from __future__ import annotations

import stat
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import exc as sa_exc
from sqlalchemy import insert, select, text

from sync_platform.errors import LedgerUnreachable, Misconfigured, SyncError, Unavailable
from sync_platform.ledger import database
from sync_platform.ledger.database import Ledger, get_meta, in_chunks, insert_for, ledger_id, number, set_meta
from sync_platform.ledger.tables import InboxRow, Meta

CANARY = "canary.person@example.com"
INBOX = InboxRow.__table__


def row(delivery, **more):
    return {"system": "gorgias", "delivery": delivery, "received_at": datetime(2026, 1, 2, tzinfo=UTC), **more}


def test_a_ledger_keeps_its_id_when_it_is_opened_again(ledger, ledger_url):
    with ledger.read() as conn:
        first = ledger_id(conn)
    with Ledger.open(ledger_url, migrate=False) as again, again.read() as conn:
        assert ledger_id(conn) == first
    assert len(first) == 32


def test_two_ledgers_have_two_ids(tmp_path):
    ids = set()
    for name in ("a", "b"):
        with Ledger.open(f"sqlite:///{tmp_path / name}.db", migrate=True) as opened, opened.read() as conn:
            ids.add(ledger_id(conn))
    assert len(ids) == 2


def test_the_files_are_for_their_owner_alone(tmp_path):
    home = tmp_path / "deep" / "down"
    with Ledger.open(f"sqlite:///{home / 'ledger.db'}", migrate=True) as ledger:
        with ledger.begin() as conn:
            set_meta(conn, "a", "b")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in home.iterdir()}
    assert {"ledger.db", "ledger.budget.db", "ledger.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_sqlite_runs_with_write_ahead_logging_and_waits_for_a_lock(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", migrate=True) as ledger:
        for context in (ledger.read, ledger.pacing_read):
            with context() as conn:
                pragmas = [
                    conn.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("journal_mode", "synchronous", "busy_timeout")
                ]
            assert pragmas == ["wal", 1, 10_000]


def test_a_body_that_raises_leaves_nothing(ledger):
    def fail():
        with ledger.begin() as conn:
            set_meta(conn, "a", "b")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with ledger.read() as conn:
        assert get_meta(conn, "a") is None


def test_numbers_grow_by_one_whoever_asks(ledger):
    drawn: list[int] = []

    def draw():
        for _ in range(25):
            with ledger.begin() as conn:
                drawn.append(number(conn))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn) == list(range(1, 101))


def test_a_number_that_was_not_committed_is_drawn_again(ledger):
    def fail():
        with ledger.begin() as conn:
            assert number(conn) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with ledger.begin() as conn:
        assert number(conn) == 1


def test_a_write_transaction_reads_what_is_true_until_it_ends(tmp_path):
    """On SQLite it is the only writer from its first moment."""
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", migrate=True) as ledger:
        entered = threading.Event()

        def other():
            with ledger.begin() as conn:
                entered.set()
                set_meta(conn, "a", "other")

        with ledger.begin() as conn:
            assert get_meta(conn, "a") is None
            thread = threading.Thread(target=other)
            thread.start()
            assert not entered.wait(0.2)
            set_meta(conn, "a", "first")
        thread.join()
        with ledger.read() as conn:
            assert get_meta(conn, "a") == "other"


def test_a_read_waits_for_no_writer(ledger):
    with ledger.begin() as conn:
        set_meta(conn, "a", "b")
        with ledger.read() as other:
            assert get_meta(other, "a") is None


def test_times_come_back_aware_and_in_utc(ledger):
    at = datetime(2026, 3, 29, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with ledger.begin() as conn:
        conn.execute(insert(INBOX).values(row("d", received_at=at)))
    with ledger.read() as conn:
        read = conn.execute(select(INBOX.c.received_at)).scalar_one()
    assert read == at
    assert read.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(ledger):
    with pytest.raises((ValueError, sa_exc.StatementError)), ledger.begin() as conn:
        conn.execute(insert(INBOX).values(row("d", received_at=datetime(2026, 1, 2))))  # noqa: DTZ001


def test_json_keeps_every_script_readable(ledger):
    body = {"name": "李小龙", "mood": "🙂", "list": [1, 2.5, None, True]}
    with ledger.begin() as conn:
        conn.execute(insert(INBOX).values(row("d", body=body)))
    with ledger.read() as conn:
        assert conn.execute(select(INBOX.c.body)).scalar_one() == body
        assert "李小龙" in conn.execute(text("SELECT CAST(body AS TEXT) FROM inbox")).scalar_one()


def test_an_insert_may_say_what_happens_to_a_row_that_is_there(ledger):
    with ledger.begin() as conn:
        for _ in range(2):
            conn.execute(
                insert_for(conn, INBOX).on_conflict_do_nothing(index_elements=["delivery"]), [row("d"), row("e")]
            )
    with ledger.read() as conn:
        assert len(conn.execute(select(INBOX.c.id)).all()) == 2


def test_chunks_hold_everything_once():
    assert [list(chunk) for chunk in in_chunks(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_chunks([], 3)) == []
    with pytest.raises(ValueError):
        list(in_chunks([1], 0))


def test_a_refused_statement_tells_no_value(ledger):
    def twice():
        with ledger.begin() as conn:
            conn.execute(insert(INBOX), [row(CANARY), row(CANARY)])

    with pytest.raises(SyncError) as refused:
        twice()
    shown = f"{refused.value} {refused.value!r} {refused.value.__dict__}"
    assert CANARY not in shown
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_parameters_are_hidden_from_the_driver_errors(ledger):
    with ledger.begin() as conn, pytest.raises(sa_exc.IntegrityError) as refused:
        conn.execute(insert(Meta.__table__), [{"key": "k", "value": CANARY}, {"key": "k", "value": CANARY}])
    assert CANARY not in str(refused.value)


def test_a_lock_that_is_not_given_is_worth_another_try(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.1)
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", migrate=True) as ledger, ledger.begin():

        def second():
            with ledger.begin():
                pass

        with pytest.raises(Unavailable):
            second()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u:hunter2@host/d",
        "no url, hunter2",
        "",
        "postgresql://u:hunter2@[::1/d",
    ],
)
def test_a_url_that_cannot_be_used_is_named_without_its_password(url):
    with pytest.raises(Misconfigured) as refused:
        Ledger.open(url, migrate=True)
    assert "LEDGER_DATABASE_URL" in str(refused.value)
    assert "hunter2" not in f"{refused.value} {refused.value.remedy}"


def test_a_server_that_is_not_there_is_unreachable():
    with pytest.raises(LedgerUnreachable) as refused:
        Ledger.open("postgresql://user:hunter2@127.0.0.1:1/ledger", migrate=True)
    assert "hunter2" not in f"{refused.value} {refused.value.__dict__}"
    assert refused.value.__cause__ is None


def test_a_file_that_is_no_database_is_unreachable(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"not a database, " * 100)
    with pytest.raises(LedgerUnreachable):
        Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", migrate=True)


def test_a_folder_that_cannot_be_made_is_unreachable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnreachable):
        Ledger.open(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}", migrate=True)


def test_one_file_by_two_paths_has_one_pacing_store(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    for way in ("real", "alias"):
        Ledger.open(f"sqlite:///{tmp_path / way / 'ledger.db'}", migrate=True).close()
    assert len(list((tmp_path / "real").glob("*.budget.db"))) == 1


def test_a_pacing_store_that_was_deleted_or_is_of_another_version_is_made_anew(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger.open(url, migrate=True).close()
    with Ledger.open(url, migrate=False) as ledger, ledger.pacing() as conn:
        conn.exec_driver_sql("DROP TABLE budget")
        conn.exec_driver_sql("CREATE TABLE budget (old INTEGER)")
        conn.exec_driver_sql("PRAGMA user_version=1")
    with Ledger.open(url, migrate=False) as ledger, ledger.pacing_read() as conn:
        assert conn.exec_driver_sql("SELECT key, tokens FROM budget").all() == []
    for file in tmp_path.glob("ledger.budget.db*"):
        file.unlink()
    with Ledger.open(url, migrate=False) as ledger, ledger.pacing_read() as conn:
        assert conn.exec_driver_sql("SELECT key FROM budget").all() == []


def test_who_lost_the_lease_at_the_end_of_a_transaction_writes_nothing(ledger):
    asked = []

    def owner():
        asked.append(1)
        if len(asked) == 2:
            raise Unavailable("somebody else took over")

    ledger.check_owner = owner
    with pytest.raises(Unavailable), ledger.begin() as conn:
        set_meta(conn, "a", "b")
    ledger.check_owner = lambda: None
    with ledger.read() as conn:
        assert get_meta(conn, "a") is None
    assert len(asked) == 2


def test_who_lost_the_lease_before_a_transaction_leaves_the_connection_free(ledger):
    def owner():
        raise Unavailable("somebody else took over")

    ledger.check_owner = owner
    for _ in range(30):
        # More often than a pool has connections.
        with pytest.raises(Unavailable), ledger.begin():
            raise AssertionError("nobody gets here")
    ledger.check_owner = lambda: None
    with ledger.begin() as conn:
        set_meta(conn, "a", "b")
    with ledger.read() as conn:
        assert get_meta(conn, "a") == "b"


def test_a_commit_that_is_refused_rolls_back_and_the_ledger_goes_on(ledger):
    with ledger.begin() as conn:
        conn.execute(text("CREATE TABLE one (id INTEGER PRIMARY KEY)"))
        conn.execute(text("CREATE TABLE two (one INTEGER REFERENCES one (id) DEFERRABLE INITIALLY DEFERRED)"))
    if not ledger.postgres:
        with ledger.read() as conn:
            # It holds for a connection; a pool gives the same one again.
            conn.connection.dbapi_connection.execute("COMMIT")
            conn.connection.dbapi_connection.execute("PRAGMA foreign_keys = ON")
            conn.connection.dbapi_connection.execute("BEGIN")
    with pytest.raises(SyncError), ledger.begin() as conn:
        conn.execute(text("INSERT INTO two VALUES (1)"))
    with ledger.begin() as conn:
        assert conn.execute(text("SELECT count(*) FROM two")).scalar_one() == 0
        conn.execute(text("INSERT INTO one VALUES (1)"))
        conn.execute(text("INSERT INTO two VALUES (1)"))
    with ledger.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM two")).scalar_one() == 1
