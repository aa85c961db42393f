"""Rules on the protection of systems: classified, MLPS level, filing, assessment (NET)."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from govcloud.domain.kinds.platform import Level
from govcloud.domain.kinds.systems import Lifecycle, Origin, SystemSpec
from govcloud.errors import Severity
from govcloud.policy.context import Setting, Subject
from govcloud.policy.rules import Found, rule

_DIRECT: Final = frozenset({Level.CITY, Level.COUNTY})


def _weight(subject: Subject) -> Severity:
    """Return denial for what is hosted, a warning for what is only registered in the census."""
    return Severity.ERROR if subject.hosted or subject.allocates else Severity.WARNING


@rule("NET-01", "[S] 002; [P] Hunan, Shanghai", waivable=False)
def classified(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Refuse classified systems on this cloud."""
    del setting
    system = subject.judged_system
    if system and system.security.classified:
        yield Found({"system": _name(subject)}, _weight(subject))


@rule("NET-02", "[S] 002")
def ungraded(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Require an MLPS level of at least 2."""
    del setting
    system = subject.judged_system
    if system and not system.security.classified and (system.security.mlps_level or 0) < 2:
        yield Found({"system": _name(subject)}, _weight(subject))


@rule("NET-03", "[S] 002")
def extranet_level(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Require MLPS level 3 of extranet systems of cities, counties and their departments."""
    system = subject.judged_system
    if system is None or not system.extranet or system.security.mlps_level != 2:
        return
    owner = setting.owner
    if owner is None:
        return
    direct = owner.level is Level.DEPARTMENT and setting.parent_level in _DIRECT
    if direct or owner.level in _DIRECT:
        yield Found({"system": _name(subject)}, _weight(subject))


@rule("NET-04", "[P] GB/T 22239")
def above_platform(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Refuse systems of a higher MLPS level than that of the platform."""
    del setting
    if not subject.allocates or subject.zone is None or subject.cloud is None:
        return
    platform = min(subject.zone.mlps_level, subject.cloud.mlps_level)
    if platform < subject.mlps_level:
        params = {
            "system": subject.system_name,
            "level": subject.mlps_level,
            "zone": subject.zone_name,
            "platform": platform,
        }
        yield Found(params)


@rule("NET-05", "[P] Shanghai, Hunan", waivable=False)
def level_four(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Refuse MLPS level 4 and above: they need a resource pool of their own."""
    del setting
    system = subject.judged_system
    level = (system.security.mlps_level or 0) if system else 0
    if level >= 4:
        yield Found({"system": _name(subject), "level": level}, _weight(subject))


@rule("NET-08", "[P] Pingdingshan")
def filing(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Require the filing certificate: before migrating at level 3, soon after going live."""
    system = subject.judged_system
    if system is None or system.security.filing_no or system.security.classified:
        return
    level = system.security.mlps_level or 0
    name = _name(subject)
    if system.origin is Origin.LEGACY:
        if level >= 3 and (subject.hosted or subject.allocates):
            yield Found({"system": name})
    elif level >= 2 and system.launched_on:
        yield from _due(subject, setting, system.launched_on)


def _due(subject: Subject, setting: Setting, launched_on: date) -> Iterator[Found]:
    due = launched_on + setting.days("filing-due-days")
    params = {"system": _name(subject), "due": due.isoformat()}
    if setting.today > due:
        severity = Severity.ERROR if subject.allocates else Severity.WARNING
        yield Found(params, severity, "overdue")
    elif setting.today >= launched_on + setting.days("filing-alarm-days"):
        yield Found(params, Severity.WARNING, "due")


@rule("NET-09", "[P] assessment yearly at level 3, every second year at level 2")
def assessment(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Require MLPS assessments in date: without, level 3 systems do not grow."""
    system = subject.judged_system
    level = (system.security.mlps_level or 0) if system else 0
    if system is None or level not in (2, 3) or system.lifecycle is Lifecycle.PLANNED:
        return
    last = system.security.assessment_date or system.launched_on
    if last is None:
        return
    due = last + setting.days(f"assessment-days-mlps{level}")
    params = {"system": _name(subject), "level": level, "due": due.isoformat()}
    if setting.today > due:
        denies = level == 3 and subject.allocates
        yield Found(params, Severity.ERROR if denies else Severity.WARNING)
    elif setting.today > due - setting.days("assessment-alarm-days"):
        yield Found(params, Severity.WARNING, "due")


@rule("NET-10", "[P] GB/T 39786-2021", Severity.WARNING)
def cryptography(subject: Subject, setting: Setting) -> Iterator[Found]:
    """Ask for a cryptography assessment from level 3 on."""
    del setting
    system = subject.judged_system
    if system is None or (system.security.mlps_level or 0) < 3:
        return
    if system.security.crypto_assessment_date is None:
        yield Found({"system": _name(subject)})


def _name(subject: Subject) -> str:
    return subject.key.name if isinstance(subject.spec, SystemSpec) else subject.system_name
