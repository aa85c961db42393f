"""The composition root: from settings to wired services. Nothing else names concrete adapters.

Each service is imported and made when it is first asked for, so that a command pays only for what
it uses.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from govcloud import workspace
from govcloud.clock import SystemClock
from govcloud.domain import city
from govcloud.domain.access import Actor, Role
from govcloud.errors import GovcloudError, UnavailableError
from govcloud.settings import DEFAULT_CREDENTIAL, Settings, load, read_credentials

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from govcloud.domain.kinds.platform import CloudSpec
    from govcloud.ports.clock import Clock
    from govcloud.ports.cloud import Provisioner
    from govcloud.ports.ledger import Ledger
    from govcloud.reconcile.controller import Controller
    from govcloud.requests.desk import Desk
    from govcloud.store.engine import Database
    from govcloud.store.unit import Store
    from migration.running.lane import Lane
    from migration.running.office import Office
    from migration.running.port import Player

ADMIN_TOKEN_DAYS: Final = 366
INITIAL: Final = Actor(DEFAULT_CREDENTIAL, Role.ADMINISTRATOR)


@dataclass
class Wired:
    """The services of one process; fulfils `govcloud.api.services.Services`."""

    settings: Settings
    clock: "Clock"

    @cached_property
    def database(self) -> "Database":
        """The database, whose schema is this program's; UnavailableError otherwise."""
        from govcloud.store.city import time_zone
        from govcloud.store.schema import NoSchemaError, require_current

        database = _open(self.settings)
        try:
            require_current(database)
        except GovcloudError as error:
            database.close()
            if isinstance(error, NoSchemaError):
                raise _nothing_there(self.settings) from error
            raise
        with database.reading() as session:
            city.use(time_zone(session))
        return database

    @cached_property
    def store(self) -> "Store":
        """The database with its clock."""
        from govcloud.store.unit import Store

        return Store(self.database, self.clock)

    @cached_property
    def ledger(self) -> "Ledger":
        """The quota ledger."""
        from quotas.store import SqlLedger

        return SqlLedger()

    @cached_property
    def desk(self) -> "Desk":
        """The life of requests."""
        from govcloud.requests.desk import Desk
        from govcloud.requests.metering import Meter
        from govcloud.requests.rebuilding import Rebuilding

        meter = Meter(self.store, self.provisioner)
        return Desk(self.store, self.ledger, meter, Rebuilding(self.pure_provisioner))

    @cached_property
    def player(self) -> "Player":
        """Who plays the roles of migrations on hosts."""
        from migration.running.player import AnsiblePlayer

        return AnsiblePlayer()

    @cached_property
    def migrations(self) -> "Office":
        """Migrations that run."""
        from migration.running.office import Office

        return Office(self.store, self.desk, lambda: self.player)

    @cached_property
    def installation(self) -> str:
        """Whose marks the resources carry: every program on one database has the same answer.

        It is the hash of the first audit record, which is never changed and like no other.
        """
        from govcloud.store.audit import first_hash

        with self.store.reading() as session:
            first = first_hash(session)
        return f"gc-{first[:12]}" if first else "govcloud"

    @property
    def drivers(self) -> tuple[str, ...]:
        """The names of the installed drivers; none of them is imported."""
        from provisioners.registry import installed

        return installed()

    def provisioner(self, name: str, spec: "CloudSpec") -> "Provisioner":
        """Open the driver of a cloud; raises where it is not installed or cannot be imported."""
        return self._driver(name, spec, self.installation)

    def pure_provisioner(self, name: str, spec: "CloudSpec") -> "Provisioner":
        """Open a driver that is asked only what follows from orders: whose marks, does not matter.

        So the database, in which a unit may be under way, is not asked whose they are.
        """
        return self._driver(name, spec, "")

    def _driver(self, name: str, spec: "CloudSpec", installation: str) -> "Provisioner":
        from govcloud.ports.cloud import CloudAddress
        from provisioners.registry import open_provisioner

        folder = self.settings.clouds_folder
        address = CloudAddress(
            name=name,
            connection=dict(spec.connection),
            installation=installation,
            folder=str(folder) if folder else "",
            storage=dict(spec.storage),
        )
        return open_provisioner(spec.provider, address)

    def close(self) -> None:
        """Give back the database's connections."""
        if "database" in self.__dict__:
            self.database.close()


def _open(settings: Settings, *, new: bool = False) -> "Database":
    """Open the database; unless it is to be made, it must be there: opening SQLite makes a file."""
    from govcloud.store.address import file_of
    from govcloud.store.engine import Database

    file = file_of(settings.database_url)
    if not new and file is not None and not file.exists():
        raise _nothing_there(settings)
    return Database(settings.database_url)


def _nothing_there(settings: Settings) -> UnavailableError:
    """Return what is wrong where there is no database of ours.

    A workspace with tokens has worked with one: then a city's data are missing, and nobody may come
    to think that all is merely new.
    """
    from govcloud.store.address import shown

    if _has_worked(settings):
        return UnavailableError("errors.database_lost", place=shown(settings.database_url))
    return UnavailableError("errors.no_schema")


def _has_worked(settings: Settings) -> bool:
    return settings.workspace is not None and bool(read_credentials(settings.workspace))


def services(settings: Settings, clock: "Clock | None" = None) -> Wired:
    """Return the services on these settings."""
    return Wired(settings, clock or SystemClock())


def app(wired: Wired, *, eager: bool = True) -> "ASGIApp":
    """Return the ASGI application on services that are wired already.

    A server is `eager`; a command that calls a route or two takes them in as it calls them.
    """
    from govcloud.api.app import create_app

    return create_app(wired, eager=eager)


def local_app(settings: Settings) -> "ASGIApp":
    """Return the ASGI application on the settings' database, for one command in this process."""
    return app(services(settings), eager=False)


def controller(settings: Settings, name: str) -> "Controller":
    """Return a controller on the settings' database.

    Its name gets a random end: a controller that was started again must not take its predecessor's
    leases for its own.
    """
    from govcloud.reconcile.controller import Controller
    from govcloud.reconcile.leases import Leases
    from govcloud.requests.fulfilment import settle

    wired = services(settings)
    owner = f"{name[:48]}-{secrets.token_hex(4)}"
    return Controller(
        wired.store,
        wired.ledger,
        wired.provisioner,
        owner,
        on_settled=settle,
        beside=[_migrations(wired, owner), Leases(wired.store)],
    )


def _migrations(wired: Wired, owner: str) -> "Lane":
    from migration.running.lane import Lane
    from migration.running.perform import Performer

    return Lane(wired.store, Performer(wired.store, wired.desk, lambda: wired.player), owner)


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `init` made: the workspace, whether it is new, and whether a token was made."""

    workspace: Path
    created: bool
    token_made: bool


def init(
    directory: Path,
    environment: Mapping[str, str] | None = None,
    *,
    new_database: bool = False,
    time_zone: str | None = None,
) -> Initialised:
    """Make a workspace in a directory, or complete and upgrade the one that is there.

    Makes the files, the schema, the first administrator, and a token in credentials.json where the
    one in it does not work (any more): whoever may write the database may administer. A database
    that is missing from a workspace that has worked is made anew only where `new_database` says so.
    The city's time zone is chosen with its first database, and fixed from then on.
    """
    if time_zone is not None:
        city.find(time_zone)
    from govcloud.store import schema

    folder, created = workspace.make_folder(directory)
    here = {"GOVCLOUD_WORKSPACE": str(folder), "GOVCLOUD_SERVER": ""}
    settings = load({**(environment or {}), **here})
    new = new_database or not _has_worked(settings)
    database = _open(settings, new=new)
    try:
        empty = schema.current(database) is None
        if empty and not new:
            raise _nothing_there(settings)
        schema.create(database)
        _choose_time_zone(database, time_zone, new=empty)
        _keep_private(settings, folder)
        made = _first_token(database, settings, folder)
    finally:
        database.close()
    return Initialised(folder, created, made)


def _choose_time_zone(database: "Database", zone: str | None, *, new: bool) -> None:
    from govcloud.store.city import choose_time_zone

    if zone is not None:
        with database.writing() as session:
            choose_time_zone(session, zone, new=new)


def _keep_private(settings: Settings, folder: Path) -> None:
    from govcloud.settings import DATABASE, sqlite_url

    if settings.database_url == sqlite_url(folder / DATABASE):
        (folder / DATABASE).chmod(workspace.PRIVATE_FILE)


def _first_token(database: "Database", settings: Settings, folder: Path) -> bool:
    from govcloud.store.unit import Store
    from govcloud.store.users import Grant, authenticate, grant

    store = Store(database, SystemClock())
    kept = read_credentials(folder).get(settings.credential)
    if kept is not None:
        try:
            with store.reading() as session:
                authenticate(session, kept, store.clock.now())
        except GovcloudError:
            pass
        else:
            return False
    with store.unit(INITIAL) as unit:
        _, _, token = grant(unit, Grant(INITIAL.name, Role.ADMINISTRATOR, days=ADMIN_TOKEN_DAYS))
    workspace.save_credential(folder, DEFAULT_CREDENTIAL, token)
    return True
