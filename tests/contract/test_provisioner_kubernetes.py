"""The Kubernetes driver keeps the contract of every provisioner, on a real API server."""

from collections.abc import Iterator

import pytest

from govcloud.testing.cluster import Cluster
from govcloud.testing.contracts import Harness, ProvisionerContract
from govcloud.testing.kubernetes import ControlPlane

pytestmark = [
    pytest.mark.guarantee("R1"),
    pytest.mark.guarantee("R2"),
    pytest.mark.guarantee("R5"),
    pytest.mark.guarantee("Q5"),
]


class TestKubernetes(ProvisionerContract):
    """With small pages, through a proxy that counts the calls and spoils some."""

    @pytest.fixture
    def harness(self, control_plane: ControlPlane) -> Iterator[Harness]:
        cluster = Cluster(control_plane)
        yield cluster
        cluster.close()
