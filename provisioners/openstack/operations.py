"""What is done with servers beside building them: consoles, reboots, last copies."""

from typing import Final

from govcloud.errors import TerminalCloudError
from govcloud.ports.cloud import Observed
from provisioners.openstack.compute import TYPE, Compute
from provisioners.openstack.session import COMPUTE, IMAGE, STORAGE, Door, Json
from provisioners.openstack.storage import TYPES as VOLUMES
from provisioners.openstack.storage import Storage

_LOST: Final = frozenset({"killed", "deleted", "pending_delete", "deactivated"})
_DONE: Final = "active"
_FREE: Final = "available"


class Operations:
    """Operations on the servers of a cloud."""

    def __init__(self, door: Door, compute: Compute, storage: Storage) -> None:
        self._door = door
        self._compute = compute
        self._storage = storage

    def console_log(self, observed: Observed, lines: int) -> str:
        """Return the last lines of a server's console."""
        row = self._server(observed)
        found = self._act(row, {"os-getConsoleOutput": {"length": lines}})
        return str(found.get("output") or "")

    def reboot(self, observed: Observed, *, hard: bool) -> None:
        """Let a server start anew."""
        row = self._server(observed)
        self._act(row, {"reboot": {"type": "HARD" if hard else "SOFT"}})

    def keep_copy(self, observed: Observed, name: str) -> bool:
        """See that there is an image of a server without volumes, or of a volume.

        It belongs to the operators' project. A volume is copied when its server is gone: one in use
        cannot be, and a snapshot would keep it from being removed.
        """
        if observed.type == TYPE:
            row = self._server(observed)
            return not row.get("image") or self._copy_of_server(row, name)
        return observed.type not in VOLUMES or self._copy_of_volume(observed, name)

    def _copy_of_server(self, row: Json, name: str) -> bool:
        status = self._status(name, row["id"])
        if not status:
            about = {"name": name, "metadata": {"govcloud:of": row["id"]}}
            self._act(row, {"createImage": about})
        return status == _DONE

    def _copy_of_volume(self, observed: Observed, name: str) -> bool:
        status = self._status(name)
        if not status:
            row: Json = self._storage.check(observed)
            if row.get("attachments") or row.get("status") != _FREE:
                return False  # its server is still on the way out
            body = {"os-volume_upload_image": {"image_name": name}}
            self._door.call(STORAGE, "POST", f"/volumes/{observed.id}/action", json=body)
        return status == _DONE

    def _status(self, name: str, of: str = "") -> str:
        """Return how far a copy is; empty where it was not begun.

        Anybody may call an image so: it is ours, and where a copy can say so, of what it is to be.
        """
        own = self._door.own_project()
        rows = [
            row
            for row in self._door.rows(IMAGE, "/images", "images", [("name", name)])
            if row.get("owner") == own and row.get("govcloud:of") in (None, of or None)
        ]
        status = str(rows[0]["status"]) if rows else ""
        if status in _LOST:
            raise TerminalCloudError("CopyFailed", f"{name}: {status}")
        return status

    def _server(self, observed: Observed) -> Json:
        if observed.type != TYPE:
            raise TerminalCloudError("NoConsole", observed.type)
        return self._compute.check(observed)

    def _act(self, row: Json, body: Json) -> Json:
        return self._door.call(COMPUTE, "POST", f"/servers/{row['id']}/action", json=body)
