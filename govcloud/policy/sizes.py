"""Rules on sizes, capacity, backup and what must fit together (QUO, YAML-5, DR)."""

from collections.abc import Iterator
from datetime import date

from govcloud.domain.classes import OBJECTS, show
from govcloud.domain.demand import limits
from govcloud.domain.kinds.estate import (
    HostState,
    LegacyHostSpec,
    NetworkState,
    PrivateNetworkSpec,
    RoomState,
    ServerRoomSpec,
)
from govcloud.domain.kinds.systems import Backup, Environment, NamespaceSpec, SystemSpec
from govcloud.errors import Severity
from govcloud.policy.context import Action, Setting, Subject
from govcloud.policy.rules import Found, rule


@rule("YAML-5", "[I]")
def consistent(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Compare what must fit together: architectures, disks and images, dates and states."""
    yield from _machine(subject)
    lease = subject.lease
    if lease is not None and lease.start is not None and lease.start > lease.end:
        yield Found({"start": lease.start.isoformat(), "end": lease.end.isoformat()}, which="lease")
    for name, day in _recorded(subject):
        if day > setting.today:
            yield Found({"field": name, "day": day.isoformat()}, which="future")
    yield from _undated(subject)


def _machine(subject: Subject) -> Iterator[Found]:
    machine, image, flavor = subject.machine, subject.image, subject.flavor
    if machine is None or image is None:
        return
    if flavor is not None and flavor.arch != image.arch:
        params = {"flavor": machine.flavor or "", "image": machine.image}
        yield Found(params | {"flavor_arch": flavor.arch, "image_arch": image.arch}, which="arch")
    if machine.system_disk.size < image.min_disk:
        params = {"image": machine.image, "least": f"{image.min_disk}Gi"}
        yield Found(params | {"size": f"{machine.system_disk.size}Gi"}, which="disk")


def _recorded(subject: Subject) -> Iterator[tuple[str, date]]:
    """Yield the dates that record something that has happened."""
    spec = subject.spec
    fields: dict[str, date | None] = {}
    if isinstance(spec, SystemSpec):
        security = spec.security
        fields = {
            "security.filingDate": security.filing_date,
            "security.assessmentDate": security.assessment_date,
            "security.cryptoAssessmentDate": security.crypto_assessment_date,
        }
    elif isinstance(spec, ServerRoomSpec):
        fields = {"closedOn": spec.closed_on}
    elif isinstance(spec, LegacyHostSpec):
        fields = {"offOn": spec.off_on}
    elif isinstance(spec, PrivateNetworkSpec):
        fields = {"integratedOn": spec.integrated_on}
    yield from ((name, day) for name, day in fields.items() if day is not None)


def _undated(subject: Subject) -> Iterator[Found]:
    """Yield states reached without their date, and dates of states that are not."""
    spec = subject.spec
    if isinstance(spec, ServerRoomSpec):
        reached, day, name = spec.state is RoomState.CLOSED, spec.closed_on, "closedOn"
    elif isinstance(spec, LegacyHostSpec):
        reached, day, name = spec.state is not HostState.RUNNING, spec.off_on, "offOn"
    elif isinstance(spec, PrivateNetworkSpec):
        reached = spec.state is NetworkState.INTEGRATED
        day, name = spec.integrated_on, "integratedOn"
    else:
        return
    params = {"field": name, "state": spec.state}
    if reached and day is None:
        yield Found(params, Severity.WARNING, "undated")
    elif day is not None and not reached:
        yield Found(params, which="dated")


@rule("QUO-6", "[I]", once=True)
def pool_guard(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Warn when a pool is nearly given away; beyond its limit the lead authority decides."""
    if not subject.allocates or not subject.grows:
        return
    for pool in setting.pools:
        if pool.cloud != subject.cloud_name:
            continue
        params = {
            "cloud": pool.cloud,
            "class": pool.resource_class,
            "percent": round(pool.share * 100, 1),
        }
        if pool.share > setting.parameter("pool-limit"):
            yield Found(params)
        elif pool.share > setting.parameter("pool-warning"):
            yield Found(params, Severity.WARNING, "warning")


@rule("QUO-9", "[I]", actions=frozenset({Action.CREATE, Action.CHANGE}), waivable=False)
def below_use(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Refuse limits of a namespace below what is in use, unless it says that they may be (Q5).

    What is taken over is limited for the first time: there all limits count.
    """
    spec, before = subject.spec, subject.before
    name = subject.uid or str(subject.key)
    if not isinstance(spec, NamespaceSpec) or spec.allow_over_quota or name not in setting.used:
        return
    wanted, used = limits(spec), setting.used[name]
    had = limits(before) if isinstance(before, NamespaceSpec) else used or {}
    less = {word: wanted.get(word, 0) for word in had if wanted.get(word, 0) < had[word]}
    if isinstance(before, NamespaceSpec) and not less:
        return
    if used is None:
        yield Found({"object": subject.key.name}, Severity.WARNING, "unknown")
        return
    below = [
        f"{word}: {show(word, limit)} < {show(word, used[word])}"
        for word, limit in sorted(less.items())
        if limit < used.get(word, 0) and (word in wanted or not word.startswith(OBJECTS))
    ]
    if below:
        yield Found({"object": subject.key.name, "limits": below})


@rule("QUO-8", "[P] tiers; [I]")
def beyond_catalogue(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Ask for a reason where a machine is larger than any flavor of the catalogue."""
    machine = subject.machine
    if machine is None or machine.flavor is not None or not setting.flavors or not subject.grows:
        return
    cores = max(flavor.vcpu for flavor in setting.flavors.values())
    memory = max(flavor.memory for flavor in setting.flavors.values())
    if (machine.vcpu or 0) <= cores and (machine.memory or 0) <= memory:
        return
    params = {"vcpu": machine.vcpu or 0, "memory": f"{(machine.memory or 0) // 1024}Gi"}
    if machine.justification:
        yield Found(params, Severity.WARNING, "explained")
    else:
        yield Found(params)


@rule("DR-1", "[P] GB/T 22239", Severity.WARNING)
def backup(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Ask for a backup of production machines from level 2 on."""
    del setting
    machine = subject.machine
    if machine is None or subject.mlps_level < 2:
        return
    if machine.backup is Backup.NONE and subject.environment is Environment.PRODUCTION:
        yield Found({"object": subject.key.name, "level": subject.mlps_level})
