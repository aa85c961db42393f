"""What others take for the same machines: a bare script, Ansible's `openstack.cloud`, and Heat.

Ansible comes from PyPI into an environment of its own, which is kept in the user's cache; Heat from
Debian's packages, beside the lab (`python tests/labs/openstack heat`). Both work in the project
that they are given, where there is a network, and each is run twice: the second time there is
nothing to do.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import yaml
from openstack.exceptions import raise_from_response

from govcloud.testing.openstack import OpenStack
from govcloud.testing.region import clear_domains, unlimited
from govcloud.testing.regionlab import MACHINE

Figures = dict[str, float]
NETWORK: Final = "bench"
FLAVOR: Final = "c1m1"
THREADS: Final = 8
IMAGE: Final = str(MACHINE["image"])
_ENVIRONMENT: Final = Path("~/.cache/govcloud/bench-ansible").expanduser()
_ANSIBLE: Final = ("ansible>=9,<10", "openstacksdk<2")
"""The collection reads what later releases of the SDK do not have any more."""
_LAB: Final = Path(__file__).parents[1] / "tests" / "labs" / "openstack"
_HEAT_S: Final = 3600
_SAID: Final = 40
"""Lines of what a playbook said when it failed."""


@contextmanager
def project(cloud: OpenStack) -> Iterator[str]:
    """Make a project with a network, in a domain of its own, and remove both afterwards."""
    name = f"bench-{uuid4().hex[:8]}"
    with cloud.connect() as admin:
        identity: Any = admin.identity
        domain = identity.create_domain(name=name)
        try:
            made = identity.create_project(name=name, domain_id=domain.id)
            with cloud.connect(cloud.cloud) as driver:
                user = driver.current_user_id
            for role in ("member", "admin"):
                identity.assign_project_role_to_user(made, user, identity.find_role(role))
            unlimited(admin, made.id)
            with cloud.connect(cloud.cloud, project_id=made.id) as connection:
                network = connection.network.create_network(name=NETWORK)
                for version, cidr in ((4, "10.77.0.0/16"), (6, "fd77::/64")):
                    connection.network.create_subnet(
                        network_id=network.id, ip_version=version, cidr=cidr
                    )
            yield str(made.id)
        finally:
            clear_domains(admin, name)


# --- The bare script ---


def build_bare(
    _folder: Path, cloud: OpenStack, machines: int, built: Callable[[], None]
) -> Figures:
    """Let eight threads make the machines, with the SDK and nothing else."""
    with project(cloud) as key, cloud.connect(cloud.cloud, project_id=key) as connection:
        figures = _bare(connection, machines)
        built()
        return figures


def _bare(connection: Any, machines: int) -> Figures:
    network = connection.network.find_network(NETWORK).id
    image = connection.image.find_image(IMAGE).id
    flavor = connection.compute.find_flavor(FLAVOR).id

    def make(number: int) -> None:
        name = f"bare-{number}"
        volume = connection.block_storage.create_volume(
            name=name, size=2, volume_type="hdd", image_id=image
        )
        port = connection.network.create_port(network_id=network, name=name)
        connection.block_storage.wait_for_status(volume, "available", interval=0.5, wait=1800)
        server = connection.compute.create_server(
            name=name,
            flavor_id=flavor,
            networks=[{"port": port.id}],
            metadata={"number": str(number)},
            block_device_mapping=[
                {
                    "uuid": volume.id,
                    "source_type": "volume",
                    "destination_type": "volume",
                    "boot_index": 0,
                    "delete_on_termination": False,
                }
            ],
        )
        connection.compute.wait_for_server(server, interval=0.5, wait=1800)

    def all_of_them() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(make, range(machines)))

    return measured(all_of_them)


# --- Ansible ---


def build_ansible(
    folder: Path, cloud: OpenStack, machines: int, built: Callable[[], None]
) -> Figures:
    """Let a playbook make the machines, one after the other, and play it again."""
    _install()
    with project(cloud) as key:
        play = folder / "play.yaml"
        play.write_text(yaml.safe_dump(_play(machines)), encoding="utf-8")
        environment = _told(folder, cloud, key)
        first = measured(lambda: _run(play, environment))
        built()
        again = measured(lambda: _run(play, environment))
        return {**first, "again": again["wall"]}


def _install() -> None:
    program = _ENVIRONMENT / "bin" / "ansible-playbook"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_ENVIRONMENT)], check=True)
        pip = [str(_ENVIRONMENT / "bin" / "pip"), "install", "-q", *_ANSIBLE]
        subprocess.run(pip, check=True)


def _told(folder: Path, cloud: OpenStack, key: str) -> dict[str, str]:
    """Return what Ansible needs to know: an entry of a clouds.yaml for the project."""
    entry = yaml.safe_load(cloud.file.read_text(encoding="utf-8"))["clouds"][cloud.cloud]
    named = ("project_name", "project_domain_name")
    auth = {name: value for name, value in entry["auth"].items() if name not in named}
    entry["auth"] = {**auth, "project_id": key}
    file = folder / "others.yaml"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump({"clouds": {"bench": entry}}), encoding="utf-8")
    return {
        **os.environ,
        "OS_CLIENT_CONFIG_FILE": str(file),
        "HOME": str(folder),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
    }


def _play(machines: int) -> list[dict[str, Any]]:
    name, loop = "ansible-{{ item }}", list(range(machines))

    def task(module: str, **arguments: Any) -> dict[str, Any]:
        said = {"cloud": "bench", "name": name, **arguments}
        return {"name": module, f"openstack.cloud.{module}": said, "loop": loop}

    tasks = [
        task("volume", size=2, volume_type="hdd", image=IMAGE),
        task("port", network=NETWORK),
        task(
            "server",
            flavor=FLAVOR,
            boot_volume=name,
            nics=[{"port-name": name}],
            auto_ip=False,
            meta={"made": name},
        ),
    ]
    host = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    python = {"ansible_python_interpreter": str(_ENVIRONMENT / "bin" / "python")}
    return [{**host, "vars": python, "tasks": tasks}]


def _run(play: Path, environment: Mapping[str, str]) -> None:
    command = [str(_ENVIRONMENT / "bin" / "ansible-playbook"), str(play)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stdout.replace("\\n", "\n") + done.stderr
        raise SystemExit("ansible-playbook failed:\n" + "\n".join(said.splitlines()[-_SAID:]))


# --- Heat ---


def build_heat(
    _folder: Path, cloud: OpenStack, machines: int, built: Callable[[], None]
) -> Figures:
    """Let a stack make the machines, and update it with the same template."""
    subprocess.run([sys.executable, str(_LAB), "heat"], check=True, stdout=subprocess.DEVNULL)
    with project(cloud) as key, cloud.connect(cloud.cloud, project_id=key) as connection:
        heat: Any = connection.orchestration
        template = json.dumps(_template(machines))
        made: list[Any] = []

        def create() -> None:
            made.append(heat.create_stack(name="bench", template=template, timeout_mins=60))
            heat.wait_for_status(
                made[0], "CREATE_COMPLETE", ["CREATE_FAILED"], interval=0.5, wait=_HEAT_S
            )

        def update() -> None:
            # Past the SDK, which sends nothing where nothing differs: Heat shall find that out.
            body = {"template": template, "timeout_mins": 60}
            raise_from_response(heat.put(f"/stacks/{made[0].name}/{made[0].id}", json=body))
            heat.wait_for_status(
                made[0], "UPDATE_COMPLETE", ["UPDATE_FAILED"], interval=0.5, wait=_HEAT_S
            )

        first = measured(create)
        built()
        again = measured(update)
        heat.delete_stack(made[0])
        heat.wait_for_delete(made[0], interval=1, wait=_HEAT_S)
        return {**first, "again": again["wall"]}


def _template(machines: int) -> dict[str, Any]:
    resources: dict[str, Any] = {}

    def add(key: str, kind: str, **properties: Any) -> None:
        resources[key] = {"type": kind, "properties": properties}

    for number in range(machines):
        disk, port = f"disk-{number}", f"port-{number}"
        add(disk, "OS::Cinder::Volume", size=2, volume_type="hdd", image=IMAGE, name=disk)
        add(port, "OS::Neutron::Port", network=NETWORK, name=port)
        boot = {"device_name": "vda", "volume_id": {"get_resource": disk}}
        add(
            f"server-{number}",
            "OS::Nova::Server",
            name=f"heat-{number}",
            flavor=FLAVOR,
            networks=[{"port": {"get_resource": port}}],
            block_device_mapping=[{**boot, "delete_on_termination": False}],
            metadata={"number": str(number)},
        )
    return {"heat_template_version": "2018-08-31", "resources": resources}


# --- Measuring ---


def measured(act: Callable[[], None]) -> Figures:
    """Return the wall time of an act, and the CPU time of this process and its children."""
    before, began = cpu_s(), time.perf_counter()
    act()
    return {"wall": time.perf_counter() - began, "cpu": cpu_s() - before}


def cpu_s() -> float:
    """Return the CPU time of this process and of its children that ended, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
