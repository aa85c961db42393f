"""The file that a simulated cloud lives in: SQLite, shared by processes and threads."""

import os
import queue
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final

VERSION: Final = 1
_SUFFIX: Final = ".cloud"
_WAIT_S: Final = 30.0
"""How long a call waits for another writer; each holds the file for milliseconds."""

_SCHEMA: Final = f"""
CREATE TABLE resources (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of the listing, the cursor of its pages
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    state TEXT NOT NULL,
    installation TEXT NOT NULL,             -- the mark: whose, which object, which part of it;
    uid TEXT NOT NULL,                      -- a real cloud does not make it unique, nor does this
    part TEXT NOT NULL,
    props TEXT NOT NULL,
    tags TEXT NOT NULL,
    target TEXT,                            -- the props that a change under way will bring
    fault TEXT NOT NULL DEFAULT '',
    due REAL,                               -- when what is under way ends, seconds since 1970
    doom TEXT NOT NULL DEFAULT ''           -- the fault that it will end with
);
CREATE INDEX resources_by_mark ON resources (uid) WHERE uid <> '';
CREATE INDEX resources_by_tenant ON resources (tenant);
CREATE INDEX resources_by_due ON resources (due) WHERE due IS NOT NULL;
CREATE TABLE tenants (
    tenant TEXT NOT NULL PRIMARY KEY,
    installation TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE limits (
    tenant TEXT NOT NULL,
    class TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (tenant, class)
) WITHOUT ROWID;
CREATE TABLE faults (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    method TEXT NOT NULL,
    remaining INTEGER,
    probability REAL NOT NULL,
    seed INTEGER NOT NULL,
    draws INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL,
    reason TEXT NOT NULL
);
PRAGMA user_version = {VERSION};
"""


class WrongVersionError(sqlite3.DatabaseError):
    """The file was written by another version of the program, or is none of ours."""


def cloud_file(folder: str | Path, name: str) -> Path:
    """Return where the simulated cloud `name` lives in a folder."""
    return Path(folder) / f"{name}{_SUFFIX}"


class CloudFile:
    """Connections to one cloud's file, lent to one thread at a time; made when first used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection; each statement on it is a transaction of its own."""
        try:
            db = self._idle.get_nowait()
        except queue.Empty:
            db = self._connect()
        try:
            yield db
        finally:
            self._idle.put(db)

    def _connect(self) -> sqlite3.Connection:
        prepare(self.path)
        db = sqlite3.connect(
            self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            # A kill loses nothing; only a power cut may take the last moments.
            db.execute("PRAGMA synchronous = NORMAL")
            found = db.execute("PRAGMA user_version").fetchone()[0]
            if found != VERSION:
                raise WrongVersionError(f"{self.path.name} has version {found}, not {VERSION}")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def close(self) -> None:
        """Close the connections that are not lent."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the file's write lock; all that is done takes effect together, or nothing does."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def prepare(path: Path) -> None:
    """Make an empty cloud unless there is one.

    It is made beside its place and linked there, so that no process ever sees it half made, and
    of several that try, the first one wins.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
