"""What the API needs to have wired: a Protocol, filled by `govcloud.bootstrap`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from govcloud.domain.access import Actor
from govcloud.settings import Settings
from govcloud.store.unit import Store

if TYPE_CHECKING:
    from govcloud.domain.kinds.platform import CloudSpec
    from govcloud.domain.manifest import Manifest
    from govcloud.ports.cloud import Provisioner
    from govcloud.ports.ledger import Ledger
    from govcloud.requests.desk import Desk


class Migrations(Protocol):
    """Migrations that run; filled by `migration.running.office`. All raise `GovcloudError`."""

    def wish(
        self,
        actor: Actor,
        system: tuple[str, str],
        verb: str,
        told: Mapping[str, Any],
        tongue: str,
    ) -> dict[str, Any]:
        """Note what somebody wishes of a `(department, system)`; return how it stands then."""
        ...

    def weigh(
        self, actor: Actor, systems: Iterable[tuple[str, str]], tongue: str
    ) -> dict[str, Any]:
        """Return what the machines that systems still lack would come to, requested at once."""
        ...

    def listed(
        self, actor: Actor, tongue: str, *, wave: str | None, department: str | None
    ) -> list[dict[str, Any]]:
        """Return how far each system is that the actor may see."""
        ...

    def shown(self, actor: Actor, department: str, system: str, tongue: str) -> dict[str, Any]:
        """Return everything about one migration."""
        ...

    def log(self, actor: Actor, department: str, system: str, tongue: str) -> list[dict[str, Any]]:
        """Return wishes and steps of all runs."""
        ...

    def evidence(self, actor: Actor, department: str, system: str, number: int) -> list[Any]:
        """Return what a step's play told."""
        ...

    def check(self, manifests: "Iterable[Manifest]") -> None:
        """Raise InvalidInputError for plans that tell roles what they do not take."""
        ...

    def close_room(
        self, actor: Actor, department: str, room: str, evidence: str, confirmed_by: str
    ) -> dict[str, Any]:
        """Record that a server room is closed."""
        ...


class Services(Protocol):
    """The services behind the routes; each is made when it is first asked for."""

    @property
    def settings(self) -> Settings:
        """What is configured."""
        ...

    @property
    def store(self) -> Store:
        """The database with its clock."""
        ...

    @property
    def ledger(self) -> "Ledger":
        """The quota ledger."""
        ...

    @property
    def desk(self) -> "Desk":
        """The life of requests."""
        ...

    @property
    def migrations(self) -> Migrations:
        """Migrations that run."""
        ...

    @property
    def drivers(self) -> Sequence[str]:
        """The names of the installed drivers of clouds."""
        ...

    def provisioner(self, name: str, spec: "CloudSpec") -> "Provisioner":
        """Open the driver of a cloud; the caller closes it."""
        ...
