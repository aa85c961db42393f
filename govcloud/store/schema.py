"""The schema: made and brought up to date by Alembic, from the migrations beside this module.

A database says which revision it has; the program says which it needs (`HEAD`). They are compared
at every opening with one small query, so that Alembic is loaded only where there is work for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from govcloud.errors import UnavailableError
from govcloud.store.engine import Database, upsert
from govcloud.store.tables import ChainRow
from govcloud.store.unit import GENESIS

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0006"
"""The revision that this program needs; a test compares it with the newest migration."""
_MIGRATIONS: Final = Path(__file__).with_name("migrations")
_LOCK: Final = 0x60_7C_10_0D
"""Key of PostgreSQL's advisory lock: two programs do not migrate at once."""


class NoSchemaError(UnavailableError):
    """The database answers, and holds nothing of ours."""


def current(database: Database) -> str | None:
    """Return the revision that the database has, or None if it has no schema.

    Raises UnavailableError where the database cannot be read: that it holds nothing is only said
    of one that answered.
    """
    try:
        with database.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    except DBAPIError as error:
        detail = str(error.orig).strip().partition("\n")[0]
        raise UnavailableError("errors.database", detail=detail) from error
    return None if row is None else str(row[0])


def require_current(database: Database) -> None:
    """Raise UnavailableError if the database has no schema, or another one than this program's."""
    found = current(database)
    if found is None:
        raise NoSchemaError("errors.no_schema")
    _refuse_newer(found)
    if found != HEAD:
        raise UnavailableError("errors.schema_version", found=found, needed=HEAD)


def _refuse_newer(found: str | None) -> None:
    # Revisions are numbered in their order.
    if found is not None and found > HEAD:
        raise UnavailableError("errors.schema_newer", found=found, needed=HEAD)


def create(database: Database) -> None:
    """Make or upgrade the schema and write the rows that must always be there; idempotent."""
    upgrade(database)
    with database.writing() as session:
        _first_rows(session)


def _first_rows(session: Session) -> None:
    # Two programs that start at once both find nothing.
    first = {"id": 1, "seq": 0, "at": datetime(2000, 1, 1, tzinfo=UTC), "hash": GENESIS}
    session.execute(upsert(session, ChainRow).values(first).on_conflict_do_nothing())


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the migrations up to `revision`, all or none, one program at a time.

    UnavailableError for a database that a newer program has upgraded, or that takes no changes.
    """
    from alembic import command

    _refuse_newer(current(database))
    with _exclusive(database) as connection:
        command.upgrade(config(connection), revision)


def config(connection: Connection) -> "Config":
    """Return Alembic's configuration for one connection; there is no ini file."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(_MIGRATIONS))
    settings.attributes["connection"] = connection
    return settings


@contextmanager
def _exclusive(database: Database) -> Iterator[Connection]:
    """Give a connection that alone may change the schema; waits at most a few seconds for locks.

    Its transaction has begun: else Alembic makes one of its own for each migration on SQLite,
    between which others come.
    """
    with database.writing() as session:
        if not database.is_sqlite:
            session.execute(text("SET LOCAL lock_timeout = '10s'"))
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield session.connection()
