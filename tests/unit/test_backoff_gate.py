"""Waiting: backoff, the gate before a cloud, the hands that act."""

import threading

import pytest

from govcloud.errors import TerminalCloudError, TransientCloudError
from govcloud.reconcile.backoff import Backoff
from govcloud.reconcile.crew import Crew
from govcloud.reconcile.gate import Gate, PausedError
from govcloud.reconcile.settings import Settings
from govcloud.testing.clock import FixedClock

SETTINGS = Settings(breaker_after=3, breaker_first_s=2, breaker_cap_s=8, retry_after_cap_s=100)


def gate(clock: FixedClock, rate: float = 1000) -> Gate:
    return Gate(rate, clock, SETTINGS, lambda: 0.0)


def fail(through: Gate, error: Exception, method: str = "find") -> None:
    with pytest.raises(type(error)), through.call(method):
        raise error


def test_backoff_doubles_to_its_cap_and_jitter_only_shortens() -> None:
    plain = Backoff(1, 300, lambda: 0.0)
    assert [plain.delay(n) for n in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert plain.delay(10_000) == 300
    shortened = Backoff(1, 300, lambda: 0.999)
    assert 0.8 <= shortened.delay(1) < 0.81
    assert shortened.delay(10_000) < 300


@pytest.mark.guarantee("R6")
def test_retry_after_closes_the_gate_for_every_call() -> None:
    clock = FixedClock()
    through = gate(clock)
    fail(through, TransientCloudError("Throttled", retry_after_s=30), "create")
    for method in ("find", "create", "observe"):
        with pytest.raises(PausedError), through.call(method):
            pytest.fail("no call may be made")
    clock.advance(29.9)
    assert through.paused_until("find") is not None
    clock.advance(0.2)
    with through.call("find"):
        pass


def test_retry_after_has_a_cap() -> None:
    clock = FixedClock()
    through = gate(clock)
    fail(through, TransientCloudError("Throttled", retry_after_s=10**9))
    clock.advance(101)
    assert through.paused_until("find") is None


@pytest.mark.guarantee("R6")
def test_the_breaker_opens_for_one_kind_of_call_ever_longer() -> None:
    clock = FixedClock()
    through = gate(clock)
    for _ in range(3):
        fail(through, TransientCloudError("Unavailable"))
    assert through.paused_until("create") is None
    for pause in (2, 4, 8, 8):
        until = through.paused_until("find")
        assert until is not None
        assert (until - clock.now()).total_seconds() == pause
        clock.advance(pause)
        fail(through, TransientCloudError("Unavailable"))
    clock.advance(8)
    with through.call("find"):
        pass
    fail(through, TransientCloudError("Unavailable"))
    assert through.paused_until("find") is None


def test_what_is_an_objects_own_failure_does_not_open_the_breaker() -> None:
    through = gate(FixedClock())
    for _ in range(20):
        fail(through, TransientCloudError("NoCapacity"), "create")
        fail(through, TerminalCloudError("InvalidImage"), "create")
    assert through.paused_until("create") is None


@pytest.mark.guarantee("R7")
def test_a_stored_pause_is_taken_over_and_clamped() -> None:
    clock = FixedClock()
    through = gate(clock)
    until = FixedClock().advance(10**6)
    through.restore(until, "Throttled")
    assert through.closed_until() is not None
    clock.advance(101)
    assert through.closed_until() is None


def test_the_bucket_bounds_the_rate() -> None:
    now = [0.0]
    through = Gate(10, FixedClock(), SETTINGS, lambda: 0.0, monotonic=lambda: now[0])
    waits = [through._take() for _ in range(12)]
    assert waits[:10] == [0.0] * 10
    assert waits[10:] == pytest.approx([0.1, 0.1])
    now[0] += 0.25
    assert [through._take() <= 0 for _ in range(3)] == [True, True, False]


def test_a_stopping_controller_waits_for_no_token() -> None:
    through = Gate(0.001, FixedClock(), SETTINGS, lambda: 0.0)
    with through.call("find"):
        pass
    through.shut()
    with pytest.raises(PausedError), through.call("find"):
        pytest.fail("no call may be made")


@pytest.mark.guarantee("R6")
def test_objects_take_turns() -> None:
    order: list[str] = []
    begun, go, done = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        begun.set()
        go.wait(10)

    def job(name: str) -> None:
        order.append(name)
        done.release()

    crew = Crew("test", 1)
    crew.submit([hold])
    assert begun.wait(10)
    crew.submit([lambda: job("many")] * 3)
    crew.submit([lambda: job("one")])
    go.set()
    for _ in range(4):
        assert done.acquire(timeout=10)
    crew.close()
    assert order == ["many", "one", "many", "many"]


@pytest.mark.guarantee("R6")
def test_an_object_does_not_wait_for_another_while_hands_are_free() -> None:
    """Two objects one right after the other: a hand that was told and has not woken is taken."""
    for _ in range(50):
        release, fine, ready = threading.Event(), threading.Event(), threading.Event()
        crew = Crew("test", 4)
        crew.submit([ready.set])
        assert ready.wait(10)
        crew.submit([lambda release=release: release.wait(10) and None])
        crew.submit([fine.set])
        assert fine.wait(5)
        release.set()
        crew.close()


@pytest.mark.guarantee("R6")
def test_those_that_failed_before_do_not_take_all_hands() -> None:
    release, fine = threading.Event(), threading.Event()
    crew = Crew("test", 4)
    for _ in range(8):
        crew.submit([lambda: release.wait(10) and None], suspect=True)
    crew.submit([fine.set])
    assert fine.wait(10)
    release.set()
    crew.close()
