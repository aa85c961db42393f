"""Waves of any estate: every system once, groups whole, no limit passed, the same each time."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration.assessment.questionnaire import Risk, Window
from migration.waves.check import World, check
from migration.waves.compute import compute, fewest_windows
from migration.waves.file import planned
from migration.waves.groups import edge, groups, uncut
from migration.waves.load import Load
from migration.waves.model import Cut, Freeze, Settings

BEGIN = date(2027, 1, 4)
KEYS = [f"d{index % 4}/s{index:02}" for index in range(24)]
NODES = ("city", "d0", "d1", "d2", "d3")


def works(day: date) -> bool:
    return day.weekday() < 5


@st.composite
def loads(draw) -> dict[str, Load]:
    found = {}
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=24)):
        department = key.partition("/")[0]
        room = draw(st.sampled_from(("d0/room", "d1/room")))
        vcpu = draw(st.integers(0, 8))
        found[key] = Load(
            key=key,
            department=department,
            risk=draw(st.sampled_from((Risk.GREEN, Risk.YELLOW, Risk.RED))),
            complexity=draw(st.sampled_from("ABC")),
            window=draw(st.sampled_from(list(Window))),
            hosts=draw(st.integers(0, 4)),
            people=tuple(draw(st.lists(st.sampled_from("pqr"), unique=True, max_size=2))),
            data={room: draw(st.integers(0, 20_000_000))},
            change={room: draw(st.integers(0, 500_000))},
            demand={(node, "vcpu"): vcpu for node in (department, "city")},
        )
    return found


pairs = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=30)
edges = pairs.map(lambda found: {edge(*one) for one in found if one[0] != one[1]})
days = st.integers(0, 300).map(lambda number: BEGIN + timedelta(days=number))
freezes = st.builds(
    lambda first, length, whose: Freeze(
        first=first, last=first + timedelta(days=length), reason="year end", departments=whose
    ),
    days,
    st.integers(0, 30),
    st.lists(st.sampled_from(("d0", "d1")), unique=True, max_size=2),
)
cuts = st.builds(
    lambda one, other: Cut(one=one, other=other, reason="agreed"),
    st.sampled_from(KEYS),
    st.none() | st.sampled_from(KEYS),
)
chosen = st.builds(
    Settings,
    begin=st.just(BEGIN),
    until=st.just(BEGIN + timedelta(days=400)),
    windows=st.sampled_from(list(Window)),
    every_days=st.integers(1, 20),
    window_hours=st.sampled_from((1, 4, 8, 72)),
    systems=st.integers(1, 8),
    hosts=st.integers(1, 12),
    systems_per_person=st.integers(1, 4),
    link_mbps=st.integers(100, 2_000),
    freezes=st.lists(freezes, max_size=3),
    cuts=st.lists(cuts, max_size=6),
)
steps = st.lists(st.tuples(days, st.integers(0, 60)), min_size=1, max_size=3)
budgets = st.dictionaries(
    st.sampled_from([(node, "vcpu") for node in NODES]),
    steps.map(lambda found: ((BEGIN, 40), *sorted(dict(found).items()))),
)


@settings(max_examples=150, deadline=None)
@given(loads(), edges, chosen, budgets)
def test_waves_keep_every_promise(estate, connected, settings_, budget):
    result = compute(estate, connected, settings_, works, budget)
    placed = [key for one in result.placed for key in one.bundle.keys]
    left = [key for one in result.unplaced for key in one.bundle.keys]
    assert Counter([*placed, *left]) == Counter(estate.keys())

    where = {key: one.slot.day for one in result.placed for key in one.bundle.keys}
    for group in groups(estate, uncut(connected, settings_)):
        assert len({where.get(key) for key in group}) == 1

    plan = planned(result, settings_)
    inside = [one for one in connected if one[0] in estate and one[1] in estate]
    world = World(estate, inside, {}, budget, works)
    wrong = [one for one in check(plan, world) if one.key != "migrate.plan_missing"]
    assert wrong == []
    if not left:
        assert len(result.windows) >= fewest_windows(estate, connected, settings_)
    shuffled = dict(sorted(estate.items(), reverse=True))
    again = compute(shuffled, sorted(connected, reverse=True), settings_, works, budget)
    assert planned(again, settings_) == plan


@settings(max_examples=60, deadline=None)
@given(loads(), edges, chosen)
def test_low_risk_never_waits_behind_high(estate, connected, settings_):
    """The first group of a rank is never in an earlier window than the first of a lower one."""
    result = compute(estate, connected, settings_, works, {})
    first: dict[tuple[int, str], date] = {}
    for one in result.placed:
        first[one.bundle.rank] = min(first.get(one.bundle.rank, one.slot.day), one.slot.day)
    ordered = [first[rank] for rank in sorted(first)]
    assert ordered == sorted(ordered)


@pytest.mark.parametrize(
    ("hours", "placed"),
    [
        (4, date(2027, 2, 4)),
        (5, date(2027, 2, 21)),
        (72, date(2027, 2, 21)),
    ],
)
def test_no_window_reaches_into_a_freeze(hours, placed):
    """A window opens in the evening, and most close on a later day."""
    freeze = Freeze(first=date(2027, 2, 5), last=date(2027, 2, 20), reason="spring festival")
    chosen_ = Settings(begin=date(2027, 2, 4), window_hours=hours, freezes=[freeze])
    load = Load("d0/s00", "d0")
    result = compute({load.key: load}, [], chosen_, works, {})
    assert [one.slot.day for one in result.placed] == [placed]
    plan = planned(result, chosen_)
    world = World({load.key: load}, [], {}, {}, works)
    assert check(plan, world) == []
    early = plan.waves[0].model_copy(update={"window": date(2027, 2, 4)})
    found = check(plan.model_copy(update={"waves": [early]}), world)
    assert [one.key for one in found] == ([] if hours == 4 else ["migrate.plan_no_window"])
    theirs = Settings(
        begin=date(2027, 2, 4),
        window_hours=hours,
        freezes=[freeze.model_copy(update={"departments": ["d0"]})],
    )
    found = check(plan.model_copy(update={"settings": theirs, "waves": [early]}), world)
    assert [one.key for one in found] == ([] if hours == 4 else ["migrate.plan_frozen"])
