"""The freeze of what stands off the cloud (NET-17)."""

from collections.abc import Iterator

from govcloud.domain.kinds.estate import (
    HostState,
    LegacyHostSpec,
    PrivateNetworkSpec,
    RoomState,
    ServerRoomSpec,
)
from govcloud.domain.kinds.systems import Environment, Lifecycle, Origin, SystemSpec
from govcloud.errors import Severity
from govcloud.policy.context import Action, Setting, Subject
from govcloud.policy.rules import Found, rule


@rule("NET-17", "[S] 003, 004; [P] Hunan, Zhejiang")
def freeze(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Refuse new server rooms and new production off the cloud without an exemption.

    What stood when the baseline was taken is registered, not new: rooms marked `baseline` with
    what is in them, and legacy systems that run already. That is so while the census lasts, until
    a day that the administrators set; afterwards nothing enters or leaves the baseline.
    """
    spec = subject.spec
    if isinstance(spec, ServerRoomSpec):
        yield from _room(subject, spec, setting)
    elif isinstance(spec, PrivateNetworkSpec):
        yield from _baseline(subject, setting, baseline=spec.baseline)
    elif isinstance(spec, LegacyHostSpec):
        yield from _host(subject, spec, setting)
    elif isinstance(spec, SystemSpec):
        yield from _system(subject, spec, setting)


def _room(subject: Subject, spec: ServerRoomSpec, setting: Setting) -> Iterator[Found]:
    before = subject.before
    reopened = isinstance(before, ServerRoomSpec) and before.state is RoomState.CLOSED
    stands = not spec.only_network_gear and spec.state is not RoomState.CLOSED
    new = stands and (subject.action is Action.CREATE or reopened)
    census = setting.census_open and not reopened
    if new and not (census and spec.baseline) and not setting.exempted(None):
        yield Found({"room": subject.key.name}, which="room_census" if census else "room")
    else:
        yield from _baseline(subject, setting, baseline=spec.baseline)


def _baseline(subject: Subject, setting: Setting, *, baseline: bool) -> Iterator[Found]:
    if baseline != getattr(subject.before, "baseline", False) and not setting.census_open:
        yield Found({"object": subject.key.name}, which="baseline")


def _host(subject: Subject, spec: LegacyHostSpec, setting: Setting) -> Iterator[Found]:
    if subject.action is not Action.CREATE or spec.state is not HostState.RUNNING:
        return
    if spec.environment is not Environment.PRODUCTION:
        return
    registered = subject.room is not None and subject.room.baseline and setting.census_open
    if not registered and not setting.exempted(spec.system):
        yield Found({"host": subject.key.name, "room": spec.room}, which="host")


def _system(subject: Subject, spec: SystemSpec, setting: Setting) -> Iterator[Found]:
    if spec.origin is not Origin.LEGACY or subject.hosted or spec.industry_cloud:
        return
    before = subject.before
    moved_off = isinstance(before, SystemSpec) and before.origin is Origin.CLOUD
    if subject.action is not Action.CREATE and not moved_off:
        return
    # Planned or on trial means that it does not run yet: it is new, and off the cloud.
    new = spec.lifecycle in (Lifecycle.PLANNED, Lifecycle.TRIAL) or moved_off
    retired = spec.lifecycle in (Lifecycle.RETIRED, Lifecycle.SUSPENDED)
    if (new or not setting.census_open) and not retired and not setting.exempted(subject.key.name):
        yield Found({"system": subject.key.name})


@rule("AUD-7", "[S] 001; [I]", Severity.WARNING)
def registered_twice(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Remark a code of the register that another system has already.

    Another department's system is not named (P1).
    """
    if not isinstance(subject.spec, SystemSpec):
        return
    code = subject.spec.code
    others = [key for key in setting.registered.get(code, ()) if key != subject.key]
    own = [key.name for key in others if key.department == subject.key.department]
    if own:
        yield Found({"code": code, "systems": own})
    elif others:
        yield Found({"code": code}, which="elsewhere")
