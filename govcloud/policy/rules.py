"""The register of rules, and what they yield.

A rule is a function `(subject, setting) -> Iterator[Found]`. Its sentence stands in the catalogue
under `policy.<id>`, with the remedy beside it; a rule with several sentences adds a word, as in
`policy.NET-08_overdue`. Its docstring is its description.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from govcloud.errors import Severity
from govcloud.policy.context import Action, Setting, Subject


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found; without a severity, the rule's own.

    `which` names the sentence where the rule has several.
    """

    params: Mapping[str, object] = field(default_factory=dict)
    severity: Severity | None = None
    which: str = ""


Check = Callable[[Subject, Setting], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: id, weight, where it comes from, what it looks at, whether it may be waived.

    `once`: of equal findings on several objects only the first is kept.
    """

    id: str
    severity: Severity
    source: str
    description: str
    check: Check
    actions: frozenset[Action]
    waivable: bool
    once: bool


RULES: Final[dict[str, Rule]] = {}
"""All rules by id. Filled as the modules of `govcloud.policy` are imported by `evaluate`."""

GROWTH: Final = frozenset({Action.CREATE, Action.CHANGE})


def rule(
    identifier: str,
    source: str,
    severity: Severity = Severity.ERROR,
    *,
    actions: frozenset[Action] = GROWTH,
    waivable: bool = True,
    once: bool = False,
) -> Callable[[Check], Check]:
    """Register a function as the rule `identifier`; `source` as in the rules catalogue."""

    def register(check: Check) -> Check:
        if identifier in RULES:
            raise ValueError(f"two rules {identifier}")
        description = (check.__doc__ or "").strip().splitlines()[0]
        RULES[identifier] = Rule(
            identifier, severity, source, description, check, actions, waivable, once
        )
        return check

    return register


@dataclass(frozen=True, slots=True)
class Finding:
    """What the policy says to a change: rule, weight, sentence, and the waiver that covers it.

    `object` is "" for what concerns the change set as a whole.
    """

    rule: str
    severity: Severity
    key: str
    params: Mapping[str, object]
    source: str
    object: str
    waiver: Mapping[str, str] | None = None

    @property
    def denies(self) -> bool:
        """Whether this keeps the change from being made."""
        return self.severity is Severity.ERROR

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form, in no language yet."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "key": self.key,
            "params": dict(self.params),
            "source": self.source,
            "object": self.object,
            "waiver": dict(self.waiver) if self.waiver else None,
        }
