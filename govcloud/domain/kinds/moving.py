"""How a legacy system moves, as people write it: hosts, workloads, switches, checks, hooks.

What a role can be told is said by the role's own specification (`playbooks/roles`), so `settings`
are checked where the roles are known, and not here.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from govcloud.domain.base import Flag, Line, Model, Name, Positive
from govcloud.domain.kinds.systems import Port
from govcloud.domain.text_fields import HostAddress

STEPS: Final = (
    "preflight",
    "provision",
    "configure",
    "test-copy",
    "initial-sync",
    "freeze",
    "final-sync",
    "verify",
    "start",
    "switch",
    "health",
)
"""The steps that hooks can stand before and after."""
CUTOVER: Final = STEPS[STEPS.index("freeze") :]
"""Those that lie in the window."""
HOOKS: Final = tuple(f"{when}-{step}" for step in STEPS for when in ("before", "after"))


def _instant(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("not_an_instant") from None


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("instant_without_zone")
    return value


Instant = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_aware)]


def _formed(pattern: str, code: str) -> AfterValidator:
    """Return a validator of a form, whose fault is the code of the catalogue `input`."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(code)
        return value

    return AfterValidator(check)


RoleName = Annotated[Line, _formed(r"[a-z][a-z0-9_]{0,62}", "bad_role")]
USER: Final = r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*"
"""Who logs in; like a bastion a word of commands, so that it is never taken for an option."""
User = Annotated[Line, _formed(USER, "bad_user")]
BASTION: Final = (
    rf"({USER}@)?"
    r"((\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)(:[0-9]{1,5})?|[0-9A-Fa-f:.]+)"
)
"""`user@host:port`; it becomes a word of a command, so that it holds nothing a shell would heed."""
Bastion = Annotated[Line, _formed(BASTION, "bad_bastion")]
SecretRef = Annotated[Line, _formed(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/\S.*", "bad_secret")]
"""`env:NAME` or `file:/path`, found where the controller runs; never the secret itself."""
Opening = Annotated[Line, _formed(r"\S+:[0-9]{1,5}", "bad_tcp")]
Ref = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=500)]
KeptFile = Annotated[Ref, _formed(r"[^\x00-\x1f\x7f-][^\x00-\x1f\x7f]*", "bad_kept_file")]
"""A path at the controller, which becomes an argument there."""
Options = Annotated[dict[Line, Any], Field(max_length=200)]
Secrets = Annotated[dict[Line, SecretRef], Field(max_length=50)]


class MoveWindow(Model):
    """When a cut-over may take place."""

    opens: Instant = Field(description="When it opens: `2026-12-04T20:00+08:00`.")
    hours: Annotated[int, Field(strict=True, ge=1, le=72)] = Field(
        8, description="Hours that it is open."
    )

    @property
    def closes(self) -> datetime:
        """When it ends."""
        return self.opens + timedelta(hours=self.hours)


class Login(Model):
    """How the controller logs in to hosts; references only."""

    user: User = Field("root", description="User.")
    key_file: KeptFile | None = Field(
        None, description="Path of the private key at the controller."
    )
    known_hosts: KeptFile | None = Field(None, description="Path of the file of known host keys.")
    bastion: Bastion | None = Field(None, description="`user@host:port` through which it goes.")
    become: Flag = Field(False, description="Become root with sudo.")


class MoveSource(Model):
    """A legacy host that data comes from."""

    host: Name = Field(description="The LegacyHost.")
    address: HostAddress | None = Field(None, description="Address; absent: the LegacyHost's.")
    port: Port = Field(22, description="Port of SSH.")
    login: Login | None = Field(None, description="Its own login, where it differs.")
    fetch_through: Bastion | None = Field(
        None, description="`user@host:port` through which targets fetch from it; absent: directly."
    )


class MoveTarget(Model):
    """A machine that data goes to; its address is the one that the cloud tells."""

    machine: Name = Field(description="The VirtualMachine.")
    ordinal: Annotated[int, Field(strict=True, ge=0, le=9_999)] | None = Field(
        None, description="Number of the machine, where there are several; absent: the first."
    )
    address: HostAddress | None = Field(
        None, description="Address; absent: the one that the cloud tells."
    )
    port: Port = Field(22, description="Port of SSH.")
    login: Login | None = Field(None, description="Its own login, where it differs.")


class MoveHost(Model):
    """A further host: a gateway, a name server."""

    name: Name = Field(description="What it is called here.")
    address: HostAddress = Field(description="Address.")
    port: Port = Field(22, description="Port of SSH.")
    login: Login | None = Field(None, description="Its own login, where it differs.")


class Workload(Model):
    """Something that moves from one host to another by a role."""

    name: Name = Field(description="What it is called here.")
    role: RoleName = Field(description="The role that moves it: `files`, `postgresql`…")
    source: Name = Field(description="The source it comes from.")
    target: Name = Field(description="The target it goes to.")
    settings: Options = Field(default_factory=dict, description="What the role is told.")
    secrets: Secrets = Field(
        default_factory=dict, description="Secrets as references: `env:NAME`, `file:/path`."
    )


class Task(Model):
    """A role that is played on one host: a switch, base configuration, a hook."""

    role: RoleName = Field(description="The role.")
    on: Name = Field(description="A source, a target or a further host.")
    settings: Options = Field(default_factory=dict, description="What the role is told.")
    secrets: Secrets = Field(
        default_factory=dict, description="Secrets as references: `env:NAME`, `file:/path`."
    )


class Probe(Model):
    """A check that the system serves: an HTTP address, or a port that answers."""

    http: Ref | None = Field(None, description="An address that is fetched.")
    expect: Annotated[int, Field(strict=True, ge=100, le=599)] = Field(
        200, description="Status that is expected of it."
    )
    tcp: Opening | None = Field(None, description="`address:port` that accepts connections.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.http is None) == (self.tcp is None):
            raise ValueError("http_or_tcp")
        return self


class Move(Model):
    """How a system moves; `govcloud migrate prepare` proposes it."""

    window: MoveWindow | None = Field(None, description="Absent: the wave's window.")
    trial_days: Annotated[int, Field(strict=True, ge=0, le=365)] = Field(
        30, description="Days of trial run before it can be accepted (MIG-6)."
    )
    login: Login = Field(Login(), description="How the controller logs in to the hosts.")
    sources: list[MoveSource] = Field(min_length=1, max_length=500, description="From where.")
    targets: list[MoveTarget] = Field(min_length=1, max_length=500, description="To where.")
    others: list[MoveHost] = Field(
        default_factory=list, max_length=100, description="Further hosts: gateways, name servers."
    )
    machines: list[dict[str, Any]] = Field(
        default_factory=list,
        max_length=500,
        description="VirtualMachine documents that are requested; absent: they exist.",
    )
    configure: list[Task] = Field(
        default_factory=list, max_length=200, description="Base configuration of targets."
    )
    workloads: list[Workload] = Field(
        min_length=1, max_length=200, description="What moves, in order: later needs earlier."
    )
    switch: list[Task] = Field(
        default_factory=list, max_length=100, description="How users are led to the target."
    )
    health: list[Probe] = Field(
        default_factory=list, max_length=100, description="How it is seen that it serves."
    )
    health_seconds: Annotated[int, Field(strict=True, ge=0, le=3_600)] = Field(
        60, description="Seconds in which the checks must have succeeded."
    )
    hooks: dict[Name, list[Task]] = Field(
        default_factory=dict,
        max_length=len(HOOKS),
        description="Roles played around a step, by `before-<step>` and `after-<step>`.",
    )
    bandwidth_ki_b: Positive | None = Field(
        None, description="Most KiB/s that it may move; absent: its share of the wave's."
    )
    delta_fits_minutes: Positive = Field(
        30, description="Before a cut-over the last changes must be expected to take no longer."
    )
    delta_every_minutes: Positive = Field(
        60, description="Minutes between copies of what has changed."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for fault in _faults(self):
            raise ValueError(fault)
        return self

    def hosts(self) -> dict[str, MoveSource | MoveTarget | MoveHost]:
        """Return all hosts by their names."""
        return (
            {one.host: one for one in self.sources}
            | {one.machine: one for one in self.targets}
            | {one.name: one for one in self.others}
        )


def _faults(move: Move) -> Iterator[str]:
    """Yield what does not fit together, as codes of the catalogue `input`."""
    sources = [one.host for one in move.sources]
    targets = [one.machine for one in move.targets]
    named = [*sources, *targets, *(one.name for one in move.others)]
    for names in (named, [one.name for one in move.workloads]):
        yield from (f"move_twice:{name}" for name in names if names.count(name) > 1)
    for workload in move.workloads:
        if workload.source not in sources:
            yield f"move_no_source:{workload.source}"
        if workload.target not in targets:
            yield f"move_no_target:{workload.target}"
    tasks = [*move.configure, *move.switch, *(t for hook in move.hooks.values() for t in hook)]
    yield from (f"move_no_host:{task.on}" for task in tasks if task.on not in named)
    yield from (f"move_no_hook:{name}" for name in move.hooks if name not in HOOKS)
    early = [
        *move.configure,
        *(t for name, hook in move.hooks.items() if not in_window(name) for t in hook),
    ]
    # M1: nothing but copies looks at a source before its window.
    yield from (f"move_touches_source:{task.on}" for task in early if task.on in sources)


def in_window(hook: str) -> bool:
    """Whether a hook is played inside the window."""
    return hook.partition("-")[2] in CUTOVER
