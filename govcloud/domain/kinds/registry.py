"""The table of kinds: names, scope, spec model. Everything that lists kinds reads it here.

The models are named and loaded when they are asked for: to list objects takes none of them, and
loading them all takes longer than the list.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from govcloud.messages import render

if TYPE_CHECKING:
    from govcloud.domain.base import Model


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object; `model` is the module and the name of its spec's model.

    `owned`: belongs to a department (`metadata.department` is required, and departments submit
    it); otherwise it is a platform object that administrators apply. `allocates`: resources of a
    cloud are built for it and quota is charged. `rank`: order in which kinds are applied.
    `reserved`: names that what is built must not have, alone or with the department before them.
    """

    name: str
    plural: str
    short: tuple[str, ...]
    label: str
    model: str
    rank: int
    owned: bool = False
    allocates: bool = False
    reserved: re.Pattern[str] | None = None

    @property
    def spec(self) -> "type[Model]":
        """The model of the spec."""
        return _model(self.model)

    @property
    def words(self) -> tuple[str, ...]:
        """Every word that a user may type for this kind."""
        return (self.name.lower(), self.plural, *self.short, self.label)


@cache
def _model(path: str) -> "type[Model]":
    module, _, name = path.partition(".")
    found: type[Model] = getattr(import_module(f"govcloud.domain.kinds.{module}"), name)
    return found


_OF_THE_CLUSTER: Final = re.compile(
    r"default|(kube|openstack|openshift|govcloud|cattle|istio)(-.*)?"
)

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("Policy", "policies", ("pol",), "策略", "governance.PolicySpec", 0),
        Kind("Department", "departments", ("dept",), "部门", "platform.DepartmentSpec", 1),
        Kind("Cloud", "clouds", (), "云", "platform.CloudSpec", 2),
        Kind("Zone", "zones", (), "安全区", "platform.ZoneSpec", 3),
        Kind("Flavor", "flavors", ("fl",), "规格", "platform.FlavorSpec", 3),
        Kind("Image", "images", ("img",), "镜像", "platform.ImageSpec", 3),
        Kind("Quota", "quotas", ("qt",), "配额", "platform.QuotaSpec", 4),
        Kind("Target", "targets", (), "指标", "governance.TargetSpec", 4),
        Kind("Survey", "surveys", (), "调研", "governance.SurveySpec", 4),
        Kind("System", "systems", ("sys",), "系统", "systems.SystemSpec", 5, owned=True),
        Kind(
            "ServerRoom", "serverrooms", ("room",), "机房", "estate.ServerRoomSpec", 5, owned=True
        ),
        Kind(
            "PrivateNetwork",
            "privatenetworks",
            ("pnet",),
            "专网",
            "estate.PrivateNetworkSpec",
            5,
            owned=True,
        ),
        Kind(
            "LegacyHost",
            "legacyhosts",
            ("host",),
            "存量主机",
            "estate.LegacyHostSpec",
            6,
            owned=True,
        ),
        Kind("Exemption", "exemptions", ("ex",), "免迁", "governance.ExemptionSpec", 6),
        Kind("Waiver", "waivers", (), "豁免", "governance.WaiverSpec", 6),
        Kind("Wave", "waves", (), "批次", "governance.WaveSpec", 6),
        Kind(
            "MigrationPlan",
            "migrationplans",
            ("mig",),
            "迁移计划",
            "governance.MigrationPlanSpec",
            7,
        ),
        Kind(
            "VirtualMachine",
            "virtualmachines",
            ("vm", "vms"),
            "云主机",
            "systems.VirtualMachineSpec",
            8,
            owned=True,
            allocates=True,
        ),
        Kind(
            "Volume",
            "volumes",
            ("vol",),
            "云硬盘",
            "systems.VolumeSpec",
            9,
            owned=True,
            allocates=True,
        ),
        Kind(
            "Namespace",
            "namespaces",
            ("ns",),
            "命名空间",
            "systems.NamespaceSpec",
            8,
            owned=True,
            allocates=True,
            reserved=_OF_THE_CLUSTER,
        ),
    )
}


def find_kind(word: str) -> Kind | None:
    """Return the kind that a user means by `vm`, `VirtualMachine`, `云主机`…, or None."""
    wanted = word.lower()
    return next((kind for kind in KINDS.values() if wanted in kind.words), None)


def described(language: str) -> list[dict[str, object]]:
    """Return the kinds as JSON, in the order in which they are applied."""
    return [
        {
            "name": kind.name,
            "plural": kind.plural,
            "short": list(kind.short),
            "label": render(f"labels.kind.{kind.name}", language),
            "owned": kind.owned,
            "allocates": kind.allocates,
        }
        for kind in sorted(KINDS.values(), key=lambda kind: (kind.rank, kind.name))
    ]
