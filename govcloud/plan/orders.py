"""From an approved object to the order that a driver gets (R3), purely.

Specs are stored as users write them; drivers compute with base units. Many objects share the same
spec to the letter, so that reading is kept by its text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from govcloud.domain.base import Model
from govcloud.domain.drift import DriftMode
from govcloud.domain.keys import GROUND
from govcloud.domain.manifest import parse_spec
from govcloud.ports.cloud import Order

TAGS: Final = (
    "department",
    "system",
    "project",
    "request",
    "zone",
    "mlps",
    "environment",
    "lease-end",
    "xinchuang",
    "digest",
)
"""The accounting tags of ALLOC-5 that each resource carries beside its mark.

Machines and their disks say as well how often they are to be backed up (`backup`), so that whoever
operates backups finds them by it.
"""


@dataclass(frozen=True, slots=True)
class Approved:
    """What of an object's row says what is to be built; `spec` is its JSON text.

    `asked` is what was asked for beside it (`plan.asked`).
    """

    uid: str
    kind: str
    department: str
    name: str
    system: str
    zone: str
    generation: int
    spec: str
    digest: str
    request_id: str
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A spec as read: the model, its form in base units with JSON types, its own drift mode."""

    model: Model
    base: Mapping[str, Any]
    drift: DriftMode | None


Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the references of specs resolve to: base forms by kind and name.

    Systems are keyed `department/name`, because names are unique only within a department.
    """

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def find(self, kind: str, name: str) -> Entry:
        """Return an entry; raises MissingReferenceError."""
        try:
            return self.entries[kind, name]
        except KeyError:
            raise MissingReferenceError(kind, name) from None


class MissingReferenceError(LookupError):
    """A spec names what the catalogue no longer holds."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} {name}")
        self.kind = kind
        self.name = name


@lru_cache(maxsize=4096)
def read_spec(kind: str, text: str) -> Reading:
    """Return the reading of a stored spec; the result is shared and must not be changed."""
    if kind == GROUND:
        return Reading(Model(), json.loads(text), None)
    model = parse_spec(kind, json.loads(text))
    base = json_form(model.base())
    return Reading(model, base, getattr(model, "drift", None))


def json_form(value: Any) -> Any:
    """Return a base form with JSON types only: enumerations by value, days in ISO form."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(json_form(name)): json_form(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_form(item) for item in value]
    return value


_REFERENCES: Final = (("flavor", "Flavor"), ("image", "Image"), ("zone", "Zone"))


def make_order(approved: Approved, catalogue: Catalogue) -> Order:
    """Return the order for an approved object; raises MissingReferenceError."""
    spec = read_spec(approved.kind, approved.spec).base
    if approved.kind == GROUND:
        return _ground_order(approved, spec)
    found = {word: catalogue.find(kind, spec[word]) for word, kind in _REFERENCES if spec.get(word)}
    system_key = f"{approved.department}/{approved.system}"
    found["system"] = catalogue.find("System", system_key)
    return Order(
        uid=approved.uid,
        kind=approved.kind,
        department=approved.department,
        name=approved.name,
        system=approved.system,
        generation=approved.generation,
        spec=spec,
        catalogue=found,
        tags=_tags(approved, spec, found),
    )


def ground_spec(order: Order) -> dict[str, Any]:
    """Return an order of ground as the spec that is stored: all that there is to know of it."""
    return {
        "kind": order.kind,
        "name": order.name,
        "system": order.system,
        "spec": json_form(order.spec),
        "catalogue": json_form(order.catalogue),
        "tags": dict(order.tags),
    }


def _ground_order(approved: Approved, spec: Entry) -> Order:
    return Order(
        uid=approved.uid,
        kind=spec["kind"],
        department=approved.department,
        name=spec["name"],
        system=spec["system"],
        generation=approved.generation,
        spec=spec["spec"],
        catalogue=spec["catalogue"],
        tags=spec["tags"],
    )


def _tags(approved: Approved, spec: Entry, found: Mapping[str, Entry]) -> dict[str, str]:
    system, zone = found["system"], found.get("zone", {})
    security = system.get("security", {})
    level = security.get("mlpsLevel") or zone.get("mlpsLevel") or ""
    return {
        "department": approved.department,
        "system": approved.system,
        "project": (system.get("project") or {}).get("id", ""),
        "request": approved.request_id,
        "zone": approved.zone,
        "mlps": str(level),
        "environment": str(spec.get("environment", "")),
        "lease-end": str((spec.get("lease") or {}).get("end", "")),
        "xinchuang": "true" if system.get("xinchuang") else "false",
        "digest": approved.digest,
        **({"backup": str(spec["backup"])} if spec.get("backup") else {}),
    }
