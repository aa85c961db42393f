"""Cinder: volumes, the disks of machines among them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from govcloud.errors import (
    AwaitedCloudError,
    CloudConflictError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.ports.cloud import Observed, Resource, State, Value
from provisioners.openstack.age import age_s, zoned
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.errors import unbuilt
from provisioners.openstack.identity import Identity
from provisioners.openstack.marks import PREFIX, Label, Mark, Marks
from provisioners.openstack.session import STORAGE, Door, Json

TYPE: Final = "volume"
"""A volume that is an object of its own, or nobody's."""
DISK: Final = "disk"
"""A volume that belongs to a machine; to what it is attached is told of the server."""
TYPES: Final = frozenset({TYPE, DISK})
VOLUME_PART: Final = "volume"
_STATES: Final[Mapping[str, State]] = {
    "creating": State.BUILDING,
    "downloading": State.BUILDING,
    "available": State.READY,
    "in-use": State.READY,
    "awaiting-transfer": State.READY,
    "deleting": State.DELETING,
}
"""Everything else that is no error is on its way to one of these."""
_FAULTS: Final[Mapping[str, str]] = {
    "error": "VolumeFailed",
    "error_deleting": "DeleteFailed",
    "error_extending": "ExtendFailed",
    "error_restoring": "VolumeFailed",
    "error_managing": "VolumeFailed",
}

_LEAVING: Final = frozenset({"deleting", "detaching"})
FORCE_AFTER_S: Final = 60.0
"""What is being detached or deleted is forced only when nothing has happened for so long."""


class Storage:
    """The volumes of a cloud."""

    def __init__(self, door: Door, marks: Marks, identity: Identity, catalogue: Catalogue) -> None:
        self._door = door
        self._marks = marks
        self._identity = identity
        self._catalogue = catalogue

    # --- Looking ---

    def there(self) -> bool:
        """Whether the region has volumes.

        Raises TransientCloudError where nobody has said that it has none and its catalogue lacks
        Cinder: an endpoint that is switched off takes no volume away (Q3).
        """
        if self._door.has(STORAGE):
            return True
        if self._door.settings.volumes:
            raise TransientCloudError("NoService", f"{STORAGE} is not in the catalogue")
        return False

    def pages(self, project: str = "") -> Iterator[list[Json]]:
        """List volumes, of one project or of all."""
        params = [("all_tenants", "1"), *([("project_id", project)] if project else [])]
        return self._door.pages(STORAGE, "/volumes/detail", "volumes", params)

    def label(self, row: Json) -> Label:
        """Return what a volume says of itself."""
        return self._marks.from_metadata(row.get("metadata") or {})

    def observed(self, row: Json, machines: Mapping[str, str]) -> Observed:
        """Return a volume as the port's value; `machines` names servers of ours by id."""
        label = self.label(row)
        status = str(row.get("status", ""))
        fault = self._fault(row)
        attached = [str(entry["server_id"]) for entry in row.get("attachments") or ()]
        props: dict[str, Value] = {
            "size": row.get("size"),
            "storage": self._door.settings.storage_class(row.get("volume_type")),
            "image": label.facts.get("image", ""),
            "attached_to": " ".join(sorted(machines.get(name, name) for name in attached)),
        }
        project = str(row.get("os-vol-tenant-attr:tenant_id") or "")
        return Observed(
            id=str(row["id"]),
            type=TYPE if label.mark.part in ("", VOLUME_PART) else DISK,
            name=row.get("name") or "",
            tenant=self._identity.tenant(project),
            state=State.FAILED if fault else _STATES.get(status, State.CHANGING),
            uid=label.mark.uid,
            part=label.mark.part,
            props=props,
            tags=label.tags,
            info={
                "status": status,
                "zone": row.get("availability_zone"),
                "storage": props["storage"],
                "created": zoned(row.get("created_at")),
            },
            fault=fault,
            data=True,
        )

    def _fault(self, row: Json) -> str:
        status = str(row.get("status", ""))
        if self._forgotten(row):
            return unbuilt(status, _idle_s(row))
        return _FAULTS.get(status, "VolumeFailed" if status.startswith("error") else "")

    def _forgotten(self, row: Json) -> bool:
        """Whether nobody goes on making a volume: the message to do so was lost."""
        building = _STATES.get(str(row.get("status"))) is State.BUILDING
        return building and _idle_s(row) > self._door.settings.build_limit_s

    # --- Acting ---

    def create(self, resource: Resource) -> Observed:
        """Make a volume, empty or from an image."""
        project = self._identity.need(resource.tenant)
        mark, build = Mark(resource.uid, resource.part), resource.build
        facts = {"image": str(resource.props.get("image") or "")}
        body: dict[str, Any] = {
            "name": resource.name,
            "size": resource.props["size"],
            "volume_type": self._door.settings.storage_type(str(resource.props["storage"])),
            "metadata": self._marks.metadata(mark, resource.tags, facts),
        }
        if build.get("image"):
            body["imageRef"] = self._catalogue.image(str(build["image"]))
        if build.get("host_zone"):
            body["availability_zone"] = build["host_zone"]
        try:
            row = self._door.call(
                STORAGE, "POST", "/volumes", json={"volume": body}, tenant=project
            )["volume"]
        except CloudConflictError as error:
            raise TransientCloudError("NoTenant", error.message) from error
        row.setdefault("os-vol-tenant-attr:tenant_id", project)
        return self.observed(row, {})

    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> Json:
        """Bring tags, storage class, then size to what is wanted; returns the volume as it was.

        It grows in its new class: the old one's quota goes down with it. To what it is attached is
        Nova's to change.
        """
        row: Json = self.check(observed)
        tags = [name.removeprefix("tag:") for name in fields if name.startswith("tag:")]
        if tags:
            self._retag(observed.id, row, wanted, tags)
        if "storage" in fields:
            self._retype(observed.id, row, wanted)
        elif "size" in fields:
            self._grow(observed.id, row, wanted)
        return row

    def _retag(self, key: str, row: Json, wanted: Resource, names: Sequence[str]) -> None:
        keep = {f"{PREFIX}{n}": wanted.tags[n] for n in names if n in wanted.tags}
        body = {"metadata": keep}
        if keep:
            self._door.call(STORAGE, "POST", f"/volumes/{key}/metadata", json=body)
        for name in names:
            if name not in wanted.tags and f"{PREFIX}{name}" in (row.get("metadata") or {}):
                self._door.call(STORAGE, "DELETE", f"/volumes/{key}/metadata/{PREFIX}{name}")

    def _grow(self, key: str, row: Json, wanted: Resource) -> None:
        size, now = int(str(wanted.props["size"])), int(row.get("size") or 0)
        if size < now:
            raise TerminalCloudError("CannotShrink", f"{key}: {now} GiB, {size} GiB")
        if size > now:
            try:
                self._action(key, {"os-extend": {"new_size": size}})
            except TerminalCloudError as error:
                if "greater than current size" not in error.message:  # asked before, done by now
                    raise

    def _retype(self, key: str, row: Json, wanted: Resource) -> None:
        kind = self._door.settings.storage_type(str(wanted.props["storage"]))
        if row.get("volume_type") != kind:
            body = {"os-retype": {"new_type": kind, "migration_policy": "on-demand"}}
            self._action(key, body)

    def _action(self, key: str, body: Json) -> None:
        self._door.call(STORAGE, "POST", f"/volumes/{key}/action", json=body)

    def delete(self, observed: Observed) -> Json | None:
        """Remove a volume that is attached to nothing; returns it if it is attached (or None)."""
        row: Json | None = self.check(observed, gone=True)
        if row is None or row.get("status") == "deleting":
            return None
        if row.get("attachments"):
            return row
        if self._forgotten(row):
            self._action(
                observed.id, {"os-force_delete": {}}
            )  # without force it must be made first
        else:
            self._door.call(STORAGE, "DELETE", f"/volumes/{observed.id}")
        return None

    def force_delete(self, observed: Observed) -> Json | None:
        """Remove a volume whatever its state; returns it if it is attached (or None).

        What changed its state just now is left in peace. Snapshots are not ours to remove: with
        one, Cinder refuses.
        """
        row: Json | None = self.check(observed, gone=True)
        if row is None or (row.get("status") in _LEAVING and _idle_s(row) < FORCE_AFTER_S):
            return None
        if row.get("attachments"):
            return row
        self._reset(observed.id)
        self._action(observed.id, {"os-force_delete": {}})
        return None

    def force_detach(self, key: str, attachment: str) -> None:
        """Let a volume be attached to nothing, although Nova does not detach it."""
        self._action(key, {"os-force_detach": {"attachment_id": attachment}})
        self._reset(key)

    def _reset(self, key: str) -> None:
        said = {"status": "error", "attach_status": "detached", "migration_status": "none"}
        self._action(key, {"os-reset_status": said})

    def servers_of(self, observed: Observed) -> list[str]:
        """Return the ids of the servers that a volume is attached to."""
        row = self._row(observed.id)
        return [str(entry["server_id"]) for entry in row.get("attachments") or ()]

    def refuse_moving(self, volume: str) -> None:
        """Raise AwaitedCloudError while a volume is at something."""
        row = self._row(volume)
        settled = _STATES.get(str(row.get("status"))) is State.READY
        if not settled and not self._fault(row):
            raise AwaitedCloudError("NotYet", str(row.get("name") or volume))

    def leave(self, observed: Observed) -> None:
        """Take the mark from a volume; what it was made of and whose it was stays noted."""
        with suppress(CloudConflictError):
            self._door.call(STORAGE, "DELETE", f"/volumes/{observed.id}/metadata/{PREFIX}mark")

    def check(self, observed: Observed, *, gone: bool = False) -> Any:
        """Return the volume if the mark is still there, else raise CloudConflictError.

        With `gone`, what is not there any more is None and no conflict.
        """
        try:
            row = self._row(observed.id)
        except CloudConflictError as error:
            if gone and error.reason == "Gone":
                return None
            raise
        mark = self.label(row).mark
        if not mark.ours or mark != (observed.uid, observed.part):
            raise CloudConflictError("NotOurs", f"volume {observed.id}")
        return row

    def _row(self, key: str) -> Json:
        row: Json = self._door.get(STORAGE, f"/volumes/{key}")["volume"]
        return row


def _idle_s(row: Json) -> float:
    return age_s(row.get("updated_at") or row.get("created_at"))


def migrating_to(row: Json) -> bool:
    """Whether a volume is only where Cinder is moving another one to, with its metadata."""
    return str(row.get("migration_status") or "").startswith("target:")
