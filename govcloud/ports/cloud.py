"""The port of clouds: what every driver does, and the values that cross.

What a driver MAY do beside it is in `govcloud.ports.abilities`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from govcloud.errors import Text

Value = str | int | bool | None
"""What a property of a cloud's resource may be: comparable, JSON-ready."""


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
    release may leave it, for what is on it. What is of higher rank waits until this one is as it
    should be, or, where it is not `awaited`, only until it is there.
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
    awaited: bool = True


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
    `data` says that somebody's data is in it, and nowhere else.
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
    data: bool = False


@dataclass(frozen=True, slots=True)
class TenantQuota:
    """A cloud's own quota of one tenant: limits and use by resource class, base units.

    Of a namespace also how many objects of a kind there may be and are: `objects.secrets`.
    `beside` are limits of the cloud's own that belong to no class and are not what `set_quota`
    makes them: what is there and what it would be, by the cloud's word; negative is unlimited.
    `recalled`: it is what the driver was told in an earlier pass.
    """

    tenant: str
    limits: Mapping[str, int]
    used: Mapping[str, int]
    beside: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    recalled: bool = False


@dataclass(frozen=True, slots=True)
class CloudReport:
    """What a driver says of its cloud for `doctor`: version, and what is missing or limited."""

    version: str
    features: frozenset[str] = frozenset()
    problems: tuple[Text, ...] = ()


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

        Classes that are not named keep their limits, one that the cloud does not know is passed
        over. MUST refuse (`TerminalCloudError`, reason `BelowUsage`) a limit below what is in use
        (Q5).
        """
        ...

    def report(self) -> CloudReport:
        """Say what the cloud is and what is missing, in a bounded number of calls."""
        ...

    def close(self) -> None:
        """Give back connections; further calls are undefined."""
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
