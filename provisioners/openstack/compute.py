"""Nova: servers and server groups.

What a server is attached to (volumes, ports) is compared as properties of the server. A resize
waits for its confirmation as a difference in `confirmed`, which `change` puts right: no state of
the controller's own says that it was asked for.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from govcloud.errors import (
    AwaitedCloudError,
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.ports.cloud import Observed, Resource, State, Value
from provisioners.openstack.age import age_s, zoned
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.errors import fault_of, unbuilt
from provisioners.openstack.identity import Identity
from provisioners.openstack.marks import PREFIX, Label, Mark, Marks
from provisioners.openstack.network import Ids, View
from provisioners.openstack.session import COMPUTE, Door, Json
from provisioners.openstack.storage import FORCE_AFTER_S
from provisioners.openstack.userdata import user_data

TYPE: Final = "server"
GROUP: Final = "server-group"
FACTS: Final = ("image", "zone", "key", "cloud_init", "anti_affinity")
"""Properties that are noted when a server is made, because Nova does not show them afterwards."""
_SETTLED: Final = frozenset(
    {
        "ACTIVE",
        "SHUTOFF",
        "PAUSED",
        "SUSPENDED",
        "SHELVED",
        "SHELVED_OFFLOADED",
        "RESCUE",
        "VERIFY_RESIZE",
    }
)
_ON: Final = frozenset({"ACTIVE", "VERIFY_RESIZE", "REBOOT", "HARD_REBOOT", "PASSWORD", "RESCUE"})
_DELETING: Final = frozenset({"DELETED", "SOFT_DELETED"})
_RECENT_S: Final = 300.0
"""A resize that failed within this time is not asked for again at once."""


class Compute:
    """The servers of a cloud."""

    def __init__(self, door: Door, marks: Marks, identity: Identity, catalogue: Catalogue) -> None:
        self._door = door
        self._marks = marks
        self._identity = identity
        self._catalogue = catalogue

    # --- Looking ---

    def pages(self, project: str = "") -> Iterator[list[Json]]:
        """List servers, of one project or of all.

        Those too that Nova keeps for `reclaim_instance_interval` after their removal: until then
        they hold their quota, disks and ports.
        """
        params = [
            ("all_tenants", "1"),
            ("soft_deleted", "True"),
            *([("project_id", project)] if project else []),
        ]
        return self._door.pages(COMPUTE, "/servers/detail", "servers", params)

    def groups(self) -> Iterator[list[Json]]:
        """List server groups; Nova pages them by offset.

        It never says whether more follow, and its own maximum may be below what is asked for. So
        the last page is one that brings nothing new.
        """
        size, seen = self._door.settings.page_size, set[str]()
        while True:
            params = {"all_projects": "True", "limit": size, "offset": len(seen)}
            body = self._door.get(COMPUTE, "/os-server-groups", params=params)
            rows = [row for row in body.get("server_groups") or () if row["id"] not in seen]
            if not rows:
                return
            yield rows
            seen.update(str(row["id"]) for row in rows)

    def label(self, row: Json) -> Label:
        """Return what a server says of itself.

        Raises TransientCloudError `Truncated` where it says nothing: of a server in a cell that is
        down Nova knows that it is there and little else, not even the mark.
        """
        if "metadata" not in row:
            raise TransientCloudError("Truncated", f"{COMPUTE} server {row['id']}: cell is down")
        return self._marks.from_metadata(row.get("metadata") or {})

    def observed(self, row: Json, volumes: Mapping[str, Mark], view: View) -> Observed:
        """Return a server as the port's value; `volumes` are marks by id."""
        label = self.label(row)
        state, fault = self._state(row)
        project = str(row.get("tenant_id") or "")
        return Observed(
            id=str(row["id"]),
            type=TYPE,
            name=row.get("name") or "",
            tenant=self._identity.tenant(project),
            state=state,
            uid=label.mark.uid,
            part=label.mark.part,
            props=_props(row, label, volumes, view),
            tags=label.tags,
            info=_info(row, view),
            fault=fault,
        )

    def _state(self, row: Json) -> tuple[State, str]:
        """Return what a server is doing, and what is wrong where it has failed.

        One whose building nobody goes on with has failed: Nova would call it BUILD for ever.
        """
        state = state_of(row)
        # Of what no host has taken on, Nova says that it was updated just now, whenever asked.
        taken_on = row.get("OS-EXT-SRV-ATTR:host")
        idle_s = age_s(row.get("updated") if taken_on else row.get("created"))
        if state is State.BUILDING and idle_s > self._door.settings.build_limit_s:
            task = row.get("OS-EXT-STS:task_state") or "BUILD"
            return State.FAILED, unbuilt(str(task), idle_s)
        return state, fault_of(row.get("fault")) if state is State.FAILED else ""

    def observed_group(self, row: Json) -> Observed:
        """Return a server group as the port's value."""
        mark = self._marks.from_description(row.get("name")).mark
        project = self._identity.tenant(str(row.get("project_id") or ""))
        policy = row.get("policy") or " ".join(row.get("policies") or ())
        props: dict[str, Value] = {"policy": policy}
        return Observed(
            str(row["id"]), GROUP, str(row["name"]), project, State.READY, *mark, props=props
        )

    # --- Making ---

    def create(self, resource: Resource, ids: Ids) -> Observed:
        """Make a server of ports and volumes that are there, or of an image."""
        project = self._identity.need(resource.tenant)
        props, build = resource.props, resource.build
        flavor = self._flavor(resource)
        mark = Mark(resource.uid, resource.part)
        facts = {name: str(props[name]) for name in FACTS if name in props}
        facts["object"] = str(build.get("object") or "")
        body: Json = {
            "name": str(props.get("name") or resource.name),
            "flavorRef": flavor["id"],
            "networks": [{"port": ids(word)} for word in str(props["ports"]).split()],
            "metadata": self._marks.metadata(mark, resource.tags, facts),
            "user_data": base64.b64encode(user_data(build).encode()).decode(),
        }
        image = "" if build.get("boot_volume") else self._catalogue.image(str(build["image"]))
        if image:
            body["imageRef"] = image
        if props["disks"]:
            body["block_device_mapping_v2"] = _disks(resource, image, ids)
        if build.get("host_zone"):
            body["availability_zone"] = build["host_zone"]
        if self._door.settings.config_drive:
            body["config_drive"] = True
        asked: Json = {"server": body}
        if build.get("server_group"):
            asked["os:scheduler_hints"] = {"group": ids(str(build["server_group"]))}
        row = self._door.call(COMPUTE, "POST", "/servers", json=asked, tenant=project)["server"]
        return Observed(
            id=str(row["id"]),
            type=TYPE,
            name=body["name"],
            tenant=resource.tenant,
            state=State.BUILDING,
            uid=resource.uid,
            part=resource.part,
            props={},
            tags=resource.tags,
        )

    def create_group(self, resource: Resource) -> Observed:
        """Make a server group, named by its mark."""
        project = self._identity.need(resource.tenant)
        name = self._marks.name(Mark(resource.uid, resource.part))
        body = {"server_group": {"name": name, "policy": resource.props["policy"]}}
        row = self._door.call(COMPUTE, "POST", "/os-server-groups", json=body, tenant=project)
        found: Json = row["server_group"]
        found.setdefault("project_id", project)
        return self.observed_group(found)

    # --- Changing ---

    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str], ids: Ids) -> None:
        """Bring the named fields to what is wanted, as far as one step goes."""
        row = self.check(observed)
        if frozen := sorted(wanted.immutable & set(fields)):
            raise TerminalCloudError("Immutable", " ".join(frozen))
        if tags := [name for name in fields if name.startswith("tag:")]:
            self._retag(row, wanted, [name.removeprefix("tag:") for name in tags])
        if "name" in fields:
            self._call("PUT", row["id"], json={"server": {"name": wanted.props["name"]}})
        if "disks" in fields:
            self._attach_missing(row, wanted, observed, ids)
        if "ports" in fields:
            self._plug(row, wanted, observed, ids)
        if "confirmed" in fields and row["status"] == "VERIFY_RESIZE":
            self._confirm(row["id"])
        elif {"vcpu", "memory"}.intersection(fields):
            self._resize(row, wanted)
        elif "power" in fields:
            self._switch(row, str(wanted.props["power"]))

    def _retag(self, row: Json, wanted: Resource, names: Sequence[str]) -> None:
        keep = {f"{PREFIX}{n}": wanted.tags[n] for n in names if n in wanted.tags}
        if keep:
            self._call("POST", row["id"], "/metadata", json={"metadata": keep})
        for name in names:
            if name not in wanted.tags and f"{PREFIX}{name}" in row["metadata"]:
                self._call("DELETE", row["id"], f"/metadata/{PREFIX}{name}")

    def _attach_missing(self, row: Json, wanted: Resource, observed: Observed, ids: Ids) -> None:
        have = set(str(observed.props.get("disks") or "").split())
        want = str(wanted.props["disks"]).split()
        attached = {entry["id"] for entry in row["os-extended-volumes:volumes_attached"]}
        for word in want:
            if word not in have and (key := ids(word)) not in attached:
                self.attach(row["id"], key)
        for word in have - set(want):
            self.detach(row["id"], ids(word))

    def attach(self, server: str, volume: str) -> None:
        """Attach a volume."""
        body = {"volumeAttachment": {"volumeId": volume}}
        self._call("POST", server, "/os-volume_attachments", json=body)

    def detach(self, server: str, volume: str) -> None:
        """Detach a volume; one that is not attached any more is success."""
        try:
            self._call("DELETE", server, f"/os-volume_attachments/{volume}")
        except CloudConflictError as error:
            if error.reason != "Gone":
                raise

    def _plug(self, row: Json, wanted: Resource, observed: Observed, ids: Ids) -> None:
        """Give a server the ports that it should have, and none beside."""
        have = str(observed.props.get("ports") or "").split()
        want = str(wanted.props["ports"]).split()
        for word in want:
            if word not in have:
                body = {"interfaceAttachment": {"port_id": ids(word)}}
                self._call("POST", row["id"], "/os-interface", json=body)
        for word in have:
            if word not in want:
                key = word if "/" not in word and len(word) == 36 else ids(word)
                self._call("DELETE", row["id"], f"/os-interface/{key}")

    def _resize(self, row: Json, wanted: Resource) -> None:
        vcpu, memory = int(str(wanted.props["vcpu"])), int(str(wanted.props["memory"]))
        if (row["flavor"].get("vcpus"), row["flavor"].get("ram")) == (vcpu, memory):
            return
        self._refuse_at_once(row["id"])
        self._action(row["id"], {"resize": {"flavorRef": self._flavor(wanted)["id"]}})

    def volumes_of(self, observed: Observed) -> list[str]:
        """Return the ids of what is attached to a server."""
        row = self._row(observed.id)
        return [str(entry["id"]) for entry in row["os-extended-volumes:volumes_attached"]]

    def refuse_moving(self, server: str) -> None:
        """Raise AwaitedCloudError while a server is at something, or resized and not confirmed."""
        row = self._row(server)
        if state_of(row) is State.CHANGING or row["status"] == "VERIFY_RESIZE":
            raise AwaitedCloudError("NotYet", str(row["name"]))

    def _flavor(self, resource: Resource) -> Json:
        build, props = resource.build, resource.props
        return self._catalogue.flavor(
            str(build.get("flavor") or ""),
            str(build.get("flavor_name") or ""),
            int(str(props["vcpu"])),
            int(str(props["memory"])),
        )

    def _confirm(self, server: str) -> None:
        """Confirm a resize; while that is under way, or just done, Nova says that there is none."""
        try:
            self._action(server, {"confirmResize": None})
        except CloudError as error:
            if not any(words in error.message for words in _CONFIRMED):
                raise

    def _refuse_at_once(self, server: str) -> None:
        """Raise TransientCloudError where a resize has failed just now.

        Nova takes a resize and lets the server be as it was if it finds no host; its history is
        the only place that says so.
        """
        history = self._call("GET", server, "/os-instance-actions").get("instanceActions", [])
        last = next((entry for entry in history if entry.get("action") == "resize"), None)
        if last is None or last.get("message") != "Error":
            return
        age = age_s(last["start_time"])
        if age < _RECENT_S:
            raise TransientCloudError("NoCapacity", f"resize of {server} failed {age:.0f} s ago")

    def _switch(self, row: Json, power: str) -> None:
        on = row["status"] in _ON
        if power == "on" and not on:
            self._action(row["id"], {_TO_ON.get(row["status"], "os-start"): None})
        elif power == "off" and on:
            self._action(row["id"], {"os-stop": None})

    def _action(self, server: str, body: Json) -> None:
        self._call("POST", server, "/action", json=body)

    def _call(self, method: str, server: str, rest: str = "", **options: Any) -> Json:
        return self._door.call(COMPUTE, method, f"/servers/{server}{rest}", **options)

    # --- Removing ---

    def delete(self, observed: Observed) -> None:
        """Remove a server; what is gone or on its way is left in peace."""
        try:
            row = self.check(observed)
            if state_of(row) is not State.DELETING:
                self._call("DELETE", observed.id)
        except CloudConflictError as error:
            if error.reason != "Gone":
                raise

    def force_delete(self, observed: Observed) -> None:
        """Remove a server whatever its state, and for good; what began just now goes on."""
        try:
            row = self.check(observed)
            if state_of(row) is State.DELETING and age_s(row["updated"]) < FORCE_AFTER_S:
                return
            self._action(observed.id, {"os-resetState": {"state": "error"}})
            self._action(observed.id, {"forceDelete": None})
        except CloudConflictError as error:
            if error.reason != "Gone":
                raise

    def delete_group(self, observed: Observed) -> None:
        """Remove a server group."""
        try:
            self.check_group(observed)
            self._door.call(COMPUTE, "DELETE", f"/os-server-groups/{observed.id}")
        except CloudConflictError as error:
            if error.reason != "Gone":
                raise

    def check(self, observed: Observed) -> Json:
        """Return the server if the mark is still there, else raise CloudConflictError."""
        row = self._row(observed.id)
        mark = self.label(row).mark
        if not mark.ours or mark != (observed.uid, observed.part):
            raise CloudConflictError("NotOurs", f"server {observed.id}")
        return row

    def _row(self, server: str) -> Json:
        row: Json = self._call("GET", server)["server"]
        self.label(row)
        return row

    def check_group(self, observed: Observed) -> None:
        """Raise CloudConflictError unless the mark is still there."""
        row = self._door.get(COMPUTE, f"/os-server-groups/{observed.id}")["server_group"]
        mark = self._marks.from_description(row.get("name")).mark
        if not mark.ours or mark != (observed.uid, observed.part):
            raise CloudConflictError("NotOurs", f"server group {observed.id}")


_CONFIRMED: Final = ("not been resized", "in vm_state active", "in vm_state stopped")
_TO_ON: Final = {
    "PAUSED": "unpause",
    "SUSPENDED": "resume",
    "SHELVED": "unshelve",
    "SHELVED_OFFLOADED": "unshelve",
}


def state_of(row: Json) -> State:
    """Return what a server is doing."""
    status, task = str(row.get("status", "")), row.get("OS-EXT-STS:task_state")
    if task == "deleting" or status in _DELETING:
        return State.DELETING
    if status == "ERROR":
        return State.FAILED if task is None else State.CHANGING
    if status == "BUILD":
        return State.BUILDING
    return State.READY if task is None and status in _SETTLED else State.CHANGING


def power_of(row: Json) -> str:
    """Return whether a server runs: `on` or `off`."""
    return "on" if row.get("status") in _ON else "off"


def _props(row: Json, label: Label, volumes: Mapping[str, Mark], view: View) -> dict[str, Value]:
    status, flavor = str(row.get("status")), row.get("flavor") or {}
    uid = label.mark.uid
    attached = [volumes.get(v["id"]) for v in row.get("os-extended-volumes:volumes_attached") or ()]
    disks = [mark.part for mark in attached if mark is not None and mark.uid == uid]
    ports = [view.part(port["id"], uid) for port in view.servers_ports.get(row["id"], ())]
    facts = {name: label.facts.get(name, "") for name in FACTS}
    return {
        **facts,
        "name": row.get("name"),
        "vcpu": flavor.get("vcpus"),
        "memory": flavor.get("ram"),
        "power": power_of(row),
        "confirmed": status != "VERIFY_RESIZE",
        "disks": " ".join(sorted(disks)),
        "ports": " ".join(sorted(ports)),
    }


def _info(row: Json, view: View) -> dict[str, Value]:
    addresses = [
        str(entry["ip_address"])
        for port in view.servers_ports.get(row["id"], ())
        for entry in port.get("fixed_ips") or ()
    ]
    floating = [
        view.addresses[port["id"]]
        for port in view.servers_ports.get(row["id"], ())
        if port["id"] in view.addresses
    ]
    info: dict[str, Value] = {
        "address": next((a for a in addresses if ":" not in a), None),
        "address6": next((a for a in addresses if ":" in a), None),
        "floating_address": next(iter(floating), None),
        "power": power_of(row),
        "status": row.get("status"),
        "host_zone": row.get("OS-EXT-AZ:availability_zone"),
        "host": row.get("OS-EXT-SRV-ATTR:host"),
        "created": zoned(row.get("created")),
    }
    return {name: value for name, value in info.items() if value is not None}


def _disks(resource: Resource, image: str, ids: Ids) -> list[Json]:
    """Return the block devices of a server: the disk that it boots from, then its data disks.

    One that boots from an image has that on a disk of its host.
    """
    boot = str(resource.build["boot_volume"])
    words = sorted(str(resource.props["disks"]).split(), key=lambda word: (word != boot, word))
    local: Json = {
        "uuid": image,
        "source_type": "image",
        "destination_type": "local",
        "boot_index": 0,
        "delete_on_termination": True,
    }
    return [local] * bool(image) + [
        {
            "uuid": ids(word),
            "source_type": "volume",
            "destination_type": "volume",
            "boot_index": 0 if word == boot else -1,
            "delete_on_termination": False,
        }
        for word in words
    ]
