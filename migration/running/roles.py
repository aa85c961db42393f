"""The roles that can be played: those of this package, and a city's own."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from migration.running.port import Stage

SPECIFICATION: Final = "meta/argument_specs.yml"
_FOLLOWING: Final = frozenset({("files", Stage.START)})
"""Stages that have nothing to do where no other was played: no step can be made of them alone."""


class Roles:
    """Folders of roles; the first that has a role has it."""

    def __init__(self, own: Sequence[Path] = ()) -> None:
        self.playbooks = Path(str(files("playbooks")))
        self.folders = (*own, self.playbooks / "roles")

    @cached_property
    def specifications(self) -> Mapping[str, Mapping[str, Any]]:
        """What each role takes, as its specification says; roles without one serve the others."""
        found: dict[str, Mapping[str, Any]] = {}
        for file in (file for folder in self.folders for file in folder.glob(f"*/{SPECIFICATION}")):
            told = yaml.safe_load(file.read_text(encoding="utf-8"))
            found.setdefault(file.parents[1].name, told["argument_specs"]["main"])
        return found

    def settings(self, role: str) -> Mapping[str, Any]:
        """Return a role's specification with its options as people write them (`paths`).

        In Ansible a variable carries the name of its role (`files_paths`). `stages` are those of
        which it has the task file, and that are a step's whole work.
        """
        told = self.specifications[role]
        options = {
            name.removeprefix(f"{role}_"): option
            for name, option in (told.get("options") or {}).items()
        }
        own = (stage for stage in Stage if (role, stage) not in _FOLLOWING)
        stages = [stage.value for stage in own if self.has(role, stage)]
        return {**told, "options": options, "stages": stages}

    def has(self, role: str, stage: Stage) -> bool:
        """Whether a role has the task file of a stage."""
        return any((folder / role / f"tasks/{stage}.yml").is_file() for folder in self.folders)
