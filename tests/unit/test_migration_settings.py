"""Where a role may stand in a plan, by the roles that there are."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from govcloud.domain.kinds.moving import Move
from govcloud.testing.yard import Yard
from migration.running.player import AnsiblePlayer
from migration.running.port import Endpoint, Play, Stage, Verdict
from migration.running.settings import faults

FILES = {"role": "files", "settings": {"paths": ["/srv"]}}
SWITCH = {"role": "switch_hosts", "settings": {"from": "10.9.0.1", "to": "10.9.1.1"}}


def found(roles: Path | None = None, **changes: Any) -> list[tuple[str, str, object]]:
    plain = Yard.move("case") | {"hooks": {}, "switch": []} | changes
    moved = [{"name": "data", "source": "case-old", "target": "case-new", **FILES}]
    move = Move.model_validate({**plain, "workloads": changes.get("workloads", moved)})
    return [
        (fault.key, fault.field, fault.params.get("stage"))
        for fault in faults(move, AnsiblePlayer([roles] if roles else []).roles())
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


def own_role(folder: Path, *stages: str) -> Path:
    """Make a role `notify` of one's own."""
    (folder / "notify/tasks").mkdir(parents=True)
    (folder / "notify/meta").mkdir()
    (folder / "notify/meta/argument_specs.yml").write_text("argument_specs: {main: {}}\n")
    for stage in stages:
        (folder / f"notify/tasks/{stage}.yml").write_text("[]\n")
    return folder


def test_what_could_not_be_taken_back_is_refused(tmp_path: Path) -> None:
    """Sources would stay frozen behind it; a hook without `undo` has nothing to take back."""
    roles = own_role(tmp_path, "plan", "sync", "verify", "start")
    ends = {"source": "case-old", "target": "case-new"}
    alone = {"role": "notify", "on": "case-gate"}
    copied = {"name": "data", "role": "notify", **ends}
    unfit = "migrate.run_role_unfit"
    assert found(roles, workloads=[copied]) == [(unfit, "workloads[0].role", "undo")]
    assert found(roles, switch=[alone]) == [(unfit, "switch[0].role", "undo")]
    assert found(roles, hooks={"after-start": [alone]}) == []
    gate = Endpoint("case-gate", "10.9.9.9")
    play = Play(key="k", role="notify", stage=Stage.UNDO, source=gate, target=gate)
    player = AnsiblePlayer([roles])
    assert player.play(play, lambda _told: None, threading.Event()).verdict is Verdict.OK
    apart = replace(play, source=Endpoint("case-old", "10.9.9.8"))
    assert player.play(apart, lambda _told: None, threading.Event()).verdict is Verdict.FAILED


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
