"""What the simulated cloud does beside its resources: consoles, reboots, copies, what it offers."""

import json
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

from govcloud.errors import TerminalCloudError, TransientCloudError
from govcloud.ports.abilities import Offer
from govcloud.ports.cloud import Observed, State
from provisioners.simulated.cloud import Cloud
from provisioners.simulated.rows import INSERT, dump

COPY: Final = "copy"
"""The type of copies; they carry no mark, since what they are of will be gone."""
_SIZES: Final = ((1, 1), (2, 4), (4, 8), (8, 16), (16, 64))
OFFERS: Final = (
    Offer("service", "simulated", {"version": "1"}),
    Offer("zone", "public", {"type": "compute"}),
    Offer("zone", "private", {"type": "compute"}),
    *(Offer("flavor", f"c{c}m{m}", {"vcpu": c, "memory": m * 1024}) for c, m in _SIZES),
    Offer("image", "kylin-v10", {"os": "Kylin V10", "arch": "x86_64", "min_disk": 20}),
    Offer("image", "debian-12", {"os": "Debian 12", "arch": "x86_64", "min_disk": 10}),
    Offer("storage", "hdd"),
    Offer("storage", "ssd"),
    Offer("network", "outside"),
)
"""What every simulated cloud offers; it is built of nothing, so it could offer anything."""


def console_log(cloud: Cloud, observed: Observed, lines: int) -> str:
    """Return what a machine wrote to its console: made up, and the same for the same machine."""
    with cloud.call("console_log") as call:
        state, kind, _, props, _, _ = cloud.marked(
            call.db, observed.id, (observed.uid, observed.part)
        )
        if kind != "server":
            raise TerminalCloudError("NoConsole", kind)
        power = json.loads(props).get("power", "on")
    said = [
        f"[    0.000000] Linux: booting {observed.name}",
        "[    1.204133] EXT4-fs (vda1): mounted filesystem",
        "[    3.518241] cloud-init: modules done",
        f"{observed.name} login:",
    ]
    if power == "off" or state == State.FAILED:
        said.append("[  901.000001] reboot: Power down")
    return "\n".join(said[-lines:]) + "\n"


def reboot(cloud: Cloud, observed: Observed, *, hard: bool) -> None:
    """Let a machine start anew; it takes as long as a change."""
    with cloud.call("reboot") as call:
        state, kind, _, props, _, _ = cloud.marked(
            call.db, observed.id, (observed.uid, observed.part)
        )
        if kind != "server":
            raise TerminalCloudError("NoConsole", kind)
        runs = json.loads(props).get("power", "on") == "on"
        if not hard and (state != State.READY or not runs):
            raise TransientCloudError("Busy", f"it is {state}" if runs else "it stands still")
        if state in (State.READY, State.FAILED):
            cloud.begin(call, observed.id, State.CHANGING, None)


def keep_copy(cloud: Cloud, observed: Observed, name: str) -> bool:
    """See that there is a copy of a machine under a name; return whether it is complete."""
    if observed.type != "server":
        return True
    with cloud.call("keep_copy") as call:
        known = call.db.execute(
            "SELECT state FROM resources WHERE type = ? AND name = ? AND tenant = ?",
            (COPY, name, observed.tenant),
        ).fetchone()
        if known is not None:
            return bool(known[0] == State.READY)
        cloud.marked(call.db, observed.id, (observed.uid, observed.part))
        row = (str(uuid4()), COPY, name, observed.tenant, State.BUILDING.value)
        props, tags = dump({"of": observed.id}), dump(dict(observed.tags))
        due = call.now + cloud.latency_s + call.effects.slow_s
        call.db.execute(INSERT, (*row, "", "", "", props, tags, due, call.effects.doom))
        return False


def discover(cloud: Cloud) -> Sequence[Offer]:
    """Return what it offers, and how many tenants there are."""
    with cloud.call("discover") as call:
        tenants = call.db.execute("SELECT count(DISTINCT tenant) FROM resources").fetchone()[0]
    return (*OFFERS, Offer("tenants", "", {"count": tenants}))
