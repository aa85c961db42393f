"""Taking over what stands in the simulated cloud and is nobody's."""

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from govcloud.errors import CloudConflictError, TerminalCloudError
from govcloud.ports.abilities import Standing
from govcloud.ports.cloud import Observed, Resource
from provisioners.simulated.cloud import Cloud
from provisioners.simulated.rows import COLUMNS, dump, observed

_KINDS: Final = {"server": ("VirtualMachine", "server-0"), "volume": ("Volume", "volume")}


def inspect(cloud: Cloud, key: str) -> Standing:
    """Return what a document would say of a thing, by its id or its only name."""
    with cloud.call("inspect") as call:
        found = _nobodys(call.db, key)
    kind, part = _KINDS.get(found.type, ("", ""))
    if not kind:
        raise TerminalCloudError("NotAdoptable", found.type)
    spec = _machine(found.props) if kind == "VirtualMachine" else _volume(found.props)
    return Standing(kind, found.id, found.name, found.tenant, spec, {part: found.id})


def adopt(cloud: Cloud, resource: Resource) -> Observed:
    """Put our mark on a thing of nobody's, and note what cannot be seen of it."""
    with cloud.call("adopt") as call:
        found = _nobodys(call.db, resource.adopts)
        built = {n: v for n, v in resource.props.items() if n in resource.immutable}
        differing = sorted(n for n, v in built.items() if found.props.get(n, v) != v)
        if differing:
            raise TerminalCloudError("Differs", " ".join(differing))
        props = dump({**built, **found.props})
        tags = dump({**found.tags, **resource.tags})
        call.db.execute(
            "UPDATE resources SET installation = ?, uid = ?, part = ?, props = ?, tags = ?"
            " WHERE id = ?",
            (cloud.installation, resource.uid, resource.part, props, tags, found.id),
        )
        return cloud.get(call.db, found.id)


def _nobodys(db: sqlite3.Connection, key: str) -> Observed:
    rows = db.execute(
        f"SELECT {COLUMNS} FROM resources WHERE id = ?1 OR name = ?1 LIMIT 2",  # noqa: S608
        (key,),
    ).fetchall()
    if len(rows) != 1:
        raise CloudConflictError("Gone" if not rows else "Ambiguous", key)
    if rows[0][7]:
        raise CloudConflictError("Taken", key)
    return observed(rows[0], "")


def _machine(props: Mapping[str, Any]) -> dict[str, object]:
    disks = {n.removeprefix("disk."): _disk(v) for n, v in props.items() if n.startswith("disk.")}
    system = disks.pop("system", None)
    spec: dict[str, object] = {
        "vcpu": props.get("vcpu"),
        "memory": props.get("memory"),
        "image": props.get("image"),
        "hostZone": props.get("zone"),
        "systemDisk": system,
        "dataDisks": [disks[name] for name in sorted(disks, key=int)],
        "power": props.get("power", "on"),
        "floatingIp": bool(props.get("floating_ip")),
    }
    return {name: value for name, value in spec.items() if value not in (None, [])}


def _volume(props: Mapping[str, Any]) -> dict[str, object]:
    said = {"size": props.get("size"), "type": props.get("storage"), "hostZone": props.get("zone")}
    return {name: value for name, value in said.items() if value is not None}


def _disk(words: object) -> dict[str, object]:
    size, _, storage = str(words).partition(" ")
    return {"size": int(size), "type": storage or "hdd"}
