"""Playing a stage on real hosts: ansible-runner, in a process of its own (`stagehand`).

The target fetches from the source with the keys that the controller's agent lends it: no key is
written on a host, and data does not pass through the controller.
"""

import json
import shlex
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from govcloud.errors import GovcloudError
from govcloud.messages import DEFAULT_LANGUAGE, render
from govcloud.ports.abilities import Stop
from migration.running.hearing import Hearing
from migration.running.login import from_target, host_keys, variables
from migration.running.port import Endpoint, Play, Played, Stage, Told, Verdict
from migration.running.references import Masking, resolve
from migration.running.roles import Roles
from migration.running.staging import (
    environment,
    lines,
    plain,
    private_folder,
    stagehand,
    sweep_folders,
    write,
)

COMPLAINTS: Final = "complaints"
"""The file of what the last login at a bastion complained of."""
_SECRET: Final = "GOVCLOUD_SECRET_"  # noqa: S105 (a name, not a secret)


class AnsiblePlayer:
    """Plays roles with Ansible (`Player`).

    `own_roles` are folders of a city's own roles. Work on a host ends by itself `lease_s` after
    whoever watched it was last heard of.
    """

    def __init__(self, own_roles: Sequence[Path] = (), *, lease_s: float = 20) -> None:
        self._roles = Roles(own_roles)
        self._lease_s = lease_s
        sweep_folders()

    def roles(self) -> Mapping[str, Mapping[str, object]]:
        """Return each role's specification; its options under the names that people write."""
        return {name: self._roles.settings(name) for name in self._roles.specifications}

    def play(self, play: Play, told: Callable[[Told], None], stop: Stop) -> Played:
        """Play a stage to its end; see `Player.play`."""
        if play.role not in self._roles.specifications:
            return _failed("migrate.play_no_role", role=play.role)
        if not self._roles.has(play.role, play.stage):
            alone = play.source == play.target
            if play.stage in ({Stage.UNDO} if alone else {Stage.START, Stage.FREEZE}):
                return _nothing(play)
            return _failed("migrate.play_no_stage", role=play.role, stage=play.stage.value)
        try:
            secrets = resolve(play.secrets)
        except GovcloudError as error:
            return _failed(error.key, **error.params)
        with private_folder() as folder:
            hearing = Hearing(Masking(secrets.values()), told, folder / COMPLAINTS)
            self.furnish(folder, play)
            ended = self._perform(self._order(folder, play, secrets), hearing, play, stop)
        return hearing.played(ended)

    def _perform(
        self, order: Mapping[str, object], hearing: Hearing, play: Play, stop: Stop
    ) -> int | None:
        """Run a stagehand; return ansible's exit code, or None when it was made to stop."""
        until = time.monotonic() + play.timeout_s if play.timeout_s is not None else None
        with stagehand(order) as process:
            for line in lines(process):
                if line:
                    hearing.hear(line)
                if stop.is_set() or (until is not None and time.monotonic() > until):
                    return None
            return process.wait()

    def furnish(self, folder: Path, play: Play) -> None:
        """Write what Ansible reads: inventory and variables; no secret is among them."""
        for name in ("inventory", "env", "project"):
            (folder / name).mkdir()
        hosts = {
            "source": variables(play.source, forward=False, complaints=folder / COMPLAINTS),
            "target": variables(play.target, forward=True, complaints=folder / COMPLAINTS),
        }
        write(folder / "inventory/hosts.json", plain({"all": {"hosts": hosts}}))
        write(folder / "env/extravars", self._variables(play))

    def _variables(self, play: Play) -> dict[str, object]:
        own = {f"{play.role}_{name}": plain(value) for name, value in play.settings.items()}
        for name in play.secrets:
            lookup = f"lookup('ansible.builtin.env', '{_SECRET}{name}')"
            own[f"{play.role}_{name}"] = "{{ " + lookup + " }}"
        folder = f"/run/govcloud-move/{play.key}"
        state = f"/var/lib/govcloud-move/{play.key}"
        return own | {
            "migration": plain(play.about),
            "move_role": play.role,
            "move_stage": play.stage.value,
            "move_mode": play.mode.value,
            "move_key": play.key,
            "move_argument_spec": self._roles.specifications[play.role].get("options") or {},
            "move_bandwidth_kib": play.bandwidth_kib or 0,
            "move_lease_s": self._lease_s,
            "move_poll_s": min(2.0, self._lease_s / 4),
            "move_folder": folder,
            "move_state": state,
            "move_side": f"{state}/test",
            "move_rsh": from_target(play.source, folder),
            "move_login": shlex.quote(f"{play.source.user}@{_bracketed(play.source.address)}"),
            "move_sudo": "sudo -n " if play.source.become else "",
            "move_source": plain(
                {
                    **_about(play.source),
                    "fetch_through": play.source.fetch_through,
                    "host_keys": host_keys(play.source),
                }
            ),
            "move_target": plain(_about(play.target)),
        }

    def _order(self, folder: Path, play: Play, secrets: Mapping[str, str]) -> dict[str, object]:
        keys = {end.key_file for end in (play.source, play.target) if end.key_file}
        # The inventory is the one written here: plugins for other kinds need not be loaded.
        spoken = environment(folder, self._roles) | {"ANSIBLE_INVENTORY_ENABLED": "yaml"}
        spoken |= {f"{_SECRET}{name}": value for name, value in secrets.items()}
        return {
            "folder": str(folder),
            "keys": sorted(keys),
            "environment": spoken,
            "arguments": {
                "playbook": str(self._roles.playbooks / "stage.yml"),
                "cmdline": "--check" if play.check else "",
            },
        }


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _about(end: Endpoint) -> dict[str, object]:
    return {
        "name": end.name,
        "address": end.address,
        "port": end.port,
        "user": end.user,
        "become": end.become,
    }


def _nothing(play: Play) -> Played:
    """Return what comes of a stage that a role may leave out: success, and that it did nothing."""
    params = {"role": play.role, "stage": play.stage.value}
    said = render("migrate.play_nothing", DEFAULT_LANGUAGE, params)
    event = {"event": "nothing_to_do", "created": None, "event_data": {"res": {"msg": said}}}
    return Played(Verdict.OK, message=said, evidence=zlib.compress(json.dumps(event).encode()))


def _failed(key: str, **params: object) -> Played:
    return Played(Verdict.FAILED, message=render(key, DEFAULT_LANGUAGE, params))
