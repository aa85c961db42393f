"""From hosts of a sheet to documents: `LegacyHost` to submit, `System` for a person to confirm.

A host is found again by asset number, address or name, so that an import can be repeated: what the
sheet says is put over what is there, and what it does not speak of stays.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from unicodedata import normalize

from govcloud.domain.base import API_VERSION
from migration.inventory.rows import Host, identities

Document = dict[str, Any]
_NAME_LENGTH: Final = 63
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
            name = f"{wanted[: _NAME_LENGTH - 4]}-{number}"
            number += 1
        self.taken.add(name)
        return name


def host_documents(hosts: Iterable[Host], register: Register) -> list[Document]:
    """Return a `LegacyHost` for each host, over what the register has of it."""
    known = _known(register.hosts)
    systems = register.system_names()
    names = _Names({item["metadata"]["name"] for item in register.hosts})
    return [_host(host, register.department, known, systems, names) for host in hosts]


def _known(items: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for item in items:
        meta = item["metadata"]
        words = {
            "asset": meta.get("labels", {}).get(ASSET),
            "address": item["spec"].get("address"),
            "name": meta.get("displayName"),
        }
        for identity in identities(words):
            found.setdefault(identity, item)
    return found


def _host(
    host: Host,
    department: str,
    known: Mapping[tuple[str, str], Mapping[str, Any]],
    systems: Mapping[str, str],
    names: _Names,
) -> Document:
    former = next((known[word] for word in identities(host.host) if word in known), None)
    metadata: dict[str, Any] = {"name": "", "department": department}
    spec: dict[str, Any] = {}
    if former is not None:
        kept = ("name", "department", "displayName", "labels", "annotations")
        metadata |= {
            name: former["metadata"][name] for name in kept if former["metadata"].get(name)
        }
        spec |= former["spec"]
    else:
        metadata["name"] = names.free(_host_name(host))
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


def _host_name(host: Host) -> str:
    named = slug(str(host.host.get("name", "")))
    return named or f"host-{slug(str(host.host.get('address', '')).replace(':', '-'))}"


def slug(text: str) -> str:
    """Return text as a name where it is one in Latin letters, or nothing."""
    plain = normalize("NFKC", text).lower()
    if not plain.isascii():
        return ""
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_NAME_LENGTH].strip("-")


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
