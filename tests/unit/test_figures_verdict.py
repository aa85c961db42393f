"""The verdict on a system: every way onto the cloud, off it, and out of the count."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from govcloud.errors import NotFoundError
from govcloud.figures.definition import DEFINITIONS, FIRST, find_definition
from govcloud.figures.facts import (
    Catalogue,
    ExemptionFact,
    HostFact,
    MachineFact,
    NamespaceFact,
    PlanFact,
    SystemFact,
)
from govcloud.figures.holdings import Holdings
from govcloud.figures.verdict import Case, Judged, Verdict, Why, judge

CATALOGUE = Catalogue.of(
    clouds=[("gov", "managed", 0), ("police", "observed", 0), ("health", "observed", 1)],
    zones=[("extranet", "gov"), ("police-zone", "police"), ("lost", "nowhere")],
    flavors=[("4c8g", 4)],
)


def system(
    lifecycle: str = "running",
    origin: str = "cloud",
    classified: int = 0,
    industry: str | None = None,
) -> SystemFact:
    base = (1, "s" * 32, "active", "social", "CS-1")
    return SystemFact(*base, lifecycle, origin, classified, industry)


def machine(
    units: int = 1, zone: str = "extranet", phase: str = "active", environment: str = "production"
) -> MachineFact:
    base = (2, "m" * 32, phase, "app", "social")
    return MachineFact(*base, environment, zone, units, "4c8g", None)


def space(phase: str = "active") -> NamespaceFact:
    base = (3, "n" * 32, phase, "ns", "social")
    return NamespaceFact(*base, "production", "extranet", "1500m")


def host(state: str = "running", environment: str = "production") -> HostFact:
    base = (4, "h" * 32, "active", "old", "social")
    return HostFact(*base, environment, "room", state, 16)


def plan(state: str) -> PlanFact:
    return PlanFact(5, "p" * 32, "active", "social", "hrss", "social", state)


def exemption(
    by: str | None = "主管部门", on: str | None = "2026-01-05", until: str = "2026-06-30"
) -> ExemptionFact:
    base = (6, "e" * 32, "active", "ex", "hrss", "social", "vertical")
    return ExemptionFact(*base, by, on, "2026-01-01", until)


def verdict(
    of: SystemFact | None = None,
    *,
    machines: tuple[MachineFact, ...] = (),
    spaces: tuple[NamespaceFact, ...] = (),
    hosts: tuple[HostFact, ...] = (),
    case: Case | None = None,
    definition: str = FIRST.version,
    source_blocks: bool = True,
) -> Judged:
    used = replace(find_definition(definition), source_blocks=source_blocks)
    holdings = Holdings(used, CATALOGUE)
    holdings.add_machines(machines)
    holdings.add_namespaces(spaces)
    holdings.add_hosts(hosts)
    return judge(of or system(), holdings.parts("social"), case or Case(CATALOGUE), used)


def migrated(state: str) -> Case:
    return Case(CATALOGUE, plan=plan(state))


LEGACY = system(origin="legacy")


def test_built_on_the_cloud_counts_when_all_its_components_are_there_and_active() -> None:
    found = verdict(machines=(machine(3),), spaces=(space(),))
    assert found[:4] == (Verdict.ON_CLOUD, Why.BUILT_ON_CLOUD, 4, 4)
    assert found.vcpu_on == 12 + Fraction(3, 2)
    assert not found.thorough, "MET-1e counts migrations that are closed"
    assert verdict(machines=(machine(3),), definition="2026-1n").thorough


@pytest.mark.parametrize("phase", ["pending", "releasing"])
def test_what_is_not_built_or_on_its_way_out_carries_nothing(phase: str) -> None:
    assert verdict(machines=(machine(phase=phase),)).why is Why.NO_COMPONENT
    grown = verdict(machines=(machine(2), machine(5, phase=phase)))
    assert grown[:4] == (Verdict.ON_CLOUD, Why.BUILT_ON_CLOUD, 2, 2)


@pytest.mark.parametrize("environment", ["test", "dev", "emergency"])
def test_only_production_components_matter(environment: str) -> None:
    assert verdict(machines=(machine(environment=environment),)).why is Why.NO_COMPONENT
    assert (
        verdict(machines=(machine(),), hosts=(host(environment=environment),)).verdict
        is Verdict.ON_CLOUD
    )


def test_a_system_without_components_is_not_on_the_cloud() -> None:
    assert verdict()[:2] == (Verdict.NOT, Why.NO_COMPONENT)
    assert verdict(LEGACY, case=migrated("accepted"))[:2] == (Verdict.NOT, Why.NO_COMPONENT)


@pytest.mark.parametrize("zone", ["police-zone", "lost", "unheard-of"])
def test_a_machine_counts_only_on_a_managed_cloud(zone: str) -> None:
    assert verdict(machines=(machine(zone=zone),))[:2] == (Verdict.NOT, Why.ALL_ELSEWHERE)
    mixed = verdict(machines=(machine(3), machine(1, zone=zone)))
    assert mixed[:4] == (Verdict.PARTIAL, Why.SOME_COMPONENTS, 3, 4)


@pytest.mark.parametrize(
    ("state", "expected", "why"),
    [
        ("planned", Verdict.NOT, Why.NOT_ACCEPTED),
        ("provisioned", Verdict.NOT, Why.NOT_ACCEPTED),
        ("syncing", Verdict.NOT, Why.NOT_ACCEPTED),
        ("cutover", Verdict.PARTIAL, Why.MOVING),
        ("trial", Verdict.PARTIAL, Why.MOVING),
        ("accepted", Verdict.ON_CLOUD, Why.ACCEPTED),
        ("source-off", Verdict.ON_CLOUD, Why.ACCEPTED),
        ("closed", Verdict.ON_CLOUD, Why.ACCEPTED),
        ("rolled-back", Verdict.NOT, Why.NOT_ACCEPTED),
        ("stopped", Verdict.NOT, Why.NOT_ACCEPTED),
    ],
)
def test_a_legacy_system_counts_from_acceptance_on(state: str, expected: Verdict, why: Why) -> None:
    found = verdict(LEGACY, machines=(machine(2),), case=migrated(state))
    assert found[:2] == (expected, why)
    assert found.thorough == (state == "closed")


def test_a_legacy_system_without_a_migration_record_does_not_count() -> None:
    assert verdict(LEGACY, machines=(machine(),))[:2] == (Verdict.NOT, Why.NO_PLAN)


def test_a_source_that_still_runs_keeps_a_system_from_counting() -> None:
    found = verdict(LEGACY, machines=(machine(3),), hosts=(host(),), case=migrated("accepted"))
    assert found[:4] == (Verdict.PARTIAL, Why.SOURCE_RUNS, 3, 4)
    assert found.vcpu_source == 16
    for state in ("off", "disposed"):
        off = verdict(
            LEGACY, machines=(machine(3),), hosts=(host(state),), case=migrated("source-off")
        )
        assert off.verdict is Verdict.ON_CLOUD


def test_another_definition_may_say_otherwise_of_a_running_source() -> None:
    found = verdict(
        LEGACY,
        machines=(machine(3),),
        hosts=(host(),),
        case=migrated("accepted"),
        source_blocks=False,
    )
    assert found[:4] == (Verdict.ON_CLOUD, Why.ACCEPTED, 3, 3)


def test_cut_over_without_components_on_record_is_partial_and_weighs_nothing() -> None:
    found = verdict(LEGACY, hosts=(host(),), case=migrated("cutover"))
    assert found[:4] == (Verdict.PARTIAL, Why.MOVING, 0, 1)


@pytest.mark.parametrize("lifecycle", ["planned", "suspended", "retired"])
def test_only_systems_in_operation_are_registered(lifecycle: str) -> None:
    found = verdict(system(lifecycle), machines=(machine(),))
    assert found[:2] == (Verdict.UNREGISTERED, Why.NOT_OPERATING)


def test_classified_systems_are_excluded_before_anything_else() -> None:
    case = Case(CATALOGUE, exemption=exemption())
    assert verdict(system(classified=1), case=case).verdict is Verdict.CLASSIFIED


def test_industry_clouds_are_excluded_until_they_are_docked() -> None:
    assert verdict(system(industry="police")).verdict is Verdict.INDUSTRY
    docked = verdict(system(industry="health"))
    assert (docked.verdict, docked.why, docked.docked) == (Verdict.NOT, Why.DOCKED, True)
    assert verdict(system(industry="unheard-of")).verdict is Verdict.NOT


@pytest.mark.parametrize(
    ("fact", "holds"),
    [
        (exemption(), True),
        (exemption(by=None), False),
        (exemption(by=""), False),
        (exemption(on=None), False),
        (exemption(on="2026-07-01"), False),  # approved only after the day
        (exemption(until="2026-06-29"), False),
        (exemption(until="2026-06-30"), True),  # the last day is a whole day
    ],
)
def test_an_exemption_needs_approval_and_its_days(fact: ExemptionFact, holds: bool) -> None:
    assert fact.holds_on(date(2026, 6, 30)) is holds


def test_an_unknown_definition_names_the_known_ones() -> None:
    with pytest.raises(NotFoundError) as caught:
        find_definition("1999-1")
    assert caught.value.params["known"] == sorted(DEFINITIONS)
