"""How Ansible logs in to the ends of a play, and which host keys they must show."""

import subprocess
from pathlib import Path
from typing import Any, Final

from migration.running.port import Endpoint

SSH: Final = (
    "-o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=10"
    " -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
)
"""Host keys are checked and never taken on trust; a host that is lost is noticed in 15 seconds."""


def variables(end: Endpoint, *, forward: bool) -> dict[str, Any]:
    """Return the inventory's variables of a host; `forward`: it may use the agent's keys."""
    return {
        "ansible_host": end.address,
        "ansible_port": end.port,
        "ansible_user": end.user,
        "ansible_become": end.become,
        # sudo keeps what leads to the agent, for the target logs in to the source.
        "ansible_become_flags": "-H -S -n --preserve-env=SSH_AUTH_SOCK",
        "ansible_ssh_common_args": _options(end, forward),
        "ansible_python_interpreter": "auto_silent",
    }


def _options(end: Endpoint, forward: bool) -> str:
    options = [SSH, f"-o ForwardAgent={'yes' if forward else 'no'}"]
    if end.known_hosts:
        options.append(f"-o UserKnownHostsFile={_quoted(end.known_hosts)}")
    if end.bastion:
        options.append(f"-o ProxyCommand={_quoted(_through(end))}")
    return " ".join(options)


def _through(end: Endpoint) -> str:
    """Return the command that reaches a host through its bastion, whose key is checked as well."""
    name, _, port = _host_port(end.bastion)
    known = f" -o UserKnownHostsFile={end.known_hosts}" if end.known_hosts else ""
    return f"ssh {SSH}{known} -p {port} -W [%h]:%p {name}"


def _host_port(bastion: str) -> tuple[str, str, str]:
    """Split `user@host:port`; the host may be an IPv6 address in brackets."""
    name, colon, port = bastion.rpartition(":")
    if colon and port.isdigit() and not (":" in name and "]" not in name):
        return name.replace("[", "").replace("]", ""), colon, port
    return bastion.replace("[", "").replace("]", ""), ":", "22"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def from_target(end: Endpoint, folder: str) -> str:
    """Return the command with which the target logs in to the source; without user and host."""
    options = f"{SSH} -o UserKnownHostsFile={folder}/known_hosts -p {end.port}"
    return f"ssh {options}"


def host_keys(end: Endpoint) -> str:
    """Return the lines of host keys that are known of a host; empty: none."""
    name = end.address if end.port == 22 else f"[{end.address}]:{end.port}"
    file = end.known_hosts or str(Path.home() / ".ssh/known_hosts")
    command = ["ssh-keygen", "-F", name, "-f", file]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    lines = [line for line in found.splitlines() if line and not line.startswith("#")]
    return "".join(f"{line}\n" for line in lines)
