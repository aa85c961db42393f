"""The ledger's tables.

`ledger_entries` is the truth and is only ever appended to. `ledger_holds` (what each key stands for
now) and `ledger_balances` (what each level carries) are derived from it and kept in the same
transaction, so that a decision reads a few rows instead of all entries; `recount` compares them
with the entries (Q2).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index
from sqlmodel import Field

from govcloud.store.tables import BIG_KEY, Instant, Row


class HeadRow(Row, table=True):
    """The gate of the ledger: whoever changes it holds this one row until the commit.

    `revision` is a random word that changes with the tree and the limits; what was computed from
    them may be kept in memory as long as it is the same. Random and not a number, because a number
    that was rolled back would come again with another meaning.
    """

    __tablename__ = "ledger_head"
    id: int = Field(primary_key=True)
    revision: str = Field(max_length=32)


class NodeRow(Row, table=True):
    """A node of the organisation tree."""

    __tablename__ = "ledger_nodes"
    department: str = Field(primary_key=True, max_length=63)
    parent: str | None = Field(default=None, max_length=63)


class LimitRow(Row, table=True):
    """One limit or grant from a Quota object (`source`), in base units of its class.

    Empty `cloud` and `zone` mean any. `lend` None lends everything that is unused.
    """

    __tablename__ = "ledger_limits"
    id: int | None = Field(default=None, sa_column=Column(BIG_KEY, primary_key=True))
    source: str = Field(index=True, max_length=63)
    department: str = Field(max_length=63)
    cloud: str = Field(default="", max_length=63)
    zone: str = Field(default="", max_length=63)
    resource_class: str = Field(max_length=63)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    lend: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    borrow: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    temporary: bool = False
    overcommit: float = 1
    valid_from: datetime | None = Field(default=None, sa_type=Instant)
    valid_until: datetime | None = Field(default=None, sa_type=Instant)


class EntryRow(Row, table=True):
    """One step of a two-phase entry; appended, never changed, never deleted.

    `action` is one of `quotas.ledger.holds.Action`; `amounts` are the full amounts of the key. `at`
    is absent where the caller named no instant (`renew`).
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (Index("ix_ledger_entries_owner", "owner", "seq"),)
    seq: int | None = Field(default=None, sa_column=Column(BIG_KEY, primary_key=True))
    at: datetime | None = Field(default=None, sa_type=Instant)
    action: str = Field(max_length=16)
    key: str = Field(max_length=96)
    owner: str = Field(max_length=64)
    department: str = Field(max_length=63)
    cloud: str = Field(default="", max_length=63)
    zone: str = Field(default="", max_length=63)
    amounts: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    expires_at: datetime | None = Field(default=None, sa_type=Instant)


class HoldRow(Row, table=True):
    """What a key stands for now: reserved, allocated, or lapsed (charges nothing)."""

    __tablename__ = "ledger_holds"
    __table_args__ = (
        Index("ix_ledger_holds_owner", "owner"),
        Index("ix_ledger_holds_due", "phase", "expires_at"),
    )
    key: str = Field(primary_key=True, max_length=96)
    owner: str = Field(max_length=64)
    department: str = Field(max_length=63)
    cloud: str = Field(default="", max_length=63)
    zone: str = Field(default="", max_length=63)
    amounts: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    phase: str = Field(max_length=16)
    rank: int
    expires_at: datetime | None = Field(default=None, sa_type=Instant)


class BalanceRow(Row, table=True):
    """What a node carries with all below it, in one scope and class."""

    __tablename__ = "ledger_balances"
    __table_args__ = (
        CheckConstraint("allocated >= 0 AND reserved >= 0", name="ck_ledger_balances_positive"),
    )
    department: str = Field(primary_key=True, max_length=63)
    cloud: str = Field(primary_key=True, max_length=63)
    zone: str = Field(primary_key=True, max_length=63)
    resource_class: str = Field(primary_key=True, max_length=63)
    allocated: int = Field(sa_column=Column(BigInteger, nullable=False))
    reserved: int = Field(sa_column=Column(BigInteger, nullable=False))
