"""The OpenStack driver keeps the contract of every provisioner, on a real cloud."""

from collections.abc import Iterator
from typing import Any, ClassVar

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


@pytest.fixture(scope="class")
def region(request, openstack, tmp_path_factory) -> Iterator[Any]:
    """Make a region for the tests of a class: to make and clear its ground takes long."""
    from govcloud.testing.region import Region

    with openstack.proxied(tmp_path_factory.mktemp("region")) as (proxy, cloud):
        made = Region(cloud, proxy, direct=openstack.file, **request.cls.how)
        yield made
        made.close()


class TestVolumes(ProvisionerContract):
    """Objects of one part, in small pages."""

    how: ClassVar[dict[str, Any]] = {"kind": "Volume", "connection": {"page-size": "20"}}

    @pytest.fixture
    def harness(self, region) -> Harness:
        region.begin()
        return region


@pytest.mark.long
class TestMachines(ProvisionerContract):
    """Objects of many parts, on ground that they share."""

    how: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def harness(self, region) -> Harness:
        region.begin()
        return region
