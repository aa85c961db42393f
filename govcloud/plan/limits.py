"""A tenant's limits in the cloud: what follows from the ledger, and what somebody changed (Q5, R4).

A limit that is not what the ledger asks for is either late, because the ledger has moved since it
was set, or it was changed by hand. The two are told apart by what govcloud may have set itself:
late limits are set whatever the policy says, and a change by hand is drift like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from govcloud.domain.classes import Amounts, show
from govcloud.domain.drift import DriftMode
from govcloud.plan.drift import Drift, ModeOf
from govcloud.ports.cloud import TenantQuota

FIELD: Final = "quota:"
"""How the fields of such drift begin; behind it stands the class, or the cloud's own word."""
UNLIMITED: Final = "unlimited"
KEPT: Final = 6
"""So many values of one limit are remembered as possibly ours while it is on its way."""

Ours = Mapping[str, Sequence[int]]
"""What govcloud may have set, by class: one value once it has been seen, more while on the way."""


@dataclass(slots=True)
class Judged:
    """What follows for one tenant: limits to set, changes by hand, and what is known to be ours.

    `beside`: setting limits, whichever, would put right what the cloud has beside the classes.
    """

    limits: dict[str, int] = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)
    ours: dict[str, Sequence[int]] = field(default_factory=dict)
    beside: bool = False


def limits_for(need: Amounts, quota: TenantQuota | None) -> dict[str, int]:
    """Return the limits that ought to be: what is needed, or what is in use where that is more.

    Every class is named that the cloud limits or that is needed; pure.
    """
    used = quota.used if quota is not None else {}
    known = set(quota.limits if quota is not None else ()) | set(need) | set(used)
    return {word: max(need.get(word, 0), used.get(word, 0)) for word in sorted(known)}


def raised(need: Amounts, quota: TenantQuota | None) -> dict[str, int]:
    """Return the limits to raise before something is built; those that suffice are left alone."""
    shown = quota.limits if quota is not None else {}
    limits = limits_for(need, quota)
    return {word: amount for word, amount in limits.items() if amount > shown.get(word, 0)}


def judge(wanted: Amounts, quota: TenantQuota, ours: Ours, mode: ModeOf) -> Judged:
    """Say what to do about a tenant whose limits ought to be `wanted`; pure.

    A class that the cloud does not show is without a limit there, or not known to it: of the
    second kind are those that it never showed.
    """
    made = Judged(ours={word: ours[word] for word in ours if word in wanted})
    for word, amount in wanted.items():
        shown = quota.limits.get(word)
        known = ours.get(word, ())
        if shown == amount:
            made.ours[word] = [amount]
            continue
        if known and shown not in known:
            found = UNLIMITED if shown is None else show(word, shown)
            drift = _drift(quota.tenant, word, show(word, amount), found, mode)
            made.drifts.append(drift)
            if drift.mode is not DriftMode.HEAL:
                continue
        made.limits[word] = amount
    if ours:
        for word, (there, due) in quota.beside.items():
            made.drifts.append(_drift(quota.tenant, word, _plain(due), _plain(there), mode))
    left = {drift.field for drift in made.drifts if drift.mode is not DriftMode.HEAL}
    made.beside = any(FIELD + word not in left for word in quota.beside)
    return made


def noted(limits: Amounts, quota: TenantQuota | None, ours: Ours) -> dict[str, Sequence[int]]:
    """Return what may be ours while `limits` are set: what was before, and what will be; pure.

    What stands counts as ours where nothing is known, and else only if it was known. Of a class
    that the cloud does not show nothing is known before it does.
    """
    shown = quota.limits if quota is not None else {}
    after = dict(ours)
    for word, amount in limits.items():
        before = ours.get(word) or ([shown[word]] if word in shown else [])
        if before:
            after[word] = list(dict.fromkeys([*before, amount]))[-KEPT:]
    return after


def _drift(tenant: str, word: str, wanted: str, found: str, mode: ModeOf) -> Drift:
    name = FIELD + word
    return Drift(tenant, name, wanted, found, mode(name))


def _plain(limit: int) -> str:
    return UNLIMITED if limit < 0 else str(limit)
