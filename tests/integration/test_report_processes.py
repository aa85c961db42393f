"""Reports counted by several processes: the same bytes, clear ends, nothing left running."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from govcloud.errors import UnavailableError
from govcloud.figures.definition import FIRST
from govcloud.figures.facts import Catalogue
from govcloud.figures.movement import STAYED
from govcloud.figures.population import View
from govcloud.reports.counting import LARGE, Spread
from govcloud.reports.departments import Span
from govcloud.reports.on_cloud import Options, explain, make
from govcloud.reports.processes import in_processes
from govcloud.reports.tallying import Rules, Share
from govcloud.reports.write import render
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.register import Register

RULES = Rules(Span(10**6, 0), FIRST)
UNITS = [f"unit-{number:02d}" for number in range(14)]
ENDLESS = """
import sys
from itertools import count
from multiprocessing import active_children
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
sys.path.insert(0, sys.argv[2])
from test_report_processes import RULES, share
from govcloud.reports.processes import in_processes
if __name__ == "__main__":
    try:
        for number, _ in in_processes(sys.argv[1], RULES, map(share, count()), 2):
            if number == 3:
                print("counting", *(child.pid for child in active_children()), flush=True)
    except KeyboardInterrupt:
        print("interrupted", len(active_children()), flush=True)
"""


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 5, 1, 1, tzinfo=UTC))


@pytest.fixture
def register(store: Store) -> Register:
    """Fourteen units, so four shares, with systems, components of none and codes used twice."""
    filled = Register(store)
    filled.catalogue()
    filled.department("city", "市")
    filled.department("town", "镇", parent="city")
    for number, unit in enumerate(UNITS):
        filled.department(unit, unit.upper(), parent="town" if number == 3 else "city")
        for place in range(number % 5 + 1):
            name = f"sys-{place}"
            filled.system(unit, name, code=f"CODE-{place}" if number < 2 else f"{unit}-{place}")
            if (number + place) % 3:
                filled.machine(unit, f"vm-{place}", name)
        filled.machine(unit, "stray", f"unheard-of-{number}")
    filled.exemption("unit-04", "sys-0")
    filled.plan("unit-05", "sys-1", "trial")
    return filled


def documents(store: Store, spread: Spread) -> list[bytes]:
    """The report and what it is made of: whole, and of a node that a unit left in the month."""
    whole = make(store, options=Options(lines=11, beside=(FIRST,), spread=spread))
    made = explain(store, department="town", options=Options(spread=spread))
    return [render(whole, "json", "zh"), render(made, "csv", "zh")]


def share(number: int) -> Share:
    """A share of one unit on which nothing else decides."""
    view = View(datetime(2026, 6, 30, tzinfo=UTC).date(), Catalogue(), {}, {})
    return Share(number, ((UNITS[number % len(UNITS)], STAYED),), view, view, 0)


@pytest.mark.guarantee("F1")
def test_the_bytes_are_the_same_however_many_processes_count(
    store: Store, register: Register, clock: FixedClock
) -> None:
    clock.set(datetime(2026, 6, 10, tzinfo=UTC))
    register.department("unit-03", "UNIT-03", parent="city")
    register.system("unit-09", "late")
    register.remove("System", "sys-0", department="unit-08")
    clock.advance(60)
    alone = documents(store, Spread(1, large=0))
    assert b"unheard-of-13" in alone[0]
    assert documents(store, Spread(2, large=0)) == alone
    of_three = make(store, options=Options(lines=11, beside=(FIRST,), spread=Spread(3, large=0)))
    assert render(of_three, "json", "zh") == alone[0]
    assert not multiprocessing.active_children()


def test_a_killed_worker_is_a_clear_error_and_the_others_end(
    store: Store, register: Register
) -> None:
    del register

    def shares() -> Iterator[Share]:
        for number in range(1000):
            if number == 7:
                victim = multiprocessing.active_children()[0]
                victim.kill()
                victim.join()
            yield share(number)

    with pytest.raises(UnavailableError) as caught:
        list(in_processes(store.database.url, RULES, shares(), 2))
    assert (caught.value.key, caught.value.params["code"]) == ("errors.report_worker", -9)
    assert not multiprocessing.active_children()


def test_a_workers_database_error_is_told_as_ones_own(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'nowhere' / 'govcloud.db'}"
    with pytest.raises(UnavailableError) as caught:
        list(in_processes(url, RULES, map(share, range(9)), 2))
    assert caught.value.key == "errors.database"
    assert not multiprocessing.active_children()


def test_who_stops_asking_leaves_no_process_behind(store: Store) -> None:
    answers = in_processes(store.database.url, RULES, map(share, range(1000)), 2)
    next(answers)
    assert len(multiprocessing.active_children()) == 2
    answers.close()
    assert not multiprocessing.active_children()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc")
def test_the_databases_address_is_in_no_argument_and_no_variable(
    store: Store, register: Register
) -> None:
    del register
    seen: list[bytes] = []

    def shares() -> Iterator[Share]:
        for number in range(9):
            for child in multiprocessing.active_children():
                folder = Path(f"/proc/{child.pid}")
                seen.extend((folder / name).read_bytes() for name in ("cmdline", "environ"))
            yield share(number)

    list(in_processes(store.database.url, RULES, shares(), 2))
    assert any(b"spawn" in text for text in seen)
    assert not [text for text in seen if store.database.url.encode() in text]


def test_interrupted_from_the_terminal_all_end_and_say_nothing(
    store: Store, register: Register
) -> None:
    del register
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, store.database.url, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as counting:
        assert counting.stdout is not None
        word, *workers = counting.stdout.readline().split()
        assert (word, len(workers)) == ("counting", 2)
        os.killpg(counting.pid, signal.SIGINT)  # as a terminal does: to all in the foreground
        try:
            said, complained = counting.communicate(timeout=60)
        finally:
            counting.kill()
    assert said.splitlines()[-1] == "interrupted 0"
    assert complained == ""
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def test_small_registers_start_no_process(store: Store, register: Register) -> None:
    del register
    code = (
        "import sys; from govcloud.reports.on_cloud import make;"
        "from govcloud.store.engine import Database; from govcloud.store.unit import Store;"
        "from govcloud.clock import SystemClock;"
        "make(Store(Database(sys.argv[1]), SystemClock()));"
        "print('govcloud.reports.processes' in sys.modules)"
    )
    made = subprocess.run(
        [sys.executable, "-c", code, store.database.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert made.stdout == "False\n"


def test_how_many_count_goes_by_the_number_of_facts_and_can_be_turned_off() -> None:
    assert Spread().processes(LARGE - 1) == 1
    assert Spread(3).processes(LARGE) == 3
    assert Spread(1).processes(10 * LARGE) == 1
