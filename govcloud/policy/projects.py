"""Rules on projects, reasons and terms (APP, YAML-6, LIFE)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from govcloud.domain.kinds.systems import Environment, Lifecycle, Phase
from govcloud.errors import Severity
from govcloud.policy.context import Action, Setting, Subject
from govcloud.policy.rules import GROWTH, Found, rule

_PHASES: Final = tuple(Phase)


def _term(subject: Subject, today: date) -> timedelta | None:
    """Return for how long from now on something is wanted; None without an end."""
    lease = subject.lease
    return lease.end - max(lease.start or today, today) if lease else None


@rule("APP-6", "[S] 000; [I]")
def project(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Require an approved project, and for production one that is being implemented.

    Without a project there are only test resources, and for a limited time.
    """
    if not subject.allocates or not subject.grows or subject.system is None:
        return
    found = subject.system.project
    if found is None or found.phase is Phase.DECLARED:
        term = _term(subject, setting.today)
        short = term is not None and term <= setting.days("no-project-days")
        if subject.environment is not Environment.TEST or not short:
            days = int(setting.parameter("no-project-days"))
            yield Found({"system": subject.system_name, "days": days})
    elif subject.environment is Environment.PRODUCTION and not _implementing(found.phase):
        yield Found({"system": subject.system_name, "phase": found.phase.value}, which="phase")


def _implementing(phase: Phase) -> bool:
    return _PHASES.index(phase) >= _PHASES.index(Phase.IMPLEMENTING)


@rule("APP-11", "[P] class; [I] path", actions=GROWTH | {Action.RELEASE}, once=True)
def urgent(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Keep the emergency path for emergency resources, and have the emergency told."""
    if not setting.urgent:
        return
    if not setting.emergency_path:
        yield Found(which="no-path")
    if setting.justification is not None and not setting.justification.strip():
        yield Found(which="unexplained")
    if subject.allocates and subject.environment is not Environment.EMERGENCY:
        yield Found({"object": subject.key.name, "environment": subject.environment})


@rule(
    "YAML-6",
    "[P]",
    Severity.WARNING,
    actions=frozenset({Action.CHANGE, Action.RELEASE}),
    once=True,
)
def reason(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Ask why something that exists is changed."""
    del subject
    if setting.justification is not None and not setting.justification.strip():
        yield Found()


@rule("LIFE-1", "[P] pattern; [I] numbers")
def lease(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Limit leases to the longest term of their environment."""
    if not subject.allocates:
        return
    wanted, environment = subject.lease, subject.environment
    if wanted is None:
        yield from _endless(environment)
        return
    if getattr(subject.before, "lease", None) == wanted:
        return
    longest = setting.days(f"lease-days-{environment.value}")
    end = wanted.end.isoformat()
    if wanted.end < setting.today:
        yield Found({"end": end}, which="past")
    term = _term(subject, setting.today)
    if term is not None and term > longest:
        yield Found({"environment": environment, "days": longest.days, "end": end})


def _endless(environment: Environment) -> Iterator[Found]:
    if environment is Environment.EMERGENCY:
        yield Found({"environment": environment}, which="missing")
    elif environment is not Environment.PRODUCTION:
        yield Found({"environment": environment}, Severity.WARNING, "missing")


@rule("LIFE-8", "[P] GB/T 31167", actions=frozenset(Action))
def exit_of_service(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Announce the data hand-over of production; refuse more for retired systems."""
    del setting
    if not subject.allocates:
        return
    params = {"object": subject.key.name, "system": subject.system_name}
    retired = subject.system is not None and subject.system.lifecycle is Lifecycle.RETIRED
    if subject.action is Action.RELEASE:
        if subject.environment is Environment.PRODUCTION:
            machine = subject.machine
            kept = subject.keeps and machine is not None and machine.data_disks
            yield Found(params, Severity.WARNING, "kept" if kept else "")
    elif subject.grows and retired:
        yield Found(params, which="retired")
