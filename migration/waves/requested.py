"""What machines need that plans name and that are still to be requested. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from govcloud.domain.classes import add
from govcloud.domain.demand import demand
from govcloud.domain.kinds.platform import FlavorSpec
from govcloud.domain.manifest import parse_spec
from migration.assessment.facts import LegacySystem


def requested(
    systems: Iterable[LegacySystem],
    standing: Collection[tuple[str, str]],
    flavors: Mapping[str, FlavorSpec],
) -> dict[str, Mapping[str, int]]:
    """Return it by system, of those whose plans name machines, by resource class.

    `standing` are the machines that there are, by department and name: quota counts them already.
    A plan with machines that cannot be understood is left out; `migrate run` refuses it.
    """
    found: dict[str, Mapping[str, int]] = {}
    for system in systems:
        if system.machines:
            needs = _needs(system, standing, flavors)
            if needs is not None:
                found[system.key] = needs
    return found


def _needs(
    system: LegacySystem,
    standing: Collection[tuple[str, str]],
    flavors: Mapping[str, FlavorSpec],
) -> Mapping[str, int] | None:
    total: Mapping[str, int] = {}
    try:
        for one in system.machines:
            if (system.department, _name(one)) not in standing:
                kind = str(one["kind"])
                total = add(total, demand(kind, parse_spec(kind, one["spec"]), flavors))
    except (KeyError, TypeError, ValidationError):
        return None
    return total


def _name(document: Mapping[str, Any]) -> str:
    return str(document["metadata"]["name"])
