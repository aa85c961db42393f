"""pytest fixtures for tests on a real OpenStack, and what is said where there is none.

Tests that ask for `openstack` share the cloud. One that asks for `openstack_alone`, because it
stops the cloud's services, runs while no other test process uses the cloud. The cloud is looked
for, and the lab started, before the first of them runs. They come first: with several test
processes, the others go on meanwhile. A lab that the run has started is stopped after the last of
them, for its idle services take a sixth of a core; one that stood before stays.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from govcloud.testing.proxy import Proxy

SHARED = "openstack"
ALONE = "openstack_alone"
_NONE = "no OpenStack: "
_FOUND = pytest.StashKey[object]()
_COUNT = pytest.StashKey[int]()
_STARTED, _ENDED = "s", "e"
_LOCK = Path(tempfile.gettempdir()) / "govcloud-test-openstack.lock"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests on the cloud first."""
    items.sort(key=lambda item: SHARED not in _names(item))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the tests that the cloud is held for."""
    session.config.stash[_COUNT] = sum(SHARED in _names(item) for item in session.items)
    if not hasattr(session.config, "workerinput"):
        _notes(session.config).unlink(missing_ok=True)  # Of a process that had this number before.


def _names(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


def _find(config: pytest.Config) -> object:
    """Return the cloud, why there is none, or the error that kept it from starting; look once."""
    if _FOUND not in config.stash:
        # Late: the SDK takes a second to import, which other tests need not wait for.
        from govcloud.testing.openstack import NoLabError, find

        try:
            found = config.stash[_FOUND] = find()
        except NoLabError as error:
            config.stash[_FOUND] = error
        else:
            if not isinstance(found, str) and found.started:
                _note(config, _STARTED)
    return config.stash[_FOUND]


def _notes(config: pytest.Config) -> Path:
    """Return the file that the processes of this run share."""
    run = getattr(config, "workerinput", {}).get("testrunuid", os.getpid())
    return _LOCK.with_suffix(f".{run}")


def _note(config: pytest.Config, letter: str) -> str:
    """Return what the processes of this run have noted, with one letter more."""
    with _notes(config).open("a+") as notes:
        fcntl.flock(notes, fcntl.LOCK_EX)
        notes.write(letter)
        notes.seek(0)
        return notes.read()


def _give_back(config: pytest.Config) -> None:
    """After the last test of all processes, stop a lab that one of them started."""
    notes = _note(config, _ENDED)
    if notes.count(_ENDED) < config.stash[_COUNT]:
        return
    _notes(config).unlink()
    if _STARTED in notes:
        from govcloud.testing.openstack import Lab, NoLabError

        with contextlib.suppress(NoLabError):  # What does not end in time idles on.
            Lab().down()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Hold the cloud for a test; the time spent waiting for it is not the test's."""
    if SHARED not in _names(item):
        return (yield)
    try:
        with _LOCK.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if ALONE in _names(item) else fcntl.LOCK_SH)
            # Held already: whoever looks starts what another test may have stopped on purpose.
            _find(item.config)
            return (yield)
    finally:
        _give_back(item.config)


@pytest.fixture(scope="session")
def openstack(pytestconfig: pytest.Config) -> object:
    """Return a real cloud (`govcloud.testing.openstack.OpenStack`)."""
    found = _find(pytestconfig)
    if isinstance(found, str):
        pytest.skip(f"{_NONE}{found}")
    if isinstance(found, Exception):
        pytest.fail(f"The OpenStack lab did not start: {found}", pytrace=False)
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
