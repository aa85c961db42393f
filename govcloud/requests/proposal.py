"""A proposal: what a change set comes to, before anybody has decided."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

from govcloud.domain.classes import show
from govcloud.errors import PolicyDeniedError, QuotaExceededError, Text
from govcloud.messages import remedy, render
from govcloud.policy.context import Action
from govcloud.policy.rules import Finding
from govcloud.ports.ledger import Demand, Obstacle, QuotaLine, Refusal
from govcloud.requests.changes import Change, digest_of_changes, summary
from quotas.ledger import sentences

_NUMBERS: Final = ("limit", "allocated", "reserved", "requested", "available")


@dataclass(frozen=True)
class Proposal:
    """What a change set comes to: changes, findings, quota, price, and the digest of it all.

    `changes` hold the unchanged objects too, with action NONE; `effective` leaves them out.
    `forced` is what an administrator overrode; `held` says what other open requests hold.
    """

    changes: tuple[Change, ...]
    findings: tuple[Finding, ...] = ()
    lines: tuple[QuotaLine, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    forced: tuple[Refusal, ...] = ()
    demands: tuple[Demand, ...] = ()
    policy_version: str = ""
    reservation_days: float = 7
    steps: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)
    held: tuple[Text, ...] = ()

    @property
    def effective(self) -> tuple[Change, ...]:
        """The changes that change something."""
        return tuple(change for change in self.changes if change.action is not Action.NONE)

    @property
    def digest(self) -> str:
        """What is approved and built (R3)."""
        return digest_of_changes(self.effective)

    @property
    def price(self) -> tuple[float, float]:
        """Yuan a month of the objects concerned, before and after."""
        before = sum(change.price_before for change in self.effective)
        after = sum(change.price_after for change in self.effective)
        return round(before, 2), round(after, 2)

    def lost(self, allowed: Set[str]) -> list[str]:
        """Return what would be built anew although nobody has said that it may be."""
        lost = (name for change in self.effective for name in change.replaced)
        return [name for name in lost if name not in allowed]

    def deny(self) -> None:
        """Raise PolicyDeniedError or QuotaExceededError if either speaks against it."""
        denying = [finding.plain() for finding in self.findings if finding.denies]
        if denying:
            raise PolicyDeniedError(denying)
        if self.refusals:
            raise QuotaExceededError([refusal_plain(refusal) for refusal in self.refusals])

    def plain(self, language: str = "en") -> dict[str, Any]:
        """Return the JSON form, its sentences in `language`."""
        before, after = self.price
        return {
            "changes": [change.plain() for change in self.effective],
            "findings": [localised(finding.plain(), language) for finding in self.findings],
            "quota": [line_plain(line) for line in self.lines],
            "refusals": [localised(refusal_plain(refusal), language) for refusal in self.refusals],
            "forced": [localised(refusal_plain(refusal), language) for refusal in self.forced],
            "held": [localised({"key": h.key, "params": h.params}, language) for h in self.held],
            "price": {"before": before, "after": after},
            "digest": self.digest,
            "policyVersion": self.policy_version,
            "steps": [dict(step) for step in self.steps],
            "summary": summary(self.changes),
        }


def line_plain(line: QuotaLine) -> dict[str, Any]:
    """Return the JSON form of a quota line; `show` holds its numbers as people write them."""
    numbers = {
        "limit": line.limit,
        "allocated": line.allocated,
        "reserved": line.reserved,
        "requested": line.requested,
        "freed": line.freed,
    }
    return {
        "department": line.department,
        "cloud": line.cloud,
        "zone": line.zone,
        "class": line.resource_class,
        "limited": line.limited,
        **numbers,
        "show": _shown(line.resource_class, numbers),
    }


def refusal_plain(refusal: Refusal) -> dict[str, Any]:
    """Return the plain form of a refusal: level, class and numbers (Q4), with its sentence.

    The sentence names the class as people call it and as YAML writes it.
    """
    sentence, word = sentences.text(refusal), refusal.resource_class
    both = Text("requests.class_and_word", {"class": sentences.class_text(word), "word": word})
    params = {**sentence.params, "class": both}
    return _refusal_numbers(refusal) | {"key": sentence.key, "params": params}


def refusal_stored(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a refusal: the numbers, from which `refusal_again` makes the rest."""
    return {name: value for name, value in plain.items() if name not in ("key", "params")}


def refusal_again(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain form of a refusal that was kept."""
    numbers = {name: stored[name] for name in _NUMBERS}
    return refusal_plain(
        Refusal(
            Obstacle(stored["obstacle"]),
            stored["department"],
            stored["level"],
            stored["class"],
            stored["cloud"],
            stored["zone"],
            **numbers,
        )
    )


def _refusal_numbers(refusal: Refusal) -> dict[str, Any]:
    numbers = {name: getattr(refusal, name) for name in _NUMBERS}
    return {
        "obstacle": refusal.obstacle.value,
        "department": refusal.department,
        "level": refusal.level,
        "class": refusal.resource_class,
        "cloud": refusal.cloud,
        "zone": refusal.zone,
        **numbers,
        "show": _shown(refusal.resource_class, numbers),
    }


def localised(entry: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Return a finding or refusal, JSON-ready, with `message` and `remedy` in a language."""
    key, params = str(entry["key"]), entry.get("params") or {}
    return {
        **entry,
        "params": {name: _said(value, language) for name, value in params.items()},
        "message": render(key, language, params),
        "remedy": remedy(key, language, params),
    }


def _said(value: object, language: str) -> object:
    return render(value.key, language, value.params) if isinstance(value, Text) else value


def localised_all(entries: Iterable[Mapping[str, Any]], language: str) -> list[dict[str, Any]]:
    """Return findings or refusals with their sentences in a language."""
    return [localised(entry, language) for entry in entries]


def _shown(word: str, numbers: Mapping[str, int | None]) -> dict[str, str]:
    return {name: "—" if amount is None else show(word, amount) for name, amount in numbers.items()}


def findings_plain(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings in the form that requests keep."""
    return [finding.plain() for finding in findings]
