"""Where a role may stand in a plan, by the roles that there are."""

from typing import Any

import pytest

from govcloud.domain.kinds.moving import Move
from govcloud.testing.yard import Yard
from migration.running.player import AnsiblePlayer
from migration.running.settings import faults

FILES = {"role": "files", "settings": {"paths": ["/srv"]}}
SWITCH = {"role": "switch_hosts", "settings": {"from": "10.9.0.1", "to": "10.9.1.1"}}


def found(**changes: Any) -> list[tuple[str, str, object]]:
    plain = Yard.move("case") | {"hooks": {}, "switch": []} | changes
    moved = [{"name": "data", "source": "case-old", "target": "case-new", **FILES}]
    move = Move.model_validate({**plain, "workloads": changes.get("workloads", moved)})
    return [
        (fault.key, fault.field, fault.params.get("stage"))
        for fault in faults(move, AnsiblePlayer().roles())
    ]


def test_roles_that_can_do_what_they_are_named_for() -> None:
    assert found(switch=[{"on": "case-gate", **SWITCH}]) == []


@pytest.mark.parametrize("name", ["configure", "switch"])
def test_a_role_that_would_do_nothing(name: str) -> None:
    """Copying roles have no `start`: a step with one would be done before it began."""
    wrong = [("migrate.run_role_unfit", f"{name}[0].role", "start")]
    assert found(**{name: [{"on": "case-gate", **FILES}]}) == wrong


def test_a_workload_that_nothing_copies() -> None:
    workload = {"name": "data", "source": "case-old", "target": "case-new", **SWITCH}
    assert found(workloads=[workload]) == [("migrate.run_role_unfit", "workloads[0].role", "sync")]


@pytest.mark.parametrize(
    ("role", "settings", "field"),
    [
        ("files", {"paths": ["/srv", "--rsh=id"]}, "paths[1]"),
        ("services", {"names": ["--host=me@there"]}, "names[0]"),
        ("postgresql", {"databases": ["hr"], "user": "-x"}, "user"),
        ("mysql", {"databases": ["hr\nEOF\nid"]}, "databases[0]"),
        ("files", {"paths": ["/srv"], "exclude": ["- *.tmp"]}, ""),
    ],
)
def test_a_name_is_no_option_of_a_program(role: str, settings: Any, field: str) -> None:
    moved = {"name": "data", "source": "case-old", "target": "case-new"}
    faults = found(workloads=[{**moved, "role": role, "settings": settings}])
    word = ("migrate.run_setting_word", f"workloads[0].settings.{field}", None)
    assert faults == ([word] if field else [])
