"""The index of a comparison: desired state as fingerprints, past which the observation streams."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TypeVar

from govcloud.plan.drift import Whole
from govcloud.ports.cloud import Observed, Resource, State, Value
from govcloud.reconcile import nobodys
from govcloud.reconcile.desired import Wanted
from govcloud.reconcile.ground import Survey
from govcloud.reconcile.nobodys import Nobodys

T = TypeVar("T")
Fingerprint = int
"""A 64-bit hash of what is compared of a resource; means something within one process only."""


@dataclass(slots=True)
class Need:
    """What a tenant's settled objects count for, and the systems that live in it."""

    amounts: Counter[str] = field(default_factory=Counter)
    systems: set[tuple[str, str]] = field(default_factory=set)


@dataclass(slots=True)
class Index:
    """Desired state of a cloud, as small as can be, and what did not match it.

    `missing` maps each settled object to the fingerprints that have not been seen yet. `skipped`
    are objects on their way, which the queue looks after; `held` those that wait for a person;
    `unsettled` those that should be in the queue. `busy` are the systems of which something is on
    its way, `busy_tenants` where that will live, unless there is too much of it (`blind`). `props`
    and `tags` are the names that are ever wanted of a type: nothing else is compared.
    """

    missing: dict[str, tuple[Fingerprint, ...]] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    unsettled: list[str] = field(default_factory=list)
    needs: dict[str, Need] = field(default_factory=dict)
    busy: set[tuple[str, str]] = field(default_factory=set)
    busy_tenants: set[str] = field(default_factory=set)
    blind: bool = False
    props: dict[str, set[str]] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)
    odd: dict[str, list[Observed]] = field(default_factory=dict)
    nobodys: list[Nobodys] = field(default_factory=list)
    ground: Survey = field(default_factory=Survey)

    def expect(self, uid: str, resources: Sequence[Resource]) -> None:
        """Note what should be there of a settled object."""
        for resource in resources:
            self.props.setdefault(resource.type, set()).update(resource.props)
            self.tags.setdefault(resource.type, set()).update(resource.tags)
        self.missing[uid] = tuple(fingerprint(r, r.props, r.tags) for r in resources)

    def leave(self, wanted: Wanted) -> None:
        """Note an object that is not compared now: the queue looks after it."""
        self.skipped.add(wanted.uid)
        self.busy.add((wanted.department, wanted.system))

    def see(self, item: Observed) -> None:
        """Tick off what is as it should be, and keep the rest."""
        if not item.uid:
            self.nobodys.append(nobodys.of(item, Whole.UNMANAGED))
            return
        if item.uid in self.skipped:
            return
        missing = self.missing.get(item.uid, ())
        seen = self._fingerprint(item) if missing and item.state is State.READY else None
        if seen in missing:
            at = missing.index(seen)
            self.missing[item.uid] = missing[:at] + missing[at + 1 :]
        else:
            self.odd.setdefault(item.uid, []).append(item)

    def _fingerprint(self, item: Observed) -> Fingerprint:
        props = _only(item.props, self.props.get(item.type, frozenset()))
        tags = _only(item.tags, self.tags.get(item.type, frozenset()))
        return fingerprint(item, props, tags)

    def candidates(self) -> set[str]:
        """Return the objects that did not match to the last resource."""
        return {uid for uid, missing in self.missing.items() if missing}.union(self.odd)


def fingerprint(
    thing: Resource | Observed, props: Mapping[str, Value], tags: Mapping[str, str]
) -> Fingerprint:
    """Return the hash of what is compared."""
    parts = (thing.part, thing.type, thing.tenant)
    return hash((*parts, frozenset(props.items()), frozenset(tags.items())))


def _only(values: Mapping[str, T], names: Set[str]) -> Mapping[str, T]:
    if values.keys() <= names:
        return values
    return {name: value for name, value in values.items() if name in names}
