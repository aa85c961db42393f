"""The contract of `change`: what is wanted, again and again, and only where the mark is."""

from dataclasses import replace

from govcloud.errors import (
    CloudConflictError,
    TransientCloudError,
)
from govcloud.ports.cloud import State
from govcloud.testing.contracts.harness import Harness
from govcloud.testing.contracts.steps import (
    bring,
    build,
    by_id,
    collects,
    differences,
    fails,
    grown,
    one,
)


class ChangingContract:
    """`change`: what is wanted, again and again, and only where the mark is."""

    def test_change_brings_what_is_wanted(self, harness: Harness) -> None:
        """Bring the named fields to what is wanted; a second time changes nothing."""
        provisioner = harness.open()
        found, wanted = grown(harness, provisioner)
        fields = differences(found, wanted)
        for _ in range(2):
            provisioner.change(found, wanted, fields)
            changed = bring(harness, provisioner, wanted)
            assert (changed.id, changed.state) == (found.id, State.READY)

    def test_change_again_while_changing(self, harness: Harness) -> None:
        """MUST be idempotent: the same call while the first is under way does no harm."""
        provisioner = harness.open()
        found, wanted = grown(harness, provisioner)
        fields = differences(found, wanted)
        provisioner.change(found, wanted, fields)
        with collects(TransientCloudError):
            provisioner.change(found, wanted, fields)
        bring(harness, provisioner, wanted)

    def test_change_of_a_tag(self, harness: Harness) -> None:
        """`tag:<name>` names a tag (ALLOC-5)."""
        provisioner = harness.open()
        resource = next(r for r in build(harness, provisioner, harness.order(1)) if r.tags)
        name = min(resource.tags)
        wanted = replace(resource, tags={**resource.tags, name: "contract"})
        provisioner.change(one(provisioner, resource), wanted, [f"tag:{name}"])
        harness.settle()
        assert one(provisioner, resource).tags[name] == "contract"

    def test_change_without_the_mark_is_a_conflict(self, harness: Harness) -> None:
        """MUST raise `CloudConflictError` if the mark is no longer there (R2)."""
        provisioner = harness.open()
        found, wanted = grown(harness, provisioner)
        harness.unmark(found)
        fields = differences(found, wanted)
        with fails(CloudConflictError):
            provisioner.change(found, wanted, fields)
        harness.settle()
        left = by_id(provisioner, found.id)
        assert all(left.props.get(name) == found.props.get(name) for name in fields)

    def test_change_of_what_is_gone_is_a_conflict(self, harness: Harness) -> None:
        """What is gone carries no mark any more."""
        provisioner = harness.open()
        found, wanted = grown(harness, provisioner)
        harness.remove(found)
        with fails(CloudConflictError):
            provisioner.change(found, wanted, differences(found, wanted))
