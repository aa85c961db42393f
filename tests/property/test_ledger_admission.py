"""The algebra alone against the shadow model: many small trees, limits, holds and demands."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from govcloud.ports.ledger import Demand, LimitFact, Obstacle
from govcloud.testing.shadow import Shadow
from quotas.ledger import holds as steps
from quotas.ledger.admission import Standing, leeway, line, weigh
from quotas.ledger.holds import change, charges, fold
from quotas.ledger.limits import Charter
from quotas.ledger.places import Cell, Tree

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
NODES = ("city", "east", "west", "bureau", "school")


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str | None]:
    parents: dict[str, str | None] = {"city": None}
    for node in NODES[1:]:
        parents[node] = draw(st.sampled_from(sorted(parents)))
    return parents


@st.composite
def limits(draw: st.DrawFn) -> list[LimitFact]:
    facts = []
    for node in NODES:
        scopes = st.sampled_from((*[("", "", "vms")] * 4, ("c1", "", "vms"), ("c1", "z1", "vms")))
        if draw(st.integers(0, 3)):
            facts.append(draw(fact(node, *draw(scopes))))
    facts.append(draw(fact(draw(st.sampled_from(NODES)), "", "", "gpu")))
    return facts


def fact(node: str, cloud: str, zone: str, word: str) -> st.SearchStrategy[LimitFact]:
    return st.builds(
        LimitFact,
        source=st.just("s"),
        department=st.just(node),
        cloud=st.just(cloud),
        zone=st.just(zone),
        resource_class=st.just(word),
        limit=st.integers(0, 9),
        lend=st.sampled_from((None, None, 0, 1, 3)),
        borrow=st.sampled_from((0, 0, 1, 4)),
        grant=st.just(False),
        overcommit=st.just(1.0),
        valid_from=st.none(),
        valid_until=st.none(),
    )


def demands(owners: tuple[str, ...], prefix: str) -> st.SearchStrategy[list[Demand]]:
    one = st.builds(
        Demand,
        key=st.integers(1, 99).map(lambda number: f"{prefix}{number}"),
        owner=st.sampled_from(owners),
        department=st.sampled_from(NODES),
        cloud=st.just("c1"),
        zone=st.sampled_from(("z1", "z2")),
        amounts=st.dictionaries(
            st.sampled_from(("vms", "vms", "vms", "gpu")), st.integers(0, 4), min_size=1
        ),
    )
    return st.lists(one, min_size=1, max_size=4, unique_by=lambda demand: demand.key)


@pytest.mark.guarantee("Q1")
@pytest.mark.guarantee("Q6")
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    parents=trees(),
    facts=limits(),
    standing=demands(("a", "b", "c", "d"), "old"),
    built=st.sets(st.integers(0, 3)),
    asked=demands(("a", "x", "y"), "new"),
)
def test_admission_is_what_the_rule_says(
    parents: dict[str, str | None],
    facts: list[LimitFact],
    standing: list[Demand],
    built: set[int],
    asked: list[Demand],
) -> None:
    shadow, charter = Shadow(parents), Charter(Tree(parents), facts)
    shadow.limits["s"] = facts
    keys = [demand.key for index, demand in enumerate(standing) if index in built]
    shadow.reserve(standing, LATER, NOW)
    shadow.allocate(keys)
    reserved = steps.reserve({}, standing, LATER)
    allocated = steps.allocate(reserved.after, keys)
    before = charges(allocated.after.values(), charter.tree)
    wanted = steps.reserve(allocated.after, asked, LATER)

    held, growth = Standing(charter, NOW, before), change(wanted, charter.tree)
    refusals = weigh(held, asked, growth)

    named = {
        ((r.department, r.cloud, r.zone, r.resource_class), r.obstacle is Obstacle.NO_QUOTA)
        for r in refusals
    }
    assert named == shadow.refused(asked, NOW)
    event("refused" if named else "granted")
    for refusal in refusals:
        cell = refusal.department, refusal.cloud, refusal.zone, refusal.resource_class
        assert (refusal.allocated, refusal.reserved) == shadow.used(cell, NOW)
        assert 0 <= refusal.available < refusal.requested
    against = {Cell(r.department, r.cloud, r.zone, r.resource_class) for r in refusals}
    for cell in growth:
        told = line(held, cell, held.grown(growth))
        if told.requested > 0 and told.available is not None:
            assert (told.requested > told.available) is (cell in against)
    written = (*reserved.entries, *allocated.entries)
    assert charges(fold(written).values(), charter.tree) == before


@pytest.mark.guarantee("Q1")
@pytest.mark.guarantee("Q6")
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    parents=trees(),
    facts=limits(),
    standing=demands(("a", "b", "c", "d"), "old"),
    who=st.sampled_from(NODES),
)
def test_what_is_left_is_what_admission_gives(
    parents: dict[str, str | None], facts: list[LimitFact], standing: list[Demand], who: str
) -> None:
    charter = Charter(Tree(parents), facts)
    held = steps.reserve({}, standing, LATER).after
    before = Standing(charter, NOW, charges(held.values(), charter.tree))

    def refused(amount: int) -> list[str]:
        wanted = [Demand("new1", "new", who, "c1", "z1", {"vms": amount})]
        growth = change(steps.reserve(held, wanted, LATER), charter.tree)
        return [refusal.department for refusal in weigh(before, wanted, growth)]

    found = leeway(before, Cell(who, "c1", "z1", "vms"))
    assert refused(found.left) == []
    beyond = refused(found.left + 1)
    assert (found.binding.department if found.binding else who) in beyond
