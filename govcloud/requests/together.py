"""Several change sets at once: what they would come to if all were handed in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from govcloud.domain.access import Actor
from govcloud.domain.manifest import Manifest
from govcloud.errors import GovcloudError
from govcloud.ports.ledger import Demand, Ledger, QuotaLine, Verdict
from govcloud.requests.proposal import line_plain, localised, refusal_plain
from govcloud.requests.proposing import Assessor
from govcloud.requests.wishes import wish_of


def weigh(
    assessor: Assessor, ledger: Ledger, actor: Actor, change_sets: Iterable[Sequence[Manifest]]
) -> Verdict:
    """Return what the ledger says to all of them; each level of the tree has its lines.

    What is wanted by several is asked for once. What cannot be judged is left out: handed in
    alone, it is refused with the reason.
    """
    demands = {
        one.key: one for manifests in change_sets for one in _demands(assessor, actor, manifests)
    }
    return ledger.check(assessor.session, tuple(demands.values()), assessor.at)


def _demands(assessor: Assessor, actor: Actor, manifests: Sequence[Manifest]) -> Iterable[Demand]:
    try:
        return assessor.assess(wish_of(actor, manifests, ())).demands
    except GovcloudError:
        return ()


def plain(verdict: Verdict, language: str) -> dict[str, Any]:
    """Return the JSON form: lines with what is `free` and what is `lacking`, and refusals."""
    return {
        "quota": [_line(line) for line in verdict.lines],
        "refusals": [localised(refusal_plain(one), language) for one in verdict.refusals],
    }


def _line(line: QuotaLine) -> Mapping[str, Any]:
    free = line.available
    lacking = None if free is None else max(0, line.requested - free)
    return line_plain(line) | {"free": free, "lacking": lacking}
