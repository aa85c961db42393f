"""What the figures mean: a versioned definition, printed on each report (F3, MET-R3).

The plans set targets for the on-cloud rate without saying how it is counted. So every choice that
moves a figure stands here under a version; to change one is to write a new version beside the old.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from govcloud.domain.kinds.governance import MigrationState
from govcloud.domain.kinds.systems import Environment, Lifecycle
from govcloud.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Definition:
    """How systems are counted; `clauses` are the catalogue keys of its sentences, in order.

    `operating`: lifecycles that are registered. `accepted`, `moving`, `closed`: migration states
    that make a legacy system count, make it partial, and end its move. `environments`: where a
    component must be used to matter. `source_blocks`: whether a legacy host that still runs in
    production keeps its system from counting. `native_is_thorough`: whether a system built on the
    cloud, which has no source to switch off, counts as thoroughly on the cloud.
    """

    version: str
    clauses: tuple[str, ...]
    operating: frozenset[str] = frozenset({Lifecycle.RUNNING.value, Lifecycle.TRIAL.value})
    accepted: frozenset[str] = frozenset(
        {
            MigrationState.ACCEPTED.value,
            MigrationState.SOURCE_OFF.value,
            MigrationState.CLOSED.value,
        }
    )
    moving: frozenset[str] = frozenset({MigrationState.CUTOVER.value, MigrationState.TRIAL.value})
    closed: frozenset[str] = frozenset({MigrationState.CLOSED.value})
    environments: frozenset[str] = frozenset({Environment.PRODUCTION.value})
    source_blocks: bool = True
    native_is_thorough: bool = False


FIRST: Final = Definition(
    version="2026-1",
    clauses=(
        "registered",
        "excluded",
        "eligible",
        "on_cloud",
        "components",
        "source_blocks",
        "partial",
        "met_1",
        "met_1a",
        "met_1b",
        "met_1c",
        "met_1d",
        "met_1e",
        "met_3",
        "met_3a",
        "met_4",
        "met_5",
        "rounding",
        "ranking",
        "movement",
    ),
)
"""The definition of 2026; the first. MET-1e is literal: a migration that is closed, or not."""

NATIVE: Final = replace(
    FIRST,
    version="2026-1n",
    clauses=tuple("met_1e_native" if one == "met_1e" else one for one in FIRST.clauses),
    native_is_thorough=True,
)
"""The same, but what was built on the cloud counts as thoroughly there: it left no room behind."""

DEFINITIONS: Final[Mapping[str, Definition]] = {
    definition.version: definition for definition in (FIRST, NATIVE)
}


def find_definition(version: str) -> Definition:
    """Return the definition of that version; NotFoundError names the ones there are."""
    if version not in DEFINITIONS:
        raise NotFoundError("errors.definition_unknown", version=version, known=sorted(DEFINITIONS))
    return DEFINITIONS[version]
