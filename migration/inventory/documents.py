"""From hosts of a sheet to documents: `LegacyHost` to submit, `System` for a person to confirm.

A host is found again by asset number, address or name, so that an import can be repeated: what the
sheet says is put over what is there, and what it does not speak of stays. A weaker identity counts
only while no surer one contradicts it: `localhost` at another address is another host.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from govcloud.domain.base import API_VERSION
from migration.inventory.cells import NAME_LENGTH, slug
from migration.inventory.rows import Host, host_name, identities

Document = dict[str, Any]
_Told = Mapping[str, Any]
ASSET: Final = "asset"
"""The label that holds an asset number."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A system that the sheet speaks of and nobody has registered; `missing` is what it lacks."""

    document: Document
    missing: Sequence[str]
    hosts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Register:
    """What a department has already, as the API answers it."""

    department: str
    hosts: Sequence[Mapping[str, Any]] = ()
    systems: Sequence[Mapping[str, Any]] = ()

    def system_names(self) -> dict[str, str]:
        """Return the name of each system for every word that it is called by."""
        names: dict[str, str] = {}
        for system in self.systems:
            meta = system["metadata"]
            for word in (system["spec"].get("code"), meta.get("displayName"), meta["name"]):
                if word:
                    names.setdefault(str(word), meta["name"])
        return names


@dataclass(slots=True)
class _Names:
    taken: set[str] = field(default_factory=set)

    def free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.taken:
            name = f"{wanted[: NAME_LENGTH - 4]}-{number}"
            number += 1
        self.taken.add(name)
        return name


def host_documents(hosts: Iterable[Host], register: Register) -> list[Document]:
    """Return a `LegacyHost` for each host, over what the register has of it."""
    listed = list(hosts)
    formers = _formers([host.host for host in listed], register.hosts)
    systems = register.system_names()
    names = _Names({item["metadata"]["name"] for item in register.hosts})
    return [
        _host(host, register.department, formers.get(number), systems, names)
        for number, host in enumerate(listed)
    ]


def alike(documents: Iterable[Document], register: Register) -> list[tuple[str, str]]:
    """Return the new hosts, each with one that is registered by its name or address already."""
    registered = {item["metadata"]["name"] for item in register.hosts}
    known: dict[tuple[str, str], str] = {}
    for item in register.hosts:
        for identity in identities(_told(item)):
            known.setdefault(identity, item["metadata"]["name"])
    found = []
    for document in documents:
        name = document["metadata"]["name"]
        others = [known[word] for word in identities(_told(document)) if word in known]
        if name not in registered and others:
            found.append((name, others[0]))
    return found


def _told(item: Mapping[str, Any]) -> _Told:
    """Return what a registered host is known by, in the words of a sheet."""
    meta, spec = item["metadata"], item["spec"]
    return {
        "asset": meta.get("labels", {}).get(ASSET),
        "address": spec.get("address"),
        "name": meta.get("displayName"),
        "room": spec["room"],
    }


def _formers(
    rows: Sequence[_Told], items: Sequence[Mapping[str, Any]]
) -> dict[int, Mapping[str, Any]]:
    """Return what is registered of each row: the surest identities first, no host for two rows."""
    known = [_told(item) for item in items]
    called: dict[tuple[str, str], list[int]] = {}
    for place, told in enumerate(known):
        for identity in identities(told):
            called.setdefault(identity, []).append(place)
    found: dict[int, int] = {}
    taken: set[int] = set()
    for word in ("asset", "address", "name"):
        for number, row in enumerate(rows):
            value = dict(identities(row)).get(word)
            if value is None or number in found:
                continue
            places = [
                place
                for place in called.get((word, value), ())
                if place not in taken and _same(word, row, known[place])
            ]
            best = _best(row, places, known)
            if best is not None:
                found[number] = best
                taken.add(best)
    return {number: items[place] for number, place in found.items()}


def _same(word: str, row: _Told, known: _Told) -> bool:
    """Whether a match of one identity holds: no surer one may contradict it.

    Addresses and names repeat from room to room; both together do not.
    """
    if word == "asset":
        return True
    if _differ("asset", row, known):
        return False
    here = not _differ("room", row, known)
    if word == "address":
        return here or _equal("name", row, known)
    return here and not _differ("address", row, known)


def _best(row: _Told, places: Sequence[int], known: Sequence[_Told]) -> int | None:
    """Return the place of the host that is most like a row; None where several are equally so."""
    words = ("asset", "address", "name", "room")
    likeness = {place: sum(_equal(word, row, known[place]) for word in words) for place in places}
    most = [place for place in places if likeness[place] == max(likeness.values())]
    return most[0] if len(most) == 1 else None


def _differ(word: str, one: _Told, other: _Told) -> bool:
    return bool(one.get(word) and other.get(word)) and not _equal(word, one, other)


def _equal(word: str, one: _Told, other: _Told) -> bool:
    return str(one.get(word) or "").lower() == str(other.get(word) or "").lower()


def _host(
    host: Host,
    department: str,
    former: Mapping[str, Any] | None,
    systems: Mapping[str, str],
    names: _Names,
) -> Document:
    metadata: dict[str, Any] = {"name": "", "department": department}
    spec: dict[str, Any] = {}
    if former is not None:
        kept = ("name", "department", "displayName", "labels", "annotations")
        metadata |= {
            name: former["metadata"][name] for name in kept if former["metadata"].get(name)
        }
        spec |= former["spec"]
    else:
        metadata["name"] = names.free(str(host_name(host.host)))
    if "name" in host.host:
        metadata["displayName"] = host.host["name"]
    if "asset" in host.host:
        metadata["labels"] = {**metadata.get("labels", {}), ASSET: host.host["asset"]}
    facts = {**spec.get("facts", {}), **host.facts}
    spec |= host.spec | ({"facts": facts} if facts else {})
    system = _system_of(host, systems)
    return _document("LegacyHost", metadata, spec | ({"system": system} if system else {}))


def _document(kind: str, metadata: Document, spec: Document) -> Document:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _system_of(host: Host, systems: Mapping[str, str]) -> str | None:
    words = (str(host.system.get(part, "")) for part in ("code", "name"))
    return next((systems[word] for word in words if word in systems), None)


def proposals(hosts: Sequence[Host], register: Register) -> list[Proposal]:
    """Return a `System` for each name that hosts give and the register does not have."""
    known = register.system_names()
    groups: dict[str, list[Host]] = {}
    for host in hosts:
        if host.system.get("name") and _system_of(host, known) is None:
            groups.setdefault(host.system["name"], []).append(host)
    names = _Names({item["metadata"]["name"] for item in register.systems})
    called = {word: names.free(_system_name(word, group)) for word, group in groups.items()}
    return [
        _proposal(word, called[word], group, register.department, {**known, **called})
        for word, group in groups.items()
    ]


def _system_name(word: str, group: Sequence[Host]) -> str:
    codes = (slug(str(host.system["code"])) for host in group if host.system.get("code"))
    # Chinese has no name in Latin letters of its own; what is made of it stays the same each time.
    made = f"system-{hashlib.sha256(word.encode()).hexdigest()[:8]}"
    return next(filter(None, codes), "") or slug(word) or made


def _proposal(
    word: str, name: str, group: Sequence[Host], department: str, systems: Mapping[str, str]
) -> Proposal:
    told: dict[str, Any] = {}
    notes: dict[str, str] = {}
    for host in group:
        told = {**host.system, **told}
        notes = {**host.notes, **notes}
    missing = [] if "code" in told else ["spec.code"]
    security = {name: told[name] for name in ("classified", "mlpsLevel") if name in told}
    missing += [
        f"spec.security.{name}" for name in ("classified", "mlpsLevel") if name not in security
    ]
    spec = {"code": told["code"]} if "code" in told else {}
    spec |= {"origin": "legacy", "security": security}
    for field_ in ("category", "users", "zombie", "launchedOn", "operator", "description"):
        if field_ in told:
            spec[field_] = told[field_]
    spec |= told.get("networks", {})
    if "contractor" in told:
        spec["contractor"] = {"name": told["contractor"]}
    resolved = [systems[other] for other in told.get("dependsOn", ()) if other in systems]
    unresolved = [other for other in told.get("dependsOn", ()) if other not in systems]
    if resolved:
        spec["dependsOn"] = [other for other in dict.fromkeys(resolved) if other != name]
    if unresolved:
        notes["与其他系统对接"] = "、".join(unresolved)
    metadata: Document = {"name": name, "department": department, "displayName": word}
    if notes:
        metadata["annotations"] = notes
    hosts = tuple(_shown(host) for host in group)
    return Proposal(_document("System", metadata, spec), tuple(missing), hosts)


def _shown(host: Host) -> str:
    return str(host.host.get("name") or host.host.get("address"))
