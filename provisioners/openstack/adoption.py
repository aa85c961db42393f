"""Taking over servers and volumes that somebody else made: marked where they stand.

They stay in their project and on their network; ports, security groups and routers are not ours
then and are left alone. What is governed is the machine: that it is there, how large it is,
whether it runs, its disks, its tags.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from govcloud.errors import CloudConflictError, TerminalCloudError
from govcloud.ports.abilities import Standing
from govcloud.ports.cloud import Observed, Order, Resource, State, Value
from provisioners.openstack import compute, storage
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.identity import Identity
from provisioners.openstack.marks import PREFIX, Mark, Marks
from provisioners.openstack.session import COMPUTE, STORAGE, Door, Json

_MARK: Final = f"{PREFIX}mark"


def parts_of(order: Order) -> Mapping[str, str]:
    """Return the ids of what an order takes over, by part; empty where it is all built."""
    adoption: Any = order.spec.get("adopts") or {}
    found: Mapping[str, str] = adoption.get("parts") or {}
    return found


def tenant_of(order: Order) -> str:
    """Return the tenant in which that stays."""
    adoption: Any = order.spec.get("adopts") or {}
    return str(adoption.get("tenant") or "")


def resources(order: Order) -> Iterator[Resource]:
    """Yield what a cloud should hold for an order that takes something over."""
    parts, spec = parts_of(order), order.spec
    sizes = _disk_sizes(spec)
    for part, key in parts.items():
        if not part.startswith("server-"):
            kind = storage.TYPE if part == "volume" else storage.DISK
            yield _taken(order, part, kind, key, sizes.get(part, {}), rank=0)
    size: Any = order.catalogue.get("flavor") or spec
    for part, key in parts.items():
        if part.startswith("server-"):
            props: dict[str, Value] = {
                "vcpu": size.get("vcpu"),
                "memory": size.get("memory"),
                "power": str(spec.get("power", "on")),
                "confirmed": True,
                "disks": " ".join(sorted(p for p in parts if p != part)),
            }
            yield _taken(order, part, compute.TYPE, key, props, rank=2, unit=0)


def _disk_sizes(spec: Mapping[str, Any]) -> dict[str, dict[str, Value]]:
    system, data = spec.get("systemDisk") or {}, spec.get("dataDisks") or ()
    disks = {"disk-0": system} | {f"data-0-{index}": disk for index, disk in enumerate(data)}
    disks["volume"] = spec
    return {
        part: {"size": disk.get("size"), "storage": str(disk.get("type", "hdd"))}
        for part, disk in disks.items()
        if disk
    }


def _taken(
    order: Order,
    part: str,
    kind: str,
    key: str,
    props: Mapping[str, Value],
    *,
    rank: int,
    unit: int | None = None,
) -> Resource:
    return Resource(
        order.uid,
        part,
        kind,
        order.name,
        tenant_of(order),
        props,
        order.tags,
        rank=rank,
        unit=0 if part == "volume" else unit,
        build={"object": order.name},
        adopts=key,
        data=part.startswith("data-"),
    )


@dataclass(frozen=True, slots=True)
class Adoption:
    """Looks at what is nobody's, and marks it."""

    door: Door
    marks: Marks
    identity: Identity
    catalogue: Catalogue

    def inspect(self, key: str) -> Standing:
        """Return what a document would say of a server or a volume, by id or its only name."""
        self.identity.rows()  # a project of ours is called by its name, as in every other look
        server = self._one(COMPUTE, "/servers", "servers", key)
        if server is not None:
            return self._machine(server)
        volume = self._one(STORAGE, "/volumes", "volumes", key)
        if volume is None:
            raise CloudConflictError("Gone", key)
        _refuse_taken(volume, key)
        spec = {**self._disk(volume), "hostZone": volume.get("availability_zone")}
        return Standing(
            "Volume",
            str(volume["id"]),
            str(volume.get("name") or ""),
            self.identity.tenant(str(volume.get("os-vol-tenant-attr:tenant_id") or "")),
            spec,
            {"volume": str(volume["id"])},
            {"volume": self._props(volume)},
        )

    def _machine(self, server: Json) -> Standing:
        _refuse_taken(server, str(server["id"]))
        attached = server.get("os-extended-volumes:volumes_attached") or ()
        volumes = [self._volume(str(entry["id"])) for entry in attached]
        for volume in volumes:
            _refuse_taken(volume, str(volume["id"]))
        _refuse_taking_along(server)
        boot = _boot_disk(server, volumes)
        data = [volume for volume in volumes if volume is not boot]
        parts = {"server-0": str(server["id"])}
        parts |= {"disk-0": str(boot["id"])} if boot is not None else {}
        parts |= {f"data-0-{index}": str(volume["id"]) for index, volume in enumerate(data)}
        flavor: Json = server.get("flavor") or {}
        spec: dict[str, object] = {
            "flavor": flavor.get("original_name"),
            "vcpu": flavor.get("vcpus"),
            "memory": flavor.get("ram"),
            "image": self._image(server, boot),
            "hostZone": server.get("OS-EXT-AZ:availability_zone"),
            "systemDisk": self._disk(boot) if boot is not None else None,
            "dataDisks": [self._disk(volume) for volume in data],
            "power": compute.power_of(server),
        }
        disks = [part for part in parts if part != "server-0"]
        props: dict[str, Mapping[str, Value]] = {
            "server-0": {
                "vcpu": flavor.get("vcpus"),
                "memory": flavor.get("ram"),
                "power": compute.power_of(server),
                "disks": " ".join(sorted(disks)),
            }
        }
        for part, volume in zip(disks, [*([boot] if boot else []), *data], strict=True):
            props[part] = self._props(volume)
        return Standing(
            "VirtualMachine",
            str(server["id"]),
            str(server.get("name") or ""),
            self.identity.tenant(str(server.get("tenant_id") or "")),
            {name: value for name, value in spec.items() if value not in (None, [], "")},
            parts,
            props,
        )

    def _image(self, server: Json, boot: Json | None) -> str:
        """Return the name, else the id, of the image that a machine was made of; "" if unknown."""
        of_volume: Json = (boot or {}).get("volume_image_metadata") or {}
        of_server = server.get("image") or {}
        key = of_volume.get("image_id")
        if not key and isinstance(of_server, dict):
            key = of_server.get("id")
        names = {row["id"]: str(row["name"]) for row in self.catalogue.rows("images")}
        return names.get(key, "") or str(of_volume.get("image_name") or key or "")

    def _disk(self, volume: Json) -> dict[str, object]:
        props = self._props(volume)
        return {"size": props["size"], "type": props["storage"]}

    def _props(self, volume: Json) -> Mapping[str, Value]:
        kind = self.door.settings.storage_class(volume.get("volume_type"))
        return {"size": volume.get("size"), "storage": kind}

    def _volume(self, key: str) -> Json:
        found: Json = self.door.get(STORAGE, f"/volumes/{key}")["volume"]
        return found

    def _one(self, service: str, url: str, word: str, key: str) -> Json | None:
        """Return the row with this id, or the only one of this name; None where there is none."""
        if not self.door.has(service):
            return None
        # Nova takes a name for a pattern, and finds also what is only like it.
        name = f"^{re.escape(key)}$" if service == COMPUTE else key
        params = [("all_tenants", "1"), ("name", name)]
        try:
            found = self.door.get(service, f"{url}/{quote(key, safe='')}")[word.removesuffix("s")]
        except KeyError:
            pass  # some words are no ids but lists
        except CloudConflictError as error:
            if error.reason != "Gone":
                raise
        except TerminalCloudError:
            pass  # what is no id at all is refused by some services
        else:
            return dict(found)
        listed = self.door.rows(service, f"{url}/detail", word, params)
        rows = [row for row in listed if row.get("name") == key]
        if len(rows) > 1:
            raise CloudConflictError("Ambiguous", key)
        return rows[0] if rows else None

    # --- Marking ---

    def adopt(self, resource: Resource) -> Observed:
        """Put mark and tags on a server or a volume, and note what it was made of."""
        service, url, word = (
            (COMPUTE, "/servers", "server")
            if resource.type == compute.TYPE
            else (STORAGE, "/volumes", "volume")
        )
        row: Json = self.door.get(service, f"{url}/{resource.adopts}")[word]
        _refuse_taking_along(row)
        mark = Mark(resource.uid, resource.part)
        said = (row.get("metadata") or {}).get(_MARK)
        metadata = self.marks.metadata(mark, resource.tags, {"object": _object(resource)})
        if said not in (None, metadata[_MARK]):
            raise CloudConflictError("Taken", resource.adopts)
        project = row.get("tenant_id") or row.get("os-vol-tenant-attr:tenant_id") or ""
        if not self.identity.known():
            self.identity.rows()
        if self.identity.tenant(str(project)) != resource.tenant:
            raise TerminalCloudError("Differs", f"it is in {project}, not in {resource.tenant}")
        self.door.call(
            service, "POST", f"{url}/{resource.adopts}/metadata", json={"metadata": metadata}
        )
        return Observed(
            resource.adopts,
            resource.type,
            str(row.get("name") or ""),
            resource.tenant,
            State.CHANGING,
            *mark,
            tags=resource.tags,
        )


def _object(resource: Resource) -> str:
    return str(resource.build.get("object") or "")


def _boot_disk(server: Json, volumes: Sequence[Json]) -> Json | None:
    """Return the volume that a server boots from; None where it boots from its image.

    A data disk may be bootable, too: what counts is the device. CloudConflictError where nothing
    tells.
    """
    if server.get("image") or not volumes:
        return None
    root = str(server.get("OS-EXT-SRV-ATTR:root_device_name") or "")
    found = [volume for volume in volumes if root and root in _devices(volume, server["id"])]
    if not found and len(volumes) == 1:
        found = list(volumes)
    if len(found) != 1:
        raise CloudConflictError("NoBootDisk", root or str(server["id"]))
    return found[0]


def _devices(volume: Json, server: str) -> list[str]:
    entries = volume.get("attachments") or ()
    return [str(entry.get("device")) for entry in entries if entry.get("server_id") == server]


def _refuse_taking_along(server: Json) -> None:
    """Raise TerminalCloudError for a server whose end would be the end of disks of its own."""
    attached = server.get("os-extended-volumes:volumes_attached") or ()
    taken = [str(entry["id"]) for entry in attached if entry.get("delete_on_termination")]
    if taken:
        raise TerminalCloudError("TakesDisksAlong", ", ".join(taken))


def _refuse_taken(row: Json, key: str) -> None:
    """Raise CloudConflictError for what carries the mark of any govcloud."""
    if (row.get("metadata") or {}).get(_MARK):
        raise CloudConflictError("Taken", key)
