"""A ledger that was put back from a backup makes nothing a second time."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest

from sync_platform.core.records import Link
from sync_platform.ledger.database import Ledger
from sync_platform.sync import restored
from sync_platform.sync.births import Names
from tests.sync.memory_desk import CUSTOMER, TICKET, E, G, H, MemoryDesk

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Restored(MemoryDesk):
    """A desk that knows that its ledger was put back."""

    def hub(self, ledger):
        hub = super().hub(ledger)
        hub.restored_at = restored.restored_at(ledger)
        return hub


@pytest.mark.parametrize("told", [True, False])
def test_after_a_backup_was_put_back_markers_are_looked_up_before_any_create(tmp_path, told):
    """Not told, a ticket is made twice there: this is what the look-up is for."""
    desk = Restored(tmp_path)
    ids = desk.person("Ada Brook", "ada@example.com")
    desk.cycles()
    desk.systems[E].put(TICKET, {"subject": "Where is my lamp", "customer_id": ids[E], "status": "new"})
    desk.writes = False
    desk.cycles(2)
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    desk.writes = True
    desk.cycles(3)
    assert len(desk.live(H, TICKET)) == 1
    for one in tmp_path.glob("ledger.db*"):
        one.unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "ledger.db")
    world = desk.systems[H]

    class Blind(type(world)):
        """Its change feed lost what was made meanwhile, and it knows no markers at a create."""

        __slots__ = ()

        def pull(self, feed, cursor, *, lane, known=None):
            page = super().pull(feed, cursor, lane=lane, known=known)
            return page if feed.entity is CUSTOMER else type(page)((), page.cursor, page.complete)

        def _marked(self, change):
            return None

    world.__class__ = Blind
    if told:
        ledger = Ledger.open(desk.url, migrate=False)
        restored.say(ledger, desk.now_at)
        ledger.close()
    desk.cycles(3)
    assert len(desk.live(H, TICKET)) == (1 if told else 2)
    assert len(desk.live(G, TICKET)) == 1


def put_back(tmp_path, desk):
    """The backup takes the ledger's place, and a person says so."""
    for one in tmp_path.glob("ledger.db*"):
        one.unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "ledger.db")
    ledger = Ledger.open(desk.url, migrate=False)
    restored.say(ledger, desk.now_at)
    ledger.close()


@pytest.mark.parametrize("order", [(G, H, E), (E, H, G), (H, E, G)])
def test_what_was_born_after_the_backup_is_born_under_the_same_name_and_not_made_again(tmp_path, order):
    desk = Restored(tmp_path)
    ids = desk.person("Ada Brook", "ada@example.com")
    desk.cycles()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    desk.systems[E].put(TICKET, {"subject": "Where is my lamp", "customer_id": ids[E], "status": "new"})
    desk.person("Eve Hill", "eve@example.com", E)
    desk.cycles()
    before = desk.sql("SELECT id FROM record ORDER BY id")
    assert len(desk.live(H, TICKET)) == len(desk.live(G, TICKET)) == 1
    put_back(tmp_path, desk)
    desk.order = order
    desk.cycles()
    desk.cycle(full=True)
    assert desk.sql("SELECT id FROM record ORDER BY id") == before
    for system in (G, H, E):
        assert (len(desk.live(system, TICKET)), len(desk.live(system))) == (1, 2)
    desk.assert_quiet()


def test_a_marker_is_looked_up_for_who_is_born_again_before_the_feed_shows_what_was_made(tmp_path):
    desk = Restored(tmp_path)
    ids = desk.person("Ada Brook", "ada@example.com")
    desk.cycles()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    desk.systems[E].put(TICKET, {"subject": "Where is my lamp", "customer_id": ids[E], "status": "new"})
    desk.cycles()
    put_back(tmp_path, desk)
    for system in (G, H):
        own = type(desk.systems[system])

        class Blind(own):
            """Its feeds show no tickets any more, and it knows no markers at a create."""

            __slots__ = ()

            def pull(self, feed, cursor, *, lane, known=None):
                page = super().pull(feed, cursor, lane=lane, known=known)
                return page if feed.entity is CUSTOMER else type(page)((), page.cursor, page.complete)

            def _marked(self, change):
                return None

        desk.systems[system].__class__ = Blind
    desk.cycles()
    assert len(desk.live(H, TICKET)) == len(desk.live(G, TICKET)) == 1


def test_an_object_whose_record_lives_on_without_it_gives_its_next_one_another_name(tmp_path):
    desk = Restored(tmp_path)
    ids = desk.person("Ada Brook", "ada@example.com", E)
    desk.cycles()
    ((record,),) = desk.records()
    ledger = Ledger.open(desk.url, migrate=False)
    try:
        link = Link(1, None, E, CUSTOMER, ids[E])
        with ledger.begin() as conn:
            names = Names.load(desk.hub(ledger), conn, [link])
        assert names.own(link) == record
        assert len({record, names.of(link), names.of(link)}) == 3
    finally:
        ledger.close()


def test_a_ledger_that_counts_less_than_the_note_beside_it_was_put_back(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"

    def opened() -> bool:
        ledger = Ledger.open(url, migrate=True)
        try:
            return restored.notice(ledger, tmp_path, NOW)
        finally:
            ledger.close()

    assert not opened()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    assert not opened()
    assert not opened()
    for one in tmp_path.glob("ledger.db*"):
        one.unlink()
    shutil.copy(tmp_path / "backup.db", tmp_path / "ledger.db")
    assert opened()
    assert not opened()
    ledger = Ledger.open(url, migrate=False)
    assert restored.restored_at(ledger) == NOW
    ledger.close()
