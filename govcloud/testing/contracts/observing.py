"""The contract of `observe`: everything once, in calls that depend on pages only."""

from govcloud.errors import (
    CloudConflictError,
)
from govcloud.testing.contracts.harness import OTHER_INSTALLATION, Harness
from govcloud.testing.contracts.steps import build, fails, listing, one


class ObservingContract:
    """`observe`: everything once, in calls that depend on pages only."""

    def test_observe_lists_ours_and_others_once(self, harness: Harness) -> None:
        """List everything; what is nobody's has an empty mark."""
        provisioner = harness.open()
        resources = [
            resource
            for number in range(3)
            for resource in build(harness, provisioner, harness.order(number, count=2))
        ]
        stranger = harness.foreign("contract-stranger", resources[0].tenant)
        seen = listing(provisioner)
        assert len({o.id for o in seen}) == len(seen)
        ours = [o for o in seen if o.uid in {r.uid for r in resources}]
        assert {(o.uid, o.part) for o in ours} == {(r.uid, r.part) for r in resources}
        assert [(o.uid, o.part) for o in seen if o.id == stranger] == [("", "")]

    def test_observe_and_find_agree(self, harness: Harness) -> None:
        """The two ways of looking show the same thing in the same way."""
        provisioner = harness.open()
        order = harness.order(1, count=2)
        build(harness, provisioner, order)
        found = {o.id: (o.state, o.props, o.tags) for o in provisioner.find([order.uid])}
        ours = [o for o in listing(provisioner) if o.uid == order.uid]
        listed = {o.id: (o.state, o.props, o.tags) for o in ours}
        assert found == listed

    def test_observe_calls_depend_on_pages_only(self, harness: Harness) -> None:
        """The number of calls MUST depend on pages only, never on the number of objects (R5)."""
        provisioner = harness.open()

        def look() -> tuple[int, int]:
            before = harness.calls(provisioner)
            return len(list(provisioner.observe())), harness.calls(provisioner) - before

        build(harness, provisioner, harness.order(1))
        pages, calls = look()
        build(harness, provisioner, harness.order(2, count=8))
        more_pages, more_calls = look()
        # Where a cloud is shared, others may have taken away what filled pages.
        assert more_calls - calls <= 2 * max(0, more_pages - pages) + 2

    def test_another_installations_marks_are_foreign(self, harness: Harness) -> None:
        """A mark counts for the installation that set it and for no other."""
        ours, theirs = harness.open(), harness.open(OTHER_INSTALLATION)
        order = harness.order(1)
        resource = build(harness, theirs, order)[-1]
        created = one(theirs, resource)
        assert list(ours.find([order.uid])) == []
        assert [o.uid for o in listing(ours) if o.id == created.id] == [""]
        with fails(CloudConflictError):
            ours.delete(created)
        assert one(theirs, resource).id == created.id
