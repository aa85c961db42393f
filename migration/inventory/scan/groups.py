"""Which hosts seem to make up a system: those that their inventory says, or that talk. Pure."""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

from migration.inventory.scan.facts import connections
from migration.inventory.scan.record import Record

SHARED: Final = frozenset(
    (22, 25, 53, 88, 111, 123, 161, 389, 464, 514, 587, 636, 873, 3128, 5044, 9100, 10050, 10051)
)
"""Ports that serve a whole room (names, time, directories, mail, logs, monitoring, logins): whoever
uses them is no part of the same system for it."""


def named(
    records: Sequence[Record], groups: Sequence[str], placed: Mapping[str, str]
) -> list[Record]:
    """Return the records, each with the name of the system that it seems to belong to.

    A system that was told (a sheet, the variable `govcloud_system`) stays. `groups` are groups of
    the inventory that are systems. The others are grouped by who talks to whom. `placed` gives the
    system of hosts that have one in the register, by address: those are not grouped again.
    """
    told = {one["address"]: name for one in records if (name := _told(one, groups))}
    known = {**told, **placed}
    for group in _components(records, known):
        told |= dict.fromkeys(group, _name([one for one in records if one["address"] in group]))
    return [_placed(one, told.get(one["address"])) for one in records]


def _placed(record: Record, name: str | None) -> Record:
    if name is None:
        return record
    system = {**record["told"].get("system", {}), "name": name}
    return record | {"told": {**record["told"], "system": system}}


def _told(record: Record, groups: Sequence[str]) -> str | None:
    own = record["told"].get("system", {}).get("name")
    return own or next((name for name in groups if name in record["groups"]), None)


def _components(records: Sequence[Record], known: Mapping[str, Any]) -> list[set[str]]:
    """Return those hosts that nothing is known of which are connected, in groups."""
    homes = {
        one["address"]: {one["address"]}
        for one in records
        if one["scanned"] and one["address"] not in known
    }
    for one, other, port in connections(records):
        if one in homes and other in homes and port not in SHARED:
            whole = homes[one] | homes[other]
            homes |= dict.fromkeys(whole, whole)
    found: list[set[str]] = []
    for group in homes.values():
        if group not in found:
            found.append(group)
    return found


def _name(group: Sequence[Record]) -> str:
    """Return what all hosts of a group are called by: `hr` of `hr-web-01` and `hr-db-01`."""
    names = sorted(one["name"] for one in group)
    words = zip(*(re.split(r"[-._ ]", name) for name in names), strict=False)
    alike = [one[0] for one in takewhile(lambda same: len(set(same)) == 1, words)]
    return "-".join(alike) or names[0]
