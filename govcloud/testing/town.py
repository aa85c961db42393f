"""A small town to test requests on: an organisation, a cloud, a catalogue, quotas, people.

The simulated cloud builds everything; `outside` is a cloud that is only observed. Department
`health` may have ten machines, `schools` five, the town twelve.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import func, select
from sqlmodel.main import default_registry

from govcloud.domain.access import Actor, Role
from govcloud.domain.base import API_VERSION
from govcloud.domain.manifest import Manifest, SourceFile, load
from govcloud.errors import GovcloudError
from govcloud.ports.ledger import Ledger
from govcloud.requests.desk import Desk
from govcloud.store.tables import RequestRow
from govcloud.store.unit import Store

ADMIN: Final = Actor("admin", Role.ADMINISTRATOR)
APPROVER: Final = Actor("approver", Role.APPROVER)
OPERATOR: Final = Actor("operator", Role.OPERATOR)
AUDITOR: Final = Actor("auditor", Role.AUDITOR)
HEALTH: Final = Actor("health-clerk", Role.APPLICANT, "health")
SCHOOLS: Final = Actor("schools-clerk", Role.APPLICANT, "schools")

Plain = Mapping[str, Any]
E = TypeVar("E", bound=GovcloudError)

_QUOTA: Final[Plain] = {
    "vcpu": 400,
    "memory": "1Ti",
    "disk.hdd": "100Ti",
    "disk.ssd": "100Ti",
    "volumes": 100,
    "floating-ips": 10,
    "gpu": 0,
    "namespaces": 10,
    "k8s-cpu": "100",
    "k8s-memory": "400Gi",
    "k8s-pods": 1000,
    "k8s-storage.ssd": "10Ti",
}


def document(kind: str, name: str, spec: Plain, department: str = "", **metadata: Any) -> Plain:
    """Return a document as its plain form."""
    owner = {"department": department} if department else {}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, **owner, **metadata},
        "spec": dict(spec),
    }


def read(*documents: Plain) -> tuple[Manifest, ...]:
    """Return documents as the manifests that their YAML makes; ValueError if it is wrong."""
    text = "\n---\n".join(json.dumps(entry, ensure_ascii=False, indent=1) for entry in documents)
    loaded = load([SourceFile("town.yaml", text)])
    if loaded.diagnostics:
        raise ValueError(loaded.diagnostics)
    return loaded.manifests


def _merged(base: Plain, changes: Plain) -> dict[str, Any]:
    result = copy.deepcopy(dict(base))
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result


def department(name: str, parent: str | None = "town", level: str = "department") -> Plain:
    """Return a Department."""
    spec = {"level": level} | ({"parent": parent} if parent else {})
    return document("Department", name, spec)


def quota(name: str, of: str, vms: int, **spec: Any) -> Plain:
    """Return a Quota of machines, with plenty of everything else."""
    return document("Quota", name, {"department": of, "limits": {"vms": vms, **_QUOTA}, **spec})


def zone(name: str, cloud: str = "sim", **spec: Any) -> Plain:
    """Return a Zone of the extranet, level 3, unless told otherwise."""
    base = {"cloud": cloud, "type": "extranet-public", "mlpsLevel": 3}
    return document("Zone", name, _merged(base, spec))


def system(name: str = "records", of: str = "health", **spec: Any) -> Plain:
    """Return a System of level 3 that breaks no rule; `None` leaves a field out."""
    base = {
        "code": f"{of}-{name}",
        "security": {
            "classified": False,
            "mlpsLevel": 3,
            "filingNo": "32010000001",
            "assessmentDate": "2026-05-01",
            "cryptoAssessmentDate": "2026-05-01",
        },
        "project": {"id": "XM-1", "phase": "implementing"},
        "launchedOn": "2026-01-15",
    }
    return document("System", name, _merged(base, spec), of)


def machine(name: str = "web", of: str = "health", **spec: Any) -> Plain:
    """Return a VirtualMachine of the system `records` that breaks no rule."""
    base = {"system": "records", "zone": "public", "flavor": "small", "image": "kylin"}
    return document("VirtualMachine", name, _merged(base, spec), of)


def volume(name: str = "data", of: str = "health", **spec: Any) -> Plain:
    """Return a Volume of the system `records`."""
    base = {"system": "records", "zone": "public", "size": "100Gi", "type": "ssd"}
    return document("Volume", name, _merged(base, spec), of)


def namespace(name: str = "jobs", of: str = "health", **spec: Any) -> Plain:
    """Return a Namespace of the system `records`."""
    base = {"system": "records", "zone": "public", "cpu": "4", "memory": "8Gi"}
    return document("Namespace", name, _merged(base, spec), of)


def waiver(rule: str, of: str = "health", **spec: Any) -> Plain:
    """Return a Waiver that holds through 2026."""
    base = {
        "rule": rule,
        "department": of,
        "approvedBy": "lead authority",
        "approvedOn": "2026-01-01",
        "validUntil": "2026-12-31",
        "reason": "expert review",
    }
    name = f"{of}-{rule}".lower()
    return document("Waiver", name, _merged(base, spec))


def policy(name: str = "rules", **spec: Any) -> Plain:
    """Return a Policy in force since 2026."""
    base = {"version": "2026-1", "effectiveFrom": "2026-01-01"}
    return document("Policy", name, _merged(base, spec))


PLATFORM: Final[Sequence[Plain]] = (
    department("town", None, "county"),
    department("health"),
    department("schools"),
    document(
        "Cloud",
        "sim",
        {
            "provider": "simulated",
            "kinds": ["VirtualMachine", "Volume", "Namespace"],
            "prices": {"vcpu": 10, "memory": 5, "disk": 0.5, "floating-ips": 20, "k8s-cpu": 8},
        },
    ),
    document("Cloud", "outside", {"provider": "simulated", "management": "observed"}),
    zone("public"),
    zone("front", type="internet", floatingIps=True),
    zone("second", mlpsLevel=2),
    zone("seen", "outside"),
    document("Flavor", "small", {"vcpu": 2, "memory": "4Gi", "price": 100}),
    document("Flavor", "large", {"vcpu": 8, "memory": "16Gi", "price": 400}),
    document("Image", "kylin", {"os": "Kylin V10"}),
    document("Image", "arm", {"os": "Kylin V10", "arch": "aarch64"}),
    quota("town", "town", 12, overcommit=3),
    quota("health", "health", 10),
    quota("schools", "schools", 5),
)
"""The platform as administrators apply it."""


def counts(town: "Town") -> dict[str, int]:
    """Return how many rows each table has, by the name of its class."""
    classes = sorted((m.class_ for m in default_registry.mappers), key=lambda found: found.__name__)
    with town.store.reading() as session:
        return {
            one.__name__: session.execute(select(func.count()).select_from(one)).scalar_one()
            for one in classes
        }


def leaves_nothing(town: "Town", error: type[E], act: Callable[[], object]) -> E:
    """Do something that is refused, see that no row anywhere came of it; return the error."""
    before = counts(town)
    try:
        act()
    except error as caught:
        assert counts(town) == before
        return caught
    raise AssertionError(f"{error.__name__} was not raised")


class Town:
    """The town on a store: its desk, and short words for what tests do often."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self.store = store
        self.ledger = ledger
        self.desk = Desk(store, ledger)

    def found(self) -> "Town":
        """Apply the platform and return the town."""
        self.apply(*PLATFORM)
        return self

    def apply(self, *documents: Plain, **options: Any) -> None:
        """Apply documents as the administrator."""
        self.desk.apply(ADMIN, read(*documents), **options)

    def submit(self, *documents: Plain, actor: Actor = HEALTH, **options: Any) -> RequestRow:
        """Submit documents as the health department's clerk, unless another actor is named."""
        return self.desk.submit(actor, read(*documents), **options)
