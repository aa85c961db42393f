"""Plans for one object, case by case."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from govcloud.domain.drift import DriftMode
from govcloud.domain.kinds.governance import DriftRule
from govcloud.plan.actions import plan
from govcloud.plan.drift import ModeOf, modes
from govcloud.plan.model import Plan, Reason, Situation, Verb
from govcloud.ports.cloud import Observed, Resource, State, Value

HEAL = modes("VirtualMachine", DriftMode.HEAL, ())
REPORT = modes("VirtualMachine", DriftMode.REPORT, ())
IGNORE = modes("VirtualMachine", DriftMode.IGNORE, ())
APPROVED = Situation(HEAL, approved=True)


def wanted(part: str = "server-0", rank: int = 0, **props: Value) -> Resource:
    values = {"vcpu": 2, "image": "kylin"} | props
    tags = {"request": "R1"}
    frozen = frozenset({"image"})
    kind = part.split("-", maxsplit=1)[0]
    return Resource("u1", part, kind, part, "t", values, tags, rank, frozen)


def there(
    resource: Resource, state: State = State.READY, key: str = "", **props: Value
) -> Observed:
    values: Mapping[str, Value] = {**resource.props, **props}
    name = key or f"id-{resource.part}"
    return Observed(
        name, resource.type, "n", "t", state, "u1", resource.part, values, resource.tags
    )


def verbs(made: Plan) -> list[tuple[Verb, Reason, str]]:
    return [(action.verb, action.reason, action.part) for action in made.actions]


def test_what_is_not_there_is_created() -> None:
    made = plan([wanted("server-0"), wanted("server-1")], [], APPROVED)
    assert verbs(made) == [
        (Verb.CREATE, Reason.APPROVED, "server-0"),
        (Verb.CREATE, Reason.APPROVED, "server-1"),
    ]
    assert not made.ready
    assert not made.settled


def test_what_is_as_wanted_is_left_alone() -> None:
    one = wanted()
    for situation in (APPROVED, Situation(HEAL), Situation(REPORT)):
        made = plan([one], [there(one)], situation)
        assert made == Plan(ready=True)
        assert made.settled


@pytest.mark.parametrize("state", [State.BUILDING, State.CHANGING, State.DELETING])
def test_what_is_under_way_is_waited_for(state: State) -> None:
    one = wanted()
    made = plan([one], [there(one, state, vcpu=1)], APPROVED)
    assert (made.actions, len(made.waiting), made.ready) == ((), 1, False)


def test_a_higher_rank_waits_until_the_lower_one_is_ready() -> None:
    low, high = wanted("volume-0", 0), wanted("server-0", 1)
    made = plan([high, low], [], APPROVED)
    assert verbs(made) == [(Verb.CREATE, Reason.APPROVED, "volume-0")]
    assert made.blocked == (high,)
    made = plan([high, low], [there(low, State.BUILDING)], APPROVED)
    assert (made.actions, made.blocked) == ((), (high,))
    made = plan([high, low], [there(low)], APPROVED)
    assert verbs(made) == [(Verb.CREATE, Reason.APPROVED, "server-0")]


@pytest.mark.parametrize("situation", [APPROVED, Situation(HEAL)])
def test_what_is_not_awaited_has_to_be_there_and_not_to_be_as_wanted(situation: Situation) -> None:
    limits = replace(wanted("limits", 1), awaited=False, immutable=frozenset())
    other, people = wanted("policy", 1), wanted("access", 2)
    differs = there(limits, vcpu=9)
    change = (Verb.CHANGE, "limits")

    def done(*seen: Observed) -> list[tuple[Verb, str]]:
        made = plan([limits, other, people], seen, situation)
        return [(verb, part) for verb, _, part in verbs(made)]

    assert done(differs, there(other)) == [change, (Verb.CREATE, "access")]
    assert done(differs) == [change, (Verb.CREATE, "policy")]
    assert done(there(other)) == [(Verb.CREATE, "limits")]
    assert done(there(limits, State.CHANGING), there(other)) == []
    assert done(replace(differs, tenant="elsewhere"), there(other)) == []


def test_an_approved_change_is_made_in_place_or_by_replacement() -> None:
    old = wanted()
    made = plan([wanted(vcpu=8)], [there(old)], APPROVED)
    [action] = made.actions
    assert (action.verb, action.fields) == (Verb.CHANGE, ("vcpu",))
    made = plan([wanted(image="debian")], [there(old)], APPROVED)
    assert verbs(made) == [(Verb.DELETE, Reason.REPLACE, "server-0")]


@pytest.mark.guarantee("R4")
def test_drift_follows_its_mode() -> None:
    one = wanted()
    changed = [there(one, vcpu=1)]
    healed = plan([one], changed, Situation(HEAL))
    assert verbs(healed) == [(Verb.CHANGE, Reason.HEAL, "server-0")]
    [drift] = healed.drifts
    assert (drift.field, drift.wanted, drift.found) == ("vcpu", "2", "1")
    reported = plan([one], changed, Situation(REPORT))
    assert (reported.actions, len(reported.drifts), reported.ready) == ((), 1, True)
    assert plan([one], changed, Situation(IGNORE)) == Plan(ready=True)


@pytest.mark.guarantee("R4")
def test_drift_follows_the_first_rule_for_its_field() -> None:
    rules = [
        DriftRule(kind="Volume", mode=DriftMode.IGNORE),
        DriftRule(field="vcpu", mode=DriftMode.REPORT),
        DriftRule(kind="VirtualMachine", mode=DriftMode.IGNORE),
    ]
    one = wanted(power="on")
    changed = [there(one, vcpu=1, power="off")]
    made = plan([one], changed, Situation(modes("VirtualMachine", None, rules)))
    assert [(d.field, d.mode) for d in made.drifts] == [("vcpu", DriftMode.REPORT)]
    assert made.actions == ()
    assert modes("Volume", DriftMode.HEAL, rules)("size") is DriftMode.HEAL
    assert modes("Namespace", None, rules[:1])("cpu") is DriftMode.HEAL


@pytest.mark.guarantee("R4")
def test_a_missing_or_extra_resource_is_drift_too() -> None:
    one, extra = wanted(), wanted("server-9")
    assert verbs(plan([one], [], Situation(HEAL))) == [(Verb.CREATE, Reason.HEAL, "server-0")]
    reported = plan([one], [], Situation(REPORT))
    assert (reported.actions, reported.ready) == ((), False)
    assert [d.field for d in reported.drifts] == ["missing"]
    both = [there(one), there(extra)]
    assert verbs(plan([one], both, Situation(HEAL))) == [(Verb.DELETE, Reason.SURPLUS, "server-9")]
    reported = plan([one], both, Situation(REPORT))
    assert (reported.actions, reported.ready) == ((), True)
    assert [d.field for d in reported.drifts] == ["extra"]


def test_healing_never_replaces() -> None:
    one = wanted()
    made = plan([one], [there(one, image="debian")], Situation(HEAL))
    assert made.actions == ()
    assert [(d.field, d.mode) for d in made.drifts] == [("image", DriftMode.REPORT)]


def test_tags_are_compared_and_further_ones_are_the_clouds_affair() -> None:
    one = wanted()
    more = replace(there(one), tags={"request": "R1", "theirs": "x"})
    assert plan([one], [more], Situation(HEAL)).settled
    other = replace(there(one), tags={"request": "R0"})
    [action] = plan([one], [other], APPROVED).actions
    assert action.fields == ("tag:request",)


@pytest.mark.guarantee("R1")
def test_of_two_with_one_mark_the_recorded_one_is_kept() -> None:
    one = wanted()
    first, second = there(one, key="a"), there(one, key="b")
    [action] = plan([one], [second, first], Situation(HEAL)).actions
    assert (action.reason, action.observed) == (Reason.DUPLICATE, second)
    [action] = plan([one], [first, second], Situation(HEAL, known=frozenset({"b"}))).actions
    assert action.observed == first
    broken = there(one, State.FAILED, key="b")
    [action] = plan([one], [first, broken], Situation(HEAL, known=frozenset({"b"}))).actions
    assert action.observed == broken


@pytest.mark.guarantee("R1")
@pytest.mark.parametrize("mode", [HEAL, REPORT, IGNORE])
@pytest.mark.parametrize("state", [State.READY, State.FAILED, State.DELETING])
def test_a_double_that_may_hold_data_is_left_to_a_person(state: State, mode: ModeOf) -> None:
    """A backup that was restored says of itself what the original said."""
    one, ids = wanted("volume-0"), frozenset({"z"})
    original = replace(there(one, state, key="z"), data=True)
    restored = replace(there(one, key="a"), data=True)
    for approved in (False, True):
        made = plan(
            [one],
            [restored, original],
            Situation(mode, approved=approved, known=ids, delivered=ids),
        )
        assert (made.actions, made.doubles) == ((), (restored,))
        assert [(d.resource, d.field, d.mode) for d in made.drifts] == [
            ("a", "extra", DriftMode.REPORT)
        ]
        assert made.ready is (state is State.READY)
    assert plan([one], [restored], Situation(mode, known=ids, delivered=ids)).doubles == ()


@pytest.mark.guarantee("R1")
def test_a_double_of_what_is_being_built_is_empty_and_goes() -> None:
    one, known = wanted("volume-0"), frozenset({"a"})
    first, second = (replace(there(one, key=key), data=True) for key in "ab")
    [action] = plan([one], [first, second], replace(APPROVED, known=known)).actions
    assert (action.verb, action.reason, action.observed) == (Verb.DELETE, Reason.DUPLICATE, second)


def test_what_fails_while_it_is_built_is_built_again() -> None:
    one = wanted()
    made = plan([one], [there(one, State.FAILED)], APPROVED)
    assert verbs(made) == [(Verb.DELETE, Reason.FAILED, "server-0")]


def test_what_was_handed_over_and_failed_is_left_to_a_person() -> None:
    one = wanted()
    failed = there(one, State.FAILED)
    known = frozenset({failed.id})
    made = plan([one], [failed], Situation(HEAL, known=known, delivered=known))
    assert (made.actions, made.faults) == ((), (failed,))
    approved = Situation(HEAL, approved=True, known=known, delivered=known)
    made = plan([wanted(vcpu=8)], [failed], approved)
    assert verbs(made) == [(Verb.CHANGE, Reason.APPROVED, "server-0")]
    made = plan([wanted(image="debian")], [failed], approved)
    assert (made.actions, made.faults) == ((), (failed,))


@pytest.mark.guarantee("R2")
def test_the_mark_on_something_else_is_a_conflict() -> None:
    one = wanted()
    for other in (replace(there(one), type="bucket"), replace(there(one), tenant="elsewhere")):
        made = plan([one], [other], APPROVED)
        assert (made.actions, made.conflicts) == ((), (other,))


@pytest.mark.guarantee("R2")
def test_what_has_no_mark_is_refused() -> None:
    one = wanted()
    with pytest.raises(AssertionError):
        plan([one], [replace(there(one), uid="", part="")], APPROVED)


def test_release_removes_the_highest_rank_first() -> None:
    low, high = wanted("volume-0", 0), wanted("server-0", 1)
    releasing = Situation(HEAL, releasing=True)
    made = plan([low, high], [there(low), there(high)], releasing)
    assert verbs(made) == [(Verb.DELETE, Reason.RELEASE, "server-0")]
    assert [item.part for item in made.waiting] == ["volume-0"]
    made = plan([low, high], [there(low), there(high, State.DELETING)], releasing)
    assert made.actions == ()
    made = plan([low, high], [there(low)], releasing)
    assert verbs(made) == [(Verb.DELETE, Reason.RELEASE, "volume-0")]
    assert plan([low, high], [], releasing).settled


def test_release_without_knowing_what_should_be_there_removes_all() -> None:
    made = plan(
        [], [there(wanted("volume-0")), there(wanted("server-0"))], Situation(HEAL, releasing=True)
    )
    assert {action.part for action in made.actions} == {"volume-0", "server-0"}


def test_actions_have_one_order() -> None:
    made = plan(
        [wanted("server-0"), wanted("server-1", vcpu=8)],
        [there(wanted("server-1")), there(wanted("server-2")), there(wanted("server-3"))],
        APPROVED,
    )
    assert [action.verb for action in made.actions] == [
        Verb.DELETE,
        Verb.DELETE,
        Verb.CHANGE,
        Verb.CREATE,
    ]
    assert [action.part for action in made.actions] == [
        "server-2",
        "server-3",
        "server-1",
        "server-0",
    ]


def test_what_is_replaced_goes_after_what_hangs_on_it() -> None:
    """A cloud lets no disk go that its server boots from."""
    disk, server, data = wanted("disk-0", 1), wanted("server-0", 2), wanted("data-0-0", 1)
    new = [wanted("disk-0", 1, image="rocky"), data, wanted("server-0", 2, image="rocky")]
    standing = [there(disk), there(data), there(server)]
    made = plan(new, standing, APPROVED)
    assert verbs(made) == [(Verb.DELETE, Reason.REPLACE, "server-0")]
    assert [item.part for item in made.waiting] == ["disk-0"]
    going = [there(disk), there(data), there(server, State.DELETING)]
    assert verbs(plan(new, going, APPROVED)) == []
    made = plan(new, standing[:2], APPROVED)
    assert verbs(made) == [(Verb.DELETE, Reason.REPLACE, "disk-0")]
    assert made.blocked == (new[2],)
    two = [wanted("server-0", 0, image="rocky"), wanted("server-1", 1, image="rocky")]
    made = plan(two, [there(wanted("server-0")), there(wanted("server-1", 1))], APPROVED)
    assert {action.part for action in made.actions} == {"server-0", "server-1"}


def test_what_is_to_be_built_anew_goes_although_it_is_well_and_comes_back_whatever_the_mode() -> (
    None
):
    one, other = wanted(), wanted("server-1")
    asked = Situation(REPORT, remade=frozenset({"id-server-0"}), asked=frozenset({"missing"}))
    made = plan([one, other], [there(one), there(other)], asked)
    assert verbs(made) == [(Verb.DELETE, Reason.REPLACE, "server-0")]
    made = plan([one, other], [there(other)], asked)
    assert (verbs(made), made.drifts) == ([(Verb.CREATE, Reason.APPROVED, "server-0")], ())
    made = plan([one, other], [there(one, key="new"), there(other)], asked)
    assert made == Plan(ready=True)
