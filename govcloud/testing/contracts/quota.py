"""The contract of `quotas` and `set_quota`: the cloud's own quota."""

from govcloud.errors import (
    TerminalCloudError,
)
from govcloud.ports.cloud import State
from govcloud.testing.contracts.harness import Harness
from govcloud.testing.contracts.steps import (
    build,
    by_rank,
    collects,
    fails,
    needs_tenant_quota,
    one,
    prepare,
    quota_of,
    usage,
)


class QuotaContract:
    """`quotas` and `set_quota`: the cloud's own quota."""

    def test_quota_is_set_and_listed(self, harness: Harness) -> None:
        """Set the quota of a tenant, creating the tenant; unknown classes are passed over."""
        provisioner = harness.open()
        needs_tenant_quota(provisioner)
        order = harness.order(1)
        prepare(harness, provisioner, order)
        resource = provisioner.resources(order)[0]
        provisioner.set_quota(resource.tenant, {"contract-no-such-class": 1})
        build(harness, provisioner, order)
        known = usage(provisioner, resource.tenant)
        limits = {word: amount + 1 for word, amount in known.items()}
        assert limits
        provisioner.set_quota(resource.tenant, limits)
        kept = quota_of(provisioner, resource.tenant)
        assert limits.items() <= kept[0].items()
        assert "contract-no-such-class" not in kept[0]

    def test_quota_below_use_is_refused(self, harness: Harness) -> None:
        """MUST refuse a limit below what is in use, `BelowUsage`, and keep the former (Q5)."""
        provisioner = harness.open()
        needs_tenant_quota(provisioner)
        resource = build(harness, provisioner, harness.order(1))[0]
        used = usage(provisioner, resource.tenant)
        provisioner.set_quota(resource.tenant, used)
        word = max(used, key=lambda name: used[name])
        with fails(TerminalCloudError) as caught:
            provisioner.set_quota(resource.tenant, {word: used[word] - 1})
        assert caught[0].reason == "BelowUsage"
        assert quota_of(provisioner, resource.tenant)[0][word] == used[word]

    def test_over_quota_is_told(self, harness: Harness) -> None:
        """What the cloud's own quota forbids is `OverQuota`, at once or as the fault at the end."""
        provisioner = harness.open()
        needs_tenant_quota(provisioner)
        first = build(harness, provisioner, harness.order(1))
        tenant, parts = first[0].tenant, {resource.part for resource in first}
        provisioner.set_quota(tenant, usage(provisioner, tenant))
        more = provisioner.resources(harness.order(1, count=2))
        further = [resource for resource in more if resource.part not in parts]
        further = further or list(provisioner.resources(harness.order(4)))
        for rank in by_rank(further):
            for resource in rank:
                with collects(TerminalCloudError) as refused:
                    provisioner.create(resource)
                if refused:
                    assert refused[0].reason == "OverQuota"
                    return
            harness.settle()
            ended = [one(provisioner, resource) for resource in rank]
            failed = [item for item in ended if item.state is State.FAILED]
            if failed:
                assert {item.fault.partition(":")[0] for item in failed} == {"OverQuota"}
                return
        raise AssertionError("nothing was over quota")
