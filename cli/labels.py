"""How values are called where people read them; what programs read keeps the values.

Words stand in the catalogue `labels` under `<area>.<value>`. Which fields hold values of which
enumeration is written down here and compared with the models by a test: asking the models would
load them all for every table.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from cli.speech import language, word
from govcloud.messages import catalogue, lookup, render

_INDEX: Final = re.compile(r"\[\d*\]")
_BUILT: Final = {"environment": "environment", "drift": "drift-mode"}

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Cloud": {"management": "management", "site": "site-role", "kinds": "kind"},
    "Department": {"level": "level", "type": "unit-type"},
    "Exemption": {"reason": "exemption-reason"},
    "LegacyHost": {"environment": "environment", "state": "host-state"},
    "MigrationPlan": {"state": "migration-state"},
    "Namespace": {**_BUILT, "podSecurity": "pod-security"},
    "Policy": {
        "approval.environments": "environment",
        "approval.kinds": "kind",
        "approval.steps.name": "step",
        "approval.steps.role": "role",
        "checks.*": "severity",
        "drift.kind": "kind",
        "drift.mode": "drift-mode",
    },
    "PrivateNetwork": {"state": "network-state", "use": "network-use"},
    "Quota": {"type": "quota-type"},
    "ServerRoom": {"pains": "pain", "state": "room-state"},
    "System": {
        "category": "category",
        "lifecycle": "lifecycle",
        "origin": "origin",
        "project.fund": "fund",
        "project.phase": "project-phase",
        "security.dataClass": "data-class",
        "users": "users",
    },
    "Target": {"property": "property"},
    "VirtualMachine": {
        **_BUILT,
        "backup": "backup",
        "network.allow.source": "source",
        "power": "power",
        "tier": "tier",
    },
    "Volume": dict(_BUILT),
    "Zone": {"type": "zone-type"},
}


def shown(kind: str, path: str, value: Any) -> Any:
    """Return the value of a field of a spec as people read it, with all that it holds.

    `path` is as users write it, with or without `spec.` and indices.
    """
    place = _INDEX.sub("", path).removeprefix("spec").lstrip(".")
    return _shown(FIELDS.get(kind, {}), place, value)


def _shown(fields: Mapping[str, str], path: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        below = f"{path}." if path else ""
        return {name: _shown(fields, f"{below}{name}", held) for name, held in value.items()}
    if isinstance(value, list):
        return [_shown(fields, path, held) for held in value]
    area = fields.get(path) or fields.get(f"{path.rpartition('.')[0]}.*")
    return word(area, value) if area and isinstance(value, str) else value


def resource(name: str) -> str:
    """Return the word for a resource class: its own in English, its label in Chinese."""
    base, _, storage_class = name.partition(".")
    if language() == "en" or lookup(f"quota.class.{base}", language()) is None:
        return name
    return render(f"quota.class.{base}", language(), {"storage_class": storage_class})


def meaning(area: str, typed: str) -> str:
    """Return the value that a person means by its word in either language, or what was typed."""
    for tongue in ("zh", "en"):
        for name, label in catalogue(tongue, "labels").items():
            if name.startswith(f"{area}.") and label.casefold() == typed.casefold():
                return name.removeprefix(f"{area}.")
    return typed
