"""Backing up and restoring the SQLite database of a workspace, while others work on it or not.

A copy of the file made by other means can be torn: what was committed last stands in a second file
beside it. The copies made here are whole, in one file, and proven before they get their name:
the pages, the schema, and the audit chain.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from govcloud.errors import (
    GovcloudError,
    Text,
    UnavailableError,
    UsageError,
    VerificationError,
)
from govcloud.store import audit, schema
from govcloud.store.engine import Database

_COMPANIONS: Final = ("-wal", "-shm", "-journal")
_NOT_WRITTEN: Final = (
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
)


def back_up(source: Path, target: Path) -> audit.Verification:
    """Copy the database into a new file; return what the walk over its audit chain found.

    Raises UsageError where the file is there already or cannot be written, and VerificationError
    where the copy is not sound; then there is no file.
    """
    if target.exists():
        raise UsageError("errors.backup_exists", file=str(target))
    with _draft_of(target) as draft:
        found = _copied(source, draft, target)
        draft.replace(target)
    return found


def restore(copy: Path, database: Path) -> tuple[audit.Verification, Path | None]:
    """Put a copy in the database's place; return its verification, and where the former one is.

    The former database is kept under another name. Raises UnavailableError while others use it.
    """
    with _draft_of(database) as draft:
        found = _copied(copy, draft, database)
        former = _set_aside(database)
        draft.replace(database)
    return found, former


@contextmanager
def _draft_of(target: Path) -> Iterator[Path]:
    draft = target.with_name(f".{target.name}.part")
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield draft
    except OSError as error:
        detail = error.strerror or str(error)
        raise UsageError("errors.unwritable", file=str(target), detail=detail) from error
    finally:
        for name in (draft, *_beside(draft)):
            name.unlink(missing_ok=True)


def _copied(source: Path, draft: Path, target: Path) -> audit.Verification:
    try:
        with closing(_opened(source)) as old, closing(_opened(draft)) as new:
            old.backup(new)
        with closing(_opened(draft)) as new:
            (damage,) = new.execute("PRAGMA integrity_check(1)").fetchone()
        if damage != "ok":
            raise VerificationError("errors.copy_unsound", file=str(source), detail=damage)
        found = _proven(draft, source)
        with closing(_opened(draft)) as new:
            new.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise _failure(error, source, target) from error
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    return found


def _failure(error: sqlite3.Error, source: Path, target: Path) -> GovcloudError:
    """Return what an error while copying says, of the file that it is about."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code == sqlite3.SQLITE_FULL:
        full = Text("labels.os.ENOSPC")
        return UsageError("errors.unwritable", file=str(target), detail=full)
    if code in _NOT_WRITTEN:
        return UsageError("errors.unwritable", file=str(target), detail=str(error))
    if code & 0xFF == sqlite3.SQLITE_NOTADB:
        return VerificationError("errors.no_backup", file=str(source))
    if code & 0xFF == sqlite3.SQLITE_CORRUPT:
        return VerificationError("errors.copy_unsound", file=str(source), detail=str(error))
    return UnavailableError("errors.database", detail=f"{source}: {error}")


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)


def _proven(draft: Path, source: Path) -> audit.Verification:
    database = Database(f"sqlite:///{draft}")
    try:
        if schema.current(database):
            schema.upgrade(database)  # What an older program has backed up.
        schema.require_current(database)
        with database.reading() as session:
            found = audit.verify(session)
    except schema.NoSchemaError as error:
        nothing = Text("labels.copy.empty")
        raise VerificationError("errors.copy_unsound", file=str(source), detail=nothing) from error
    finally:
        database.close()
    if not found.ok:
        places = [fault.seq for fault in found.faults[:3]]
        raise VerificationError("errors.copy_chain", file=str(source), seq=places)
    return found


def _set_aside(database: Path) -> Path | None:
    if not database.exists():
        return None
    _let_go(database)
    former = database.with_name(f"{database.name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    database.rename(former)
    for companion in _beside(database):
        # Its pages belong to the former database, and would be written into the new one.
        companion.unlink(missing_ok=True)
    return former


def _let_go(database: Path) -> None:
    """Bring all into one file, which succeeds only while nobody else has the database open."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(database, timeout=1)) as last:
        try:
            last.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError as error:
            raise UnavailableError("errors.database_in_use", file=str(database)) from error


def _beside(file: Path) -> list[Path]:
    return [file.with_name(f"{file.name}{end}") for end in _COMPANIONS]
