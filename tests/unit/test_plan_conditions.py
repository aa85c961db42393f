"""What is said of an object after an attempt, and what follows."""

import pytest

from govcloud.domain.drift import DriftMode
from govcloud.errors import (
    AwaitedCloudError,
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.messages import LANGUAGES, remedy, render
from govcloud.plan.actions import plan
from govcloud.plan.conditions import (
    GONE,
    HEAL_STORM,
    READY,
    Conditions,
    Failure,
    Next,
    conclude,
    in_words_of,
    missing_reference,
    unplanned,
    unreachable,
)
from govcloud.plan.drift import modes
from govcloud.plan.model import Plan, Situation, Verb
from govcloud.ports.cloud import Observed, Resource, State

HEAL = modes("VirtualMachine", DriftMode.HEAL, ())
REPORT = modes("VirtualMachine", DriftMode.REPORT, ())
ONE = Resource("u1", "server-0", "server", "n", "t", {"vcpu": 2})


def there(state: State, fault: str = "", **props: int) -> Observed:
    return Observed(
        "i", "server", "n", "t", state, "u1", "server-0", {**ONE.props, **props}, fault=fault
    )


def creating() -> Plan:
    return plan([ONE], [], Situation(HEAL, approved=True))


def summary(conditions: Conditions) -> tuple[bool, bool, str, Next]:
    return (conditions.ready, conditions.progressing, conditions.reason, conditions.next)


def test_under_way() -> None:
    assert summary(conclude(creating(), [], total=1)) == (False, True, "Building", Next.POLL)
    changing = plan([ONE], [there(State.READY, vcpu=1)], Situation(HEAL, approved=True))
    assert conclude(changing, []).reason == "Changing"
    healing = plan([ONE], [there(State.READY, vcpu=1)], Situation(HEAL))
    assert conclude(healing, []).reason == "Healing"


def test_settled() -> None:
    assert conclude(plan([ONE], [there(State.READY)], Situation(HEAL)), []) is READY
    releasing = Situation(HEAL, releasing=True)
    assert conclude(plan([ONE], [], releasing), [], releasing=True) is GONE
    going = conclude(plan([ONE], [there(State.DELETING)], releasing), [], releasing=True)
    assert summary(going) == (False, True, "Releasing", Next.POLL)


def test_reported_drift_ends_the_matter() -> None:
    drifted = conclude(plan([ONE], [there(State.READY, vcpu=1)], Situation(REPORT)), [])
    assert summary(drifted) == (True, False, "Drifted", Next.FORGET)
    missing = conclude(plan([ONE], [], Situation(REPORT)), [])
    assert summary(missing) == (False, False, "Missing", Next.FORGET)


@pytest.mark.parametrize(
    ("error", "verb", "following"),
    [
        (TransientCloudError("Throttled"), Verb.CREATE, Next.RETRY),
        (TransientCloudError("AnswerLost", outcome_unknown=True), Verb.CREATE, Next.RETRY),
        (TerminalCloudError("InvalidImage"), Verb.CREATE, Next.STOP),
        (TerminalCloudError("OverQuota"), Verb.CREATE, Next.RETRY),
        (CloudConflictError("NotOurs"), Verb.CREATE, Next.STOP),
        (CloudConflictError("NotOurs"), Verb.DELETE, Next.RETRY),
    ],
)
def test_failures(error: CloudError, verb: Verb, following: Next) -> None:
    situation = Situation(HEAL, approved=True, releasing=verb is Verb.DELETE)
    made = creating() if verb is Verb.CREATE else plan([ONE], [there(State.READY)], situation)
    said = conclude(made, [Failure(made.actions[0], error)], releasing=situation.releasing)
    assert summary(said) == (False, following is Next.RETRY, error.reason, following)


def test_waiting_for_what_is_still_built_is_no_failure() -> None:
    made = creating()
    awaited = Failure(made.actions[0], AwaitedCloudError("NotYet", "web"))
    said = conclude(made, [awaited])
    assert summary(said) == (False, True, "NotYet", Next.POLL)
    assert said.text.params == {"awaited": "web"}
    real = Failure(made.actions[0], TransientCloudError("Busy"))
    assert summary(conclude(made, [awaited, real])) == (False, True, "Busy", Next.RETRY)


@pytest.mark.guarantee("R8")
def test_a_removal_that_fails_is_tried_again_ever_more_slowly() -> None:
    made = plan([ONE], [there(State.FAILED, "DeleteFailed")], Situation(HEAL, releasing=True))
    said = conclude(made, [], releasing=True)
    assert summary(said) == (False, True, "Releasing", Next.RETRY)
    assert said.text.params["fault"] == "DeleteFailed"


def test_faults() -> None:
    building = plan([ONE], [there(State.FAILED, "NoHost")], Situation(HEAL, approved=True))
    assert summary(conclude(building, [])) == (False, True, "Rebuilding", Next.RETRY)
    hopeless = plan([ONE], [there(State.FAILED, "InvalidImage: x")], Situation(HEAL, approved=True))
    assert summary(conclude(hopeless, [])) == (False, False, "InvalidImage", Next.STOP)
    held = Situation(HEAL, known=frozenset("i"), delivered=frozenset("i"))
    failed = plan([ONE], [there(State.FAILED, "HostDown")], held)
    assert summary(conclude(failed, [])) == (False, False, "Failed", Next.STOP)


def test_a_storm_stops_the_healing() -> None:
    healing = plan([ONE], [], Situation(HEAL))
    assert summary(conclude(healing, [], withheld=HEAL_STORM)) == (
        False,
        False,
        "HealStorm",
        Next.STOP,
    )


def test_what_could_not_be_asked_or_planned_is_tried_again() -> None:
    assert unreachable(TransientCloudError("Unreachable")).next is Next.POLL
    assert unplanned(ValueError("x")).next is Next.RETRY
    assert missing_reference("Flavor", "small").next is Next.RETRY


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_condition_has_its_sentence(language: str) -> None:
    held = Situation(HEAL, known=frozenset("i"), delivered=frozenset("i"))
    said = [
        READY,
        GONE,
        conclude(creating(), []),
        conclude(creating(), [Failure(creating().actions[0], TerminalCloudError("X", "y"))]),
        conclude(plan([ONE], [there(State.FAILED)], held), []),
        unplanned(ValueError("x")),
        missing_reference("Flavor", "small"),
        unreachable(TransientCloudError("Unreachable")),
    ]
    for conditions in said:
        sentence = render(conditions.text.key, language, conditions.text.params)
        assert "{" not in sentence
        assert "controller." not in sentence


@pytest.mark.parametrize("mode", [DriftMode.REPORT, DriftMode.IGNORE])
def test_what_is_missing_is_never_ready_whatever_the_mode(mode: DriftMode) -> None:
    situation = Situation(modes("VirtualMachine", mode, ()))
    missing = conclude(plan([ONE], [], situation), [])
    assert summary(missing) == (False, False, "Missing", Next.FORGET)
    assert missing.text.params["parts"] == [ONE.part]


@pytest.mark.guarantee("P4")
def test_a_clouds_answer_is_told_as_a_department_understands_it() -> None:
    """With what to do about it; the cloud's own words stay behind that, for administrators."""
    error = TerminalCloudError("InvalidImage", "compute 400: Image 7 is not active")
    said = conclude(creating(), [Failure(creating().actions[0], error)])
    text = in_words_of("openstack", said).text
    english, chinese = (render(text.key, language, text.params) for language in ("en", "zh"))
    assert "The cloud does not accept the image: it is gone" in english
    assert "InvalidImage" not in english
    assert "compute 400: Image 7 is not active" in english
    assert "compute 400: Image 7 is not active" in chinese
    assert render("openstack.InvalidImage", "zh") in chinese
    todo = remedy(text.key, "en", {**text.params, "object": "hrss/VirtualMachine/web"}) or ""
    assert todo.startswith("Choose another image")
    assert "govcloud retry hrss/VirtualMachine/web" in todo


def test_what_a_thing_in_error_says_is_told_so_too() -> None:
    """Also of a driver whose kind has no catalogue, in the words that it gave."""
    broken = there(State.FAILED, "NoCapacity: No valid host was found.")
    said = conclude(plan([ONE], [broken], Situation(HEAL, approved=True)), [])
    texts = {kind: in_words_of(kind, said).text for kind in ("openstack", "elsewhere")}
    known, unknown = (render(text.key, "en", text.params) for text in texts.values())
    assert known.endswith("The cloud has no room for it at present. No valid host was found.")
    assert unknown.endswith("NoCapacity: No valid host was found.")
    assert in_words_of("openstack", READY) is READY
    assert in_words_of("openstack", GONE) is GONE
