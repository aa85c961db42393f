"""Asking hosts: Ansible in a process of its own, which ends when this one does."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from govcloud.errors import UnavailableError, UsageError
from migration.inventory.scan.hearing import Heard, Hearing, Notice
from migration.inventory.scan.subjects import PARSERS
from migration.running.references import Masking, resolve
from migration.running.roles import Roles
from migration.running.staging import environment, lines, private_folder, stagehand, write

SSH: Final = (
    "-o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=yes"
    " -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
)
MOST_AT_ONCE: Final = 50
_SECRET: Final = "GOVCLOUD_SECRET_BECOME"  # noqa: S105 (a name, not a secret)
_LARGEST_ANSWER: Final = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom.

    `become_password` is a reference (`env:NAME`, `file:PATH`); without `subjects` hosts are only
    logged in to.
    """

    inventory: str
    limit: str | None = None
    subjects: Sequence[str] = tuple(PARSERS)
    samples: int = 1
    every_s: int = 5
    patience_s: int = 900
    become_password: str | None = None
    login: Mapping[str, Any] = field(default_factory=dict)
    """Variables of Ansible that count more than the inventory's."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """The address of each host."""
    ways: str = ""
    """Options of SSH that come before the inventory's."""


class Asker:
    """Asks hosts from a folder of its own, which is gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._roles = Roles()
        for name in ("inventory", "env", "project", "complaints"):
            (folder / name).mkdir()

    @property
    def complaints(self) -> Path:
        """The file of what a login at a bastion complains of, with SSH's `%h` for the address."""
        return self._folder / "complaints" / "%h"

    def _heard(self, address: str) -> str:
        file = self.complaints.with_name(address)
        return file.read_text("utf-8", "replace") if file.is_file() else ""

    def inventory(self, told: Mapping[str, Any]) -> str:
        """Write an inventory of our own; return its path."""
        file = self._folder / "inventory/hosts.json"
        write(file, told)
        return str(file)

    def listing(self, inventory: str, limit: str | None) -> dict[str, Any]:
        """Return what Ansible makes of an inventory; UsageError with its words where it cannot."""
        program = str(Path(sys.executable).parent / "ansible-inventory")
        narrowed = ["--limit", limit] if limit else []
        done = subprocess.run(  # noqa: S603
            [program, "-i", inventory, "--list", *narrowed],
            env={**os.environ, **self._environment()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = " ".join(done.stderr.split())
        # What it cannot read it only warns of, and goes on with nothing.
        if done.returncode or "Unable to parse" in said:
            raise UsageError("migrate.scan_inventory", file=inventory, detail=said[:500])
        listing: dict[str, Any] = json.loads(done.stdout)
        return listing

    def ask(self, question: Question, told: Callable[[Notice], None]) -> dict[str, Heard]:
        """Ask until all hosts have said what they can; return what each said.

        UnavailableError where Ansible itself did not come so far.
        """
        secrets = resolve({"become": question.become_password} if question.become_password else {})
        addresses = question.addresses
        hearing = Hearing(
            Masking(secrets.values()),
            told,
            lambda host: self._heard(addresses[host]) if host in addresses else "",
        )
        variables = {
            "scan_subjects": list(question.subjects),
            "scan_samples": question.samples,
            "scan_every_s": question.every_s,
            "scan_patience_s": question.patience_s,
            **question.login,
        }
        if secrets:
            lookup = f"lookup('ansible.builtin.env', '{_SECRET}')"
            variables["ansible_become_password"] = "{{ " + lookup + " }}"
        write(self._folder / "env/extravars", variables)
        with stagehand(self._order(question, secrets)) as process:
            for line in lines(process):
                if line:
                    hearing.hear(line)
            process.wait()
        if not hearing.hosts:
            raise UnavailableError("migrate.scan_broken", detail=hearing.fault or "-")
        return hearing.hosts

    def _order(self, question: Question, secrets: Mapping[str, str]) -> dict[str, object]:
        spoken = self._environment()
        if secrets:
            spoken[_SECRET] = secrets["become"]
        if question.ways:
            spoken["ANSIBLE_SSH_ARGS"] = SSH + question.ways
        arguments: dict[str, object] = {
            "playbook": str(self._roles.playbooks / "scan.yml"),
            "inventory": question.inventory,
            # Where the inventory names files from here, they are found.
            "project_dir": str(Path.cwd()),
        }
        if question.limit:
            arguments["limit"] = question.limit
        return {
            "folder": str(self._folder),
            "keys": None,
            "environment": spoken,
            "arguments": arguments,
        }

    def _environment(self) -> dict[str, str]:
        spoken = environment(self._folder, self._roles)
        # A configuration that somebody has named is theirs: keys and bastions may stand in it.
        if "ANSIBLE_CONFIG" in os.environ:
            spoken["ANSIBLE_CONFIG"] = os.environ["ANSIBLE_CONFIG"]
        else:
            spoken["ANSIBLE_SSH_ARGS"] = SSH
        return spoken | {
            "ANSIBLE_FORKS": str(MOST_AT_ONCE),
            "ANSIBLE_SSH_USETTY": "False",
            "MAX_EVENT_RES": str(_LARGEST_ANSWER),
        }


@contextmanager
def asker() -> Iterator[Asker]:
    """Give somebody who asks."""
    with private_folder() as folder:
        yield Asker(folder)
