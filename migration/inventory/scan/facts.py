"""What records say, in the register's words: what is assessed, sized and planned by. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from math import ceil
from typing import Any, Final

from migration.inventory import cells
from migration.inventory.rows import Host
from migration.inventory.scan import support
from migration.inventory.scan.record import Record, label

_GIB: Final = 1024**3
_MIB: Final = 1024**2
_DAY_S: Final = 86_400
SHORTEST_S: Final = 3_600
"""Scans that are closer together say nothing about growth."""
Pair = tuple[str, str, int]
"""Who opens connections, to whom (the addresses of the register), at which port."""


def hosts(records: Sequence[Record], enough_days: int) -> list[Host]:
    """Return the hosts that were read at least once, as a sheet would have told them.

    Use counts once it was sampled on `enough_days`: a single hour must not size a machine.
    """
    pairs = list(connections(records))
    return [
        _host(number, record, pairs, enough_days)
        for number, record in enumerate(records)
        if record["scanned"]
    ]


def _host(number: int, record: Record, pairs: Iterable[Pair], enough_days: int) -> Host:
    machine = record["found"].get("machine", {})
    disks = sum(machine.get("disks", {}).values())
    told = record["told"]
    found: dict[str, Any] = {
        "address": record["address"],
        "os": machine.get("os"),
        "vcpu": machine.get("vcpu"),
        "memory": f"{machine['memory']}Mi" if "memory" in machine else None,
        "storage": f"{ceil(Fraction(disks, _GIB))}Gi" if disks else None,
    }
    measured = {name: value for name, value in found.items() if value is not None}
    named = {"name": machine.get("hostname", record["name"])}
    return Host(
        number,
        named | told.get("host", {}) | measured,
        told.get("facts", {}) | facts(record, pairs, enough_days),
        told.get("system", {}),
        told.get("notes", {}),
    )


def facts(record: Record, pairs: Iterable[Pair], enough_days: int) -> dict[str, Any]:
    """Return the facts of one host, as YAML has `HostFacts`; what is not known is left out."""
    found = record["found"]
    machine = found.get("machine", {})
    ends = support.until(
        machine.get("os_id", ""), machine.get("os_version", ""), machine.get("os", "")
    )
    told: dict[str, Any] = {
        "hardware": machine.get("hardware"),
        "arch": machine.get("arch"),
        "osSupportUntil": ends.isoformat() if ends else None,
        "databases": list(_databases(found))[:20],
        "middleware": ", ".join(_middleware(found)),
        "connectsTo": sorted({to for one, to, _ in pairs if one == record["address"]})[:1_000],
    }
    if "storage" in found:
        told["data"] = f"{max(1, ceil(Fraction(data_bytes(found), _GIB)))}Gi"
    change = daily_change(record)
    if change is not None:
        told["dailyChange"] = f"{ceil(Fraction(change, _MIB))}Mi"
    if len(record["use"]) >= enough_days:
        told["cpuPeak"] = _mean(day["cpu_peak"] for day in record["use"])
        told["memoryPeak"] = _mean(day["memory_peak"] for day in record["use"])
    return {name: value for name, value in told.items() if value not in (None, "", [])}


def data_bytes(found: Mapping[str, Any]) -> int:
    """Return how much has to move: databases count even where their files were not found."""
    servers = found.get("databases", {}).get("servers", ())
    return max(
        int(found["storage"]["data"]), sum(sum(one["databases"].values()) for one in servers)
    )


def unmeasured(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the databases that were found and did not answer, with what they said."""
    for server in found.get("databases", {}).get("servers", ()):
        if "fault" in server:
            yield label(server), server["fault"]


def daily_change(record: Record) -> int | None:
    """Return bytes that change in a day: files by their times, databases by their logs or growth.

    None while nothing says it: of databases that takes two scans.
    """
    if "storage" not in record["found"]:
        return None
    files = int(record["found"]["storage"]["changed"])
    sizes = record["sizes"]
    if not sizes or not sizes[-1]["databases"]:
        return files
    earlier = next((size for size in sizes if _seconds(size, sizes[-1]) >= SHORTEST_S), None)
    if earlier is None:
        return None
    rates = [_rate(earlier, sizes[-1], name) for name in sizes[-1]["databases"]]
    return files + sum(rates)


def _rate(earlier: Mapping[str, Any], later: Mapping[str, Any], name: str) -> int:
    """Return bytes a day: what the log took, or the growth where that says more.

    A log that begins anew with each start, as MySQL's does, says little.
    """
    changes = [
        abs(later[what][name] - earlier[what][name])
        for what in ("written", "databases")
        if name in earlier[what] and name in later[what]
    ]
    return int(max(changes, default=0) * _DAY_S // _seconds(earlier, later))


def growth(record: Record) -> int | None:
    """Return bytes by which the data grows in a day, from the first scan to the last."""
    sizes = record["sizes"]
    if len(sizes) < 2 or _seconds(sizes[0], sizes[-1]) < SHORTEST_S:
        return None
    return int((sizes[-1]["data"] - sizes[0]["data"]) * _DAY_S // _seconds(sizes[0], sizes[-1]))


def _seconds(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> int:
    begin, end = (datetime.fromisoformat(one["at"]) for one in (earlier, later))
    return int((end - begin).total_seconds())


def _mean(peaks: Iterable[int]) -> int:
    known = list(peaks)
    return ceil(Fraction(sum(known), len(known)))


def _databases(found: Mapping[str, Any]) -> Iterator[str]:
    told = found.get("databases", {})
    for server in told.get("servers", ()):
        yield cells.line(f"{server['kind']} {server.get('version', '')}".strip())
    yield from told.get("others", ())


_MIDDLEWARE: Final = {
    "java": "Java", "tomcat": "Tomcat", "haproxy": "HAProxy", "keepalived": "keepalived",
    "rabbitmq-server": "RabbitMQ", "beam.smp": "Erlang", "php-fpm": "PHP-FPM", "node": "Node.js",
    "httpd": "Apache", "apache2": "Apache", "dockerd": "Docker", "containerd": "containerd",
    "kubelet": "Kubernetes", "zookeeper": "ZooKeeper", "activemq": "ActiveMQ", "uwsgi": "uWSGI",
}  # fmt: skip


def _middleware(found: Mapping[str, Any]) -> list[str]:
    servers = found.get("web", {}).get("servers", ())
    # A server that is installed and neither runs nor starts by itself is none.
    alive = {one["command"] for one in found.get("services", {}).get("processes", ())}
    enabled = set(found.get("services", {}).get("enabled", ()))
    names = [
        f"{one['name']} {one['version']}"
        for one in servers
        if one.get("serving") or one["name"] in alive | enabled
    ]
    programs = {name for command, name in _MIDDLEWARE.items() if command in alive}
    if any(name.startswith("apache ") for name in names):
        programs.discard("Apache")
    return [*names, *sorted(programs)]


def connections(records: Sequence[Record]) -> Iterator[Pair]:
    """Yield who opens connections to whom, as either end saw it; not what the scan opened."""
    homes = {
        address: record["address"]
        for record in records
        for address in (*record["found"].get("machine", {}).get("addresses", ()), record["address"])
    }
    logins = {
        (homes.get(record["login"]["from"]), record["address"], record["login"]["port"])
        for record in records
        if record.get("login")
    }
    found: set[Pair] = set()
    for record in records:
        for one in record["connections"]:
            other = homes.get(one["there"], one["there"])
            ends = (
                (record["address"], other)
                if one["direction"] == "out"
                else (other, record["address"])
            )
            pair = (*ends, one["port"])
            known = one["direction"] == "out" or one["there"] in homes
            if ends[0] != ends[1] and known and pair not in logins:
                found.add(pair)
    yield from sorted(found)
