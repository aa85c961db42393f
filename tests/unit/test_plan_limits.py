"""What is late, what was changed by hand, and what follows of it for a tenant's limits."""

from govcloud.domain.drift import DriftMode
from govcloud.plan.limits import judge, limits_for, noted, raised
from govcloud.ports.cloud import TenantQuota


def heal(_field: str) -> DriftMode:
    return DriftMode.HEAL


def report(_field: str) -> DriftMode:
    return DriftMode.REPORT


def quota(limits: dict[str, int], **more: object) -> TenantQuota:
    return TenantQuota("hrss--portal", limits, {}, **more)  # type: ignore[arg-type]


def test_a_limit_that_the_ledger_has_left_behind_is_late_whatever_the_policy_says() -> None:
    judged = judge({"vcpu": 8}, quota({"vcpu": 4}), {"vcpu": [4]}, report)
    assert (judged.limits, judged.drifts) == ({"vcpu": 8}, [])


def test_a_limit_of_which_nothing_is_known_is_late() -> None:
    judged = judge({"vcpu": 8}, quota({"vcpu": 4}), {}, report)
    assert (judged.limits, judged.drifts) == ({"vcpu": 8}, [])


def test_a_limit_that_was_taken_away_is_drift_even_where_nothing_is_needed() -> None:
    seen = quota({"vcpu": 8})
    judged = judge({"vcpu": 8, "floating-ips": 0}, seen, {"vcpu": [8], "floating-ips": [0]}, heal)
    [drift] = judged.drifts
    assert (drift.field, drift.wanted, drift.found) == ("quota:floating-ips", "0", "unlimited")
    assert judged.limits == {"floating-ips": 0}


def test_only_the_class_that_was_changed_is_left_alone() -> None:
    judged = judge(
        {"vcpu": 8, "vms": 2}, quota({"vcpu": 64, "vms": 1}), {"vcpu": [8], "vms": [1]}, report
    )
    assert judged.limits == {"vms": 2}
    assert [drift.field for drift in judged.drifts] == ["quota:vcpu"]


def test_either_value_may_be_ours_while_a_limit_is_on_its_way() -> None:
    ours = noted({"vcpu": 16}, quota({"vcpu": 8}), {"vcpu": [8]})
    assert ours == {"vcpu": [8, 16]}
    for shown in (8, 16):
        assert judge({"vcpu": 12}, quota({"vcpu": shown}), ours, report).drifts == []
    assert judge({"vcpu": 16}, quota({"vcpu": 16}), ours, report).ours == {"vcpu": [16]}


def test_what_was_changed_by_hand_does_not_become_ours_by_being_undone() -> None:
    assert noted({"vcpu": 8}, quota({"vcpu": 64}), {"vcpu": [8]}) == {"vcpu": [8]}


def test_a_class_that_the_cloud_never_showed_is_none_that_somebody_changed() -> None:
    """It may not know it at all, like GPUs; or setting it failed."""
    seen = quota({"vcpu": 8})
    ours = noted({"vcpu": 8, "gpu": 2}, seen, {"vcpu": [8]})
    assert ours == {"vcpu": [8]}
    judged = judge({"vcpu": 8, "gpu": 2}, seen, ours, report)
    assert (judged.limits, judged.drifts) == ({"gpu": 2}, [])


def test_what_belongs_to_no_class_is_drift_once_it_was_set() -> None:
    seen = quota({"disk.hdd": 10}, beside={"gigabytes": (5, 10), "port": (50, -1)})
    first = judge({"disk.hdd": 10}, seen, {}, report)
    assert (first.drifts, first.beside) == ([], True)
    told = judge({"disk.hdd": 10}, seen, {"disk.hdd": [10]}, report)
    assert [(d.field, d.wanted, d.found) for d in told.drifts] == [
        ("quota:gigabytes", "10", "5"),
        ("quota:port", "unlimited", "50"),
    ]
    assert not told.beside
    assert judge({"disk.hdd": 10}, seen, {"disk.hdd": [10]}, heal).beside


def test_limits_are_never_below_what_is_in_use_and_only_raised_for_building() -> None:
    seen = TenantQuota("t", {"vcpu": 8, "vms": 4}, {"vcpu": 6, "vms": 1})
    assert limits_for({"vcpu": 2}, seen) == {"vcpu": 6, "vms": 1}
    assert raised({"vcpu": 10, "vms": 2, "memory": 0}, seen) == {"vcpu": 10}
