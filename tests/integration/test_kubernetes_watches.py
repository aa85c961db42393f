"""Watches on a real API server: what is told, and what happens when streams end badly."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from govcloud.errors import CloudError
from govcloud.ports.abilities import Watching
from govcloud.testing.cluster import Cluster
from govcloud.testing.contracts import build, one
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.meanwhile import wait_until
from govcloud.testing.proxy import Answer, Rule
from provisioners.kubernetes.driver import KubernetesProvisioner
from provisioners.kubernetes.types import NAMESPACE

STREAMS = 5
GONE = (
    b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"old"}}\n'
)


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    cluster = Cluster(control_plane, pageSize="500")
    yield cluster
    cluster.close()


class Ear:
    """Listens in a thread of its own and remembers what was told."""

    def __init__(self, driver: KubernetesProvisioner) -> None:
        assert isinstance(driver, Watching)
        self.driver = driver
        self.told: list[str] = []
        self.error: CloudError | None = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            for uids in self.driver.changes(self.stop):
                self._take(uids)
        except CloudError as error:
            self.error = error

    def _take(self, uids: Sequence[str]) -> None:
        self.told += uids


@contextmanager
def listening(cluster: Cluster, driver: KubernetesProvisioner) -> Iterator[Ear]:
    watches = cluster.proxy.count(method="GET")
    ear = Ear(driver)
    wait_until(lambda: watching(cluster, since=watches) >= STREAMS)
    yield ear
    ear.stop.set()
    ear.thread.join(60)
    assert not ear.thread.is_alive()


def watching(cluster: Cluster, since: int = 0) -> int:
    calls = [call for call in cluster.proxy.calls if call.method == "GET"][since:]
    return sum("watch=true" in call.query for call in calls)


def test_what_changes_is_told_and_what_we_made_is_not(cluster: Cluster) -> None:
    driver = cluster.open()
    old, new = cluster.order(1), cluster.order(2)
    resources = build(cluster, driver, old)
    with listening(cluster, driver) as ear:
        build(cluster, driver, new)
        cluster.patch(one(driver, resources[1]), {"spec": {"hard": {"pods": "1000"}}})
        wait_until(lambda: old.uid in ear.told)
        assert new.uid not in ear.told


@pytest.mark.parametrize("part", ["quota", "policy-deny", "access-view"])
def test_a_removal_is_told_at_once(cluster: Cluster, part: str) -> None:
    driver = cluster.open()
    order = cluster.order(1)
    found = {r.part: r for r in build(cluster, driver, order)}
    with listening(cluster, driver) as ear:
        cluster.remove(one(driver, found[part]))
        wait_until(lambda: order.uid in ear.told)


def test_a_mark_that_is_taken_off_is_told_of_whom_it_was(cluster: Cluster) -> None:
    driver = cluster.open()
    order = cluster.order(1)
    found = build(cluster, driver, order)
    with listening(cluster, driver) as ear:
        cluster.unmark(one(driver, found[0]))
        wait_until(lambda: order.uid in ear.told)


def test_the_use_of_a_quota_is_no_news(cluster: Cluster) -> None:
    driver = cluster.open()
    order = cluster.order(1)
    found = build(cluster, driver, order)
    quota = next(r for r in found if r.part == "quota")
    with listening(cluster, driver) as ear:
        cluster.pod(found[0].tenant)
        wait_until(lambda: one(driver, quota).info["used.pods"] == 1)
        cluster.remove(one(driver, next(r for r in found if r.part == "limits")))
        wait_until(lambda: order.uid in ear.told)
        assert ear.told.count(order.uid) == 1


def test_an_expired_watch_lists_anew_and_misses_nothing(cluster: Cluster) -> None:
    """410 comes as an event of a 200; what changed meanwhile is found by the new list."""
    driver = cluster.open()
    order = cluster.order(1)
    found = {r.part: r for r in build(cluster, driver, order)}
    quota = one(driver, found["quota"])
    with listening(cluster, driver):
        pass
    cluster.remove(quota)
    cluster.proxy.add(Rule(path="resourcequotas", answer=Answer(200, body=GONE), skip=1))
    with listening(cluster, driver) as ear:
        wait_until(lambda: order.uid in ear.told)
        assert ear.error is None


def test_a_stream_that_breaks_is_said(cluster: Cluster) -> None:
    driver = cluster.open()
    with listening(cluster, driver) as ear:
        cluster.proxy.disconnect()
        wait_until(lambda: ear.error is not None)
        assert ear.error is not None
        assert ear.error.reason == "ConnectionLost"


def test_what_changes_while_a_stream_breaks_is_told_all_the_same(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was heard and not told yet is no difference to the list that comes next."""
    monkeypatch.setattr("provisioners.kubernetes.watching._GATHER_S", 600)
    driver = cluster.open()
    order = cluster.order(1)
    quota = next(r for r in build(cluster, driver, order) if r.part == "quota")
    with listening(cluster, driver) as ear:
        seen = one(driver, quota)
        wait_until(lambda: driver.recall(seen) is not None)
        cluster.remove(seen)
        wait_until(lambda: driver.recall(seen) is None)
        cluster.proxy.disconnect()
        wait_until(lambda: ear.error is not None)
    monkeypatch.undo()
    with listening(cluster, driver) as again:
        wait_until(lambda: order.uid in ear.told + again.told)


def test_a_server_that_hangs_up_at_once_is_not_asked_for_ever(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may take longer than two seconds to see that nothing came.
    monkeypatch.setattr("provisioners.kubernetes.watching._TOO_SOON_S", 600)
    driver = cluster.open()
    cluster.proxy.add(Rule(path="namespaces$", answer=Answer(200, body=b""), skip=1, times=None))
    ear = Ear(driver)
    wait_until(lambda: ear.error is not None)
    ear.thread.join(60)
    assert cluster.proxy.count(path="namespaces$") <= 3


def test_a_stream_that_ends_late_does_not_end_the_one_after_it(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server answers when somebody listens anew already: what is kept is known all the same."""
    monkeypatch.setattr("provisioners.kubernetes.watching._END_S", 0.1)
    driver, answering = cluster.open(), threading.Event()
    rule = Rule(path="namespaces$", skip=1, before=lambda _call: answering.wait() and None)
    cluster.proxy.add(rule)
    first = Ear(driver)
    wait_until(lambda: cluster.proxy.count(path="namespaces$") == 2)
    first.stop.set()
    first.thread.join(60)
    (late,) = (t for t in threading.enumerate() if t.name == f"watch-{NAMESPACE.word}")
    with listening(cluster, driver):
        seen = one(driver, build(cluster, driver, cluster.order(1))[0])
        wait_until(lambda: driver.recall(seen) is not None)
        answering.set()
        late.join(60)
        assert driver.recall(seen) is not None
