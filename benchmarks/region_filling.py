"""Servers of nobody's, which fill a region: built by it, or in the lab copied in Nova's database.

The lab's two computes would take more than an hour for a thousand. Nova lists what its database
has, so in the lab one is built, and its rows are written again with other ids. No compute knows the
copies; they take part in nothing but lists.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

from region_others import FLAVOR, IMAGE, project

from govcloud.testing.openstack import OpenStack

_SOCKET: Final = "/var/lib/govcloud-lab/openstack/data/mariadb/socket"
_MARIADB: Final = ("mariadb", "--no-defaults", "--user=root", "-BN", f"--socket={_SOCKET}")
_TABLES: Final = (
    ("nova", "instances", "uuid"),
    ("nova", "instance_extra", "instance_uuid"),
    ("nova", "instance_info_caches", "instance_uuid"),
    ("nova", "instance_system_metadata", "instance_uuid"),
    ("nova", "block_device_mapping", "instance_uuid"),
    ("nova_api", "instance_mappings", "instance_uuid"),
)
"""What a list reads of a server: schema, table, and the column with the server's id."""
_LOOK_S: Final = 5.0
_AT_ONCE: Final = 50
"""Servers asked for by one call: the region makes them one after the other all the same."""


@contextmanager
def strangers(cloud: OpenStack) -> Iterator[Callable[[int], None]]:
    """Give a way to have so many servers of nobody's; they are removed in the end."""
    with project(cloud) as key, cloud.connect(cloud.cloud, project_id=key) as connection:
        compute = connection.compute
        copied: list[str] = []

        def add(wanted: int) -> None:
            if cloud.lab is None:
                _build(connection, wanted - _count(compute, "ACTIVE"))
            else:
                if not copied:
                    _build(connection, 1)
                [model] = {s.id for s in compute.servers(details=False)} - set(copied)
                if (more := wanted - 1 - len(copied)) > 0:
                    copied.extend(_copy(model, more))
            assert _count(compute, "ACTIVE") == wanted

        try:
            yield add
        finally:
            _forget(copied)
            while standing := list(compute.servers(details=False)):
                for server in standing:
                    compute.delete_server(server)
                time.sleep(_LOOK_S)


def _count(compute: Any, status: str) -> int:
    """Count without details: a list of all that stands would be most of the work."""
    return sum(1 for _ in compute.servers(details=False, status=status))


def _build(connection: Any, count: int) -> None:
    image = connection.image.find_image(IMAGE).id
    flavor = connection.compute.find_flavor(FLAVOR).id
    for done in range(0, count, _AT_ONCE):
        more = min(_AT_ONCE, count - done)
        connection.compute.create_server(
            name="stranger",
            image_id=image,
            flavor_id=flavor,
            networks="none",
            min_count=more,
            max_count=more,
        )
        while _count(connection.compute, "BUILD"):
            time.sleep(_LOOK_S)


def _copy(model: str, count: int) -> Sequence[str]:
    """Write the rows of a server so many times again; return the ids of the copies."""
    copies = [str(uuid4()) for _ in range(count)]
    given = ", ".join(f"('{copy}')" for copy in copies)
    statements = [
        "CREATE TEMPORARY TABLE nova.copies (copy CHAR(36))",
        f"INSERT INTO nova.copies VALUES {given}",
    ]
    for schema, table, key in _TABLES:
        names = _columns(schema, table)
        values = {name: f"model.`{name}`" for name in names} | {"uuid": "UUID()", key: "copy"}
        statements.append(
            f"INSERT INTO {schema}.{table} (`{'`, `'.join(names)}`)"
            f" SELECT {', '.join(values[name] for name in names)}"
            f" FROM {schema}.{table} AS model, nova.copies WHERE model.{key} = '{model}'"
        )
    _sql(";\n".join(statements))
    return copies


def _columns(schema: str, table: str) -> Sequence[str]:
    """Return what is written of a row: its number, and what is computed, comes by itself."""
    return _sql(
        "SELECT column_name FROM information_schema.columns"
        f" WHERE table_schema = '{schema}' AND table_name = '{table}'"
        " AND column_name <> 'id' AND coalesce(generation_expression, '') = ''"
        " ORDER BY ordinal_position"
    ).split()


def _forget(copies: Sequence[str]) -> None:
    """Remove the rows of copies, what hangs on others first."""
    if copies:
        among = ", ".join(f"'{copy}'" for copy in copies)
        rows = (f"DELETE FROM {schema}.{table} WHERE {key} IN ({among})"
                for schema, table, key in reversed(_TABLES))  # fmt: skip
        _sql(";\n".join(rows))


def _sql(text: str) -> str:
    done = subprocess.run(_MARIADB, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"the lab's database: {done.stderr}")
    return done.stdout
