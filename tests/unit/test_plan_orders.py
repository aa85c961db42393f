"""What of a document becomes tags in a cloud."""

import json
from typing import Any

from govcloud.plan.orders import Approved, Catalogue, make_order

CATALOGUE = Catalogue(
    {
        ("System", "health/records"): {"security": {"mlpsLevel": 3}},
        ("Zone", "public"): {},
        ("Image", "kylin"): {},
        ("Flavor", "small"): {"vcpu": 2, "memory": 4096},
    }
)
MACHINE = {"system": "records", "zone": "public", "flavor": "small", "image": "kylin"}


def tags(kind: str = "VirtualMachine", **spec: Any) -> dict[str, str]:
    text = json.dumps({**(MACHINE if kind == "VirtualMachine" else {}), **spec})
    approved = Approved("u", kind, "health", "web", "records", "public", 1, text, "d", "REQ-1")
    return dict(make_order(approved, CATALOGUE).tags)


def test_how_often_a_machine_is_backed_up_is_a_tag_of_it() -> None:
    assert tags()["backup"] == "daily"
    assert tags(backup="none")["backup"] == "none"
    volume = {"system": "records", "zone": "public", "size": "5Gi"}
    assert "backup" not in tags("Volume", **volume)


def test_the_end_of_a_lease_is_a_tag_and_renewing_it_changes_nothing_else() -> None:
    first, renewed = tags(lease={"end": "2027-01-31"}), tags(lease={"end": "2028-01-31"})
    assert {name for name in first if first[name] != renewed[name]} == {"lease-end"}
    assert (renewed["lease-end"], tags()["lease-end"]) == ("2028-01-31", "")
