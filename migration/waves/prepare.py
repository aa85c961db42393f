"""From the estate and its assessments to what planning weighs, and what it holds back. Pure.

A blocker holds a system back, and with it all that it is connected to and nobody has cut: they
would be torn apart. What is switched off or replaced holds nobody back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from govcloud.domain.kinds.platform import Contacts
from govcloud.errors import Text
from migration.assessment.assess import Assessment, Readiness
from migration.assessment.facts import NO_FACTS, LegacySystem
from migration.assessment.questionnaire import Strategy
from migration.assessment.sizing import Size
from migration.estate import Estate
from migration.waves.groups import Edge, groups, uncut
from migration.waves.load import CLOUDS, Load
from migration.waves.model import Settings

_LEAVES: frozenset[Strategy] = frozenset({Strategy.RETIRE, Strategy.REPLACE})


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be planned, what connects it, and why the rest cannot."""

    loads: Mapping[str, Load]
    edges: tuple[Edge, ...]
    held: Mapping[str, Text]


def prepare(
    estate: Estate,
    verdicts: Mapping[str, Assessment],
    sizes: Mapping[str, Iterable[Size]],
    chains: Mapping[str, tuple[str, ...]],
    settings: Settings,
    *,
    requested: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
) -> Prepared:
    """Return what is to be planned; `chains` are the nodes of the tree above each department.

    `requested` is what will be asked for, where that is known; `sizes` are for all others.
    """
    held = _held(verdicts)
    held |= _waiting(estate, verdicts, held, settings)
    loads = {
        key: load_of(
            system,
            verdicts[key],
            requested.get(key, _demand(verdicts[key].strategy, list(sizes.get(key, ())))),
            chains.get(system.department, ()),
        )
        for key, system in estate.systems.items()
        if key not in held
    }
    edges = tuple(sorted(one for one in estate.edges if one[0] in loads and one[1] in loads))
    return Prepared(loads, edges, held)


def _held(verdicts: Mapping[str, Assessment]) -> dict[str, Text]:
    found: dict[str, Text] = {}
    for key, verdict in verdicts.items():
        if verdict.blockers:
            questions = list(dict.fromkeys(remark.question for remark in verdict.blockers))
            open_ = verdict.readiness is Readiness.UNKNOWN
            word = "migrate.held_open" if open_ else "migrate.held_blocked"
            found[key] = Text(word, {"questions": questions})
        elif not verdict.moves:
            found[key] = Text(f"migrate.held_{verdict.strategy.value}")
    return found


def _waiting(
    estate: Estate,
    verdicts: Mapping[str, Assessment],
    held: Mapping[str, Text],
    settings: Settings,
) -> dict[str, Text]:
    """Return the systems that are ready but for what they are connected to."""
    staying = {key for key in held if verdicts[key].strategy not in _LEAVES}
    tied = [key for key in estate.systems if key not in held or key in staying]
    found: dict[str, Text] = {}
    for group in groups(tied, uncut(estate.edges, settings)):
        keeping = [key for key in group if key in staying]
        if keeping:
            waits = Text("migrate.held_waits", {"others": keeping[:5]})
            found |= {key: waits for key in group if key not in staying}
    return found


def load_of(
    system: LegacySystem,
    verdict: Assessment,
    wanted: Mapping[str, int],
    chain: tuple[str, ...],
) -> Load:
    """Return what a system weighs; where nobody has told how much data it has, its disks count.

    `wanted` is what its target will be charged, by resource class.
    """
    data: dict[str, int] = {}
    change: dict[str, int] = {}
    for host in system.running.values():
        facts = host.facts or NO_FACTS
        room = f"{system.department}/{host.room}"
        gib = facts.data if facts.data is not None else host.storage or 0
        data[room] = data.get(room, 0) + gib * 1024
        change[room] = change.get(room, 0) + (facts.daily_change or 0)
    return Load(
        key=system.key,
        department=system.department,
        risk=verdict.risk,
        complexity=verdict.complexity,
        window=verdict.window,
        hosts=len(system.running),
        people=people_of(system.department, system.spec.contacts),
        data=data,
        change=change,
        demand={
            (node, word): amount for node in (*chain, CLOUDS) for word, amount in wanted.items()
        },
    )


def people_of(department: str, contacts: Contacts) -> tuple[str, ...]:
    """Return who has to be there: the technical contact, else the head."""
    contact = contacts.tech or contacts.head
    return (f"{department}/{contact.name}",) if contact else ()


def _demand(strategy: Strategy, sizes: list[Size]) -> dict[str, int]:
    """Return what the target will be charged, by resource class, as far as it is known."""
    if strategy is Strategy.REPLATFORM:
        return {"namespaces": 1}
    wanted = {
        "vms": len(sizes),
        "vcpu": sum(size.vcpu or 0 for size in sizes),
        "memory": sum(size.memory or 0 for size in sizes),
        "disk.hdd": sum(size.storage or 0 for size in sizes),
    }
    return {word: amount for word, amount in wanted.items() if amount}
