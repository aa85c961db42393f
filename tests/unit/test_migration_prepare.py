"""What planning weighs: quota at a date, sizes by use, groups that are held back together."""

from datetime import date
from fractions import Fraction

import pytest

from govcloud.domain.kinds.estate import LegacyHostSpec
from govcloud.domain.kinds.platform import FlavorSpec
from migration.assessment.sizing import size
from migration.estate import estate
from migration.waves.budget import budget, capacity, chains
from migration.waves.compute import compute
from migration.waves.groups import groups, hub, uncut
from migration.waves.load import Load, free_on
from migration.waves.model import Settings

BEGIN = date(2027, 1, 4)


def quota(name, **spec):
    return {"metadata": {"name": name}, "spec": {"department": "hrss", **spec}}


def test_quota_is_that_of_the_date():
    quotas = [
        quota("base", limits={"vcpu": 100}, validUntil="2027-12-31"),
        quota(
            "more", type="grant", limits={"vcpu": 50}, validFrom="2027-03-01",
            validUntil="2027-03-31",
        ),
        quota("zoned", limits={"vcpu": 1}, cloud="sim"),
    ]  # fmt: skip
    lines = [{"class": "vcpu", "allocated": 30, "reserved": 10}]
    nodes = [
        {"department": "city", "parent": None, "lines": []},
        {"department": "hrss", "parent": "city", "lines": lines},
    ]
    found = budget(quotas, nodes, BEGIN)
    assert set(found) == {("hrss", "vcpu")}
    steps = found["hrss", "vcpu"]
    assert free_on(steps, BEGIN) == 60
    assert free_on(steps, date(2027, 3, 1)) == 110
    assert free_on(steps, date(2027, 4, 1)) == 60
    assert free_on(steps, date(2028, 1, 1)) > 10**9
    assert chains({"city": None, "hrss": "city"})["hrss"] == ("hrss", "city")


def test_the_clouds_carry_so_much_and_no_more():
    size = {"cores": 10, "memory": "64Gi"}
    cloud = {"spec": {"provider": "simulated", "capacity": size}}
    observed = {"spec": {"provider": "x", "management": "observed", "capacity": size}}
    lines = [{"class": "vcpu", "allocated": 30, "reserved": 4}]
    nodes = [
        {"department": "city", "parent": None, "lines": lines},
        {"department": "hrss", "parent": "city", "lines": lines},
    ]
    found = capacity([cloud, observed], nodes, BEGIN)
    assert free_on(found["*", "vcpu"], BEGIN) == 6
    assert free_on(found["*", "memory"], BEGIN) == 65536
    unknown = {"spec": {"provider": "simulated"}}
    assert capacity([cloud, unknown], nodes, BEGIN) == {}

    load = Load("d/a", "d", demand={("*", "vcpu"): 8})
    settings = Settings(begin=BEGIN)
    result = compute({"d/a": load}, (), settings, lambda day: True, found)
    assert [one.reason for one in result.unplaced] == ["capacity"]


@pytest.mark.parametrize(
    ("facts", "measured", "expected"),
    [
        ({"cpuPeak": 10, "memoryPeak": 8, "data": "100Gi"}, True, (3, 6816, 130)),
        ({"cpuPeak": 100, "memoryPeak": 100}, True, (16, 65536, 1024)),
        ({"cpuPeak": 0, "memoryPeak": 0}, True, (2, 4096, 1024)),
        ({"cpuPeak": 10}, True, (16, 65536, 1024)),
        ({"cpuPeak": 10, "memoryPeak": 8}, False, (16, 65536, 1024)),
    ],
)
def test_sizes(facts, measured, expected):
    host = LegacyHostSpec.model_validate(
        {"room": "r", "vcpu": 16, "memory": "64Gi", "storage": "1Ti", "facts": facts}
    )
    flavors = {
        "small": FlavorSpec.model_validate({"vcpu": 4, "memory": "8Gi"}),
        "domestic": FlavorSpec.model_validate({"vcpu": 4, "memory": "8Gi", "xinchuang": True}),
    }
    found = size("h", host, flavors, measured=measured, comfort=Fraction("1.3"))
    assert (found.vcpu, found.memory, found.storage) == expected
    assert found.flavor == ("small" if found.vcpu <= 4 else None)


def test_connections_come_from_addresses_and_from_the_register():
    def system(name, **spec):
        base = {"code": name, "origin": "legacy", "security": {"classified": False}}
        return {"metadata": {"name": name, "department": "d"}, "spec": base | spec}

    def host(name, system, address, *to):
        spec = {"room": "r", "system": system, "address": address}
        return {
            "metadata": {"name": name, "department": "d"},
            "spec": spec | {"facts": {"connectsTo": list(to)}},
        }

    systems = [
        system("a", dependsOn=["b"]),
        system("b"),
        system("c"),
        system("new", origin="cloud"),
    ]
    hosts = [host("a1", "a", "10.0.0.1", "10.0.0.3", "8.8.8.8"), host("c1", "c", "10.0.0.3")]
    moved = {"metadata": {}, "spec": {"department": "d", "system": "b", "state": "trial"}}
    found = estate(systems, hosts, [], [], BEGIN)
    assert found.edges == {("d/a", "d/b"): 1, ("d/a", "d/c"): 1}
    assert set(estate(systems, hosts, [moved], [], BEGIN).systems) == {"d/a", "d/c"}


def test_cuts_of_a_pair_and_of_all():
    edges = [("a", "b"), ("b", "c"), ("c", "d")]
    settings = Settings.model_validate(
        {"begin": BEGIN, "cuts": [{"one": "c", "other": "b", "reason": "x"}]}
    )
    assert groups("abcd", uncut(edges, settings)) == [("a", "b"), ("c", "d")]
    alone = Settings.model_validate({"begin": BEGIN, "cuts": [{"one": "b", "reason": "x"}]})
    assert groups("abcd", uncut(edges, alone)) == [("a",), ("b",), ("c", "d")]
    assert hub("abc", edges) == "b"
