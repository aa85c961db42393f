"""Who is connected to whom in the legacy estate."""

from datetime import date
from typing import Any

import pytest

from migration.estate import estate


def system(department: str, name: str) -> dict[str, Any]:
    """A legacy system, as the API answers it."""
    spec = {"code": name, "origin": "legacy", "security": {"classified": False, "mlpsLevel": 2}}
    return {
        "metadata": {"department": department, "name": name},
        "spec": {**spec, "launchedOn": "2015-01-01"},
    }


def host(
    department: str, room: str, of: str | None, address: str, to: str | None = None
) -> dict[str, Any]:
    """A host of a system, and the address that it connects to."""
    spec: dict[str, Any] = {"room": room, "address": address}
    if of:
        spec["system"] = of
    if to:
        spec["facts"] = {"connectsTo": [to]}
    name = f"{room}-{of or 'none'}-{address.replace('.', '-')}"
    return {"metadata": {"department": department, "name": name}, "spec": spec}


FAR = "192.168.1.10"
WEB = host("bbb", "a", "web", "192.168.1.5", FAR)


@pytest.mark.parametrize(
    ("others", "tied"),
    [
        ([("aaa", "a", "x")], "aaa/x"),
        ([("aaa", "a", "x"), ("bbb", "a", "db")], "bbb/db"),
        ([("aaa", "a", "x"), ("bbb", "b", "db")], "bbb/db"),
        ([("bbb", "b", "files"), ("bbb", "a", "db")], "bbb/db"),
        ([("aaa", "a", "x"), ("bbb", "a", None)], None),
        ([("aaa", "a", "x"), ("ccc", "a", "y")], None),
        ([("aaa", "a", "x"), ("ccc", "a", None)], None),
    ],
)
def test_an_address_means_the_nearest_host_or_the_only_one(others, tied):
    keys = (("aaa", "x"), ("bbb", "web"), ("bbb", "db"), ("bbb", "files"), ("ccc", "y"))
    hosts = [host(department, room, of, FAR) for department, room, of in others]
    found = estate([system(*key) for key in keys], [*hosts, WEB], [], [], date(2026, 1, 1))
    assert set(found.edges) == ({tuple(sorted(("bbb/web", tied)))} if tied else set())
