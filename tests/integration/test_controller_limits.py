"""The cloud's own quota, changed by hand: seen, told, and undone or left as the policy says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from govcloud.domain.access import Actor, Role
from govcloud.errors import TransientCloudError
from govcloud.ports.cloud import Provisioner
from govcloud.reconcile.controller import Controller
from govcloud.store import observed
from govcloud.store.objects import of_kinds
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, CLOUD, DEPARTMENT, SYSTEM, Lab

TENANT = f"{DEPARTMENT}--{SYSTEM}"


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path).found()


def settled(lab: Lab, *rules: dict[str, str]) -> tuple[Controller, str]:
    """Let a machine stand under a policy, with all that follows from it done."""
    if rules:
        with lab.store.unit(ADMIN) as unit:
            spec = {"version": "1", "effectiveFrom": "2026-01-01", "drift": list(rules)}
            lab.put(unit, "Policy", "city", spec)
    controller, uid = lab.controller(), lab.approve("web", flavor="large")
    lab.drive(controller)
    controller.pass_once(CLOUD)
    return controller, uid


def limits(lab: Lab) -> dict[str, int]:
    [[quota]] = list(lab.open().quotas())
    return dict(quota.limits)


def shown(lab: Lab) -> list[tuple[str, str | None, str | None, str]]:
    return [(row.field, row.wanted, row.found, row.mode) for row in lab.drift()]


def passes(lab: Lab, controller: Controller) -> int:
    """Let time go on and compare; return in how many tenants quotas were set."""
    lab.store.clock.advance(60)  # type: ignore[attr-defined]
    found = controller.pass_once(CLOUD)
    assert found is not None
    return found.quotas_set


def system(lab: Lab) -> str:
    with lab.store.reading() as session:
        return next(row.uid for row in of_kinds(session, ["System"]) if row.name == SYSTEM)


@pytest.mark.guarantee("R4")
def test_a_limit_that_was_changed_by_hand_is_seen_told_and_set_back(lab: Lab) -> None:
    controller, _ = settled(lab)
    lab.open().set_quota(TENANT, {"vcpu": 64, "memory": 65536})
    assert passes(lab, controller) == 1
    assert limits(lab)["vcpu"] == 8
    assert shown(lab) == [
        ("quota:memory", "32Gi", "64Gi", "heal"),
        ("quota:vcpu", "8", "64", "heal"),
    ]
    assert lab.events(system(lab)) == ["Drift"]
    assert passes(lab, controller) == 0
    assert shown(lab) == []
    assert passes(lab, controller) == 0
    assert lab.events(system(lab)) == ["Drift"]


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("mode", ["report", "ignore"])
@pytest.mark.parametrize("field", ["quota", "quota:vcpu"])
def test_a_limit_is_left_as_it_is_where_the_policy_says_so(lab: Lab, mode: str, field: str) -> None:
    controller, _ = settled(lab, {"kind": "System", "field": field, "mode": mode})
    lab.open().set_quota(TENANT, {"vcpu": 64})
    for _ in range(3):
        assert passes(lab, controller) == 0
        assert limits(lab)["vcpu"] == 64
        assert shown(lab) == [("quota:vcpu", "8", "64", mode)]
    with lab.store.reading() as session:
        told = observed.list_drift(session, Actor("r", Role.APPLICANT, DEPARTMENT))
        assert observed.list_drift(session, Actor("x", Role.APPLICANT, "finance")) == []
        assert observed.list_nobodys(session) == []
    listed = [(one.kind, one.name, one.row.resource, one.row.department) for one in told]
    assert listed == ([("System", SYSTEM, TENANT, DEPARTMENT)] if mode == "report" else [])
    assert lab.events(system(lab)) == (["Drift"] if mode == "report" else [])
    lab.open().set_quota(TENANT, {"vcpu": 8})
    passes(lab, controller)
    assert shown(lab) == []


@pytest.mark.guarantee("Q5")
def test_late_limits_are_set_whatever_the_policy_says(lab: Lab) -> None:
    controller, uid = settled(lab, {"mode": "report"})
    lab.open().set_quota(TENANT, {"memory": 1_000_000})
    passes(lab, controller)
    lab.change(uid, flavor="small")
    lab.drive(controller)
    passes(lab, controller)
    assert limits(lab)["vcpu"] == 2
    assert limits(lab)["memory"] == 1_000_000
    assert [row[:3] for row in shown(lab)] == [("quota:memory", "4Gi", "1000000Mi")]
    lab.approve("db", flavor="large")
    lab.drive(controller)
    passes(lab, controller)
    assert limits(lab)["vcpu"] == 10
    assert limits(lab)["memory"] == 1_000_000
    assert [row[0] for row in shown(lab)] == ["quota:memory"]


@pytest.mark.guarantee("Q5")
def test_what_is_approved_is_built_where_a_limit_was_lowered_and_is_only_reported(
    lab: Lab,
) -> None:
    controller, _ = settled(lab, {"mode": "report"})
    lab.open().set_quota(TENANT, {"vcpu": 8, "vms": 1})
    other = lab.approve("db", flavor="large")
    lab.drive(controller)
    assert lab.row(other).ready  # type: ignore[union-attr]
    passes(lab, controller)
    assert shown(lab) == []


@pytest.mark.guarantee("R4")
def test_limits_that_another_controller_raised_are_no_change_by_hand(lab: Lab) -> None:
    first, _ = settled(lab, {"mode": "report"})
    second = lab.controller("two")
    passes(lab, second)
    lab.approve("db", flavor="large")
    lab.drive(second)
    for controller in (first, second, first):
        passes(lab, controller)
        assert shown(lab) == []
    assert limits(lab)["vcpu"] == 16
    assert lab.events(system(lab)) == []


class Refusing:
    """A driver whose `set_quota` takes effect, perhaps, and fails."""

    def __init__(self, inner: Provisioner, takes_effect: bool) -> None:
        self._inner, self._takes_effect = inner, takes_effect

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def set_quota(self, tenant: str, wanted: dict[str, int]) -> None:
        if self._takes_effect:
            self._inner.set_quota(tenant, wanted)
        raise TransientCloudError("Unreachable", "cut", outcome_unknown=self._takes_effect)


@contextmanager
def refusing(lab: Lab, *, takes_effect: bool) -> Iterator[Controller]:
    """A controller whose answers of `set_quota` are lost."""
    before = lab.wrap
    lab.wrap = lambda inner: Refusing(inner, takes_effect)  # type: ignore[assignment,return-value]
    yield lab.controller("refusing")
    lab.wrap = before


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("takes_effect", [True, False])
def test_a_limit_whose_setting_was_lost_is_late_and_no_change_by_hand(
    lab: Lab, takes_effect: bool
) -> None:
    _, uid = settled(lab, {"mode": "report"})
    lab.change(uid, flavor="small")
    with refusing(lab, takes_effect=takes_effect) as controller:
        lab.drive(controller)
        assert passes(lab, controller) == 0
        assert shown(lab) == []
    passes(lab, lab.controller("after"))
    assert limits(lab)["vcpu"] == 2
    assert shown(lab) == []


@pytest.mark.guarantee("R4")
def test_a_change_by_hand_that_cannot_be_undone_stays_listed_and_is_tried_again(lab: Lab) -> None:
    settled(lab)
    lab.open().set_quota(TENANT, {"vcpu": 64})
    with refusing(lab, takes_effect=False) as controller:
        for _ in range(2):
            assert passes(lab, controller) == 0
            assert shown(lab) == [("quota:vcpu", "8", "64", "heal")]
    since = [row.since for row in lab.drift()]
    lab.store.clock.advance(120)  # type: ignore[attr-defined]
    after = lab.controller("after")
    assert passes(lab, after) == 1
    assert [row.since for row in lab.drift()] == since
    assert passes(lab, after) == 0
    assert shown(lab) == []
    assert lab.events(system(lab)) == ["Drift"]


def test_a_tenant_that_is_left_empty_has_no_more_than_is_in_use(lab: Lab) -> None:
    controller, uid = settled(lab, {"mode": "report"})
    lab.release(uid)
    lab.drive(controller)
    lab.open().set_quota(TENANT, {"vcpu": 64})
    passes(lab, controller)
    assert limits(lab)["vcpu"] == 0
    assert shown(lab) == []
