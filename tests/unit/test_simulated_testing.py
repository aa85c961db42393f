"""The shipped helpers: clocks, interception, the null object, the look-up of drivers."""

import subprocess
import sys
from datetime import datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from govcloud.clock import SystemClock
from govcloud.errors import NotFoundError, TerminalCloudError, TransientCloudError, UnavailableError
from govcloud.ports.clock import Clock
from govcloud.ports.cloud import CloudAddress, Provisioner
from govcloud.testing.clock import START, FixedClock, TickingClock
from govcloud.testing.contracts import listing
from govcloud.testing.faults import ErrorProvisioner, InterceptedProvisioner, raising
from govcloud.testing.world import SimulatedWorld, machine_order
from provisioners import registry


def test_a_fixed_clock_moves_when_told() -> None:
    clock = FixedClock()
    assert clock.now() == clock.now() == START
    assert clock.advance(1.5) == clock.now() == START + timedelta(seconds=1.5)
    assert clock.set(START + timedelta(days=1)) == clock.now()
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="aware"):
        clock.set(datetime(2030, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("clock", [TickingClock(), SystemClock()], ids=lambda c: type(c).__name__)
def test_clocks_never_run_backwards(clock: Clock) -> None:
    instants = [clock.now() for _ in range(100)]
    assert instants == sorted(instants)
    assert instants[0].utcoffset() == timedelta(0)


def test_no_two_ticks_are_equal() -> None:
    clock = TickingClock()
    assert len({clock.now() for _ in range(100)}) == 100


def test_hooks_stand_before_and_after_each_call(tmp_path: Path) -> None:
    world = SimulatedWorld(tmp_path)
    order = machine_order()
    lost = TransientCloudError("AnswerLost", outcome_unknown=True)
    cloud: Provisioner = InterceptedProvisioner(
        world.open(),
        before=raising(TransientCloudError("Down"), "create", 1),
        after=raising(lost, "create", 2),
    )
    (resource,) = cloud.resources(order)
    with pytest.raises(TransientCloudError, match="Down"):
        cloud.create(resource)
    assert list(cloud.find([order.uid])) == []
    with pytest.raises(TransientCloudError, match="AnswerLost"):
        cloud.create(resource)
    assert len(cloud.find([order.uid])) == len(listing(cloud)) == 1
    cloud.create(resource)
    world.settle()
    changed = cloud.change(cloud.find([order.uid])[0], resource, ["vcpu"])
    cloud.set_quota(resource.tenant, {"vms": 2})
    assert cloud.report().version
    assert [q.limits for page in cloud.quotas() for q in page] == [{"vms": 2}]
    cloud.delete(changed)
    cloud.close()


def test_a_listing_breaks_between_pages(tmp_path: Path) -> None:
    world = SimulatedWorld(tmp_path, connection={"pageSize": "2"})
    real = world.open()
    for resource in real.resources(machine_order(count=5)):
        real.create(resource)
    cloud = InterceptedProvisioner(real, before=raising(TransientCloudError("Down"), "observe", 2))
    pages = cloud.observe()
    assert len(next(pages)) == 2
    with pytest.raises(TransientCloudError):
        next(pages)
    world.close()


KILLED = """
import sys
from pathlib import Path
from govcloud.testing.faults import InterceptedProvisioner, killing
from govcloud.testing.world import SimulatedWorld, machine_order
cloud = InterceptedProvisioner(SimulatedWorld(Path(sys.argv[1])).open(), after=killing("create", 2))
for resource in cloud.resources(machine_order(count=3)):
    cloud.create(resource)
"""


def test_a_kill_comes_right_after_the_cloud_has_acted(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -9
    world = SimulatedWorld(tmp_path)
    assert len(world.open().find([machine_order().uid])) == 2
    world.close()


def test_the_null_object_answers_with_its_error() -> None:
    cloud: Provisioner = ErrorProvisioner(TerminalCloudError("Nothing"))
    assert cloud.resources(machine_order()) == ()
    for call in (cloud.observe, cloud.quotas, cloud.report, lambda: cloud.find(["u"])):
        with pytest.raises(TerminalCloudError, match="Nothing"):
            call()
    cloud.close()


def test_drivers_are_found_by_name(tmp_path: Path) -> None:
    assert "simulated" in registry.installed()
    cloud = registry.open_provisioner("simulated", CloudAddress("gov", {}, "t", str(tmp_path)))
    assert listing(cloud) == []
    cloud.close()


def test_an_unknown_driver_names_the_installed_ones() -> None:
    with pytest.raises(NotFoundError) as caught:
        registry.factory("opensttack")
    assert caught.value.params["provider"] == "opensttack"
    assert "simulated" in str(caught.value.params["installed"])


def test_a_broken_driver_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken", "provisioners.none:open_cloud", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
    with pytest.raises(UnavailableError) as caught:
        registry.factory("broken")
    assert "provisioners.none" in str(caught.value.params["detail"])
