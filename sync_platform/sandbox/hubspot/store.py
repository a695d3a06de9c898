"""HubSpot's rows in one SQLite file: records with ready properties, unique values, history, associations.

It knows tables and indexes, and none of HubSpot's rules. Each kind has a table of records and a table of stale
versions: what the search index still believes of a record that was written within the search lag.
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

import json
import random
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sync_platform.sandbox.hubspot.kinds import KINDS, Kind
from sync_platform.sandbox.hubspot.wire import epoch_ms

LIVE, ARCHIVED, MERGED, PURGED = 0, 1, 2, 3
FIRST_ID = 99_501  # ids soon grow a digit, so that whoever sorts them as text is found out
Source = dict[str, Any]
_COLUMNS = "id, props, created, modified, state, ended, successor, valued, origin"

# Rows of a table, then rows that share the first column of an index, then those that share both.
_MANY, _FEW = "1000000 1000000", "1000000 1000000 2"
# The same for an index that a search asked for: many rows may share a value, few were made or changed at one time.
_SOME = "1000000 1000000 20000 2 2"
_SHARED = """
CREATE TABLE IF NOT EXISTS uniques(kind TEXT, name TEXT, value TEXT, id INTEGER NOT NULL,
    secondary INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(kind, name, value)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS uniques_id ON uniques(kind, id);
CREATE TABLE IF NOT EXISTS history(seq INTEGER PRIMARY KEY, kind TEXT, id INTEGER, name TEXT, at INTEGER, value TEXT,
    source TEXT);
CREATE INDEX IF NOT EXISTS history_id ON history(kind, id, name, seq);
CREATE TABLE IF NOT EXISTS ties(seq INTEGER PRIMARY KEY, a TEXT, a_id INTEGER, b TEXT, b_id INTEGER, type_id INTEGER,
    UNIQUE(a, a_id, b, b_id, type_id));
CREATE INDEX IF NOT EXISTS ties_back ON ties(a, b, b_id, a_id);
CREATE TABLE IF NOT EXISTS resting(a TEXT, a_id INTEGER, b TEXT, b_id INTEGER, type_id INTEGER,
    UNIQUE(a, a_id, b, b_id, type_id));
CREATE TABLE IF NOT EXISTS settings(section TEXT, kind TEXT, name TEXT, doc TEXT NOT NULL, ready INTEGER NOT NULL,
    PRIMARY KEY(section, kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocked(email TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_PER_KIND = """
CREATE TABLE IF NOT EXISTS {t}(id INTEGER PRIMARY KEY, props TEXT NOT NULL, created INTEGER NOT NULL,
    modified INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0, ended INTEGER, successor INTEGER,
    valued INTEGER NOT NULL, origin TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS {t}_state ON {t}(state);
CREATE INDEX IF NOT EXISTS {t}_modified ON {t}(state, modified);
CREATE INDEX IF NOT EXISTS {t}_created ON {t}(state, created);
CREATE TABLE IF NOT EXISTS stale_{t}(seq INTEGER PRIMARY KEY, id INTEGER NOT NULL, props TEXT NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, state INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS stale_{t}_id ON stale_{t}(id);
"""


@dataclass(slots=True)
class Row:
    """One record. `props` holds what was ever set ("" = cleared); times are epoch milliseconds.

    `origin` and `valued` are source and time of the values that have no history of their own yet.
    """

    kind: Kind
    id: int
    props: dict[str, str]
    created: int
    modified: int
    state: int = LIVE
    ended: int | None = None
    successor: int | None = None
    valued: int = 0
    origin: Source | None = None


def fold(text: str | None) -> str | None:
    """Case-insensitive form of a value, for SQL."""
    return None if text is None else str(text).casefold()


def _sql_ms(text: str | None) -> int | None:
    try:
        return epoch_ms(text) if text else None
    except ValueError:
        return None


@lru_cache(maxsize=1_024)
def _origin(text: str) -> Source | None:
    """A stored source: few different ones, never changed in place."""
    found: Source | None = json.loads(text)
    return found


def dump(value: Any) -> str:
    """Compact JSON text."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Store:
    """The file and its statements; one connection, one thread at a time."""

    def __init__(self, path: Path, seed: int) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
        self.db.create_function("fold", 1, fold, deterministic=True)
        self.db.create_function("moment", 1, _sql_ms, deterministic=True)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute("PRAGMA cache_size=-65536")
        self._draw = random.Random(f"search lag {seed}")
        self._stale: dict[str, int] = {}
        self._searched: set[tuple[str, str]] = set()
        # With so many rows of a kind, a property that is searched by gets an index.
        self.indexed_from = 2_000
        self._depth = 0
        self._kinds = list(KINDS)
        self.create_tables()

    def create_tables(self) -> None:
        """Make what is missing."""
        self.db.executescript(_SHARED + "".join(_PER_KIND.format(t=name) for name in self._kinds))
        if not self.db.execute("SELECT 1 FROM sqlite_schema WHERE name='sqlite_stat1'").fetchone():
            self.db.execute("ANALYZE")  # nearly nothing is there yet: this makes the table of figures
        if not self.db.execute("SELECT 1 FROM sqlite_stat1 WHERE idx='users_state'").fetchone():
            self._expect_kinds(self._kinds)
        for name in self._kinds:
            (self._stale[name],) = self.db.execute(f"SELECT count(*) FROM stale_{name}").fetchone()

    def _expect_kinds(self, names: Iterable[str]) -> None:
        for name in names:
            self._expect(name, {f"{name}_state": _MANY, f"{name}_modified": _FEW, f"{name}_created": _FEW})

    def add_kind(self, name: str) -> None:
        """Make the tables of a kind of the account's own; its name has to be a plain identifier."""
        if name in self._kinds:
            return
        self._kinds.append(name)
        for statement in filter(str.strip, _PER_KIND.format(t=name).split(";")):
            self.db.execute(statement)
        self._expect_kinds([name])
        (self._stale[name],) = self.db.execute(f"SELECT count(*) FROM stale_{name}").fetchone()

    def drop_kind(self, name: str) -> None:
        """Remove the tables of a kind of the account's own."""
        self._kinds.remove(name)
        for table in (name, f"stale_{name}"):
            self.db.execute(f"DROP TABLE IF EXISTS {table}")

    def index(self, kind: str, name: str, expression: str) -> None:
        """Index the comparable value of a property."""
        self.db.execute(f"CREATE INDEX IF NOT EXISTS {kind}__{name} ON {kind}(state, {expression})")
        self._expect(kind, {f"{kind}__{name}": _FEW})

    def index_for_search(self, kind: str, name: str, expression: str) -> None:
        """Index a property in the form in which a search compares it, once there are so many rows that it matters."""
        if (kind, expression) in self._searched:
            return
        (rows,) = self.db.execute(f"SELECT count(*) FROM (SELECT 1 FROM {kind} LIMIT {self.indexed_from})").fetchone()
        if rows < self.indexed_from:
            return
        self._searched.add((kind, expression))
        if self.db.execute("SELECT 1 FROM sqlite_schema WHERE name=?", (f"{kind}__{name}",)).fetchone():
            return
        # A property may come back under its name with another type: the form belongs to the name.
        full = f"{kind}__{name}_{zlib.crc32(expression.encode()):08x}"
        self.db.execute(f"CREATE INDEX IF NOT EXISTS {full} ON {kind}(state, {expression}, created, modified)")
        self._expect(kind, {full: _SOME})

    def _expect(self, table: str, figures: dict[str, str]) -> None:
        """Tell the planner how selective indexes will be, so that it needs no ANALYZE over a full table."""
        for name, figure in figures.items():
            self.db.execute("DELETE FROM sqlite_stat1 WHERE idx=?", (name,))
            self.db.execute("INSERT INTO sqlite_stat1(tbl,idx,stat) VALUES(?,?,?)", (table, name, figure))
        self.db.execute("ANALYZE sqlite_schema")

    def clear(self) -> None:
        """Empty every table; indexes on unique properties go with their properties."""
        tables = ["uniques", "history", "ties", "resting", "settings", "blocked"]
        self.db.execute("DELETE FROM sqlite_stat1")
        self._searched.clear()
        for name in self._kinds:
            tables += [name, f"stale_{name}"]
        for table in tables:
            self.db.execute(f"DROP TABLE IF EXISTS {table}")
        self._kinds = list(KINDS)
        self.create_tables()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; inside another one it is a savepoint."""
        name = f"s{self._depth}"
        self.db.execute(f"SAVEPOINT {name}" if self._depth else "BEGIN IMMEDIATE")
        nested, counts = self._depth > 0, dict(self._stale)
        self._depth += 1
        try:
            yield
        except BaseException:
            self._stale = counts
            self.db.execute(f"ROLLBACK TO {name}" if nested else "ROLLBACK")
            if nested:
                self.db.execute(f"RELEASE {name}")
            raise
        else:
            self.db.execute(f"RELEASE {name}" if nested else "COMMIT")
        finally:
            self._depth -= 1

    # records

    def row(self, kind: Kind, found: Sequence[Any]) -> Row:
        """A Row from the columns of a SELECT."""
        return self.rows(kind, [found])[0]

    def rows(self, kind: Kind, found: Sequence[Sequence[Any]]) -> list[Row]:
        """Rows from the columns of a SELECT; their values are read in one go, which a page of 100 notices."""
        values = json.loads(f"[{','.join([one[1] for one in found])}]")
        return [
            Row(kind, id_, props, created, modified, state, ended, successor, valued, _origin(origin))
            for props, (id_, _, created, modified, state, ended, successor, valued, origin) in zip(
                values, found, strict=True
            )
        ]

    def get(self, kind: Kind, id_: int) -> Row | None:
        """A record in any state."""
        found = self.db.execute(f"SELECT {_COLUMNS} FROM {kind.name} WHERE id=?", (id_,)).fetchone()
        return None if found is None else self.row(kind, found)

    def get_many(self, kind: Kind, ids: Iterable[int]) -> dict[int, Row]:
        """Records in any state by id."""
        wanted = list(ids)
        marks = ",".join("?" * len(wanted))
        rows = self.db.execute(f"SELECT {_COLUMNS} FROM {kind.name} WHERE id IN ({marks})", wanted)
        return {row.id: row for row in self.rows(kind, rows.fetchall())}

    def page(self, kind: Kind, after: int, limit: int, state: int | None) -> list[Row]:
        """Records with a higher id, ascending; state None = all."""
        where, values = ("", [after]) if state is None else ("AND state=?", [after, state])
        rows = self.db.execute(
            f"SELECT {_COLUMNS} FROM {kind.name} WHERE id>? {where} ORDER BY id LIMIT ?", [*values, limit]
        )
        return self.rows(kind, rows.fetchall())

    def next_id(self, kind: Kind) -> int:
        """The id that the next record gets; ids are never given twice."""
        (top,) = self.db.execute(f"SELECT max(id) FROM {kind.name}").fetchone()
        return FIRST_ID if top is None else int(top) + 1

    def insert(self, row: Row) -> None:
        """Add a record."""
        self.insert_many(row.kind, [row])

    def insert_many(self, kind: Kind, rows: Iterable[Row]) -> None:
        """Add records in bulk, known to search at once."""
        self.db.executemany(
            f"INSERT INTO {kind.name}({_COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?)",
            (
                (
                    row.id,
                    dump(row.props),
                    row.created,
                    row.modified,
                    row.state,
                    row.ended,
                    row.successor,
                    row.valued,
                    dump(row.origin),
                )
                for row in rows
            ),
        )

    def save(self, row: Row) -> None:
        """Write a record that exists."""
        self.db.execute(
            f"UPDATE {row.kind.name} SET props=?,created=?,modified=?,state=?,ended=?,successor=? WHERE id=?",
            (dump(row.props), row.created, row.modified, row.state, row.ended, row.successor, row.id),
        )

    # the search index's stale versions

    def keep_stale(self, row: Row, now_ms: int, lag_ms: float, *, existed: bool = True) -> None:
        """Call before a write: search goes on seeing this version for a drawn part of the lag."""
        if lag_ms <= 0:
            return
        until = now_ms + max(1, int(lag_ms * self._draw.uniform(0.25, 1.0)))
        self.db.execute(
            f"INSERT INTO stale_{row.kind.name}(id,props,created,modified,state,until) VALUES(?,?,?,?,?,?)",
            (row.id, dump(row.props), row.created, row.modified, row.state if existed else -1, until),
        )
        self._stale[row.kind.name] += 1

    def any_stale(self, kind: Kind, now_ms: int) -> bool:
        """Forget versions whose time is over; whether some are left."""
        if not self._stale[kind.name]:
            return False
        gone = self.db.execute(f"DELETE FROM stale_{kind.name} WHERE until<=?", (now_ms,)).rowcount
        self._stale[kind.name] -= gone
        return self._stale[kind.name] > 0

    # unique values

    def owner_of(self, kind: Kind, name: str, value: str) -> tuple[int, bool] | None:
        """(record, whether it is a secondary address) that has this unique value."""
        found = self.db.execute(
            "SELECT id, secondary FROM uniques WHERE kind=? AND name=? AND value=?", (kind.name, name, value)
        ).fetchone()
        return None if found is None else (found[0], bool(found[1]))

    def claim(self, kind: Kind, name: str, value: str, id_: int, *, secondary: bool = False) -> None:
        """Give a unique value to a record."""
        self.db.execute("INSERT OR REPLACE INTO uniques VALUES(?,?,?,?,?)", (kind.name, name, value, id_, secondary))

    def release(self, kind: Kind, name: str, value: str) -> None:
        """Free a unique value."""
        self.db.execute("DELETE FROM uniques WHERE kind=? AND name=? AND value=?", (kind.name, name, value))

    def release_all(self, kind: Kind, id_: int) -> None:
        """Free every unique value of a record."""
        self.db.execute("DELETE FROM uniques WHERE kind=? AND id=?", (kind.name, id_))

    # history

    def add_history(self, row: Row, name: str, before: str | None, value: str, at: int, source: Source) -> None:
        """Note a change; the value that was there from the start gets its entry first."""
        key = (row.kind.name, row.id, name)
        first = self.db.execute("SELECT 1 FROM history WHERE kind=? AND id=? AND name=? LIMIT 1", key).fetchone()
        entries = []
        if first is None and before is not None:
            entries.append((*key, row.valued, before, dump(row.origin)))
        entries.append((*key, at, value, dump(source)))
        self.db.executemany("INSERT INTO history(kind,id,name,at,value,source) VALUES(?,?,?,?,?,?)", entries)

    def history(self, row: Row, names: Sequence[str], depth: int) -> dict[str, list[tuple[int, str, Source]]]:
        """(time, value, source) of each name, newest first."""
        found: dict[str, list[tuple[int, str, Source]]] = {name: [] for name in names}
        rows = self.db.execute(
            "SELECT name, at, value, source FROM history WHERE kind=? AND id=? ORDER BY seq DESC",
            (row.kind.name, row.id),
        )
        for name, at, value, source in rows:
            if name in found and len(found[name]) < depth:
                found[name].append((at, value, json.loads(source)))
        for name, entries in found.items():
            if not entries and name in row.props:
                entries.append((row.valued, row.props[name], row.origin or {}))
        return found

    # settings: properties, groups, pipelines, owners

    def settings(self, section: str) -> list[tuple[str, str, dict[str, Any], int]]:
        """(kind, name, document, ready at) of a section."""
        rows = self.db.execute("SELECT kind, name, doc, ready FROM settings WHERE section=?", (section,))
        return [(kind, name, json.loads(doc), ready) for kind, name, doc, ready in rows]

    def put_setting(self, section: str, kind: str, name: str, doc: dict[str, Any], ready: int = 0) -> None:
        """Write one document."""
        self.db.execute("INSERT OR REPLACE INTO settings VALUES(?,?,?,?,?)", (section, kind, name, dump(doc), ready))

    def drop_setting(self, section: str, kind: str, name: str) -> None:
        """Remove one document."""
        self.db.execute("DELETE FROM settings WHERE section=? AND kind=? AND name=?", (section, kind, name))
