"""Drivers by name: ours and those that further packages install, through one entry-point group."""

from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast

from govcloud.errors import NotFoundError, UnavailableError
from govcloud.ports.cloud import CloudAddress, Provisioner, ProvisionerFactory

GROUP: Final = "govcloud.provisioners"


def installed() -> tuple[str, ...]:
    """Return the names of the installed drivers, sorted; none of them is imported."""
    return tuple(sorted(_found()))


def factory(provider: str) -> ProvisionerFactory:
    """Return what opens clouds of a provider; only now is its driver imported.

    Raises NotFoundError, naming the installed drivers, or UnavailableError where the driver is
    installed and cannot be imported.
    """
    entry = _found().get(provider)
    if entry is None:
        raise NotFoundError("sim.unknown_provider", provider=provider, installed=installed())
    try:
        return cast("ProvisionerFactory", entry.load())
    except (ImportError, AttributeError) as error:
        raise UnavailableError(
            "sim.broken_provider", provider=provider, detail=str(error)
        ) from error


def open_provisioner(provider: str, address: CloudAddress) -> Provisioner:
    """Open the driver of one cloud; raises what `factory` and the driver's own factory raise."""
    return factory(provider)(address)


def _found() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
