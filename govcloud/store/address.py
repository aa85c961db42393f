"""Where a database is: the URL read, checked, and shown without its secrets."""

from pathlib import Path
from typing import Final

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from govcloud.errors import UsageError

DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
"""The kinds of databases, and the driver that is used whatever the URL names."""


def parse(url: str) -> URL:
    """Return a database URL; UsageError for what is none or names another kind of database.

    The URL itself is in no message: it may hold a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageError("errors.database_url") from None
    kind = parsed.get_backend_name()
    if kind not in DRIVERS:
        raise UsageError("errors.database_kind", kind=kind)
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        # Gone with the process, and another one for each connection.
        raise UsageError("errors.database_url")
    return parsed.set(drivername=DRIVERS[kind])


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite database, or None for a server's."""
    parsed = parse(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def shown(url: str) -> str:
    """Return where a database is, for people: its file, or host and name."""
    parsed = parse(url)
    if file := file_of(url):
        return str(file)
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.get_backend_name()}://{parsed.host or ''}{port}/{parsed.database or ''}"
