"""Fixtures of all tests: databases of both kinds, a store, a clock that stands still."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings

from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.kubernetes import ControlPlane, control_plane_or_reason
from govcloud.testing.postgres import Emptied, PostgresServer, find_postgres

pytest_plugins = [
    "govcloud.testing.left_out",
    "govcloud.testing.legacy_fixtures",
    "govcloud.testing.openstack_fixtures",
]

# CI repeats the same examples, so that a change is judged and not its luck; elsewhere they vary.
# How long an example takes says more about the machine than about the code: only what hangs fails.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=timedelta(seconds=5))
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests on a control plane last: it runs from its first test until the run ends."""
    items.sort(key=lambda item: "control_plane" in getattr(item, "fixturenames", []))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Have coverage counted where code runs for the first time: counting doubles what it takes.

    What is repeated on PostgreSQL, or with many examples, goes through the same lines again.
    """
    plugin = item.config.pluginmanager.getplugin("_cov")
    counting = getattr(plugin, "cov_controller", None)
    repeated = item.get_closest_marker("postgresql") or item.path.parent.name == "property"
    if not repeated or counting is None:
        return (yield)
    counting.pause()
    try:
        return (yield)
    finally:
        counting.resume()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process, on a socket in a folder of its own."""
    if find_postgres() is None:
        pytest.skip("no PostgreSQL server programs (Debian package postgresql)")
    with PostgresServer.start() as server:
        yield server


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A Kubernetes control plane of this test process, on loopback."""
    with control_plane_or_reason() as plane:
        if isinstance(plane, str):
            pytest.skip(plane)
        yield plane


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a fresh SQLite file."""
    return f"sqlite:///{tmp_path / f'{uuid4().hex}.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database in turn."""
    return str(request.param)


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[str]:
    """The URL of a fresh, empty database of each kind."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, made once by the migrations and copied by each test."""
    file = tmp_path_factory.mktemp("template") / "template.db"
    _make(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_schema(postgres: PostgresServer) -> Iterator[Emptied]:
    """A PostgreSQL database with the schema, made once and emptied before each test.

    Making and dropping a database for each test would take longer than most tests.
    """
    with postgres.database() as url:
        _make(url)
        yield Emptied(url)


def _make(url: str) -> None:
    database = Database(url)
    create(database)
    database.close()


@pytest.fixture
def schema_url(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database of each kind, with the schema."""
    if database_kind == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    emptied: Emptied = request.getfixturevalue("postgres_schema")
    yield emptied.fresh()


@pytest.fixture
def clock() -> FixedClock:
    """A clock that moves only when a test moves it."""
    return FixedClock()


@pytest.fixture
def database(schema_url: str) -> Iterator[Database]:
    """A database with the schema, which must hold no connection when the test ends."""
    opened = Database(schema_url)
    yield opened
    leaked = opened.engine.pool.checkedout() if hasattr(opened.engine.pool, "checkedout") else 0
    opened.close()
    assert leaked == 0, f"{leaked} connections were not given back"


@pytest.fixture
def store(database: Database, clock: FixedClock) -> Store:
    """A store on a fresh database, with the clock that stands still."""
    return Store(database, clock)
