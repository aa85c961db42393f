"""What the register says of a system, as the flat facts that a questionnaire speaks of."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from govcloud.domain.kinds.estate import HostFacts, HostState, LegacyHostSpec
from govcloud.domain.kinds.governance import MigrationState
from govcloud.domain.kinds.systems import SystemSpec
from migration.assessment.questionnaire import Fact

NO_FACTS: Final = HostFacts()


@dataclass(frozen=True, slots=True)
class LegacySystem:
    """A system off the cloud with what is known of it; `key` is `department/name`.

    `machines` are the documents of the machines that its plan names.
    """

    department: str
    name: str
    display_name: str
    spec: SystemSpec
    hosts: Mapping[str, LegacyHostSpec] = field(default_factory=dict)
    exempted: bool = False
    state: MigrationState = MigrationState.PLANNED
    answers: Mapping[str, str] = field(default_factory=dict)
    machines: Sequence[Mapping[str, Any]] = ()

    @property
    def key(self) -> str:
        """What it is called in files."""
        return f"{self.department}/{self.name}"

    @property
    def running(self) -> dict[str, LegacyHostSpec]:
        """Its hosts that still run."""
        return {n: host for n, host in self.hosts.items() if host.state is HostState.RUNNING}


_KINDS: Final = (
    ("commercial", "oracle|sql ?server|mssql|db2|sybase|informix"),
    ("domestic", "达梦|dm ?[78]|金仓|kingbase|gauss|oceanbase|tidb|gbase|南大通用|神通|oscar|瀚高"),
    ("open", "mysql|mariadb|postgres|pgsql|redis|mongo|sqlite|elasticsearch"),
)
_X86: Final = frozenset({"x86_64", "x86-64", "x86", "amd64", "i386", "i686"})
_ARM: Final = frozenset({"aarch64", "arm64", "arm"})


def facts_of(system: LegacySystem, dependencies: int, today: date) -> dict[str, Fact]:
    """Return the facts; None for what nobody has told, which is not the same as no.

    `dependencies` counts the other systems that it is connected to.
    """
    spec, hosts = system.spec, list(system.running.values())
    facts = [host.facts or NO_FACTS for host in hosts]
    security = spec.security
    return {
        "classified": security.classified,
        "mlpsLevel": security.mlps_level,
        "filing": security.filing_no is not None,
        "assessed": security.assessment_date is not None,
        "cii": security.cii,
        "xinchuang": spec.xinchuang or None,
        "internet": spec.internet,
        "zombie": spec.zombie or None,
        "hosts": len(hosts),
        "arch": _common(_arch(one.arch) for one in facts),
        "osEnded": _ended(facts, today),
        "database": _database(facts),
        "dataGiB": _total(one.data for one in facts),
        "dailyChangeMiB": _total(one.daily_change for one in facts),
        "dependencies": dependencies,
    }


def _total(amounts: Iterable[int | None]) -> int | None:
    """Return the sum of what is known; None where nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def _arch(word: str | None) -> str | None:
    if word is None:
        return None
    if word.lower() in _X86:
        return "x86_64"
    return "aarch64" if word.lower() in _ARM else "other"


def _common(words: Iterable[str | None]) -> str | None:
    found = {word for word in words if word is not None}
    if "other" in found or len(found) > 1:
        return "other" if "other" in found else "mixed"
    return next(iter(found), None)


def _ended(facts: Sequence[HostFacts], today: date) -> bool | None:
    days = [one.os_support_until for one in facts if one.os_support_until is not None]
    return any(day < today for day in days) if days else None


def _database(facts: Sequence[HostFacts]) -> str | None:
    """Return the kind of the databases that weighs most; None where a name is not known."""
    kinds = {database_kind(name) for one in facts for name in one.databases}
    if "commercial" in kinds:
        return "commercial"
    if None in kinds:
        return None
    return next((kind for kind, _ in _KINDS if kind in kinds), None)


def database_kind(name: str) -> str | None:
    """Return `commercial`, `domestic` or `open`, or None for a database that is not known."""
    return next((kind for kind, words in _KINDS if re.search(words, name.lower())), None)
