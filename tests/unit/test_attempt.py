"""An attempt goes on with what follows from the cloud's answers, and no further than is known."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from govcloud.errors import TransientCloudError
from govcloud.plan.conditions import Failure, Next
from govcloud.plan.model import Verb
from govcloud.ports.cloud import Observed, Resource, State
from govcloud.reconcile.attempt import Attempt
from govcloud.reconcile.desired import Wanted, World
from govcloud.reconcile.settings import Settings
from govcloud.reconcile.status import Status
from govcloud.store.work import Claim

NOW = datetime(2026, 3, 1, tzinfo=UTC)
UID = "0123456789abcdef"


def resource(part: str, rank: int, **props: str) -> Resource:
    return Resource(UID, part, part, f"tax-{part}", "tax", props=props, rank=rank)


FIRST, SECOND = resource("namespace", 0), resource("quota", 1, pods="10")


def attempt(
    *found: Observed, built: int = 0, wanted: tuple[Resource, ...] = (FIRST, SECOND)
) -> Attempt:
    """Return an attempt at a namespace with a quota, where this was found."""
    spec = '{"system": "tax", "zone": "a", "cpu": "1", "memory": "1Gi"}'
    row = Wanted(
        *(UID, "Namespace", "finance", "tax", "tax", "a", 1, spec, "", "REQ-1"),
        *("", "active", False, True, ""),
    )
    made = Attempt(Claim(UID, 1, True, 0, 0, NOW), row, Status(built=built), NOW)
    made.resources = wanted
    made.decide(found, World(), NOW, Settings(), wipes=frozenset())
    return made


def answer(made: Attempt, state: State = State.READY, **props: str) -> None:
    """Let the cloud answer each action of the attempt's plan."""
    for action in made.actions:
        wanted = action.wanted
        assert wanted is not None
        seen = standing(wanted, state)
        made.seen[wanted.part] = replace(seen, props=props) if props else seen
        made.done.append(action)


def standing(wanted: Resource, state: State = State.READY) -> Observed:
    return Observed(
        wanted.part, wanted.type, wanted.name, wanted.tenant, state, UID, wanted.part, wanted.props
    )


@pytest.mark.guarantee("R1")
def test_what_follows_is_done_without_another_look() -> None:
    made = attempt()
    assert [(a.verb, a.part) for a in made.actions] == [(Verb.CREATE, "namespace")]
    answer(made)
    assert made.go_on()
    assert [(a.verb, a.part) for a in made.actions] == [(Verb.CREATE, "quota")]


def test_that_all_stands_is_concluded_from_the_answers() -> None:
    made = attempt(standing(FIRST))
    answer(made)
    assert not made.go_on()
    conditions = made.outcome().conditions
    assert conditions is not None
    assert (conditions.ready, conditions.next) == (True, Next.FORGET)


@pytest.mark.guarantee("R1")
def test_from_an_answer_nothing_is_removed_or_changed() -> None:
    """An answer that says less than was asked for is no reason to begin anew: a look is."""
    made = attempt(standing(FIRST), wanted=(FIRST, replace(SECOND, immutable=frozenset({"pods"}))))
    answer(made, pods="5")
    assert not made.go_on()
    conditions = made.outcome().conditions
    assert conditions is not None
    assert (conditions.ready, conditions.next) == (False, Next.POLL)


def test_what_is_still_being_built_is_waited_for() -> None:
    made = attempt()
    answer(made, State.BUILDING)
    assert not made.go_on()
    conditions = made.outcome().conditions
    assert conditions is not None
    assert (conditions.ready, conditions.next) == (False, Next.POLL)


def test_after_a_failure_nothing_follows() -> None:
    made = attempt()
    (action,) = made.actions
    answer(made)
    made.failures.append(Failure(action, TransientCloudError("Timeout", "no answer")))
    assert not made.go_on()
    assert made.outcome().conditions.next is Next.RETRY  # type: ignore[union-attr]


def test_nothing_is_done_twice_without_another_look() -> None:
    """A cloud may say yes and show nothing of it."""
    made = attempt(standing(FIRST), replace(standing(SECOND), props={"pods": "5"}))
    assert [a.verb for a in made.actions] == [Verb.CHANGE]
    answer(made, pods="5")
    assert not made.go_on()
    assert not made.outcome().conditions.ready  # type: ignore[union-attr]


@pytest.mark.guarantee("R4")
def test_of_a_heal_is_told_before_anything_follows() -> None:
    made = attempt(built=1)
    answer(made)
    assert not made.go_on()
    outcome = made.outcome()
    assert outcome.healed == ("namespace",)
    assert outcome.plan is not None
    assert {drift.resource for drift in outcome.plan.drifts} >= {f"{UID}/namespace"}


def test_only_what_is_being_made_is_waited_for() -> None:
    made = attempt()
    assert made.waits_for == ()
    answer(made)
    assert made.waits_for == ()
    assert made.go_on()
    answer(made, State.BUILDING)
    assert not made.go_on()
    assert [item.part for item in made.waits_for] == ["quota"]


def test_what_changes_or_went_wrong_is_not_waited_for() -> None:
    made = attempt(standing(FIRST))
    answer(made, State.CHANGING)
    assert not made.go_on()
    assert made.waits_for == ()
    made = attempt(standing(FIRST))
    answer(made, State.BUILDING)
    assert not made.go_on()
    made.failures.append(Failure(made.done[0], TransientCloudError("ServerError")))
    assert made.waits_for == ()
