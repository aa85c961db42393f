"""What holds for all methods: threads, other instances, reports, errors."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from govcloud.ports.cloud import Observed
from govcloud.testing.contracts.harness import TENANT_QUOTA, Harness
from govcloud.testing.contracts.steps import (
    bring,
    build,
    by_rank,
    differences,
    fails,
    grown,
    listing,
    one,
    prepare,
    supported,
)


class WholeContract:
    """What holds for all methods: threads, other instances, reports, errors."""

    def test_several_threads_at_once(self, harness: Harness) -> None:
        """Methods MUST be callable from several threads at once."""
        provisioner = harness.open()
        orders = [harness.order(number) for number in range(8)]
        for order in orders:
            prepare(harness, provisioner, order)
        resources = [r for order in orders for r in provisioner.resources(order)]
        created: list[Observed] = []
        with ThreadPoolExecutor(8) as pool:
            for rank in by_rank(resources):
                created += pool.map(provisioner.create, rank)
                assert all(pool.map(lambda r: len(provisioner.find([r.uid])), rank))
                harness.settle()
            assert len({o.id for o in created}) == len(resources)
            for rank in reversed(by_rank(resources)):
                list(pool.map(lambda r: provisioner.delete(one(provisioner, r)), rank))
                harness.settle()
        uids = {order.uid for order in orders}
        assert [o for o in listing(provisioner) if o.uid in uids] == []

    def test_no_state_that_another_instance_needs(self, harness: Harness) -> None:
        """MUST NOT keep state that another instance would need: each step by a new one."""
        found, wanted = grown(harness, harness.open())
        harness.open().change(found, wanted, differences(found, wanted))
        bring(harness, harness.open(), wanted)
        uid = wanted.uid
        for rank in reversed(by_rank(harness.open().resources(harness.order(1, grown=True)))):
            for resource in rank:
                harness.open().delete(one(harness.open(), resource))
            harness.settle()
        assert list(harness.open().find([uid])) == []

    def test_report_is_short(self, harness: Harness) -> None:
        """Say what the cloud is, in a bounded number of calls."""
        provisioner = harness.open()
        assert provisioner.report().version
        with supported():
            assert harness.calls(provisioner) < 20

    def test_errors_are_typed(self, harness: Harness) -> None:
        """MUST raise nothing but the three kinds of error for what the cloud answers."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        calls: list[Callable[[], object]] = [
            lambda: provisioner.find([resource.uid]),
            lambda: provisioner.create(resource),
            lambda: provisioner.change(found, resource, sorted(resource.props)),
            lambda: provisioner.delete(found),
            lambda: list(provisioner.observe()),
            provisioner.report,
        ]
        if TENANT_QUOTA in provisioner.report().features:
            calls.append(lambda: list(provisioner.quotas()))
            calls.append(lambda: provisioner.set_quota(resource.tenant, {"vms": 10}))
        expected = harness.break_down()
        for call in calls:
            with fails(expected):
                call()


# --- Helpers that drivers' own tests may use too ---
