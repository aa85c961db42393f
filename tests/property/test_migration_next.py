"""Whatever hosts do and people wish: every way ends, no source is touched early, all is undone."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govcloud.domain.kinds.governance import MigrationState
from govcloud.domain.kinds.moving import Move
from migration.running import gates
from migration.running.model import (
    Case,
    Do,
    Entry,
    Halt,
    Over,
    Party,
    StepName,
    Undo,
    Verb,
    Wait,
    Wish,
)
from migration.running.next import next_step, state_of, taking_back
from migration.running.next import stuck as in_vain
from migration.running.port import Verdict
from migration.running.steps import CRITICAL, STEPS, tasks, undoing

START = datetime(2026, 12, 1, 8, tzinfo=UTC)
OPENS = datetime(2026, 12, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def move(**more: object) -> Move:
    """A system of two workloads, with a switch, base configuration and hooks."""
    plain = {
        "window": {"opens": OPENS.isoformat(), "hours": 8},
        "sources": [{"host": "web-1"}, {"host": "db-1"}],
        "targets": [{"machine": "web"}, {"machine": "db"}],
        "others": [{"name": "gateway", "address": "10.0.0.1"}],
        "configure": [{"role": "base", "on": "web"}],
        "workloads": [
            {"name": "db", "role": "postgresql", "source": "db-1", "target": "db"},
            {"name": "site", "role": "files", "source": "web-1", "target": "web"},
        ],
        "switch": [{"role": "switch_nginx", "on": "gateway"}],
        "health": [{"tcp": "10.0.0.1:80"}],
        "hooks": {"before-freeze": [{"role": "notice", "on": "gateway"}]},
    }
    return Move.model_validate(plain | more)


def test_what_others_need_is_frozen_after_them_and_serves_before_them() -> None:
    way = tasks(move())
    by_step = {
        step: [task.part for task in way if task.step is step and task.part in ("db", "site")]
        for step in (StepName.FREEZE, StepName.FINAL_SYNC, StepName.START)
    }
    assert by_step[StepName.FREEZE] == ["site", "db"]
    assert by_step[StepName.FINAL_SYNC] == by_step[StepName.START] == ["db", "site"]
    back = undoing([task for task in way if task.step in by_step], asked=False)
    assert [task.part for task in back if task.part in ("db", "site")] == ["db", "site"]


class Play:
    """One migration played on paper: time, wishes and outcomes are the test's."""

    def __init__(self, plan: Move) -> None:
        self.move, self.now, self.number = plan, START, 0
        self.wishes: list[Wish] = []
        self.entries: list[Entry] = []
        self.wish(Verb.RUN)

    @property
    def case(self) -> Case:
        return Case(self.move, tuple(self.wishes), tuple(self.entries))

    def wish(self, verb: Verb, **detail: str) -> None:
        self.number += 1
        self.wishes.append(Wish(self.number, verb, self.now, "somebody", detail=detail))

    def do(self, decided: Do, verdict: Verdict | None, minutes: float = 5) -> None:
        """Write an attempt into the journal; None: whoever made it died."""
        self.number += 1
        began, number = self.now, self.number
        self.now += timedelta(minutes=minutes)
        self.number += 1
        task = decided.task
        ended = None if verdict is None else self.now
        self.entries.append(
            Entry(
                number, task.step, task.part, decided.attempt, task.digest, began, ended,
                self.number if ended else 0, verdict, message="it did not work",
            )
        )  # fmt: skip

    def go(self, most: int = 400) -> object:
        """Go on, all succeeding and nobody wishing anything, to an end or a wait for somebody."""
        copied = len(done(self, StepName.DELTA_SYNC))
        for _ in range(most):
            decided = next_step(self.case, self.now)
            if isinstance(decided, Do):
                self.do(decided, Verdict.OK)
            elif isinstance(decided, Wait) and decided.until is not None:
                assert decided.until > self.now
                if len(done(self, StepName.DELTA_SYNC)) > copied + 20:
                    return decided
                self.now = decided.until
            else:
                return decided
        raise AssertionError("it goes on for ever")

    def sign(self) -> None:
        for party in Party:
            self.wish(Verb.ACCEPT, party=party.value)

    def backed(self) -> str:
        return (self.now - HOUR).isoformat()


def done(play: Play, step: StepName) -> list[str]:
    return [entry.part for entry in play.entries if entry.step is step and entry.ok]


@pytest.mark.guarantee("M3")
def test_each_step_that_changes_something_names_what_undoes_it() -> None:
    for step in STEPS:
        assert step.changes == (step.undo is not Undo.NOTHING), step.name
    for task in tasks(move()):
        assert task.changes == (task.undo is not Undo.NOTHING), task.key


@pytest.mark.guarantee("M1")
def test_only_steps_of_the_window_may_touch_a_source() -> None:
    for task in tasks(move()):
        assert not task.touches_source or task.step in CRITICAL, task.key
    with pytest.raises(ValueError, match="move_touches_source"):
        move(hooks={"after-initial-sync": [{"role": "notice", "on": "db-1"}]})


def test_all_goes_well() -> None:
    play = Play(move())
    play.now = OPENS - 3 * HOUR
    for _ in range(60):
        decided = next_step(play.case, play.now)
        if isinstance(decided, Wait):
            break
        assert isinstance(decided, Do)
        play.do(decided, Verdict.OK)
    assert state_of(play.case, decided) is MigrationState.SYNCING
    assert done(play, StepName.DELTA_SYNC) == ["db", "site"]
    play.wish(Verb.CUTOVER, backup=play.backed())
    last = play.go()
    assert isinstance(last, Wait)
    assert state_of(play.case, last) is MigrationState.TRIAL
    frozen = [entry.began for entry in play.entries if entry.step is StepName.FREEZE]
    assert OPENS <= frozen[0] < OPENS + HOUR
    play.now += timedelta(days=31)
    play.sign()
    assert isinstance(play.go(), Wait)
    assert state_of(play.case, last) is MigrationState.ACCEPTED
    for host in ("web-1", "db-1"):
        play.wish(Verb.SOURCE_OFF, host=host)
    assert play.go() == Over(MigrationState.CLOSED)


VERDICTS = st.sampled_from([Verdict.OK] * 12 + [*Verdict, None])
WISHES = st.sampled_from(
    [None] * 8 + [Verb.PAUSE, Verb.RESUME, Verb.CUTOVER, Verb.VERIFY, Verb.ROLLBACK]
)


@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M2")
@pytest.mark.guarantee("M3")
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(VERDICTS, WISHES, st.integers(1, 300)), max_size=60), st.booleans())
def test_every_way_ends_and_is_undone(story: list, begins_late: bool) -> None:
    play = Play(move())
    play.now = OPENS - (2 if begins_late else 40) * HOUR
    for verdict, verb, minutes in story:
        if verb is Verb.CUTOVER:
            play.wish(verb, backup=play.backed())
        elif verb is not None:
            play.wish(verb)
        decided = next_step(play.case, play.now)
        if isinstance(decided, Do):
            check(play, decided)
            play.do(decided, verdict, minutes)
        elif isinstance(decided, Over):
            break
        else:
            play.now += timedelta(minutes=minutes)
    for _ in range(6):
        last = play.go()
        if isinstance(last, Over):
            break
        if isinstance(last, Halt):
            play.wish(Verb.RESUME)
        elif play.case.last(Verb.CUTOVER) is None or play.now >= OPENS + 8 * HOUR:
            serving = {entry.step for entry in play.entries if entry.ok}
            play.wish(Verb.RESUME)
            if StepName.TRIAL not in serving:
                play.wish(Verb.ROLLBACK)
            else:
                play.now += timedelta(days=31)
                play.sign()
                play.wish(Verb.SOURCE_OFF, host="web-1")
                play.wish(Verb.SOURCE_OFF, host="db-1")
        else:
            play.wish(Verb.RESUME)
            play.wish(Verb.CUTOVER, backup=play.backed())
    assert isinstance(last, Over), last
    if last.state is MigrationState.ROLLED_BACK:
        for task in taking_back(play.case, tasks(play.move)):
            assert any(entry.ok for entry in play.case.tries(task)), task.key


def check(play: Play, decided: Do) -> None:
    """Nothing that may touch a source is done before the window, a test and a wish (M1)."""
    if decided.task.touches_source:
        steps = {entry.step for entry in play.entries if entry.ok}
        assert play.now >= OPENS
        assert play.case.last(Verb.CUTOVER) is not None
        assert {StepName.TEST_VERIFY, StepName.TEST_UNDO, StepName.DELTA_SYNC} <= steps


def until(play: Play, step: StepName) -> Do:
    """Go on until a step is next."""
    for _ in range(200):
        decided = next_step(play.case, play.now)
        if isinstance(decided, Do):
            if decided.task.step is step:
                return decided
            play.do(decided, Verdict.OK)
        else:
            assert isinstance(decided, Wait)
            assert decided.until is not None
            play.now = decided.until
    raise AssertionError(step)


@pytest.mark.guarantee("M3")
@pytest.mark.parametrize("step", sorted(CRITICAL))
def test_a_failure_in_the_window_goes_back_by_itself(step: StepName) -> None:
    play = Play(move())
    play.now = OPENS - 3 * HOUR
    play.wish(Verb.CUTOVER, backup=play.now.isoformat())
    play.do(until(play, step), Verdict.FAILED)
    assert play.go() == Over(MigrationState.ROLLED_BACK)
    undone = done(play, StepName.UNDO)
    assert undone[-1] == "before-freeze.1"
    assert ("switch.1" in undone) == (step in (StepName.SWITCH, StepName.HEALTH))
    if step is not StepName.FREEZE:
        assert undone[-3:-1] == ["db", "site"]


@pytest.mark.guarantee("M3")
@pytest.mark.parametrize("verdict", [Verdict.UNREACHABLE, Verdict.FAILED])
@pytest.mark.parametrize("stuck", ["switch.1", "db", "site"])
def test_what_cannot_be_taken_back_holds_nothing_else_up(stuck: str, verdict: Verdict) -> None:
    """Sources serve again although a target is gone for good; then it waits for that one."""
    play = Play(move())
    play.now = OPENS - 3 * HOUR
    play.wish(Verb.CUTOVER, backup=play.now.isoformat())
    play.do(until(play, StepName.HEALTH), Verdict.FAILED)
    for _ in range(20):
        decided = next_step(play.case, play.now)
        if isinstance(decided, Halt):
            break
        if isinstance(decided, Do):
            play.do(decided, verdict if decided.task.part == stuck else Verdict.OK)
        elif isinstance(decided, Wait) and decided.until:
            play.now = decided.until
    undone = {"switch.1", "db", "site", "before-freeze.1"}
    assert set(done(play, StepName.UNDO)) == undone - {stuck}
    assert isinstance(decided, Halt) is (verdict is Verdict.FAILED)
    assert in_vain(play.case, play.now) == [stuck]
    given_up = deepcopy(play)
    given_up.wish(Verb.ABANDON, part=stuck)
    assert next_step(given_up.case, given_up.now) == Over(MigrationState.ROLLED_BACK)
    play.wish(Verb.RESUME)
    assert play.go() == Over(MigrationState.ROLLED_BACK)


def test_a_host_that_is_away_is_tried_again_later_and_later() -> None:
    play = Play(move())
    play.do(until(play, StepName.INITIAL_SYNC), Verdict.UNREACHABLE)
    pauses = []
    for _ in range(9):
        decided = next_step(play.case, play.now)
        assert isinstance(decided, Wait)
        assert decided.until
        pauses.append((decided.until - play.now).total_seconds())
        play.now = decided.until
        again = next_step(play.case, play.now)
        assert isinstance(again, Do)
        play.do(again, Verdict.UNREACHABLE)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_cut_over_that_the_window_ends_is_taken_back() -> None:
    play = Play(move())
    play.now = OPENS - 3 * HOUR
    play.wish(Verb.CUTOVER, backup=play.now.isoformat())
    play.do(until(play, StepName.FINAL_SYNC), None)
    play.now = OPENS + 8 * HOUR
    assert play.go() == Over(MigrationState.ROLLED_BACK)


@pytest.mark.guarantee("M3")
def test_a_host_that_is_away_keeps_no_source_frozen_beyond_the_window() -> None:
    play = Play(move())
    play.now = OPENS - 3 * HOUR
    play.wish(Verb.CUTOVER, backup=play.now.isoformat())
    decided = until(play, StepName.FINAL_SYNC)
    closes = OPENS + 8 * HOUR
    play.now = closes - timedelta(minutes=5, seconds=1)
    play.do(decided, Verdict.UNREACHABLE)
    waits = next_step(play.case, play.now)
    assert isinstance(waits, Wait)
    assert waits.until == closes
    assert play.go() == Over(MigrationState.ROLLED_BACK)


@pytest.mark.guarantee("M1")
def test_a_cut_over_whose_window_has_passed_is_asked_for_again() -> None:
    """Nobody who wanted it on that night is cut over on another, also where no backup is wanted."""
    play = Play(move())
    play.now = OPENS - 3 * HOUR
    play.wish(Verb.CUTOVER, waiver="no data", closes=(OPENS + 8 * HOUR).isoformat())
    until(play, StepName.FREEZE)
    play.now = OPENS + 9 * HOUR
    later = OPENS + timedelta(days=1)
    play.move = move(window={"opens": later.isoformat(), "hours": 8})
    shut = [gate.key for gate in gates.cutover(play.case, later)]
    assert shut == ["migrate.run_gate_asked_before"]
    play.wish(Verb.CUTOVER, waiver="no data", closes=(later + 8 * HOUR).isoformat())
    until(play, StepName.FREEZE)
    assert play.now >= later


def test_what_has_changed_is_copied_again_until_it_fits() -> None:
    play = Play(move())
    play.now = OPENS - 3 * HOUR
    play.wish(Verb.CUTOVER, backup=play.now.isoformat())
    for _ in range(3):
        play.do(until(play, StepName.DELTA_SYNC), Verdict.OK, 40)
    decided = next_step(play.case, play.now)
    assert isinstance(decided, Do)
    assert decided.task.step is StepName.DELTA_SYNC
    until(play, StepName.FREEZE)
    assert len(done(play, StepName.DELTA_SYNC)) > 4
