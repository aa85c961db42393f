"""Folders, configuration and database schemas: what must be there before anything starts."""

import filecmp
import json
import os
import pwd
import shutil
import string
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import packages
from daemon import LabError
from services import USERS, config_of
from settings import HERE, HOSTS, PATH, PORTS, REGION, STATE, secret

_OPENSTACK = ("keystone", "glance", "placement", "nova", "neutron", "cinder")
_CELL_EXISTS = 2  # exit code of `nova-manage cell_v2 create_cell`


def folders() -> None:
    """Make the lab's folders, each service's belonging to the service."""
    for name in ("config", "data", "log", "run", "done"):
        (STATE / name).mkdir(parents=True, exist_ok=True, mode=0o755)
    for service, user in USERS.items():
        if service == "heat":
            continue  # its user comes with its package
        _own(STATE / "data" / service, user)
    for name in ("images", "staging", "tasks"):
        _own(STATE / "data" / "glance" / name, "glance")


def _own(folder: Path, user: str) -> None:
    account = pwd.getpwnam(user)
    folder.mkdir(exist_ok=True, mode=0o755)
    os.chown(folder, account.pw_uid, account.pw_gid)


def configuration() -> set[str]:
    """Write all configuration files, each readable by its service; return whose have changed."""
    changed = set()

    def write(name: str, text: str, service: str) -> None:
        if _write(name, text, service):
            changed.add(USERS[service])

    for service in _OPENSTACK:
        write(f"{service}.conf", _text(service), service)
    for host in HOSTS:
        write(f"nova-{host}.conf", f"[DEFAULT]\nhost = {host}\n", "nova")
    for name, service in (
        ("rabbitmq.conf", "rabbitmq"),
        ("advanced.config", "rabbitmq"),
        ("mariadb.sql", "mariadb"),
    ):
        write(name, (HERE / "config" / name).read_text(encoding="utf-8"), service)
    write("cinder-filters.json", json.dumps({"volume": ["status", "name", "metadata"]}), "cinder")
    return changed


def _text(service: str) -> str:
    common = (HERE / "config" / "common.conf").read_text(encoding="utf-8")
    own = (HERE / "config" / f"{service}.conf").read_text(encoding="utf-8")
    return f"{common}\n{own}"


def heat() -> None:
    """Prepare what only Heat needs: its folder, configuration, database and schema."""
    _own(STATE / "data" / "heat", "heat")
    _write("heat.conf", _text("heat"), "heat")
    socket = STATE / "data" / "mariadb" / "socket"
    made = "CREATE DATABASE IF NOT EXISTS heat CHARACTER SET utf8mb3"
    command = ("mariadb", "--no-defaults", f"--socket={socket}", "--user=lab", f"--execute={made}")
    _run("mariadb", *command, environment={"MYSQL_PWD": secret()})
    _once("heat", lambda: _manage("heat", "heat-manage", "db_sync"))


def _write(name: str, text: str, service: str) -> bool:
    values = {
        **{port: str(number) for port, number in PORTS.items()},
        "secret": secret(),
        "state": str(STATE),
        "service": service,
        "region": REGION,
        "host": "lab",
    }
    file = STATE / "config" / name
    account = pwd.getpwnam(USERS[service])
    filled = string.Template(text).substitute(values)
    if file.exists() and file.read_text(encoding="utf-8") == filled:
        return False
    file.touch(mode=0o640)
    os.chown(file, 0, account.pw_gid)
    file.write_text(filled, encoding="utf-8")
    return True


def plugin() -> set[str]:
    """Copy the plugin to where services can read it; return who must load it anew."""
    ours, theirs = HERE / "plugin", STATE / "plugin"
    files = [
        file.relative_to(ours)
        for file in ours.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    ]
    _, different, missing = filecmp.cmpfiles(ours, theirs, files, shallow=False)
    if not different and not missing:
        return set()
    shutil.rmtree(theirs, ignore_errors=True)
    shutil.copytree(ours, theirs, ignore=shutil.ignore_patterns("__pycache__"))
    return {"nova", "neutron", "cinder"}


def tables() -> None:
    """Make MariaDB's own tables."""
    folder = STATE / "data" / "mariadb" / "tables"
    if not (folder / "mysql").exists():
        _run(
            "mariadb",
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={folder}",
            "--skip-test-db",
        )


def schemas() -> None:
    """Bring every service's database to the schema of the installed packages."""
    jobs: dict[str, Callable[[], None]] = {
        "keystone": _keystone,
        "nova": _nova,
        "neutron": lambda: _manage("neutron", "neutron-db-manage", "upgrade", "head"),
        "cinder": lambda: _manage("cinder", "cinder-manage", "db", "sync"),
        "glance": lambda: _manage("glance", "glance-manage", "db_sync"),
        "placement": lambda: _manage("placement", "placement-manage", "db", "sync"),
    }
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(_once, jobs, jobs.values()))


def _once(service: str, migrate: Callable[[], None]) -> None:
    """Migrate a database once for each version of the service's package."""
    done = STATE / "done" / f"schema-{service}-{packages.version(f'python3-{service}')}"
    if not done.exists():
        migrate()
        done.touch()


def _keystone() -> None:
    for folder in ("fernet", "credential"):
        _own(STATE / "data" / "keystone" / folder, "keystone")
    as_keystone = ("--keystone-user", "keystone", "--keystone-group", "keystone")
    _manage("keystone", "keystone-manage", "db_sync")
    _manage("keystone", "keystone-manage", "fernet_setup", *as_keystone)
    _manage("keystone", "keystone-manage", "credential_setup", *as_keystone)
    address = f"http://127.0.0.1:{PORTS['keystone']}/v3"
    _manage(
        "keystone",
        "keystone-manage",
        "bootstrap",
        *("--bootstrap-region-id", REGION, "--bootstrap-public-url", address),
        environment={"OS_BOOTSTRAP_PASSWORD": secret()},
    )


def _nova() -> None:
    _manage("nova", "nova-manage", "api_db", "sync")
    _manage("nova", "nova-manage", "cell_v2", "map_cell0")
    _manage("nova", "nova-manage", "db", "sync")
    _manage("nova", "nova-manage", "cell_v2", "create_cell", "--name=lab", fine=(0, _CELL_EXISTS))


def discover_hosts() -> None:
    """Tell Nova's cell of compute services that are new to it."""
    _manage("nova", "nova-manage", "cell_v2", "discover_hosts")


def _manage(service: str, program: str, *arguments: str, **more: Any) -> None:
    _run(service, program, "--config-file", str(config_of(service)), *arguments, **more)


def _run(
    service: str,
    program: str,
    *arguments: str,
    fine: Iterable[int] = (0,),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run a service's own program as the service, with its output in the lab's log folder."""
    account = pwd.getpwnam(USERS[service])
    log = STATE / "log" / f"{program}.log"
    plugin = str(STATE / "plugin")
    with log.open("ab") as output:
        done = subprocess.run(
            [program, *arguments],
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=os.getgrouplist(USERS[service], account.pw_gid),
            cwd="/",
            env={"PATH": PATH, "LANG": "C.UTF-8", "PYTHONPATH": plugin, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode not in fine:
        raise LabError(f"{program} {' '.join(arguments[:6])} failed; see {log}")
