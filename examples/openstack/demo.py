"""Play a small city on a real OpenStack, with the commands that people would type.

The region is the tests' one: any that `GOVCLOUD_TEST_OS_CLOUD` names, else the lab, which is
started where that is possible (docs/labs.md). Where there is none, one sentence says why, and the
program ends with the exit code for what cannot be reached (9, docs/errors.md). The workspace and
what was built stay; the next play removes both first. Run by `make demo-openstack`.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from rich.table import Table

from examples.stage import Stage, console, relative
from govcloud.errors import Exit
from govcloud.messages import preferred, render
from govcloud.testing.openstack import NoLabError, OpenStack, find
from govcloud.testing.region import clear_domains

CITY: Final = Path(__file__).parent
WORKSPACE: Final = CITY.parents[1] / "demo-openstack-workspace"
DOMAIN: Final = "govcloud-demo"
"""The domain of the city's projects: the same in each play, so that the last one's is found."""
REGION: Final = "region"
SHOWN: Final = "hrss"
VICTIM: Final = "insurance-db"
_GONE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is played."""

    cloud: OpenStack
    workspace: Path = WORKSPACE
    domain: str = DOMAIN


class Demo(Stage):
    """The play: each method is one act."""

    def __init__(self, place: Place, language: str) -> None:
        super().__init__(CITY, place.workspace, language)
        self.place = place

    def prepare(self) -> None:
        """Remove the last play, and put the platform in place in a new workspace."""
        self.say("openstack_prepare")
        with self.place.cloud.connect() as admin:
            clear_domains(admin, self.place.domain)
        self.begin()
        document = self.workspace / "cloud.yaml"
        document.write_text(yaml.safe_dump(self._document(), allow_unicode=True), encoding="utf-8")
        console.print(document.read_text(encoding="utf-8"), markup=False)
        self.type("apply", "-f", relative(document), "-f", relative(CITY / "platform"))
        self.type("doctor")
        self.people()

    def _document(self) -> dict[str, object]:
        """Return the `Cloud` of the region: who logs in is said by reference."""
        connection = {**self.place.cloud.connection, "domain": self.place.domain}
        return {
            "apiVersion": "govcloud.io/v1",
            "kind": "Cloud",
            "metadata": {"name": REGION, "displayName": "OpenStack"},
            "spec": {"provider": "openstack", "connection": connection},
        }

    def plan(self) -> None:
        """Show what one unit's YAML would change, and a request that is refused."""
        self.say("plan")
        self.type("--as", SHOWN, "plan", "-f", relative(CITY / "departments" / SHOWN))
        self.refused()

    def build(self) -> None:
        """Run the controller until everything is ready, and ask the cloud itself."""
        self.say("build")
        self.type("controller", "run", "--once")
        self.type("get", "vm", "-o", "wide")
        self.type("get", "volumes")
        self.say("openstack_witness")
        self.show_servers()
        self.say("quota")
        self.type("quota", "tree")

    def show_servers(self) -> None:
        """Print the servers that the cloud has, as its administrator lists them."""
        table = Table("project", "server", "status", "zone", "addresses")
        for project, server in self._servers():
            found = [entry["addr"] for port in server.addresses.values() for entry in port]
            zone = server.availability_zone or ""
            table.add_row(project, server.name, server.status, zone, " ".join(found))
        console.print(table)

    def _servers(self) -> Sequence[tuple[str, Any]]:
        with self.place.cloud.connect() as admin:
            identity: Any = admin.identity
            domain = identity.find_domain(self.place.domain, ignore_missing=False)
            names = {project.id: project.name for project in identity.projects(domain_id=domain.id)}
            servers = list(admin.compute.servers(all_projects=True))
        ours = [(names[s.project_id], s) for s in servers if s.project_id in names]
        return sorted(ours, key=lambda pair: (pair[0], pair[1].name))

    def heal(self) -> None:
        """Delete a server behind the controller's back and see it come back, with its disks."""
        self.say("tamper", name=VICTIM)
        [server] = [s for _, s in self._servers() if s.name == f"{VICTIM}-0"]
        console.print(f"[bold]$ openstack server delete {server.id}[/]")
        with self.place.cloud.connect() as admin:
            admin.compute.delete_server(server)
            admin.compute.wait_for_delete(server, interval=0.5, wait=_GONE_S)
        self.say("healing")
        began = time.monotonic()
        self.type("controller", "run", "--once")
        self.type("events", f"vm/{VICTIM}", "--department", SHOWN)
        self.say("openstack_healed", seconds=f"{time.monotonic() - began:.0f}")
        self.show_servers()


def play(place: Place, language: str) -> None:
    """Play all acts in order."""
    demo = Demo(place, language)
    demo.prepare()
    demo.plan()
    demo.approve(demo.submit())
    demo.build()
    demo.heal()
    demo.report()
    file, domain = place.cloud.file, place.domain
    demo.end("openstack_next", file=file, cloud=place.cloud.admin, domain=domain)


def main() -> int:
    """Play where there is a cloud; otherwise say why there is none."""
    os.environ.setdefault("GOVCLOUD_LANG", preferred())
    language = preferred()
    console.print(render("demo.openstack_looking", language))
    try:
        cloud = find()
    except NoLabError as error:
        cloud = str(error)
    if isinstance(cloud, str):
        console.print(render("demo.openstack_none", language, {"reason": cloud}), markup=False)
        return Exit.UNAVAILABLE
    play(Place(cloud), language)
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
