"""Whom to ask: hosts of a sheet, of a list of addresses, of the register, of an inventory."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from migration.inventory.cells import Sheet, folded
from migration.inventory.columns import column_of
from migration.inventory.rows import Host
from migration.running.login import variables
from migration.running.port import Endpoint

_NAME: Final = re.compile(r"[\w.-]+")
SYSTEM: Final = "govcloud_system"
"""The variable by which an inventory says to which system a host belongs."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host that is to be asked; `told` is what is known of it already."""

    key: str
    """What the inventory calls it."""
    name: str
    address: str
    told: Mapping[str, Any] = field(default_factory=dict)
    """`host`, `facts`, `system`, `notes`: the parts of a sheet's row."""
    groups: Sequence[str] = ()


def of_rows(rows: Iterable[Host]) -> list[Target]:
    """Return the hosts of a sheet; those without an address cannot be asked."""
    return _keyed(
        (str(row.host.get("name") or row.host["address"]), str(row.host["address"]), _told(row))
        for row in rows
        if row.host.get("address")
    )


def _told(row: Host) -> dict[str, Any]:
    parts = {"host": row.host, "facts": row.facts, "system": row.system, "notes": row.notes}
    return {name: dict(part) for name, part in parts.items() if part}


def addresses(sheet: Sheet) -> list[str] | None:
    """Return the addresses of a sheet that holds nothing else; None where it is another sheet.

    A heading may stand above them.
    """
    rows = [[folded(cell) for cell in row if folded(cell)] for row in sheet.rows]
    words = [row[0] for row in rows if row]
    if any(len(row) > 1 for row in rows) or not words:
        return None
    column = column_of(words[0])
    listed = words[1:] if column is not None and column.field == "address" else words
    return listed if listed and all(map(_is_address, listed)) else None


def _is_address(word: str) -> bool:
    try:
        return bool(ip_address(word))
    except ValueError:
        return False


def of_addresses(addresses: Iterable[str]) -> list[Target]:
    """Return the hosts of a list of nothing but addresses."""
    return _keyed((address, address, {}) for address in dict.fromkeys(addresses))


def of_register(items: Iterable[Mapping[str, Any]], room: str) -> list[Target]:
    """Return the hosts of a room that are registered with an address and still run."""
    found = []
    for item in items:
        meta, spec = item["metadata"], item["spec"]
        running = spec.get("state", "running") == "running"
        if spec["room"] == room and spec.get("address") and running:
            shown = meta.get("displayName")
            told = {"host": {"name": shown}} if shown else {}
            found.append((meta["name"], spec["address"], told))
    return _keyed(found)


def _keyed(found: Iterable[tuple[str, str, dict[str, Any]]]) -> list[Target]:
    """Return hosts under their names; what Ansible takes for no name is under its address."""
    hosts = list(found)
    names = [name for name, _, _ in hosts]
    return [
        Target(name if _NAME.fullmatch(name) and names.count(name) == 1 else address, *host)
        for host in hosts
        for name, address, _ in [host]
    ]


def inventory(targets: Iterable[Target], login: Endpoint, complaints: Path) -> dict[str, Any]:
    """Return Ansible's inventory of hosts that are all logged in to alike.

    `complaints` is where a login at the bastion complains.
    """
    key = {"ansible_ssh_private_key_file": login.key_file} if login.key_file else {}
    hosts = {
        one.key: key
        | variables(replace(login, address=one.address), forward=False, complaints=complaints)
        for one in targets
    }
    return {"all": {"hosts": hosts}}


def instead(login: Endpoint) -> dict[str, Any]:
    """Return the variables by which what is told of a login counts more than an inventory."""
    told = {
        "ansible_user": login.user,
        "ansible_ssh_private_key_file": login.key_file,
        "scan_become": login.become,
    }
    return {name: value for name, value in told.items() if value}


def of_listing(listing: Mapping[str, Any]) -> list[Target]:
    """Return the hosts of what `ansible-inventory --list` says."""
    groups = _groups(listing)
    told = listing.get("_meta", {}).get("hostvars", {})
    names = sorted({host for group in listing.values() for host in group.get("hosts", ())})
    return [_of_variables(name, told.get(name, {}), groups.get(name, ())) for name in names]


def _of_variables(name: str, told: Mapping[str, Any], groups: Sequence[str]) -> Target:
    address = str(told.get("ansible_host", name))
    if "{{" in address:  # Only Ansible can say what comes of it.
        address = name
    parts: dict[str, Any] = {"host": {"name": name}}
    if told.get(SYSTEM):
        parts["system"] = {"name": str(told[SYSTEM])}
    return Target(name, name, address, parts, groups)


def _groups(listing: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the groups of each host, those that hold its groups too, but for Ansible's own two."""
    found: dict[str, list[str]] = {}

    def collect(name: str, above: tuple[str, ...]) -> None:
        group = listing.get(name, {})
        for host in group.get("hosts", ()):
            found.setdefault(host, []).extend(
                one for one in (*above, name) if one not in found.get(host, ())
            )
        for child in group.get("children", ()):
            if child not in above:
                collect(child, (*above, name))

    collect("all", ())
    own = ("all", "ungrouped")
    return {host: [one for one in names if one not in own] for host, names in found.items()}
