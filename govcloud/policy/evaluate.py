"""Apply all rules to a change set: weights as the policy sets them, waivers where they hold."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from govcloud.domain.kinds.governance import WaiverSpec
from govcloud.errors import Severity
from govcloud.policy import estate, network, projects, security, sizes
from govcloud.policy.context import Setting, Subject
from govcloud.policy.rules import RULES, Finding, Found, Rule

__all__ = ["RULES", "evaluate"]

_MODULES: Final = (estate, network, projects, security, sizes)
"""Imported for the rules that they register."""
_WEIGHT: Final = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


def evaluate(
    subjects: Iterable[Subject], setting: Setting, checks: Mapping[str, Severity]
) -> tuple[Finding, ...]:
    """Return all findings on a change set, object by object and by rule.

    `checks` are the weights that the city gives to rules, by id.
    """
    findings: dict[tuple[object, ...], Finding] = {}
    for subject in subjects:
        for rule in RULES.values():
            if subject.action not in rule.actions:
                continue
            for found in rule.check(subject, setting):
                finding = _finding(rule, found, subject, setting, checks)
                identity = (rule.id, finding.key, repr(finding.params), finding.object)
                findings.setdefault(identity, finding)
    return tuple(findings.values())


def _finding(
    rule: Rule, found: Found, subject: Subject, setting: Setting, checks: Mapping[str, Severity]
) -> Finding:
    key = f"policy.{rule.id}_{found.which}" if found.which else f"policy.{rule.id}"
    finding = Finding(
        rule.id,
        weight(rule, found.severity or rule.severity, checks.get(rule.id)),
        key,
        found.params,
        rule.source,
        "" if rule.once else str(subject.key),
    )
    return _waived(rule, finding, subject, setting)


def weight(rule: Rule, own: Severity, wanted: Severity | None) -> Severity:
    """Return what a finding weighs where the city gives its rule another weight.

    The new weight takes the place of the rule's own; what the rule itself finds less grave stays
    so, and is never graver than the new weight.
    """
    if wanted is None or own is rule.severity:
        return wanted or own
    return min(own, wanted, key=_WEIGHT.__getitem__)


def _waived(rule: Rule, finding: Finding, subject: Subject, setting: Setting) -> Finding:
    if not finding.denies or not rule.waivable:
        return finding
    system = subject.system_name or subject.key.name
    for name, waiver in sorted(setting.waivers.items()):
        if _covers(waiver, rule.id, setting, system):
            covering = {
                "name": name,
                "by": waiver.approved_by,
                "until": waiver.valid_until.isoformat(),
            }
            return replace(finding, severity=Severity.INFO, waiver=covering)
    return finding


def _covers(waiver: WaiverSpec, rule_id: str, setting: Setting, system: str) -> bool:
    return (
        waiver.rule == rule_id
        and waiver.department == setting.department
        and waiver.system in (None, system)
        and waiver.approved_on <= setting.today <= waiver.valid_until
    )
