"""On a real OpenStack: quota sets changed by hand are seen, and healed or left as policy says."""

from collections.abc import Iterator
from typing import Any

import pytest

from govcloud.clock import SystemClock
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, CLOUD
from govcloud.testing.openstack import OpenStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def database_kind() -> str:
    """What is proved here is the cloud's part: one kind of database is enough."""
    return "sqlite"


@pytest.fixture
def lab(database: Database, openstack: OpenStack) -> Iterator[Any]:
    from govcloud.testing.regionlab import RegionLab

    lab = RegionLab(Store(database, SystemClock()), openstack).found()
    yield lab
    lab.remove_all()


def volume(lab: Any) -> tuple[str, str]:
    """Let a volume stand with its quotas set; return its uid and its project's id."""
    uid = lab.approve("files", "Volume", size="1Gi", type="hdd")
    lab.finish(lab.controller())
    lab.controller("quotas").pass_once(CLOUD)
    [seen] = [item for item in lab.there(uid) if item.part == "volume"]
    with lab.region.connect() as admin:
        return uid, admin.block_storage.get_volume(seen.id).project_id


def change(admin: Any, project: str) -> None:
    """What somebody with rights of the cloud's might do: more, less, no limit, another's limit."""
    admin.compute.update_quota_set(project, cores=64, instances=-1)
    admin.block_storage.update_quota_set(project, gigabytes_hdd=20, gigabytes=5)
    admin.network.update_quota(project, port=3)


def limits(admin: Any, project: str) -> dict[str, int]:
    compute = admin.compute.get_quota_set(project)
    storage = admin.block_storage.get_quota_set(project)
    return {
        "cores": compute.cores,
        "instances": compute.instances,
        "gigabytes": storage.gigabytes,
        "port": admin.network.get_quota(project).ports,
    }


CHANGED = {
    "quota:disk.hdd": ("1Gi", "20Gi"),
    "quota:gigabytes": ("20", "5"),
    "quota:port": ("unlimited", "3"),
    "quota:vcpu": ("0", "64"),
    "quota:vms": ("0", "unlimited"),
}


def shown(lab: Any) -> dict[str, tuple[str | None, str | None]]:
    return {row.field: (row.wanted, row.found) for row in lab.drift() if row.uid}


@pytest.mark.guarantee("R4")
def test_quota_sets_that_were_changed_by_hand_are_shown_and_set_back(lab: Any) -> None:
    _, project = volume(lab)
    with lab.region.connect() as admin:
        before = limits(admin, project)
        change(admin, project)
        controller = lab.controller("two")
        assert controller.pass_once(CLOUD).quotas_set == 1
        assert shown(lab) == CHANGED
        assert limits(admin, project) == before
        assert controller.pass_once(CLOUD).quotas_set == 0
        assert shown(lab) == {}


@pytest.mark.guarantee("R4")
def test_quota_sets_that_were_changed_by_hand_are_left_where_policy_reports(lab: Any) -> None:
    _, project = volume(lab)
    with lab.store.unit(ADMIN) as unit:
        rules = [{"field": "quota", "mode": "report"}]
        spec = {"version": "1", "effectiveFrom": "2026-01-01", "drift": rules}
        lab.put(unit, "Policy", "city", spec)
    with lab.region.connect() as admin:
        change(admin, project)
        after = limits(admin, project)
        controller = lab.controller("two")
        for _ in range(2):
            assert controller.pass_once(CLOUD).quotas_set == 0
            assert shown(lab) == CHANGED
        assert limits(admin, project) == after
