"""The schema: made and brought up to date by Alembic, from the migrations beside this module."""

import contextlib
from datetime import UTC, datetime

from sqlmodel import SQLModel

from govcloud.store import tables  # noqa: F401
from govcloud.store.engine import Database
from govcloud.store.tables import ChainRow
from govcloud.store.unit import GENESIS


def create(database: Database) -> None:
    """TEMPORARY until the tables have settled: create all tables of the models."""
    with contextlib.suppress(ImportError):
        import quotas.tables  # noqa: F401

    SQLModel.metadata.create_all(database.engine)
    with database.writing() as session:
        if session.get(ChainRow, 1) is None:
            session.add(ChainRow(id=1, seq=0, at=datetime(2000, 1, 1, tzinfo=UTC), hash=GENESIS))
