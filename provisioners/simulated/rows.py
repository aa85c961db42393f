"""Rows of the simulated cloud's resources: written, read, moved on by time."""

import json
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from govcloud.ports.cloud import Observed, State, Value
from provisioners.simulated.file import transaction

TAG: Final = "tag:"
_STATES: Final = {state.value: state for state in State}
COLUMNS: Final = "seq, id, type, name, tenant, state, installation, uid, part, props, tags, fault"
INSERT: Final = (
    "INSERT INTO resources (id, type, name, tenant, state, installation, uid, part, props, tags,"
    " due, doom) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def settle(db: sqlite3.Connection, now: float) -> None:
    """End what is due: the one place where states move by themselves."""
    if db.execute("SELECT 1 FROM resources WHERE due <= ? LIMIT 1", (now,)).fetchone() is None:
        return
    with transaction(db):
        db.execute(
            "DELETE FROM resources WHERE due <= ? AND state = ? AND doom = ''",
            (now, State.DELETING.value),
        )
        db.execute(
            "UPDATE resources SET state = CASE doom WHEN '' THEN ? ELSE ? END, fault = doom,"
            " props = CASE doom WHEN '' THEN coalesce(target, props) ELSE props END,"
            " target = NULL, due = NULL, doom = '' WHERE due <= ?",
            (State.READY.value, State.FAILED.value, now),
        )


def observed(row: Sequence[Any], installation: str) -> Observed:
    """Return a row as the port's value; the mark of another installation is no mark."""
    seq, key, kind, name, tenant, state, owner, uid, part, props, tags, fault = row
    ours = owner == installation
    read = load(props)
    return Observed(
        key,
        sys.intern(kind),
        name,
        sys.intern(tenant),
        _STATES[state],
        uid if ours else "",
        part if ours else "",
        read,
        load(tags),
        (_addresses(seq, read) if kind == "server" else {}) | _storage(props),
        fault,
    )


@lru_cache(maxsize=16_384)
def _storage(text: str) -> dict[str, Value]:
    """Return the storage classes of the volumes in what has these properties, as JSON text."""
    props = load(text)
    found = {str(v).partition(" ")[2] or "hdd" for n, v in props.items() if n.startswith("disk.")}
    found |= {str(props["storage"])} if props.get("storage") else set()
    return {"storage": " ".join(sorted(found))} if found else {}


def _addresses(seq: int, props: Mapping[str, Value]) -> dict[str, Value]:
    """Return what a server is reached by: made up from its number, so nothing needs storing."""
    low = f"{seq >> 16 & 255}.{seq >> 8 & 255}.{seq & 255}"
    info: dict[str, Value] = {"address": f"10.{low}", "power": props.get("power", "on")}
    if props.get("ipv6"):
        info["address6"] = f"fd00::{seq:x}"
    if props.get("floating_ip"):
        info["floating_address"] = f"198.{18 + (seq >> 16 & 1)}.{seq >> 8 & 255}.{seq & 255}"
    return info


def patched(text: str, wanted: Mapping[str, Value], fields: Sequence[str], prefix: str = "") -> str:
    """Return the JSON text with fields as wanted; what is not wanted at all is removed."""
    values = dict(load(text))
    for name in (field.removeprefix(prefix) for field in fields):
        if name in wanted:
            values[name] = wanted[name]
        else:
            values.pop(name, None)
    return dump(values)


def dump(values: Mapping[str, Value]) -> str:
    """Return values as JSON text, the same for equal ones."""
    return json.dumps(dict(values), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=16_384)
def load(text: str) -> Mapping[str, Any]:
    """Read JSON; equal texts share one mapping, which keeps long listings small and quick."""
    values: dict[str, Any] = json.loads(text)
    return values
