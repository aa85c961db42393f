"""The contract of `delete`: gone in the end, and only where the mark is."""

from dataclasses import replace
from typing import Protocol, cast

from govcloud.errors import (
    CloudConflictError,
    CloudError,
    TransientCloudError,
)
from govcloud.ports.abilities import Forcing
from govcloud.ports.cloud import Provisioner, State
from govcloud.testing.contracts.harness import Harness, Unsupported
from govcloud.testing.contracts.steps import build, by_id, fails, listing, one


class DeletingContract:
    """`delete`: gone in the end, and only where the mark is."""

    def test_delete_ends_in_nothing_found(self, harness: Harness) -> None:
        """Success means accepted; it is gone when `find` no longer returns it (Q3)."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        provisioner.delete(found)
        remaining = provisioner.find([resource.uid])
        assert all(o.state is State.DELETING for o in remaining if o.id == found.id)
        harness.settle()
        assert found.id not in {o.id for o in provisioner.find([resource.uid])}
        assert found.id not in {o.id for o in listing(provisioner)}

    def test_delete_is_idempotent(self, harness: Harness) -> None:
        """What is on its way or already gone is success."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        provisioner.delete(found)
        provisioner.delete(found)
        harness.settle()
        provisioner.delete(found)

    def test_delete_with_a_lost_answer(self, harness: Harness) -> None:
        """A second call after a lost answer is success."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        harness.lose_answer("delete")
        with fails(TransientCloudError):
            provisioner.delete(found)
        provisioner.delete(found)
        harness.settle()
        assert found.id not in {o.id for o in provisioner.find([resource.uid])}

    def test_delete_without_the_mark_is_a_conflict(self, harness: Harness) -> None:
        """MUST raise `CloudConflictError` if the mark is no longer there (R2)."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        harness.unmark(found)
        with fails(CloudConflictError):
            provisioner.delete(found)
        harness.settle()
        assert by_id(provisioner, found.id).uid == ""

    def test_what_is_nobodys_is_left_alone(self, harness: Harness) -> None:
        """What carries no mark is never changed or deleted, even if it is handed in (R2)."""
        provisioner = harness.open()
        wanted = build(harness, provisioner, harness.order(1))[-1]
        stranger = by_id(provisioner, harness.foreign("contract-stranger", wanted.tenant))
        fields = sorted(wanted.props)
        for posing in (stranger, replace(stranger, uid=wanted.uid, part=wanted.part)):
            with fails(CloudConflictError):
                provisioner.delete(posing)
            with fails(CloudConflictError):
                provisioner.change(posing, wanted, fields)
        harness.settle()
        assert by_id(provisioner, stranger.id) == stranger

    def test_force_removes_what_is_not_let_go(self, harness: Harness) -> None:
        """Remove a marked resource whatever its state; again and again is success."""
        provisioner = forcing(harness)
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        harness.jam(found)
        with fails(CloudError):
            provisioner.delete(found)
        for _ in range(2):
            provisioner.force_delete(found)
        harness.settle()
        assert found.id not in {o.id for o in provisioner.find([resource.uid])}
        provisioner.force_delete(found)

    def test_force_without_the_mark_is_a_conflict(self, harness: Harness) -> None:
        """MUST raise `CloudConflictError` if the mark is no longer there (R2)."""
        provisioner = forcing(harness)
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        harness.unmark(found)
        with fails(CloudConflictError):
            provisioner.force_delete(found)
        harness.settle()
        assert by_id(provisioner, found.id).uid == ""


class _Forcing(Provisioner, Forcing, Protocol):
    """A driver that can force."""


def forcing(harness: Harness) -> _Forcing:
    """Return a driver of the cloud; the test is skipped where it cannot force."""
    provisioner = harness.open()
    if not isinstance(provisioner, Forcing):
        raise Unsupported("the driver forces nothing")
    return cast("_Forcing", provisioner)
