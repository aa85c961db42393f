"""How Ansible logs in to the ends of a play, and which host keys they must show."""

import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

from migration.running.port import Endpoint

SSH: Final = (
    "-o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=10"
    " -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
)
"""Host keys are checked and never taken on trust; a host that is lost is noticed in 15 seconds."""


def variables(end: Endpoint, *, forward: bool, complaints: Path | None = None) -> dict[str, Any]:
    """Return the inventory's variables of a host; `forward`: it may use the agent's keys.

    `complaints` is a file for what the login at the bastion complains of: SSH itself drops it,
    where connections are kept.
    """
    return {
        "ansible_host": end.address,
        "ansible_port": end.port,
        "ansible_user": end.user,
        "ansible_become": end.become,
        # sudo keeps what leads to the agent, for the target logs in to the source.
        "ansible_become_flags": "-H -S -n --preserve-env=SSH_AUTH_SOCK",
        "ansible_ssh_common_args": f"{SSH} -o ForwardAgent={'yes' if forward else 'no'}"
        + ways(end, complaints),
        "ansible_python_interpreter": "auto_silent",
    }


def ways(end: Endpoint, complaints: Path | None = None) -> str:
    """Return SSH's options for the host keys that are known and for the bastion, if any."""
    options = ""
    if end.known_hosts:
        options += f" -o {_quoted(_known_in(end.known_hosts))}"
    if end.bastion:
        given = f" -o {shlex.quote(_known_in(end.known_hosts))}" if end.known_hosts else ""
        given += f" -i {shlex.quote(_literal(end.key_file))}" if end.key_file else ""
        aside = f" 2> {shlex.quote(str(complaints))}" if complaints else ""
        # What is a path there is read twice: by this SSH, and by the one that it runs.
        command = f"ProxyCommand={_through(end.bastion, _literal(given))}{aside}"
        options += f" -o {_quoted(command)}"
    return options


def _known_in(file: str) -> str:
    """Return the option of a file of host keys, quoted as SSH itself reads its configuration."""
    return f"UserKnownHostsFile={_quoted(_literal(file))}"


def _literal(text: str) -> str:
    """Return text in which SSH finds none of its tokens (`%h`)."""
    return text.replace("%", "%%")


def _through(bastion: str, options: str) -> str:
    """Return the command that reaches a host through its bastion, whose key is checked as well."""
    name, port = _host_port(bastion)
    user, at, host = name.rpartition("@")
    return f"ssh {SSH}{options} -p {port} -W '[%h]:%p' {user}{at}{host}"


def _host_port(bastion: str) -> tuple[str, str]:
    """Split `user@host:port`; the host may be an IPv6 address in brackets."""
    name, colon, port = bastion.rpartition(":")
    if colon and port.isdigit() and not (":" in name and "]" not in name):
        return _bare(name), port
    return _bare(bastion), "22"


def _bare(name: str) -> str:
    return name.replace("[", "").replace("]", "")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def from_target(end: Endpoint, folder: str) -> str:
    """Return the command with which the target logs in to the source; without user and host.

    It is read by a shell and by rsync, which know the same two kinds of quotes.
    """
    known = f" -o UserKnownHostsFile={folder}/known_hosts"
    through = end.fetch_through and f' -o "ProxyCommand={_through(end.fetch_through, known)}"'
    return f"ssh {SSH}{known} -p {end.port}{through}"


def host_keys(end: Endpoint) -> str:
    """Return the lines of host keys that are known of a host and of whom it is fetched through."""
    found = _known(end.address, end.port, end.known_hosts)
    if end.fetch_through:
        name, port = _host_port(end.fetch_through)
        found += _known(name.rpartition("@")[2], int(port), end.known_hosts)
    return found


def _known(address: str, port: int, known_hosts: str) -> str:
    name = address if port == 22 else f"[{address}]:{port}"
    file = known_hosts or str(Path.home() / ".ssh/known_hosts")
    command = ["ssh-keygen", "-F", name, "-f", file]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    lines = [line for line in found.splitlines() if line and not line.startswith("#")]
    return "".join(f"{line}\n" for line in lines)
