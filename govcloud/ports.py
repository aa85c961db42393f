"""The ports: what the parts of the program ask of each other, and the values that cross.

The words MUST, SHOULD and MAY are meant as in RFC 2119. Adapters implement these Protocols and
meet nowhere but in `govcloud.bootstrap`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from sqlmodel import Session

Value = str | int | bool | None
"""What a property of a cloud's resource may be: comparable, JSON-ready."""


class Clock(Protocol):
    """Time enters through here, so that tests can turn it."""

    def now(self) -> datetime:
        """Return the instant, aware, UTC; never earlier than one returned before."""
        ...


# --- Provisioners -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """What a driver is told of one desired object: everything resolved, nothing to look up.

    `spec` is the plain form of the kind's spec (JSON types, quantities in base units: MiB, GiB,
    millicores); `catalogue` holds what its references resolve to, e.g. `{"flavor": {"vcpu": 4,
    "memory": 8192}, "image": {"os": "Kylin V10"}, "zone": {"type": "extranet-public", …}}`.
    `tags` are the ownership and accounting tags of ALLOC-5 that each resource MUST carry.
    """

    uid: str
    kind: str
    department: str
    name: str
    system: str
    generation: int
    spec: Mapping[str, object]
    catalogue: Mapping[str, Mapping[str, object]]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that a cloud should hold for an object.

    `(uid, part)` is its mark: unique, and the only thing by which it is ever found again. `tenant`
    is the cloud-side scope (a project) that it lives in. `rank` orders: created rising, deleted
    falling. `props` are compared with what is observed; `immutable` names those that only a
    replacement can change. `unit` says which of the object's units (machines, by number) this is
    the body of: figures count a unit for as long as its bodies stand. None is for accessories (a
    port, a security group), without which the machine is still there. `build` is what `create`
    needs beside all this, and nothing compares. `within` is the part that takes this one along when
    it is removed: giving back an object removes that one and waits for the others. `adopts` is the
    id of what stands already and is to become this one, which is never built. `data` says that a
    release may leave it, for what is on it.
    """

    uid: str
    part: str
    type: str
    name: str
    tenant: str
    props: Mapping[str, Value]
    tags: Mapping[str, str] = field(default_factory=dict)
    rank: int = 0
    immutable: frozenset[str] = frozenset()
    unit: int | None = 0
    build: Mapping[str, object] = field(default_factory=dict)
    within: str = ""
    adopts: str = ""
    data: bool = False


class State(StrEnum):
    """What an observed resource is doing."""

    BUILDING = "building"
    """Will become READY or FAILED by itself."""
    READY = "ready"
    CHANGING = "changing"
    """Will become READY or FAILED by itself; takes no further change until then."""
    FAILED = "failed"
    """Stays as it is; `fault` says why."""
    DELETING = "deleting"
    """Will be gone by itself."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One thing that a cloud holds.

    `id` is the cloud's own. `uid` and `part` are empty where it carries no mark of ours: then it
    is nobody's, and MUST never be handed to `change` or `delete`. `info` is shown, not compared
    (addresses, host); its `storage` names the storage classes of the volumes in it, with blanks.
    """

    id: str
    type: str
    name: str
    tenant: str
    state: State
    uid: str = ""
    part: str = ""
    props: Mapping[str, Value] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Value] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class TenantQuota:
    """A cloud's own quota of one tenant: limits and use by resource class, base units.

    Of a namespace also how many objects of a kind there may be and are: `objects.secrets`.
    """

    tenant: str
    limits: Mapping[str, int]
    used: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CloudReport:
    """What a driver says of its cloud for `doctor`: version, and what is missing or limited."""

    version: str
    features: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


class Provisioner(Protocol):
    """The driver of one cloud. Every driver passes `govcloud.testing.contracts`.

    All methods but `resources` MAY block on the network and MAY raise `TransientCloudError`,
    `TerminalCloudError` or `CloudConflictError` (`govcloud.errors`), and MUST raise nothing else
    for what the cloud answers; the SDK's error is kept as the cause. Methods MUST be callable from
    several threads at once. A driver MUST NOT retry by itself and MUST NOT sleep: waiting is the
    controller's. It MUST NOT keep state that another instance would need.
    """

    def resources(self, order: Order) -> tuple[Resource, ...]:
        """Return what the cloud should hold for an object, in rising rank.

        MUST be pure and deterministic: same order, same answer, no call to the cloud. Parts MUST
        be stable when counts grow (`server-0` stays `server-0`).
        """
        ...

    def ground(self, order: Order) -> Sequence[Order]:
        """Return the orders of what an object stands on directly, shared with others.

        A project or a network that the objects of one system share has no document of its own: it
        is wanted for as long as an object stands on it. MUST be pure, and the same (uid and all)
        for all objects that share it; an order of ground may itself stand on ground.
        """
        ...

    def observe(self) -> Iterator[Sequence[Observed]]:
        """List everything the cloud holds, page by page, ours and others'.

        The number of calls MUST depend on pages only, never on the number of objects (R5). A
        resource that exists throughout the listing MUST appear exactly once; one that is created
        or removed meanwhile MAY appear.
        """
        ...

    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        """Return all resources that carry the mark of any of `uids`, in any state but gone.

        MUST be strongly consistent with `create`: after a creating call has been answered, or has
        taken effect without an answer, the resource MUST be found. MUST take a bounded number of
        calls for a batch, not one for each uid. This is the look-up before each creation (R1).
        """
        ...

    def create(self, resource: Resource) -> Observed:
        """Ask the cloud to create a resource; return it in whatever state it then has.

        Where the answers of `create` and `change` say all that `find` would, also of the object's
        other resources, a driver SHOULD have an attribute `answers_whole` that is True: what
        follows is then created without another look, and none follows the last answer.

        The mark and the tags MUST travel in the creating call itself. MUST NOT do anything that
        can fail after the resource exists. Where the answer is lost, raise `TransientCloudError`
        with `outcome_unknown`; the controller will `find` before it tries again.
        """
        ...

    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> Observed:
        """Bring the named fields (`prop` names, or `tag:<name>`) of a marked resource to `wanted`.

        MUST be idempotent. MUST raise `CloudConflictError` if the mark is no longer there.
        """
        ...

    def delete(self, observed: Observed) -> None:
        """Ask the cloud to remove a marked resource; success means accepted, not gone.

        What is already gone is success. It is gone when `find` no longer returns it, and quota is
        given back then and not before (Q3). MUST raise `CloudConflictError` if the mark is no
        longer there.
        """
        ...

    def quotas(self) -> Iterator[Sequence[TenantQuota]]:
        """List the cloud's own quotas of the tenants that carry our mark, page by page.

        A cloud whose tenants have no quota beside the objects themselves MUST yield nothing, pass
        over all classes in `set_quota`, not name the feature `quota` in its report, and SHOULD have
        an attribute `tenant_quotas` that is False, so that it is not asked for nothing.
        """
        ...

    def set_quota(self, tenant: str, limits: Mapping[str, int]) -> None:
        """Set the cloud's own quota of a tenant, creating the tenant if it is missing.

        A class that the cloud does not know is passed over. MUST refuse (`TerminalCloudError`,
        reason `BelowUsage`) a limit below what is in use (Q5).
        """
        ...

    def report(self) -> CloudReport:
        """Say what the cloud is and what is missing, in a bounded number of calls."""
        ...

    def close(self) -> None:
        """Give back connections; further calls are undefined."""
        ...


class Stop(Protocol):
    """What ends a long call, as `threading.Event` does."""

    def is_set(self) -> bool:
        """Whether to end."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is to end, or for so many seconds; return whether it is to end."""
        ...


@runtime_checkable
class Watching(Protocol):
    """What a driver MAY do beside `Provisioner`: tell of changes as they happen.

    It makes healing quick and nothing more: what is not told, the next comparison finds.
    """

    def changes(self, stop: Stop) -> Iterator[Sequence[str]]:
        """Yield the uids of objects of which something was created, changed or removed.

        The first yield MUST come, empty if need be, as soon as what happens from then on is told.
        MUST end soon after `stop` is set, and MUST NOT ask the cloud over and over. MAY tell of
        what did not change, MAY miss what did, MAY yield nothing but empty sequences. MAY end at
        any time or raise `CloudError`: then it is called again, after a wait that grows.
        """
        ...


@runtime_checkable
class Operating(Protocol):
    """What a driver MAY do beside `Provisioner`: read a machine's console, let it start anew.

    Whether a machine runs at all is no operation but desired state: its property `power`.
    """

    def console_log(self, observed: Observed, lines: int) -> str:
        """Return the last lines of what a marked machine wrote to its console.

        MUST raise `CloudConflictError` if the mark is no longer there, and `TerminalCloudError`
        with the reason `NoConsole` where the cloud keeps none.
        """
        ...

    def reboot(self, observed: Observed, *, hard: bool) -> None:
        """Let a marked machine start anew: its system is asked to, or not (`hard`).

        MUST raise `CloudConflictError` if the mark is no longer there.
        """
        ...


@runtime_checkable
class Metering(Protocol):
    """What a driver MAY do beside `Provisioner`: say how much of its limits an object uses."""

    def use(self, uids: Sequence[str]) -> Mapping[str, TenantQuota]:
        """Return limits and use by object, of those that there are; base units.

        MUST take a bounded number of calls for a batch, not one for each uid.
        """
        ...


@runtime_checkable
class Admitting(Protocol):
    """What a driver MAY do beside `Provisioner`: let the members of an object in for a while."""

    def admit(self, uid: str, role: str) -> Mapping[str, Any]:
        """Return `kubeconfig`, a document that opens the object in a role, and `expires_at`.

        The credential MUST end by itself within hours. Whether somebody may have it is for the
        caller to decide. MUST raise `CloudConflictError` where the object is not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that a cloud offers, by its name there.

    `kind` is one of `service`, `zone` (`type` compute or storage), `flavor` (`vcpu`, `memory` in
    MiB, `gpu`), `image` (`os`, `arch`, `min_disk` in GiB), `storage` (a class or type of volumes),
    `network` (one that leads outside) and `tenants` (`count`). `facts` hold what is in brackets,
    as far as the cloud says it.
    """

    kind: str
    name: str
    facts: Mapping[str, Value] = field(default_factory=dict)


@runtime_checkable
class Discovering(Protocol):
    """What a driver MAY do beside `Provisioner`: say what its cloud offers, to map it."""

    def discover(self) -> Sequence[Offer]:
        """Return what there is, in a bounded number of calls. MUST change nothing.

        What a cloud does not have (volumes, networks outside) is not there and is no error.
        """
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Something of nobody's that could be taken over, in the words of a document of `kind`.

    `spec` is what the document would say, in the names that the cloud uses (`flavor`, `image`,
    `hostZone`); `parts` are the ids of what it consists of, by the parts that they would be.
    `props` are those of the parts as they are, as far as taking over would make them different.
    """

    kind: str
    id: str
    name: str
    tenant: str
    spec: Mapping[str, object]
    parts: Mapping[str, str]
    props: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)


@runtime_checkable
class Adopting(Protocol):
    """What a driver MAY do beside `Provisioner`: take over what it has not made."""

    def inspect(self, key: str) -> Standing:
        """Return what a document would say of a thing of nobody's. MUST change nothing.

        `key` is its id, or its name where only one thing is called so. MUST raise
        `CloudConflictError` with the reason `Gone` for what is not there, and `Taken`
        for what carries a mark of any govcloud.
        """
        ...

    def adopt(self, resource: Resource) -> Observed:
        """Put the mark of `resource` on what stands already (`resource.adopts`), and its tags.

        Like `create`, MUST be found by `find` once it has taken effect. MUST change nothing but
        mark and tags. MUST raise `CloudConflictError` (`Gone`, `Taken`) as `inspect` does, and
        `TerminalCloudError` with the reason `Differs` where only a replacement could make it what
        is wanted.
        """
        ...


@runtime_checkable
class Keeping(Protocol):
    """What a driver MAY do beside `Provisioner`: keep a copy of what is about to be removed."""

    def keep_copy(self, observed: Observed, name: str) -> bool:
        """See that there is a copy of what is on a marked resource; return whether there is.

        Asked of each resource before it is removed, again and again until there is one: MUST begin
        at most one copy for a name. What holds nothing to be copied (a port) is copied at once.
        """
        ...


@runtime_checkable
class Leaving(Protocol):
    """What a driver MAY do beside `Provisioner`: leave what an object had, for what is on it."""

    def leave(self, observed: Observed) -> None:
        """Take the mark from a marked resource, which is nobody's from then on.

        MUST change nothing else of it; the tags SHOULD stay, to tell whose it was. What carries no
        mark any more, or is gone, is success.
        """
        ...


@runtime_checkable
class Forcing(Protocol):
    """What a driver MAY do beside `Provisioner`: remove what its cloud would not let go."""

    def force_delete(self, observed: Observed) -> None:
        """Remove a marked resource whatever its state, by the rights of the cloud's operators.

        Like `delete`: success means accepted, what is already gone is success, and
        `CloudConflictError` MUST be raised if the mark is no longer there. MUST touch nothing that
        carries no mark of ours. Asked again and again until it is gone, also of what is being
        deleted: what began just now SHOULD be left in peace.
        """
        ...


@dataclass(frozen=True, slots=True)
class CloudAddress:
    """What a driver's factory gets: the cloud's name, its connection references, whose marks.

    `installation` tells this govcloud from another one that may use the same cloud; `folder` is
    where a driver without a server of its own may keep files. `storage` says what the cloud calls
    a storage class, where it is not the same.
    """

    name: str
    connection: Mapping[str, str]
    installation: str
    folder: str
    storage: Mapping[str, str] = field(default_factory=dict)


class ProvisionerFactory(Protocol):
    """What the entry-point group `govcloud.provisioners` names: opens the driver of one cloud."""

    def __call__(self, address: CloudAddress) -> Provisioner:
        """Return the driver; MUST NOT call the cloud yet."""
        ...


# --- The ledger ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Demand:
    """What one object needs: the full amounts of its new generation, not the difference.

    `key` is the idempotency key of the two-phase entry (`<uid>@<generation>`); `owner` the object's
    uid, whose earlier entry is replaced when this one is allocated: until then the charge is
    max(old, new), class by class (Q3).
    """

    key: str
    owner: str
    department: str
    cloud: str
    zone: str
    amounts: Mapping[str, int]


class Obstacle(StrEnum):
    """Why the ledger refuses."""

    LIMIT_EXCEEDED = "LimitExceeded"
    """The node's own limit (with what it may borrow) would be passed."""
    PARENT_EXCEEDED = "ParentExceeded"
    """A level above the department would pass its limit."""
    LENT_OUT = "LentOut"
    """The limit would hold, but siblings have borrowed what is unused, or do not lend it."""
    NO_QUOTA = "NoQuota"
    """No level of the tree has a limit for this class: nothing was ever granted."""
    BELOW_USAGE = "BelowUsage"
    """A limit that is to be set is less than what is in use (`revise` only)."""
    OVERCOMMITTED = "Overcommitted"
    """The limits below would together be more than the node may promise (`revise` only):
    `requested` is their sum, `available` what it may be."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason of a refusal: which level, which class, and the numbers (Q4)."""

    obstacle: Obstacle
    department: str
    level: str
    resource_class: str
    cloud: str
    zone: str
    limit: int
    allocated: int
    reserved: int
    requested: int
    available: int


@dataclass(frozen=True, slots=True)
class QuotaLine:
    """Quota before and after, of one node, scope and class; base units.

    `requested` is charged at once, `freed` is given back when the clouds confirm; `borrowable` may
    be used beyond the limit. Not `limited`: no level limits the class here, so that nothing of it
    is granted.
    """

    department: str
    cloud: str
    zone: str
    resource_class: str
    limit: int | None
    allocated: int
    reserved: int
    requested: int = 0
    freed: int = 0
    borrowable: int = 0
    limited: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger says to a set of demands: all or nothing."""

    granted: bool
    refusals: tuple[Refusal, ...] = ()
    lines: tuple[QuotaLine, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitFact:
    """One limit in force: from a Quota object, for a node, a scope and a class.

    `lend` None lends everything unused; `extra` is what time-bound grants add; instants are when
    it begins and ends to hold (None: open).
    """

    source: str
    department: str
    cloud: str
    zone: str
    resource_class: str
    limit: int
    lend: int | None
    borrow: int
    grant: bool
    overcommit: float
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a recount of the entries differs from the kept balances (Q2); should never be."""

    department: str
    cloud: str
    zone: str
    resource_class: str
    kept: tuple[int, int]
    counted: tuple[int, int]


class Ledger(Protocol):
    """The quota ledger. Methods run inside the caller's transaction and never commit."""

    def check(
        self,
        session: "Session",
        demands: Sequence[Demand],
        at: datetime,
        *,
        gone: Sequence[str] = (),
    ) -> Verdict:
        """Say what `reserve` would say now, with the lines before and after; write nothing."""
        ...

    def reserve(
        self,
        session: "Session",
        demands: Sequence[Demand],
        at: datetime,
        expires_at: datetime,
        *,
        gone: Sequence[str] = (),
    ) -> Verdict:
        """Reserve all demands or none, atomically at every level of the tree (Q1).

        `gone` are the owners that are to be released: the lines say what that will free. A key
        that is reserved or allocated already is granted again without a second charge.
        """
        ...

    def renew(self, session: "Session", keys: Sequence[str], expires_at: datetime) -> None:
        """Let reservations that are still being worked on live longer."""
        ...

    def allocate(self, session: "Session", keys: Sequence[str], at: datetime) -> None:
        """Turn reservations into allocations, replacing the owner's earlier entries.

        Idempotent. An expired or voided key is charged nevertheless, since the thing exists: the
        node is then over its limit, visibly.
        """
        ...

    def release(self, session: "Session", owners: Sequence[str], at: datetime) -> None:
        """Give back everything charged to these objects; idempotent."""
        ...

    def void(self, session: "Session", keys: Sequence[str], at: datetime) -> None:
        """Give back reservations that will never be built; idempotent, allocations stay."""
        ...

    def revise(
        self,
        session: "Session",
        at: datetime,
        *,
        parents: Mapping[str, str | None] | None = None,
        limits: Mapping[str, Sequence[LimitFact]] | None = None,
        force: bool = False,
    ) -> Sequence[Refusal]:
        """Replace the organisation tree, the limits of some sources, or both at once.

        The tree says each department's parent; a source is a Quota object, and one without limits
        is forgotten. Balances follow the tree. Use beyond a limit, or children's limits beyond
        the parent's, that this would bring about or make worse are returned as refusals and
        nothing is written, unless `force` (Q1, Q5).
        """
        ...

    def lines(
        self, session: "Session", at: datetime, departments: Sequence[str] | None = None
    ) -> Sequence[QuotaLine]:
        """Return every line with a limit or a charge, for all or the given departments."""
        ...

    def recount(self, session: "Session", at: datetime) -> Sequence[Difference]:
        """Compare the kept balances with the sum of the entries (Q2)."""
        ...
