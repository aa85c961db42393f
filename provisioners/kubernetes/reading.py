"""What the API server says of an object, as the port's value: the inverse of `objects`; pure."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from govcloud.ports.cloud import Observed, State, Value
from provisioners.kubernetes import quantities
from provisioners.kubernetes.marks import (
    DOMAIN,
    FIELD_MANAGER,
    HARD,
    OBJECT,
    mark_of,
    missing,
    tags_of,
)
from provisioners.kubernetes.objects import (
    CLASSES,
    MODES,
    NAME,
    POD_SECURITY,
    access_props,
    policy_props,
    to_be_had,
)
from provisioners.kubernetes.types import ACCESS, LIMITS, NAMESPACE, POLICY, QUOTA, Type

Json = dict[str, Any]
_WAITING: Final = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining")
_DATA: Final = ("pods", "persistentvolumeclaims", "requests.storage")
"""What must not go with a namespace unless somebody says so."""
_FAILING: Final = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
)


def observed(
    item: Json,
    kind: Type,
    installation: str,
    *,
    ending: bool = False,
    classes: Collection[str] = (),
) -> Observed:
    """Return an object of the API server as observed.

    `ending`: its namespace is being deleted. `classes` are the cluster's storage classes.
    """
    about = item["metadata"]
    uid, part = mark_of(item, installation)
    name = about["name"]
    deleting = ending or "deletionTimestamp" in about or _phase(item) == "Terminating"
    return Observed(
        id=about["uid"],
        type=kind.word,
        name=name,
        tenant=about.get("namespace", name),
        state=State.DELETING if deleting else _state(item, kind),
        uid=uid,
        part=part,
        props=_PROPS[kind.word](item)
        | _of_classes(item, kind, classes)
        | _marked(item, installation),
        tags=tags_of(item),
        info=_INFO.get(kind.word, _nothing)(item) | _others(item),
        fault=held_by(item) if deleting and kind is NAMESPACE else "",
    )


def _marked(item: Json, installation: str) -> dict[str, Value]:
    """Say whether the mark is whole; of what is none of ours, nothing."""
    if mark_of(item, installation) == ("", ""):
        return {}
    return {"mark": missing(item, installation)}


def _phase(item: Json) -> str:
    return str((item.get("status") or {}).get("phase", ""))


def _state(item: Json, kind: Type) -> State:
    """Return the state; a quota counts only once the controller manager has taken note of it."""
    if kind is not QUOTA:
        return State.READY
    enforced = (item.get("status") or {}).get("hard")
    wanted = (item.get("spec") or {}).get("hard") or {}
    if enforced is None:
        return State.BUILDING
    same = {n: quantities.read(n, enforced.get(n)) for n in wanted} == _amounts(wanted)
    return State.READY if same else State.CHANGING


# --- Props ---


def _namespace(item: Json) -> dict[str, Value]:
    labels = item["metadata"].get("labels") or {}
    levels = {f"pod_security.{mode}": labels.get(f"{POD_SECURITY}/{mode}") for mode in MODES}
    return {NAME: labels.get(OBJECT), **levels}


def _quota(item: Json) -> dict[str, Value]:
    hard = (item.get("spec") or {}).get("hard") or {}
    ours = (item["metadata"].get("annotations") or {}).get(HARD, "")
    return {"hard": ours} | {f"hard.{name}": value for name, value in _amounts(hard).items()}


def _of_classes(item: Json, kind: Type, classes: Collection[str]) -> dict[str, Value]:
    if kind is not QUOTA:
        return {}
    return {CLASSES: to_be_had(_amounts((item.get("spec") or {}).get("hard") or {}), classes)}


def _amounts(quantity_of: Mapping[str, object]) -> dict[str, Value]:
    return {name: quantities.read(name, text) for name, text in quantity_of.items()}


def _limits(item: Json) -> dict[str, Value]:
    rules = list(_rules(item))
    return {"rules": " ".join(sorted(name for name, _ in rules))} | {
        f"rules.{name}": value for name, value in rules
    }


def _rules(item: Json) -> Iterator[tuple[str, Value]]:
    for limit in (item.get("spec") or {}).get("limits") or ():
        for word, values in limit.items():
            if isinstance(values, dict):
                for resource, text in values.items():
                    yield f"{limit['type']}.{word}.{resource}", quantities.read(resource, text)


def _policy(item: Json) -> dict[str, Value]:
    return policy_props(item.get("spec") or {})


def _access(item: Json) -> dict[str, Value]:
    role = item["roleRef"]
    props = access_props(role["name"], [_subject(who) for who in item.get("subjects") or ()])
    return props | {"role": f"{role['kind']}/{role['name']}"}


def _subject(who: Json) -> str:
    prefix = f"{who['namespace']}/" if who["kind"] == "ServiceAccount" else ""
    return f"{who['kind']}:{prefix}{who['name']}"


_PROPS: Final[Mapping[str, Callable[[Json], dict[str, Value]]]] = {
    NAMESPACE.word: _namespace,
    QUOTA.word: _quota,
    LIMITS.word: _limits,
    POLICY.word: _policy,
    ACCESS.word: _access,
}


# --- What is shown ---


def _nothing(_item: Json) -> dict[str, Value]:
    return {}


def _use(item: Json) -> dict[str, Value]:
    """Return what is used of each limit, and the limit, in base units, both rounded up."""
    status = item.get("status") or {}
    used, hard = (_rounded(status.get(word) or {}) for word in ("used", "hard"))
    shown: dict[str, Value] = {f"used.{name}": value for name, value in used.items()}
    over = [name for name, limit in hard.items() if used.get(name, 0) > limit]
    held = [f"{n}: {quantities.show(n, used[n])}" for n in _DATA if used.get(n)]
    return (
        shown
        | {f"limit.{name}": value for name, value in hard.items()}
        | ({"holds": ", ".join(held)} if held else {})
        | ({"over_quota": ", ".join(over)} if over else {})
    )


def _rounded(quantity_of: Mapping[str, object]) -> dict[str, int]:
    read = {name: quantities.rounded_up(name, text) for name, text in quantity_of.items()}
    return {name: value for name, value in read.items() if value is not None}


_INFO: Final[Mapping[str, Callable[[Json], dict[str, Value]]]] = {QUOTA.word: _use}


def held_by(item: Json) -> str:
    """Say what keeps a namespace that is being deleted: what remains, and whose finalizers."""
    conditions = {
        entry["type"]: entry.get("message", "")
        for entry in (item.get("status") or {}).get("conditions") or ()
        if entry.get("status") == "True"
    }
    said = [conditions[word] for word in (*_FAILING, *_WAITING) if conditions.get(word)]
    own = [name for name in item["metadata"].get("finalizers") or () if name != "kubernetes"]
    if own:
        said.append(f"finalizers of the namespace itself: {', '.join(own)}")
    return "; ".join(said)


# --- Who else manages it ---


def _others(item: Json) -> dict[str, Value]:
    names = {
        str(entry.get("manager"))
        for entry in item["metadata"].get("managedFields") or ()
        if entry.get("manager") != FIELD_MANAGER and _touches_ours(entry)
    }
    return {"managed_by": ", ".join(sorted(names))} if names else {}


def _touches_ours(entry: Json) -> bool:
    """Whether a manager has more than the status and names that are none of ours."""
    if entry.get("subresource"):
        return False
    fields = entry.get("fieldsV1") or {}
    about = fields.get("f:metadata") or {}
    names = [name for place in ("f:labels", "f:annotations") for name in about.get(place) or ()]
    return bool(fields.keys() - {"f:metadata", "f:status"}) or any(
        name.startswith((f"f:{DOMAIN}/", f"f:{POD_SECURITY}/")) for name in names
    )
