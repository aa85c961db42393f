"""The tables, but for the ledger's own (`quotas.tables`).

Current state may be rewritten (`objects`, `work`); what reports count and auditors read is only
ever appended (`facts`, `decisions`, `audit`, `events`). All instants are aware and in UTC.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    LargeBinary,
    TypeDecorator,
)
from sqlalchemy import Integer as SqlInteger
from sqlmodel import Field, SQLModel

from govcloud.store.counted import COLUMNS

BIG_KEY: Final = BigInteger().with_variant(SqlInteger(), "sqlite")
"""A 64-bit key; SQLite numbers rows by itself only for INTEGER."""


class Instant(TypeDecorator[datetime]):
    """An aware instant in UTC, on databases with and without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive instants and store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return aware instants in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Row(SQLModel):
    """What every table's model is; rows are never validated, so no validator is built for them."""

    model_config = {"defer_build": True}


class ObjectRow(Row, table=True):
    """The desired state of one object, and what the controller last said of it.

    `generation` rises with each change of the spec, `version` with each change of the row (what
    optimistic concurrency compares). `phase` is one of `plan.phases.Phase`. `asked` is what was
    asked for beside the spec (`plan.asked`), as its text.
    """

    __tablename__ = "objects"
    __table_args__ = (
        Index("uq_objects_key", "kind", "department", "name", unique=True),
        Index("ix_objects_cloud", "cloud", "uid"),
        Index("ix_objects_system", "department", "system"),
    )
    uid: str = Field(primary_key=True, max_length=32)
    kind: str = Field(max_length=64)
    department: str = Field(default="", max_length=63)
    name: str = Field(max_length=63)
    display_name: str | None = None
    labels: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    annotations: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False)
    )
    spec: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    digest: str = Field(max_length=64)
    generation: int = 1
    version: int = 1
    system: str | None = Field(default=None, max_length=63)
    cloud: str | None = Field(default=None, max_length=63)
    zone: str | None = Field(default=None, max_length=63)
    request_id: str | None = Field(default=None, max_length=32)
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)
    releasing_since: datetime | None = Field(default=None, sa_type=Instant)
    phase: str = Field(default="active", max_length=16)
    observed_generation: int = 0
    ready: bool = False
    progressing: bool = False
    reason: str = Field(default="", max_length=64)
    message: str = ""
    asked: str = Field(default="", sa_column_kwargs={"default": ""})
    status: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


FACT_HEAD: Final = ("uid", "phase", "name")
"""What every reader wants to know of a fact, beside what it looks for."""


class FactRow(Row, table=True):
    """One effective-dated fact about an object: what it was from `recorded_at` on.

    The last fact of an object recorded at or before an instant is what the object was then; a
    fact with `phase` "gone" says that it is no more. Of what is built in a cloud, a fact is written
    when it is delivered; `count` in its `spec` is how many machines stood. Never changed, never
    deleted (F1). The columns after `request_id` repeat fields of the spec (`store.counted`).
    """

    __tablename__ = "facts"
    __table_args__ = (
        Index("ix_facts_object", "uid", "seq"),
        # All that a count reads of a fact: what is read lies together, and documents stay apart.
        Index("ix_facts_counted", "kind", "department", "seq", *FACT_HEAD, *COLUMNS.values()),
    )
    seq: int | None = Field(default=None, sa_column=Column(BIG_KEY, primary_key=True))
    recorded_at: datetime = Field(sa_type=Instant)
    uid: str = Field(max_length=32)
    kind: str = Field(max_length=64)
    department: str = Field(default="", max_length=63)
    name: str = Field(max_length=63)
    display_name: str | None = None
    generation: int
    phase: str = Field(max_length=16)
    spec: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    request_id: str | None = Field(default=None, max_length=32)
    owner: str | None = None
    code: str | None = None
    lifecycle: str | None = None
    origin: str | None = None
    industry_cloud: str | None = None
    system: str | None = None
    environment: str | None = None
    zone: str | None = None
    room: str | None = None
    flavor: str | None = None
    state: str | None = None
    cpu: str | None = None
    units: int | None = None
    vcpu: int | None = None
    classified: int | None = None


class RequestRow(Row, table=True):
    """A request (资源申请): a change set on its way through approval."""

    __tablename__ = "requests"
    __table_args__ = (Index("ix_requests_queue", "state", "department", "seq"),)
    id: str = Field(primary_key=True, max_length=32)
    seq: int = Field(sa_column=Column(BIG_KEY, unique=True, nullable=False))
    department: str = Field(max_length=63)
    title: str = ""
    justification: str = ""
    state: str = Field(max_length=24)
    step: int = 0
    steps: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False)
    )
    policy_version: str = Field(default="", max_length=64)
    submitted_by: str = Field(max_length=64)
    changes: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    digest: str = Field(max_length=64)
    findings: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False)
    )
    quota: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False)
    )
    price: float = 0
    blocked: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    idempotency_key: str | None = Field(default=None, max_length=64, unique=True)
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)
    version: int = 1


class DecisionRow(Row, table=True):
    """One decision on a request, with its reason; appended only.

    `detail` is what was said beside it: whom a step was given to, a condition, the checks.
    """

    __tablename__ = "decisions"
    seq: int | None = Field(default=None, sa_column=Column(BIG_KEY, primary_key=True))
    request_id: str = Field(foreign_key="requests.id", index=True, max_length=32)
    at: datetime = Field(sa_type=Instant)
    step: str = Field(max_length=63)
    verdict: str = Field(max_length=24)
    actor: str = Field(max_length=64)
    role: str = Field(max_length=32)
    note: str = ""
    detail: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False, default=dict)
    )
    digest: str = Field(max_length=64)
    policy_version: str = Field(default="", max_length=64)


class ClaimRow(Row, table=True):
    """Which open request holds an object: one open request for each object, by primary key."""

    __tablename__ = "claims"
    kind: str = Field(primary_key=True, max_length=64)
    department: str = Field(primary_key=True, max_length=63)
    name: str = Field(primary_key=True, max_length=63)
    request_id: str = Field(foreign_key="requests.id", index=True, max_length=32)


class AuditRow(Row, table=True):
    """One record of the audit chain: `hash` covers the record and the hash before it (F4)."""

    __tablename__ = "audit"
    seq: int = Field(sa_column=Column(BIG_KEY, primary_key=True, autoincrement=False))
    at: datetime = Field(sa_type=Instant)
    actor: str = Field(max_length=64)
    role: str = Field(max_length=32)
    department: str = Field(default="", index=True, max_length=63)
    action: str = Field(max_length=64)
    target: str = ""
    request_id: str | None = Field(default=None, max_length=32)
    before: str | None = Field(default=None, max_length=64)
    after: str | None = Field(default=None, max_length=64)
    outcome: str = Field(default="ok", max_length=16)
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)


class ChainRow(Row, table=True):
    """The head of the audit chain; its lock orders all recorded instants."""

    __tablename__ = "chain"
    id: int = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BIG_KEY, nullable=False))
    at: datetime = Field(sa_type=Instant)
    hash: str = Field(max_length=64)


class SettingRow(Row, table=True):
    """What is fixed for a city when its database is made."""

    __tablename__ = "settings"
    name: str = Field(primary_key=True, max_length=64)
    value: str = Field(max_length=255)


class CounterRow(Row, table=True):
    """A named counter, such as the request numbers of a year."""

    __tablename__ = "counters"
    name: str = Field(primary_key=True, max_length=64)
    value: int = 0


class UserRow(Row, table=True):
    """A person or program that may call the API; `role` is one of `domain.access.Role`."""

    __tablename__ = "users"
    name: str = Field(primary_key=True, max_length=64)
    role: str = Field(max_length=32)
    department: str = Field(default="", max_length=63)
    disabled: bool = False
    created_at: datetime = Field(sa_type=Instant)


class TokenRow(Row, table=True):
    """A bearer token: only its hash is kept. `scope` is `full` or `read`."""

    __tablename__ = "tokens"
    id: str = Field(primary_key=True, max_length=32)
    user: str = Field(foreign_key="users.name", index=True, max_length=64)
    digest: str = Field(unique=True, max_length=64)
    scope: str = Field(default="full", max_length=16)
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)


class WorkRow(Row, table=True):
    """An object that the controller must look at, and when (R7); at most one row an object.

    `fresh` marks a changed generation, which goes before routine work. `attempts` counts failures
    in a row, `polls` looks in a row that found it still building. The lease names the controller
    that is at it (R9).
    """

    __tablename__ = "work"
    __table_args__ = (Index("ix_work_due", "cloud", "fresh", "due_at"),)
    uid: str = Field(primary_key=True, max_length=32)
    cloud: str = Field(max_length=63)
    due_at: datetime = Field(sa_type=Instant)
    fresh: bool = True
    attempts: int = 0
    polls: int = Field(default=0, sa_column_kwargs={"default": 0})
    generation: int = 0
    enqueued_at: datetime = Field(sa_type=Instant)
    lease_owner: str | None = Field(default=None, max_length=64)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)


class CloudRow(Row, table=True):
    """What the controller knows of a cloud: when it looked, when it looks next, who is at it.

    `braked_at` is since when nothing is healed there, because `lost` objects were missing at once.
    """

    __tablename__ = "cloud_states"
    cloud: str = Field(primary_key=True, max_length=63)
    observed_at: datetime | None = Field(default=None, sa_type=Instant)
    next_at: datetime | None = Field(default=None, sa_type=Instant)
    lease_owner: str | None = Field(default=None, max_length=64)
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    failures: int = 0
    open_until: datetime | None = Field(default=None, sa_type=Instant)
    error: str = ""
    counts: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False, default=dict)
    )
    braked_at: datetime | None = Field(default=None, sa_type=Instant)
    lost: int = Field(default=0, sa_column_kwargs={"default": 0})


class LimitsRow(Row, table=True):
    """The limits that govcloud may have set in a cloud for a tenant, by class (`plan.limits`).

    `ours` is JSON text with sorted keys, so that two writers can compare what they have read.
    """

    __tablename__ = "cloud_limits"
    cloud: str = Field(primary_key=True, max_length=63)
    tenant: str = Field(primary_key=True)
    ours: str


class DriftRow(Row, table=True):
    """A difference between what was approved and what was seen, while it lasts.

    `uid` is empty for what is nobody's (unmanaged); `resource` is the cloud's id or the part.
    `detail` says more of what is nobody's, as JSON text (`reconcile.nobodys`).
    """

    __tablename__ = "drift"
    cloud: str = Field(primary_key=True, max_length=63)
    resource: str = Field(primary_key=True)
    field: str = Field(primary_key=True)
    uid: str = Field(default="", index=True, max_length=32)
    department: str = Field(default="", max_length=63)
    wanted: str | None = None
    found: str | None = None
    mode: str = Field(max_length=16)
    since: datetime = Field(sa_type=Instant)
    detail: str = Field(default="", sa_column_kwargs={"default": ""})


class EventRow(Row, table=True):
    """Something that happened to an object, for people to read in `describe`.

    `message` is the English sentence; `text` its catalogue key and parameters, for other languages.
    """

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_object", "uid", "seq"),)
    seq: int | None = Field(default=None, sa_column=Column(BIG_KEY, primary_key=True))
    uid: str = Field(max_length=32)
    at: datetime = Field(sa_type=Instant)
    type: str = Field(max_length=16)
    reason: str = Field(max_length=64)
    message: str = ""
    text: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False, default=dict)
    )


class MoveRow(Row, table=True):
    """One system's migration as it runs: which run, and what it is doing now.

    `uid` is that of its `MigrationPlan`. `counter` numbers wishes and steps in one order; `begun`
    is the number of the wish that began the run. `word`, `text`, `step`, `part` say what it does or
    waits for (`migration.running`); the counters of bytes are what the play that runs has said.
    """

    __tablename__ = "migrations"
    __table_args__ = (Index("ix_migrations_wave", "wave"),)
    uid: str = Field(primary_key=True, max_length=32)
    department: str = Field(max_length=63)
    system: str = Field(max_length=63)
    plan: str = Field(max_length=63)
    wave: str = Field(default="", max_length=63)
    counter: int = 0
    run: int = 0
    begun: int = 0
    live: bool = False
    word: str = Field(default="", max_length=24)
    text: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    step: str = Field(default="", max_length=32)
    part: str = Field(default="", max_length=80)
    task: str = ""
    bytes_done: int | None = Field(default=None, sa_column=Column(BIG_KEY, nullable=True))
    bytes_total: int | None = Field(default=None, sa_column=Column(BIG_KEY, nullable=True))
    began_at: datetime | None = Field(default=None, sa_type=Instant)
    told_at: datetime | None = Field(default=None, sa_type=Instant)
    request_id: str | None = Field(default=None, max_length=32)


class MoveWishRow(Row, table=True):
    """What a person wished of a migration; appended only."""

    __tablename__ = "migration_wishes"
    uid: str = Field(primary_key=True, max_length=32)
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=Instant)
    verb: str = Field(max_length=16)
    actor: str = Field(max_length=64)
    role: str = Field(max_length=32)
    department: str = Field(default="", max_length=63)
    note: str = ""
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class MoveStepRow(Row, table=True):
    """One attempt at a step: the journal of a migration.

    Written when it begins, completed when it ends. `undo` names what takes it back; `evidence` is
    what `migration.running.port.Played` says of it.
    """

    __tablename__ = "migration_steps"
    uid: str = Field(primary_key=True, max_length=32)
    number: int = Field(primary_key=True)
    run: int
    step: str = Field(max_length=32)
    part: str = Field(max_length=80)
    attempt: int
    digest: str = Field(max_length=64)
    undo: str = Field(default="", max_length=16)
    by: str = Field(max_length=64)
    began_at: datetime = Field(sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_number: int = 0
    verdict: str | None = Field(default=None, max_length=16)
    numbers: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    task: str = ""
    message: str = ""
    evidence: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))
