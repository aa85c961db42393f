"""The OpenStack driver keeps the contract of every provisioner, on a real cloud."""

from collections.abc import Iterator

import pytest

from govcloud.testing.contracts import Harness, ProvisionerContract

pytestmark = [
    pytest.mark.guarantee("R1"),
    pytest.mark.guarantee("R2"),
    pytest.mark.guarantee("R5"),
    pytest.mark.guarantee("Q5"),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]


class TestVolumes(ProvisionerContract):
    """Objects of one part, in small pages."""

    @pytest.fixture
    def harness(self, openstack, openstack_proxied) -> Iterator[Harness]:
        from govcloud.testing.region import Region

        proxy, cloud = openstack_proxied
        region = Region(
            cloud, proxy, kind="Volume", direct=openstack.file, connection={"page-size": "20"}
        )
        yield region
        region.close()


class TestMachines(ProvisionerContract):
    """Objects of many parts, on ground that they share."""

    @pytest.fixture
    def harness(self, openstack, openstack_proxied) -> Iterator[Harness]:
        from govcloud.testing.region import Region

        proxy, cloud = openstack_proxied
        region = Region(cloud, proxy, direct=openstack.file)
        yield region
        region.close()
