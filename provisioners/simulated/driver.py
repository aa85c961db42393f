"""The driver of the simulated cloud."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from govcloud.clock import SystemClock
from govcloud.errors import Diagnostic, InvalidInputError, Text
from govcloud.ports.abilities import Offer, Standing
from govcloud.ports.clock import Clock
from govcloud.ports.cloud import (
    CloudAddress,
    CloudReport,
    Observed,
    Order,
    Provisioner,
    Resource,
    TenantQuota,
)
from provisioners.simulated import adoption, operations, parts
from provisioners.simulated.cloud import Cloud, Settings
from provisioners.simulated.file import cloud_file

FEATURES: Final = frozenset({"VirtualMachine", "Volume", "Namespace", "quota", "tags"})
_SYSTEM_CLOCK: Final = SystemClock()


def open_cloud(address: CloudAddress) -> Provisioner:
    """Return the driver of a simulated cloud; the entry point of `govcloud.provisioners`."""
    return open_simulated(address)


def open_simulated(
    address: CloudAddress,
    clock: Clock = _SYSTEM_CLOCK,
    pause: Callable[[float], object] = time.sleep,
) -> "SimulatedProvisioner":
    """Return the driver of a simulated cloud in whose world time is told by `clock`.

    `pause` is how a call that the fault `stall` holds up passes the time. Raises InvalidInputError
    for settings in the address's connection that cannot be understood.
    """
    path = cloud_file(address.folder, address.name)
    settings = read_settings(address.connection)
    return SimulatedProvisioner(Cloud(path, address.installation, clock, settings, pause))


class SimulatedProvisioner:
    """A `Provisioner` of the simulated cloud; see the port for what the methods promise."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls of the cloud by this instance so far, by method; a page is a call."""
        return dict(self._cloud.calls)

    def resources(self, order: Order) -> tuple[Resource, ...]:
        """Return servers, a volume or a namespace."""
        return parts.resources(order)

    def ground(self, order: Order) -> Sequence[Order]:
        """Return nothing: an object brings along all that it needs."""
        del order
        return ()

    def observe(self) -> Iterator[Sequence[Observed]]:
        """List everything, page by page."""
        return self._cloud.pages()

    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        """Look up by mark, in one call."""
        return self._cloud.find(uids)

    def create(self, resource: Resource) -> Observed:
        """Start building."""
        return self._cloud.create(resource)

    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> Observed:
        """Start changing."""
        return self._cloud.change(observed.id, (observed.uid, observed.part), wanted, fields)

    def delete(self, observed: Observed) -> None:
        """Start deleting."""
        self._cloud.delete(observed.id, (observed.uid, observed.part))

    def quotas(self) -> Iterator[Sequence[TenantQuota]]:
        """List our tenants' quotas."""
        return self._cloud.quotas()

    def set_quota(self, tenant: str, limits: Mapping[str, int]) -> None:
        """Set a tenant's limits."""
        self._cloud.set_quota(tenant, limits)

    def report(self) -> CloudReport:
        """Say what it can do, and which faults it was told to have."""
        told = self._cloud.active_faults()
        problems = tuple(
            Text("sim.has_fault", {"kind": fault.kind.value, "method": fault.method})
            for fault in told
        )
        return CloudReport("simulated 1", FEATURES, problems)

    # --- Beside it: `Operating`, `Discovering`, `Adopting`, `Keeping`, `Forcing` ---

    def console_log(self, observed: Observed, lines: int) -> str:
        """Read a machine's console."""
        return operations.console_log(self._cloud, observed, lines)

    def reboot(self, observed: Observed, *, hard: bool) -> None:
        """Let a machine start anew."""
        operations.reboot(self._cloud, observed, hard=hard)

    def discover(self) -> Sequence[Offer]:
        """Say what the cloud offers."""
        return operations.discover(self._cloud)

    def inspect(self, key: str) -> Standing:
        """Say what a document would say of a thing of nobody's."""
        return adoption.inspect(self._cloud, key)

    def adopt(self, resource: Resource) -> Observed:
        """Take over what stands already."""
        return adoption.adopt(self._cloud, resource)

    def keep_copy(self, observed: Observed, name: str) -> bool:
        """See that there is a copy of a machine."""
        return operations.keep_copy(self._cloud, observed, name)

    def force_delete(self, observed: Observed) -> None:
        """Remove at once."""
        self._cloud.force_delete(observed.id, (observed.uid, observed.part))

    def stock(self, resources: Sequence[Resource]) -> None:
        """Put ready resources there without calls, for measurements."""
        self._cloud.stock(resources)

    def close(self) -> None:
        """Close the file."""
        self._cloud.close()


def read_settings(connection: Mapping[str, str]) -> Settings:
    """Read `latency` (seconds), `pageSize` and `overQuota` (refuse, late) of a connection."""
    settings, diagnostics = Settings(), []
    for name, text in connection.items():
        place = f"spec.connection.{name}"
        try:
            settings = _READERS[name](settings, text)
        except KeyError:
            params = {"setting": name, "known": sorted(_READERS)}
            diagnostics.append(Diagnostic("sim.unknown_setting", params, field=place))
        except ValueError:
            params = {"setting": name, "value": text}
            diagnostics.append(Diagnostic("sim.bad_setting", params, field=place))
    if diagnostics:
        raise InvalidInputError(diagnostics)
    return settings


def _latency(settings: Settings, text: str) -> Settings:
    value = float(text)
    if not 0 <= value <= 86_400:
        raise ValueError(text)
    return replace(settings, latency_s=value)


def _page_size(settings: Settings, text: str) -> Settings:
    value = int(text)
    if not 1 <= value <= 10_000:
        raise ValueError(text)
    return replace(settings, page_size=value)


def _over_quota(settings: Settings, text: str) -> Settings:
    return replace(settings, late_quota=bool(("refuse", "late").index(text)))


_READERS: Final[Mapping[str, Callable[[Settings, str], Settings]]] = {
    "latency": _latency,
    "pageSize": _page_size,
    "overQuota": _over_quota,
}
