"""The contract of `resources`: pure, deterministic, stable."""

from govcloud.testing.contracts.harness import Harness
from govcloud.testing.contracts.steps import supported


class ResourcesContract:
    """`resources`: pure, deterministic, stable."""

    def test_same_order_same_resources(self, harness: Harness) -> None:
        """MUST be pure and deterministic: same order, same answer, no call to the cloud."""
        one, other = harness.open(), harness.open()
        order = harness.order(1, count=3)
        assert one.resources(order) == other.resources(order) == one.resources(order)
        with supported():
            assert harness.calls(one) == harness.calls(other) == 0

    def test_resources_carry_the_mark_and_the_tags(self, harness: Harness) -> None:
        """Each resource carries the object's uid, a part of its own, and the order's tags."""
        order = harness.order(1, count=3)
        resources = harness.open().resources(order)
        assert resources
        assert {resource.uid for resource in resources} == {order.uid}
        assert len({resource.part for resource in resources}) == len(resources)
        assert all(resource.tags.items() <= order.tags.items() for resource in resources)
        bodies = [resource for resource in resources if resource.unit is not None]
        assert all(resource.tags == order.tags for resource in bodies)
        assert bodies
        assert all(resource.immutable <= resource.props.keys() for resource in resources)

    def test_resources_come_in_rising_rank(self, harness: Harness) -> None:
        """MUST return them in rising rank."""
        ranks = [r.rank for r in harness.open().resources(harness.order(1, count=3))]
        assert ranks == sorted(ranks)

    def test_parts_are_stable_when_counts_grow(self, harness: Harness) -> None:
        """`server-0` stays `server-0`."""
        provisioner = harness.open()
        few = {r.part: r for r in provisioner.resources(harness.order(1, count=2))}
        many = {r.part: r for r in provisioner.resources(harness.order(1, count=4))}
        assert {part: many[part] for part in few} == few
