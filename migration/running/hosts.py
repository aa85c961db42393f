"""Where the hosts of a move are: addresses from the register and from the clouds, and logins."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlmodel import Session

from govcloud.domain.kinds.moving import Login, Move, MoveHost, MoveSource, MoveTarget
from govcloud.domain.manifest import ObjectKey
from govcloud.store import objects
from govcloud.store.tables import ObjectRow
from migration.running.port import Endpoint

_WAYS: Final = ("floating_address", "address", "address6")
"""What a cloud tells of a machine's addresses, the one to log in to first."""


def endpoints(session: Session, department: str, move: Move) -> dict[str, Endpoint]:
    """Return how each host of a move is reached; those without an address are left out."""
    found: dict[str, Endpoint] = {}
    for name, host in move.hosts().items():
        address = host.address or _registered(session, department, host)
        if address:
            found[name] = _endpoint(name, address, host, host.login or move.login)
    return found


def wanted(move: Move) -> list[str]:
    """Return the machines that must stand: those the move requests, those without an address."""
    requested = [one["metadata"].get("name") for one in move.machines if one.get("metadata")]
    return [one.machine for one in move.targets if one.address is None or one.machine in requested]


def machines(session: Session, department: str, names: Iterable[str]) -> dict[str, ObjectRow]:
    """Return the rows of those machines that there are, by name."""
    keys = [ObjectKey("VirtualMachine", department, name) for name in names]
    return {key.name: row for key, row in objects.by_keys(session, keys).items()}


def absent(session: Session, department: str, move: Move) -> list[str]:
    """Return the machines that must stand, and of which there is no document yet."""
    names = wanted(move)
    found = machines(session, department, names)
    return sorted(name for name in names if name not in found)


def unregistered(session: Session, department: str, move: Move) -> list[str]:
    """Return the sources that the register does not know: nobody could say that they are off."""
    keys = [ObjectKey("LegacyHost", department, one.host) for one in move.sources]
    found = objects.by_keys(session, keys)
    return sorted(key.name for key in keys if key not in found)


def _registered(session: Session, department: str, host: MoveSource | MoveTarget | MoveHost) -> str:
    if isinstance(host, MoveSource):
        key = ObjectKey("LegacyHost", department, host.host)
        row = objects.by_keys(session, [key]).get(key)
        return str(row.spec.get("address") or "") if row else ""
    if isinstance(host, MoveTarget):
        row = machines(session, department, [host.machine]).get(host.machine)
        return _observed(row, host.ordinal) if row else ""
    return ""


def _observed(row: ObjectRow, ordinal: int | None) -> str:
    """Return the address that a cloud tells of a machine: the first, or the one with a number."""
    resources: list[Mapping[str, Any]] = row.status.get("resources", [])
    servers = [one for one in resources if any(way in one.get("info", {}) for way in _WAYS)]
    if ordinal is not None:
        servers = [one for one in servers if str(one.get("part", "")).endswith(f"-{ordinal}")]
    for one in servers:
        for way in _WAYS:
            if one["info"].get(way):
                return str(one["info"][way])
    return ""


def _endpoint(
    name: str, address: str, host: MoveSource | MoveTarget | MoveHost, login: Login
) -> Endpoint:
    return Endpoint(
        name,
        address,
        host.port,
        login.user,
        login.key_file or "",
        login.known_hosts or "",
        login.bastion or "",
        login.become,
        (host.fetch_through or "") if isinstance(host, MoveSource) else "",
    )
