"""The simulated cloud keeps the contract of every provisioner."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from govcloud.testing.contracts import Harness, ProvisionerContract
from govcloud.testing.world import SimulatedWorld

pytestmark = [
    pytest.mark.guarantee("R1"),
    pytest.mark.guarantee("R2"),
    pytest.mark.guarantee("R5"),
    pytest.mark.guarantee("Q5"),
]


class TestSimulated(ProvisionerContract):
    """With its usual manners: what is over quota is refused at once."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        world = SimulatedWorld(tmp_path)
        yield world
        world.close()


class TestSimulatedLateQuota(ProvisionerContract):
    """What is over quota fails only after it was accepted, as in a race on OpenStack."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[Harness]:
        world = SimulatedWorld(tmp_path, connection={"overQuota": "late", "pageSize": "3"})
        yield world
        world.close()
