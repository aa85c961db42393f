"""Figures over any population: they add up, do not depend on order, and each judgement holds."""

from datetime import date
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govcloud.figures.definition import FIRST
from govcloud.figures.facts import (
    Catalogue,
    ExemptionFact,
    HostFact,
    MachineFact,
    PlanFact,
    SystemFact,
)
from govcloud.figures.movement import Movement
from govcloud.figures.population import (
    Department,
    Judgement,
    Split,
    View,
    holdings_now,
    judge_department,
    verdicts,
)
from govcloud.figures.tally import Tally
from govcloud.figures.verdict import Case, judge

THEN, NOW = date(2026, 5, 31), date(2026, 6, 30)
NAMES = [f"s{number}" for number in range(6)]
CATALOGUES = [
    Catalogue.of([("gov", "managed", 0), ("ind", "observed", dock)], [("z", "gov")], [("f", 2)])
    for dock in (0, 1)
]
choice = st.sampled_from
numbers = st.integers(1, 10**6)


def base(seq: int, name: str, phase: str = "active") -> tuple[object, ...]:
    return (seq, f"{name:0>8}", phase, name)


systems = st.builds(
    lambda seq, name, lifecycle, origin, classified, industry: SystemFact(
        *base(seq, name), f"C-{name}", lifecycle, origin, classified, industry
    ),
    numbers,
    choice(NAMES),
    choice(["running", "trial", "suspended"]),
    choice(["cloud", "legacy"]),
    choice([0, 0, 0, 1]),
    choice([None, None, "ind"]),
)
machines = st.builds(
    lambda seq, name, system, phase, zone, units: MachineFact(
        *base(seq, name, phase), system, "production", zone, units, "f", None
    ),
    numbers,
    choice(["m1", "m2", "m3", "m4"]),
    choice(NAMES),
    choice(["active", "active", "pending"]),
    choice(["z", "z", "elsewhere"]),
    st.integers(1, 5),
)
hosts = st.builds(
    lambda seq, name, system, state: HostFact(
        *base(seq, name), system, "production", "r", state, 4
    ),
    numbers,
    choice(["h1", "h2"]),
    choice(NAMES),
    choice(["running", "off"]),
)
plans = st.builds(
    lambda seq, system, state: PlanFact(*base(seq, f"p{system}"), "d", system, state),
    numbers,
    choice(NAMES),
    choice(["provisioned", "trial", "accepted", "closed"]),
)
exemptions = st.builds(
    lambda seq, system, start, by: ExemptionFact(
        *base(seq, f"e{system}"), "d", system, "legal", by, "2026-01-01", start, "2026-12-31"
    ),
    numbers,
    choice(NAMES),
    choice(["2026-01-01", "2026-06-15"]),
    choice(["authority", None]),
)


def distinct(facts, key=lambda fact: fact.uid):  # type: ignore[no-untyped-def]
    return list({key(fact): fact for fact in facts}.values())


@st.composite
def splits(draw, facts):  # type: ignore[no-untyped-def]
    kept = distinct(draw(st.lists(facts, max_size=6)))
    held = {fact.uid for fact in kept}
    fresh = [f for f in distinct(draw(st.lists(facts, max_size=3))) if f.uid not in held]
    former = [f for f in distinct(draw(st.lists(facts, max_size=3))) if f.uid not in held]
    return Split(kept, fresh, former)


departments = st.builds(
    Department, st.just("d"), splits(systems), splits(machines), st.just(Split()), splits(hosts)
)


@st.composite
def views(draw):  # type: ignore[no-untyped-def]
    exempt, moving = draw(st.lists(exemptions, max_size=4)), draw(st.lists(plans, max_size=4))
    before = draw(st.integers(0, len(exempt)))
    catalogues = draw(st.tuples(choice(CATALOGUES), choice(CATALOGUES)))
    return (
        View.of(NOW, catalogues[0], exempt, moving),
        View.of(THEN, catalogues[1], exempt[:before], moving[: draw(st.integers(0, len(moving)))]),
    )


def tallies(judgement):  # type: ignore[no-untyped-def]
    now, then, movement = Tally(), Tally(), Movement()
    for _, judged in judgement.steady:
        now.add(judged)
        then.add(judged)
        movement.add(judged, judged)
    for _, later, earlier in judgement.moved:
        if later is not None:
            now.add(later)
        if earlier is not None:
            then.add(earlier)
        movement.add(earlier, later)
    return now, then, movement


def judged(department: Department, seen: tuple[View, View]) -> Judgement:
    now, then = seen
    return judge_department(department, now, then, FIRST, now.touches(then).get("d", ()))


def only(part: Split) -> Split:  # type: ignore[type-arg]
    return Split(part.then)


@pytest.mark.guarantee("F3")
@given(departments, views())
def test_opening_and_closing_populations_differ_by_the_steps_between_them(
    department: Department, seen: tuple[View, View]
) -> None:
    now, then, movement = tallies(judged(department, seen))
    assert movement.unexplained == 0
    assert (movement.opening, movement.closing) == (then.eligible, now.eligible)


@pytest.mark.guarantee("F3")
@given(departments, views())
def test_the_opening_is_what_a_report_at_that_time_would_have_counted(
    department: Department, seen: tuple[View, View]
) -> None:
    # Judged once where nothing moved, and judged by itself: the shortcut must change nothing.
    _, then, _ = tallies(judged(department, seen))
    alone = Department(
        "d",
        only(department.systems),
        only(department.machines),
        only(department.namespaces),
        only(department.hosts),
    )
    by_itself, _, _ = tallies(judged(alone, (seen[1], seen[1])))
    assert then == by_itself


@given(departments, views(), st.integers())
def test_figures_do_not_depend_on_the_order_of_facts(
    department: Department, seen: tuple[View, View], seed: int
) -> None:
    def shuffled(split: Split) -> Split:  # type: ignore[type-arg]
        parts = [list(part) for part in (split.kept, split.fresh, split.former)]
        for part in parts:
            Random(seed).shuffle(part)
        return Split(*parts)

    other = Department(
        "d",
        shuffled(department.systems),
        shuffled(department.machines),
        shuffled(department.namespaces),
        shuffled(department.hosts),
    )
    one = tallies(judged(department, seen))
    assert tallies(judged(other, seen)) == one


@given(departments, views())
@settings(max_examples=200)
def test_every_system_falls_in_one_place_and_rates_stay_within_bounds(
    department: Department, seen: tuple[View, View]
) -> None:
    judgement = judged(department, seen)
    now, _, _ = tallies(judgement)
    present = judgement.present()
    assert len(present) == len(department.systems.now)
    assert now.registered + now.unregistered == len(present)
    assert now.registered == now.eligible + sum(now.exclusions.values())
    assert now.thorough <= now.on_cloud <= now.on_cloud + now.docked <= now.eligible
    for rate in (now.rate, now.rate_with_partial, now.rate_gross, now.rate_weighted):
        assert rate.tenths is None or 0 <= rate.tenths <= 1000
    assert (now.rate.tenths is None) == (now.eligible == 0)
    assert now.rate_with_partial.numerator >= now.on_cloud


@given(departments, views())
def test_what_is_judged_with_its_like_is_judged_as_by_itself(
    department: Department, seen: tuple[View, View]
) -> None:
    view = seen[0]
    holdings = holdings_now(department, view, FIRST)
    exempt, moving = view.exemptions.get("d", {}), view.plans.get("d", {})
    for system, found in verdicts("d", department.systems.now, holdings, view, FIRST):
        case = Case(view.catalogue, exempt.get(system.name), moving.get(system.name))
        assert found == judge(system, holdings.parts(system.name), case, FIRST)
