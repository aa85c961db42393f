"""The city of `make demo-openstack`, and what the `openstack` client says of it, independently."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from govcloud.errors import Exit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Played:
    """The workspace that a play left, the domain in which it built, and what it printed."""

    cloud: Any
    workspace: Path
    domain: str
    shown: str

    @property
    def in_domain(self) -> tuple[str, str]:
        """The option of the client that looks at our domain alone."""
        return "--domain", self.domain

    def witness(self, *words: str) -> list[dict[str, Any]]:
        """Run the `openstack` client as the administrator."""
        command = [str(Path(sys.executable).with_name("openstack")), *words, "-f", "json"]
        environment = {**os.environ, **self.cloud.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def played(openstack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Play it once for all tests, in a domain of its own, as a program of its own."""
    from govcloud.testing.region import clear_domains

    workspace, domain = tmp_path_factory.mktemp("city"), f"govcloud-city-{token_hex(4)}"
    program = (
        "import sys; from pathlib import Path; "
        "from examples.openstack.demo import Place, find, play; "
        "play(Place(find(), Path(sys.argv[1]), sys.argv[2]), 'en')"
    )
    command = [sys.executable, "-c", program, str(workspace), domain]
    environment = {**os.environ, "GOVCLOUD_LANG": "en", "NO_COLOR": "1", "COLUMNS": "200"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield Played(openstack, workspace, domain, done.stdout + done.stderr)
    finally:
        with openstack.connect() as admin:
            clear_domains(admin, domain)


@pytest.fixture
def get(
    played: Played, govcloud: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[dict[str, Any]]]:
    """What `govcloud get KIND` says."""
    monkeypatch.setenv("GOVCLOUD_WORKSPACE", str(played.workspace / ".govcloud"))

    def ask(kind: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(govcloud("get", kind, "-o", "json").out)["items"]
        return items

    return ask


def parts(items: list[dict[str, Any]], *types: str) -> list[dict[str, Any]]:
    """Return what objects say that they have in the cloud, of some types."""
    return [one for item in items for one in item["status"]["resources"] if one["type"] in types]


def test_the_play_shows_all_of_it(played: Played) -> None:
    """One is refused, a server that vanished is back, and the last lines say what to type next."""
    assert "would pass its quota" in played.shown
    assert played.shown.count("insurance-db-0") >= 2
    assert "Healed after" in played.shown
    assert "Try next:" in played.shown
    assert (played.workspace / ".govcloud").is_dir()


def test_the_client_lists_what_govcloud_says(
    played: Played, get: Callable[[str], list[dict[str, Any]]]
) -> None:
    machines, volumes = get("vm"), get("volumes")
    systems = {f"{m['metadata']['department']}--{m['spec']['system']}" for m in machines}
    projects = {p["Name"]: p["ID"] for p in played.witness("project", "list", *played.in_domain)}
    assert projects.keys() == systems

    every = played.witness("server", "list", "--all-projects")
    servers = [server for server in every if server["Project ID"] in projects.values()]
    addresses = [
        address
        for address in played.witness("floating", "ip", "list")
        if address["Project"] in projects.values()
    ]
    disks = [
        disk
        for project in projects.values()
        for disk in played.witness("volume", "list", "--project", project)
    ]
    said = {one["id"]: one for one in parts(machines, "server")}
    assert {s["ID"]: (s["Name"], s["Status"]) for s in servers} == {
        key: (one["name"], one["info"]["status"]) for key, one in said.items()
    }
    for server in servers:
        fixed = [address for found in server["Networks"].values() for address in found]
        info = said[server["ID"]]["info"]
        ours = [info.get(name) for name in ("address", "address6", "floating_address")]
        assert sorted(fixed) == sorted(address for address in ours if address)

    kept = parts(machines, "disk") + parts(volumes, "volume")
    assert {d["ID"]: d["Name"] for d in disks} == {one["id"]: one["name"] for one in kept}
    outside = {one["info"].get("floating_address") for one in said.values()} - {None}
    assert {a["Floating IP Address"] for a in addresses} == outside
    assert len(addresses) == 1


def test_without_a_cloud_it_says_so_and_ends_with_a_code_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.openstack.demo"],
        cwd=ROOT,
        env={**os.environ, "GOVCLOUD_TEST_OPENSTACK": "off", "GOVCLOUD_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.UNAVAILABLE, done.stderr
    assert "There is no OpenStack here" in done.stderr
    assert "Traceback" not in done.stderr
