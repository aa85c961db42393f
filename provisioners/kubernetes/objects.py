"""What a cluster should hold for a `Namespace`, and the manifest of each resource: pure.

A resource's props hold all that its manifest says beside name, mark and tags, so that the same
props always give the same manifest, and what is observed can be read back into props (`reading`).
Whatever is a list of names beside its values (`hard`, `rules`) shows when one is added or lost.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from govcloud.ports.cloud import Order, Resource, Value
from provisioners.kubernetes import quantities
from provisioners.kubernetes.borders import policies
from provisioners.kubernetes.marks import HARD, OBJECT, WHOLE, metadata, namespace_name
from provisioners.kubernetes.settings import ROLES, Settings
from provisioners.kubernetes.types import ACCESS, BY_WORD, LIMITS, NAMESPACE, POLICY, QUOTA, Type

Json = dict[str, Any]
Props = dict[str, Value]
POD_SECURITY: Final = "pod-security.kubernetes.io"
NAME: Final = "name"
"""The prop of a namespace that says what its object is called."""
MODES: Final = ("enforce", "audit", "warn")
RBAC: Final = "rbac.authorization.k8s.io"
PLAIN_COUNTS: Final = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
        "services.loadbalancers",
        "services.nodeports",
    }
)
"""Objects that a quota counts by their bare name; all others by `count/<name>`."""
_SIZES: Final = {"defaultRequest": "request", "default": "limit", "max": "max"}
"""A LimitRange's words for ours."""
_DUMP: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
LIMIT: Final = "hard."
"""Before the name of each of a quota's limits."""
OF_CLASS: Final = ".storageclass.storage.k8s.io/requests.storage"
"""After the name of a storage class: the limit of what may be had of it."""
CLASSES: Final = "storage_classes"
"""The prop of a quota that names the storage classes of which something may be had."""
BORDERS: Final = 1
PEOPLE: Final = 2
"""Ranks: nobody gets in before the borders stand as approved, and the limits at all. Access ends
first; the borders stand until the namespace takes them along, so that what still runs in it stays
within them."""


def resources(order: Order, settings: Settings, installation: str) -> tuple[Resource, ...]:
    """Return the resources of an object; none for a kind that is not built here."""
    if order.kind != "Namespace":
        return ()
    name = _adopted(order).get("tenant") or namespace_name(order.department, order.name)
    return tuple(_parts(order, name, settings, installation))


def _parts(order: Order, name: str, settings: Settings, installation: str) -> Iterator[Resource]:
    spec: Mapping[str, Any] = order.spec
    found = _adopted(order)
    hard = _hard(spec, settings)

    def part(kind: Type, word: str, props: Mapping[str, Value], rank: int = BORDERS) -> Resource:
        return Resource(
            uid=order.uid,
            part="-".join(filter(None, (kind.word, word))),
            type=kind.word,
            name="-".join(filter(None, ("govcloud", word))) if kind.namespaced else name,
            tenant=name,
            props={"mark": WHOLE, **props},
            tags=order.tags,
            rank=rank,
            immutable=frozenset({"role"} & props.keys()),
            unit=None if kind.namespaced else 0,
            within=NAMESPACE.word if rank == BORDERS else "",
            awaited=kind is POLICY,
            adopts="" if kind.namespaced else str((found.get("parts") or {}).get(kind.word, "")),
            build={
                **({"over_quota": True} if spec.get("allowOverQuota") else {}),
                **({"hard": hard} if found and not kind.namespaced else {}),
            },
        )

    yield part(
        NAMESPACE,
        "",
        {NAME: order.name, **_levels(str(spec.get("podSecurity", "restricted")))},
        rank=0,
    )
    yield part(QUOTA, "", {**_listed("hard", hard), CLASSES: to_be_had(hard)})
    yield part(LIMITS, "", _listed("rules", _rules(spec)))
    for word, policy in policies(order, settings, installation).items():
        yield part(POLICY, word, policy_props(policy))
    for role in ROLES:
        people = (spec.get("access") or {}).get(role)
        if people:
            props = access_props(settings.roles[role], _subjects(people, role, name, settings))
            yield part(ACCESS, role, props, rank=PEOPLE)


def _adopted(order: Order) -> Mapping[str, Any]:
    """Return what stands already and is taken over; empty where all is built."""
    said: Any = order.spec.get("adopts")
    return said or {}


# --- From the spec to props ---


def _levels(level: str) -> Props:
    return {f"pod_security.{mode}": level for mode in MODES}


def _listed(word: str, values: Mapping[str, Value]) -> Props:
    return {word: " ".join(sorted(values))} | {f"{word}.{n}": v for n, v in values.items()}


def _hard(spec: Mapping[str, Any], settings: Settings) -> Props:
    storage: Mapping[str, int] = spec.get("storage") or {}
    return {
        **{counted(name): count for name, count in (spec.get("objects") or {}).items()},
        "requests.cpu": spec["cpu"],
        "limits.cpu": spec["cpu"],
        "requests.memory": spec["memory"],
        "limits.memory": spec["memory"],
        "pods": spec.get("pods", 0),
        f"requests.{settings.gpu_resource}": spec.get("gpu", 0),
        "requests.storage": sum(storage.values()),
        **_classes(storage, settings),
    }


def _classes(storage: Mapping[str, int], settings: Settings) -> Props:
    """Return the limits by storage class: none of those that the cloud has and nobody approved."""
    sizes = dict.fromkeys(settings.storage.values(), 0) if storage else {}
    for name, size in storage.items():
        theirs = settings.storage.get(name, name)
        sizes[theirs] = sizes.get(theirs, 0) + size
    return {f"{name}{OF_CLASS}": size for name, size in sizes.items()}


def to_be_had(hard: Mapping[str, Value], there: Collection[str] = ()) -> str:
    """Name the storage classes of which a quota lets something be had.

    `there` are all that the cluster has: what has no limit of its own is bounded by the sum only.
    """
    if hard.get("requests.storage") == 0:
        return ""
    limits = {name.removesuffix(OF_CLASS): n for name, n in hard.items() if name.endswith(OF_CLASS)}
    unlimited = set(there) - limits.keys()
    return " ".join(sorted(unlimited | {name for name, limit in limits.items() if limit != 0}))


def counted(name: str) -> str:
    """Return a quota's word for how many objects of a kind there may be."""
    return name if name in PLAIN_COUNTS else f"count/{name}"


def _rules(spec: Mapping[str, Any]) -> Props:
    """Return the sizes of one container, with what the API server would fill in itself."""
    sizes: Mapping[str, Mapping[str, int]] = spec.get("containers") or {}
    found: Props = {}
    for resource in ("cpu", "memory"):
        most = sizes.get("max", {}).get(resource)
        limit = sizes.get("limit", {}).get(resource, most)
        request = sizes.get("request", {}).get(resource, limit)
        values = {"defaultRequest": request, "default": limit, "max": most}
        found |= {f"Container.{w}.{resource}": v for w, v in values.items() if v is not None}
    return found


def policy_props(policy: Mapping[str, Any]) -> Props:
    """Return the props of a network policy's spec."""
    return {
        "types": " ".join(sorted(policy.get("policyTypes") or ())),
        "pods": dump(policy.get("podSelector") or {}),
        "ingress": dump(policy.get("ingress") or []),
        "egress": dump(policy.get("egress") or []),
    }


def access_props(role: str, subjects: list[str]) -> Props:
    """Return the props of a role binding."""
    return {"role": f"ClusterRole/{role}", "subjects": dump(sorted(subjects))}


def _subjects(people: list[str], role: str, namespace: str, settings: Settings) -> list[str]:
    """Return who gets a role: users, groups, and the account whose short tokens members get."""
    account = f"ServiceAccount:{settings.access_namespace}/{account_name(namespace, role)}"
    return [account, *(_person(name, settings) for name in people)]


def _person(name: str, settings: Settings) -> str:
    if name.startswith("group:"):
        return f"Group:{settings.group_prefix}{name.removeprefix('group:')}"
    return f"User:{settings.user_prefix}{name}"


def account_name(namespace: str, role: str) -> str:
    """Return the name of the account that acts for the members of a namespace with this role."""
    return f"{namespace}.{role}"


def dump(value: object) -> str:
    """Return JSON, the same for equal values."""
    return _DUMP(value)


# --- From props to the manifest ---


def manifest(resource: Resource, installation: str) -> Json:
    """Return the whole of what is ours of a resource, as server-side apply wants it."""
    return _BODIES[resource.type](mark(resource, installation), resource.props)


def mark(resource: Resource, installation: str) -> Json:
    """Return the part of a manifest that says what it is and whose: name, mark, tags."""
    kind = BY_WORD[resource.type]
    labels, annotations = metadata(installation, resource.uid, resource.part, resource.tags)
    about: Json = {"name": resource.name, "labels": labels, "annotations": annotations}
    if kind.namespaced:
        about["namespace"] = resource.tenant
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": about}


def _namespace(body: Json, props: Mapping[str, Value]) -> Json:
    body["metadata"]["labels"] |= {OBJECT: props[NAME]} if props.get(NAME) else {}
    body["metadata"]["labels"] |= {
        f"{POD_SECURITY}/{mode}": level
        for mode in MODES
        if (level := props.get(f"pod_security.{mode}"))
    }
    return body


def _quota(body: Json, props: Mapping[str, Value]) -> Json:
    """Return a quota with all limits there are; the note merely says which of them are ours."""
    body["metadata"]["annotations"][HARD] = str(props["hard"])
    limits = {n.removeprefix(LIMIT): value for n, value in props.items() if n.startswith(LIMIT)}
    hard = {name: quantities.show(name, value) for name, value in limits.items()}
    return body | {"spec": {"hard": hard}}


def _limits(body: Json, props: Mapping[str, Value]) -> Json:
    items: dict[str, Json] = {}
    for rule in sorted(set(str(props["rules"]).split())):
        kind, word, resource = rule.split(".", 2)
        item = items.setdefault(kind, {"type": kind})
        item.setdefault(word, {})[resource] = quantities.show(resource, props[f"rules.{rule}"])
    return body | {"spec": {"limits": list(items.values())}}


def _policy(body: Json, props: Mapping[str, Value]) -> Json:
    spec = {
        "policyTypes": str(props["types"]).split(),
        "podSelector": json.loads(str(props["pods"])),
        "ingress": json.loads(str(props["ingress"])),
        "egress": json.loads(str(props["egress"])),
    }
    return body | {"spec": spec}


def _access(body: Json, props: Mapping[str, Value]) -> Json:
    kind, _, name = str(props["role"]).partition("/")
    role = {"apiGroup": RBAC, "kind": kind, "name": name}
    subjects = [_subject(text) for text in json.loads(str(props["subjects"]))]
    return body | {"roleRef": role, "subjects": subjects}


def _subject(text: str) -> Json:
    kind, _, name = text.partition(":")
    if kind == "ServiceAccount":
        namespace, _, account = name.partition("/")
        return {"kind": kind, "namespace": namespace, "name": account}
    return {"apiGroup": RBAC, "kind": kind, "name": name}


_BODIES: Final[Mapping[str, Callable[[Json, Mapping[str, Value]], Json]]] = {
    NAMESPACE.word: _namespace,
    QUOTA.word: _quota,
    LIMITS.word: _limits,
    POLICY.word: _policy,
    ACCESS.word: _access,
}
