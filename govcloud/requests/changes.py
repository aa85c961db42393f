"""The change set: what is wanted against what is, field by field; pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final, Self

from govcloud.domain.base import Model
from govcloud.domain.keys import ObjectKey
from govcloud.domain.machines import of_spec
from govcloud.policy.context import Action
from govcloud.requests.drafts import Draft

REPLACING: Final[Mapping[str, frozenset[str]]] = {
    "VirtualMachine": frozenset(
        {"spec.image", "spec.zone", "spec.key", "spec.cloudInit", "spec.antiAffinity"}
    ),
    "Volume": frozenset({"spec.type", "spec.zone"}),
    "Namespace": frozenset({"spec.zone"}),
}
"""Fields that a cloud may be able to change only by building anew, by kind."""
MOVING: Final = frozenset({"spec.zone"})
"""Those of them that none can change in place: what is elsewhere is another thing."""
SNAPSHOT: Final = "snapshot"
"""A release that keeps a last copy of each machine."""
KEEP_VOLUMES: Final = "keep-volumes"
"""A release that leaves the data disks; they are nobody's from then on."""
WIPE_VOLUMES: Final = "wipe-volumes"
"""A release that removes volumes only where the cloud overwrites them."""
OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "VirtualMachine": frozenset({SNAPSHOT, KEEP_VOLUMES, WIPE_VOLUMES}),
    "Volume": frozenset({WIPE_VOLUMES}),
}
"""How something of a kind can be given back."""
_MACHINES: Final[Mapping[str, Any]] = {"count": 1, "without": ()}
"""What says which machines there are, and what it says by default."""
_METADATA: Final = ("displayName", "labels", "annotations")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after, by its dotted path; None where it is absent."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Current:
    """An object as it is: the base that a change is made on.

    `metadata` and `spec` are plain, `model` is the spec as it is read; `generation` tells whether
    the object has moved on since.
    """

    uid: str
    generation: int
    metadata: Mapping[str, Any]
    model: Model
    spec: Mapping[str, Any]
    digest: str


@dataclass(frozen=True)
class Change:
    """What happens to one object.

    `uid` and `generation` are of the object that the change is based on: "" and 0 for a creation
    until it is built. `metadata` and `spec` are what should be (for a release: what was), plain.
    `options` are how something is given back (`OPTIONS`). `anew` are the parts that the driver of
    the cloud builds anew for it; None where it was not asked.
    """

    action: Action
    key: ObjectKey
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    digest: str
    uid: str = ""
    generation: int = 0
    fields: tuple[FieldChange, ...] = ()
    demand: Mapping[str, int] = field(default_factory=dict)
    price_before: float = 0
    price_after: float = 0
    before_digest: str | None = None
    supersedes: str | None = None
    options: tuple[str, ...] = ()
    anew: tuple[str, ...] | None = None

    @property
    def machines_gone(self) -> tuple[int, ...]:
        """The numbers of the machines that go, of an object that stays."""
        if self.action is not Action.CHANGE or self.key.kind != "VirtualMachine":
            return ()
        before = dict(self.spec)
        for changed in self.fields:
            name = changed.path.removeprefix("spec.").partition("[")[0]
            if name in _MACHINES:
                before[name] = changed.before if changed.before is not None else _MACHINES[name]
        return tuple(sorted(set(of_spec(before)) - set(of_spec(self.spec))))

    @property
    def replaced(self) -> tuple[str, ...]:
        """What is lost by building anew: the object, and each data disk of it by itself."""
        if not self.replaces:
            return ()
        name = f"{self.key.kind}/{self.key.name}"
        disks = range(len(self.spec.get("dataDisks") or ()))
        return (name, *(f"{name}:data-{number}" for number in disks))

    @property
    def replaces(self) -> bool:
        """Whether the cloud can make this change only by building anew: data on it are lost."""
        return self.may_replace if self.anew is None else bool(self.anew)

    @property
    def may_replace(self) -> bool:
        """Whether there are clouds that can make this change only by building anew."""
        fixed = REPLACING.get(self.key.kind, frozenset())
        return self.action is Action.CHANGE and any(f.path in fixed for f in self.fields)

    @cached_property
    def draft(self) -> Draft:
        """The object as it is wanted."""
        return Draft.stored(self.key, self.metadata, self.spec)

    def built(self, uid: str, generation: int, supersedes: str | None) -> Self:
        """Return the change as it was carried out: on which object, as which generation."""
        return replace(self, uid=uid, generation=generation, supersedes=supersedes)

    def stored(self) -> dict[str, Any]:
        """Return the JSON form that a request keeps; `from_stored` reads it."""
        plain = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return plain | {
            "action": self.action.value,
            "key": list(self.key),
            "fields": [asdict(entry) for entry in self.fields],
            "options": list(self.options),
            "anew": None if self.anew is None else list(self.anew),
        }

    @classmethod
    def from_stored(cls, plain: Mapping[str, Any]) -> Self:
        """Return the change that a request keeps."""
        return cls(
            **{
                **plain,
                "action": Action(plain["action"]),
                "key": ObjectKey(*plain["key"]),
                "fields": tuple(FieldChange(**entry) for entry in plain["fields"]),
                "options": tuple(plain.get("options", ())),
                "anew": tuple(anew) if (anew := plain.get("anew")) is not None else None,
            }
        )

    def plain(self) -> dict[str, Any]:
        """Return the JSON form that users see."""
        return {
            "action": self.action.value,
            "kind": self.key.kind,
            "department": self.key.department,
            "name": self.key.name,
            "displayName": self.metadata.get("displayName"),
            "uid": self.uid or None,
            "digest": self.digest,
            "spec": dict(self.spec),
            "fields": [asdict(entry) for entry in self.fields],
            "replaces": self.replaces,
            "replaced": list(self.replaced),
            "anew": list(self.anew or ()),
            "machinesGone": list(self.machines_gone),
            "options": list(self.options),
            "demand": dict(self.demand),
            "priceDelta": round(self.price_after - self.price_before, 2),
        }


def compare(draft: Draft, current: Current | None) -> Change:
    """Return what makes `current` what is wanted; action NONE where it is that already."""
    metadata = draft.metadata.plain()
    if current is None:
        fields = tuple(differences({}, {"spec": draft.spec.chosen()}))
        return Change(Action.CREATE, draft.key, metadata, draft.plain, draft.digest, fields=fields)
    before = {"spec": current.spec, "metadata": _compared(current.metadata)}
    after = {"spec": draft.plain, "metadata": _compared(metadata)}
    fields = tuple(differences(before, after))
    return Change(
        Action.CHANGE if fields else Action.NONE,
        draft.key,
        metadata,
        draft.plain,
        draft.digest,
        uid=current.uid,
        generation=current.generation,
        fields=fields,
        before_digest=current.digest,
    )


def give_back(key: ObjectKey, current: Current, options: Sequence[str] = ()) -> Change:
    """Return the release of an object; options that mean nothing for its kind are left out."""
    return Change(
        Action.RELEASE,
        key,
        current.metadata,
        current.spec,
        current.digest,
        uid=current.uid,
        generation=current.generation,
        before_digest=current.digest,
        options=tuple(o for o in options if o in OPTIONS.get(key.kind, ())),
    )


def _compared(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: metadata[name] for name in _METADATA if metadata.get(name)}


def differences(before: Any, after: Any, path: str = "") -> Iterable[FieldChange]:
    """Yield the leaves that differ, with dotted paths; lists are compared place by place."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            below = f"{path}.{name}" if path else name
            yield from differences(before.get(name), after.get(name), below)
    elif _walked(before) and _walked(after):
        for index in range(max(len(before), len(after))):
            left, right, below = _at(before, index), _at(after, index), f"{path}[{index}]"
            if left != right and _empty(left) and _empty(right):
                yield FieldChange(below, left, right)  # a part that says nothing is still a part
            else:
                yield from differences(left, right, below)
    elif isinstance(after, Mapping) and before is None and after:
        yield from differences({}, after, path)
    elif before != after and not (_empty(before) and _empty(after)):
        yield FieldChange(path, before, after)


def _empty(value: Any) -> bool:
    return value is None or value in ({}, [])


def _walked(value: Any) -> bool:
    """Whether a list is of parts (disks, openings) and not of words, which are shown together."""
    return isinstance(value, list) and all(isinstance(part, Mapping) for part in value)


def _at(values: Sequence[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def digest_of_changes(changes: Iterable[Change]) -> str:
    """Return the SHA-256 of a change set: what becomes of which object in which state (R3).

    Canonical: the order of the changes, and what is only shown, do not count.
    """
    parts = sorted(
        [
            change.action.value,
            *change.key,
            change.uid,
            change.generation,
            change.digest,
            *change.options,
        ]
        for change in changes
        if change.action is not Action.NONE
    )
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def summary(changes: Iterable[Change]) -> dict[str, int]:
    """Return how many objects are created, changed, given back and left alone."""
    counts = {"create": 0, "change": 0, "release": 0, "unchanged": 0}
    for change in changes:
        name = "unchanged" if change.action is Action.NONE else change.action.value
        counts[name] += 1
    return counts


def moved(stored: Iterable[Change], fresh: Iterable[Change]) -> list[ObjectKey]:
    """Return the objects that are no longer as a stored change set was based on."""
    now = {change.key: _base(change) for change in fresh}
    return [change.key for change in stored if now.get(change.key) != _base(change)]


def _base(change: Change) -> tuple[object, ...]:
    return (change.action, change.uid, change.generation, change.digest)
