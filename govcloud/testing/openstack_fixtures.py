"""pytest fixtures for tests on a real OpenStack, and what is said where there is none.

Tests that ask for `openstack` share the cloud. One that asks for `openstack_alone`, because it
stops the cloud's services, runs while no other test process uses the cloud.
"""

import fcntl
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from govcloud.testing.proxy import Proxy

SHARED = "openstack"
ALONE = "openstack_alone"
_NONE = "no OpenStack: "
_FOUND = pytest.StashKey[object]()
_LOCK = Path(tempfile.gettempdir()) / "govcloud-test-openstack.lock"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look for a cloud before the first test: to start one takes longer than a test may."""
    if any(SHARED in item.fixturenames for item in session.items):  # type: ignore[attr-defined]
        _find(session.config)


def _find(config: pytest.Config) -> object:
    if _FOUND not in config.stash:
        # Late: the SDK takes a second to import, which other tests need not wait for.
        from govcloud.testing.openstack import find

        config.stash[_FOUND] = find()
    return config.stash[_FOUND]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Hold the cloud for a test; the time spent waiting for it is not the test's."""
    names = getattr(item, "fixturenames", ())
    if SHARED not in names:
        return (yield)
    with _LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if ALONE in names else fcntl.LOCK_SH)
        return (yield)


@pytest.fixture(scope="session")
def openstack(pytestconfig: pytest.Config) -> object:
    """Return a real cloud (`govcloud.testing.openstack.OpenStack`)."""
    found = _find(pytestconfig)
    if isinstance(found, str):
        pytest.skip(f"{_NONE}{found}")
    return found


@pytest.fixture
def openstack_alone(openstack) -> Iterator[object]:  # type: ignore[no-untyped-def]
    """Return the lab for this test alone; what the test stopped is started again."""
    if openstack.lab is None:
        pytest.skip(f"{_NONE}services of a cloud that is not the lab are never stopped")
    yield openstack
    openstack.lab.up()


@pytest.fixture
def openstack_proxied(openstack, tmp_path: Path) -> Iterator[tuple[Proxy, object]]:  # type: ignore[no-untyped-def]
    """Return a proxy before the cloud, and the cloud seen through it."""
    with openstack.proxied(tmp_path) as both:
        yield both


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped because there is no OpenStack, and why."""
    reasons = (
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    )
    for reason, number in Counter(r for r in reasons if r.startswith(_NONE)).items():
        terminalreporter.write_line(f"{number} skipped: {reason}", yellow=True)
