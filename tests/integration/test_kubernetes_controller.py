"""The controller on a real API server: approved, ready, healed, given back; nothing left charged."""

import time
from collections.abc import Iterator

import pytest

from govcloud.clock import SystemClock
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.cluster import Cluster, wait_until
from govcloud.testing.kubelab import KubeLab
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.lab import CLOUD, QUICK

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    cluster = Cluster(control_plane, pageSize="500")
    yield cluster
    cluster.close()


@pytest.fixture
def lab(sqlite_template: object, cluster: Cluster, tmp_path: object) -> Iterator[KubeLab]:
    import shutil

    file = f"{tmp_path}/lab.db"
    shutil.copyfile(str(sqlite_template), file)
    database = Database(f"sqlite:///{file}")
    lab = KubeLab(Store(database, SystemClock()), cluster.connection(), settings=QUICK).found()
    yield lab
    lab.close()
    database.close()


def parts(lab: KubeLab, uid: str) -> dict[str, str]:
    return {item.part: item.state.value for item in lab.there(uid)}


def test_from_approval_to_release(lab: KubeLab, cluster: Cluster) -> None:
    uid = lab.namespace()
    controller = lab.controller()
    controller.run_once()
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.reason) == (True, "Ready")
    assert set(parts(lab, uid).values()) == {"ready"}
    assert lab.charged()["k8s-cpu"] == (4000, 0)
    digests = {item.tags["digest"] for item in lab.there(uid)}
    assert digests == {row.digest}

    lab.change(uid, pods=40, network={"fromCidrs": []})
    lab.controller("two").run_once()
    row = lab.row(uid)
    assert row is not None
    assert row.ready
    quota = next(item for item in lab.there(uid) if item.part == "quota")
    assert quota.props["hard.pods"] == 40
    assert lab.charged()["k8s-pods"] == (40, 0)

    lab.release(uid)
    lab.controller("three").run_once()
    assert lab.row(uid) is None
    assert lab.there(uid) == []
    assert lab.charged() == {}
