"""What a driver MAY do beside `Provisioner`: each ability a Protocol, asked for by `isinstance`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from govcloud.ports.cloud import Observed, Resource, TenantQuota, Value


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
class Recalling(Protocol):
    """What a driver MAY do beside `Provisioner`: say without a call how something is getting on."""

    def recall(self, observed: Observed) -> Observed | None:
        """Return a marked resource as the cloud last told of it by itself.

        None where it has not told, would not tell, or has told that it is gone. MUST NOT ask the
        cloud, and MUST return at once.
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
class Beside:
    """Something of others' that stays where something is taken over; `text` says what it does."""

    type: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Something of nobody's that could be taken over, in the words of a document of `kind`.

    `spec` is what the document would say, in the names that the cloud uses (`flavor`, `image`,
    `hostZone`); `parts` are the ids of what it consists of, by the parts that they would be.
    `props` and `tags` are those of the parts as they are, as far as taking over would make them
    different; `marking` is what the mark itself takes the place of: by part, before and after.
    `beside` is what others have put there that stays, and adds to what is put beside it. `used` are
    amounts in use by resource class; None where that is not limited, or not known.
    """

    kind: str
    id: str
    name: str
    tenant: str
    spec: Mapping[str, object]
    parts: Mapping[str, str]
    props: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    marking: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)
    beside: Sequence[Beside] = ()
    used: Mapping[str, int] | None = None


@runtime_checkable
class Adopting(Protocol):
    """What a driver MAY do beside `Provisioner`: take over what it has not made."""

    def inspect(self, key: str) -> Standing:
        """Return what a document would say of a thing of nobody's. MUST change nothing.

        `key` is its id, or its name where only one thing is called so. MUST raise
        `CloudConflictError` with the reason `Gone` for what is not there, and `Taken`
        for what carries a mark of any govcloud, and `TerminalCloudError` with the reason
        `NotAdoptable` for what never may be taken over.
        """
        ...

    def adopt(self, resource: Resource) -> Observed:
        """Put the mark of `resource` on what stands already (`resource.adopts`), and its tags.

        Like `create`, MUST be found by `find` once it has taken effect. MUST change nothing but
        mark and tags. MUST raise as `inspect` does (`Gone`, `Taken`, `NotAdoptable`), and
        `TerminalCloudError` with the reason `Differs` where only a replacement could make it what
        is wanted, or `BelowUsage` where it would be limited to less than is in use.
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
class Containing(Protocol):
    """What a driver MAY do beside `Provisioner`: look for what would be lost with something."""

    def contents(self, found: Sequence[Observed]) -> Mapping[str, str]:
        """Return what is in those things of one object, by their ids; empty ones are left out.

        Asked before anything of an object is given back, unless `Observed.info["holds"]` says it
        already. MUST ask the cloud as it is now. What it may not look at MUST count as holding
        something.
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
