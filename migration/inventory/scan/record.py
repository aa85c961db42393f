"""What is known of a host over all scans: each adds to it, and takes nothing away. Pure.

A record is a JSON object: `name`, `address`, `groups` (of the inventory), `told` (what a sheet or
an inventory says: `host`, `facts`, `system`, `notes`), `scanned` (when it last answered), `login`
(from where and to which port), `root`, `found` (what was last found of each subject), `missing`
(why a subject, or all of them by `login` or `root`, failed the last time), `connections` (all that
were ever seen, with `first`, `last` and `times`), `sizes` (data at each scan), `use` (peaks of each
sampled day).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from migration.inventory.scan.answer import Found
from migration.inventory.scan.sockets import Connection

Record = dict[str, Any]
LOGIN: Final = "login"
ROOT: Final = "root"
"""What is missing where a host is not reached, or does not let the account become root."""
MOST: Final = 400
"""Sizes and days that are kept: more than a year of one scan a day."""


def fresh(name: str, address: str) -> Record:
    """Return the record of a host of which nothing is known yet."""
    empty: Record = {"name": name, "address": address, "groups": [], "told": {}, "scanned": None}
    empty |= {"login": {}, "root": False}
    return empty | {"found": {}, "missing": {}, "connections": [], "sizes": [], "use": []}


def unasked(record: Record) -> str:
    """Return why a host could be asked nothing the last time: `login`, `root`, or nothing."""
    return next((name for name in (LOGIN, ROOT) if name in record["missing"]), "")


def added(
    record: Record, found: Mapping[str, Found], missing: Mapping[str, str], at: datetime
) -> Record:
    """Return the record with what one scan found; what it could not read stays as it was."""
    lasting = {name: told for name, told in found.items() if name != "use"}
    day = at.isoformat(timespec="seconds")
    seen = [one for told in found.values() for one in told.get("connections", ())]
    kept = {
        name: {k: v for k, v in told.items() if k != "connections"}
        for name, told in lasting.items()
    }
    use = found.get("use", {}).get("days", ())
    return record | {
        "scanned": day if found else record["scanned"],
        "found": record["found"] | kept,
        "missing": dict(missing),
        "connections": _connections(record["connections"], seen, day[:10]),
        "sizes": [*record["sizes"], *_size(found, day)][-MOST:],
        "use": _days([*record["use"], *use])[-MOST:],
    }


def _key(one: Connection) -> tuple[str, str, str, int]:
    return one["direction"], one["here"], one["there"], one["port"]


def _connections(
    known: Iterable[Connection], seen: Iterable[Connection], day: str
) -> list[Connection]:
    found = {_key(one): dict(one) for one in known}
    for one in seen:
        former = found.setdefault(_key(one), one | {"first": day, "times": 0})
        former |= {"last": day, "times": former["times"] + one["times"]}
    return [found[key] for key in sorted(found)]


def _size(found: Mapping[str, Found], at: str) -> list[dict[str, Any]]:
    """Return what is compared with other scans: bytes of data and of databases, and their logs."""
    if "storage" not in found:
        return []
    size: dict[str, Any] = {"at": at, "data": found["storage"]["data"]}
    servers = found.get("databases", {}).get("servers", ())
    size["databases"] = {label(one): sum(one["databases"].values()) for one in servers}
    size["written"] = {label(one): one["written"] for one in servers if "written" in one}
    return [size]


def label(server: Mapping[str, Any]) -> str:
    """Return what a database server of a host is called."""
    return f"{server['kind']}:{server['port']}" if "port" in server else str(server["kind"])


def _days(days: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry a day: the highest peaks, the mean by the time that was sampled."""
    found: dict[str, dict[str, Any]] = {}
    for day in days:
        former = found.get(day["day"])
        if former is None:
            found[day["day"]] = dict(day)
            continue
        seconds = former["seconds"] + day["seconds"]
        weighed = former["cpu_mean"] * former["seconds"] + day["cpu_mean"] * day["seconds"]
        former |= {name: max(former[name], day[name]) for name in ("cpu_peak", "memory_peak")}
        former |= {"cpu_mean": round(weighed / seconds), "seconds": seconds}
    return [found[name] for name in sorted(found)]
