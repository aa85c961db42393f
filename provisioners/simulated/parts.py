"""What the simulated cloud should hold for an object: pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from govcloud.domain.machines import of_spec
from govcloud.ports.cloud import Order, Resource, Value

_FIXED: Final = frozenset({"image", "zone", "key", "storage"})
"""What only a replacement can change, here as on real clouds."""


def resources(order: Order) -> tuple[Resource, ...]:
    """Return the resources of an object; none for a kind that is not built here."""
    build = _KINDS.get(order.kind)
    return tuple(build(order)) if build else ()


def tenant_of(order: Order) -> str:
    """Return the tenant that an object's resources live in: one for each system.

    What was taken over stays in the tenant that it was found in.
    """
    return str(adoption_of(order).get("tenant") or f"{order.department}--{order.system}")


def adoption_of(order: Order) -> Mapping[str, Any]:
    """Return what an order takes over; empty where it is all built."""
    adoption: Mapping[str, Any] = order.spec.get("adopts") or {}  # type: ignore[assignment]
    return adoption


def _servers(order: Order) -> Iterable[Resource]:
    props = _server(order.spec, order.catalogue)
    for index in of_spec(order.spec):
        yield _resource(order, f"server-{index}", props, rank=index)


def _server(
    spec: Mapping[str, Any], catalogue: Mapping[str, Mapping[str, Any]]
) -> dict[str, Value]:
    network = spec.get("network") or {}
    size = catalogue.get("flavor") or spec
    zone = catalogue.get("zone") or {}
    return _present(
        {
            "vcpu": size.get("vcpu"),
            "memory": size.get("memory"),
            "gpu": size.get("gpu") or None,
            "image": spec.get("image"),
            "zone": spec.get("zone"),
            "power": spec.get("power", "on"),
            "ipv6": bool(network.get("ipv6", True) and zone.get("ipv6", True)),
            "floating_ip": bool(network.get("floatingIp", False)),
            "internet_access": bool(network.get("internetAccess", False)),
            "bandwidth_mbps": network.get("bandwidthMbps"),
            "allow": _openings(network.get("allow") or ()),
            "anti_affinity": bool(spec.get("antiAffinity", False)),
            "backup": spec.get("backup"),
            "key": spec.get("key"),
            "disk.system": _disk(spec.get("systemDisk") or {"size": 50}),
        }
        | {f"disk.{n}": _disk(disk) for n, disk in enumerate(spec.get("dataDisks") or ())}
    )


def _volumes(order: Order) -> Iterable[Resource]:
    spec: Mapping[str, Any] = order.spec
    props = {
        "size": spec.get("size"),
        "storage": spec.get("type", "hdd"),
        "zone": spec.get("zone"),
        "attached_to": spec.get("attachTo"),
    }
    yield _resource(order, "volume", _present(props))


def _namespaces(order: Order) -> Iterable[Resource]:
    spec: Mapping[str, Any] = order.spec
    props = {
        "cpu": spec.get("cpu"),
        "memory": spec.get("memory"),
        "pods": spec.get("pods"),
        "gpu": spec.get("gpu") or None,
        "zone": spec.get("zone"),
        "pod_security": spec.get("podSecurity", "restricted"),
    }
    props |= {f"storage.{name}": size for name, size in (spec.get("storage") or {}).items()}
    props |= {f"access.{role}": _list(who) for role, who in (spec.get("access") or {}).items()}
    props |= {
        f"network.{way}": _list(who) if isinstance(who, list) else who
        for way, who in (spec.get("network") or {}).items()
    }
    yield _resource(order, "namespace", _present(props))


_KINDS: Final[Mapping[str, Callable[[Order], Iterable[Resource]]]] = {
    "VirtualMachine": _servers,
    "Volume": _volumes,
    "Namespace": _namespaces,
}


def _resource(order: Order, part: str, props: Mapping[str, Value], rank: int = 0) -> Resource:
    kind, _, index = part.partition("-")
    return Resource(
        uid=order.uid,
        part=part,
        type=kind,
        name="-".join(filter(None, (order.department, order.name, index))),
        tenant=tenant_of(order),
        props=props,
        tags=order.tags,
        rank=rank,
        immutable=_FIXED & props.keys(),
        unit=int(index or 0),
        adopts=(adoption_of(order).get("parts") or {}).get(part, ""),
    )


def _present(props: Mapping[str, Any]) -> dict[str, Value]:
    """Drop what is absent; words of enumerations become plain strings."""
    return {name: _plain(value) for name, value in props.items() if value not in (None, "")}


def _plain(value: Any) -> Value:
    return str(value) if isinstance(value, str) else value


def _disk(disk: Mapping[str, Any]) -> str:
    return f"{disk['size']} {disk.get('type', 'hdd')}"


def _openings(allow: Iterable[Mapping[str, Any]]) -> str:
    return " ".join(
        sorted(
            f"{','.join(map(str, sorted(opening['ports'])))}<{opening.get('source', 'system')}"
            for opening in allow
        )
    )


def _list(names: Iterable[object]) -> str:
    return ",".join(sorted(map(str, names)))
