"""Connections: SQLite for one machine, PostgreSQL for a city, the same statements on both.

SQLite runs in WAL mode with foreign keys on; a writing transaction begins IMMEDIATE, because one
that begins as a reader and then writes fails at once, whatever the busy timeout, when another
writer came between. PostgreSQL runs READ COMMITTED; rows that decide are locked explicitly.

Machines that share a server take its clock for the right one: who is far from it would date what
all others see, and is refused.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from govcloud.clock import APART, SystemClock
from govcloud.errors import UnavailableError
from govcloud.store import address

if TYPE_CHECKING:
    from govcloud.ports.clock import Clock

BUSY_TIMEOUT_MS: Final = 30_000
"""How long a writer waits for another one: longer than any transaction of ours lasts."""
ANEW_AFTER_S: Final = 3600
"""Connections to a server are made anew after this time, so that its clock is looked at again."""
_READ_ONLY: Final = "25006"
"""PostgreSQL's word for a server that takes no changes, such as one that stands by."""


def open_engine(url: str, clock: "Clock", *, pool_size: int = 16) -> Engine:
    """Return an engine for a database URL (`sqlite:///path` or `postgresql+psycopg://…`).

    `clock` is the machine's. UsageError for what is no such URL.
    """
    parsed = address.parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed,
            connect_args={"check_same_thread": False},
            pool_size=pool_size,
            max_overflow=pool_size,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_recycle=ANEW_AFTER_S,
    )
    event.listen(engine, "connect", partial(_compare_clocks, clock))
    return engine


def _compare_clocks(clock: "Clock", connection: Any, _record: object) -> None:
    """Refuse to work with a server whose clock is far from this machine's."""
    there: datetime = connection.execute("SELECT clock_timestamp()").fetchone()[0]
    connection.rollback()
    here = clock.now()
    if abs(here - there) > APART:
        connection.close()
        both = {"here": here, "there": there.astimezone(UTC)}
        times = {name: at.isoformat(sep=" ", timespec="seconds") for name, at in both.items()}
        raise UnavailableError("errors.clocks_apart", **times)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    _write_ahead(connection)
    for pragma in ("foreign_keys=ON", "synchronous=NORMAL", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    # Of several programs that find a new database, one switches its mode; SQLite tells the others
    # at once that it is locked, whatever the busy timeout.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


class Database:
    """A database: short writing transactions and consistent reading ones.

    `clock` is the machine's, against which that of a database server is held.
    """

    def __init__(self, url: str, clock: "Clock | None" = None) -> None:
        self.url = url
        self.engine = open_engine(url, clock or SystemClock())
        self._writer = self.engine.execution_options(writing=True)
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose changes are committed at the end, or rolled back on an error."""
        with _translated(), Session(self._writer, expire_on_commit=False) as session:
            yield session
            session.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one consistent state and changes nothing."""
        engine = self.engine
        if not self.is_sqlite:
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with _translated(), Session(engine, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn a database that cannot be reached, is full or is locked into a clear error."""
    try:
        yield
    except OperationalError as error:
        raise UnavailableError("errors.database", detail=_first_line(error)) from error
    except InternalError as error:
        if getattr(error.orig, "sqlstate", "") != _READ_ONLY:
            raise
        raise UnavailableError("errors.database", detail=_first_line(error)) from error
    except PoolTimeout as error:
        raise UnavailableError("errors.database_busy") from error


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else str(error)


def lock_row(statement: Any, database_name: str) -> Any:
    """Return the statement with FOR UPDATE where the database has row locks."""
    return statement if database_name == "sqlite" else statement.with_for_update()


def upsert(session: Session, table: Any) -> Any:
    """Return an INSERT that can say what is done on a conflict, in the database's own words.

    The other database's dialect is not loaded: it takes as long as a small command.
    """
    if session.get_bind().dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
