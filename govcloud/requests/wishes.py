"""A wish: what somebody wants, not yet judged, and whether they may want it at all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from govcloud.domain.access import Actor, Permission
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.manifest import Manifest
from govcloud.errors import Diagnostic, ForbiddenError, InvalidInputError
from govcloud.requests.drafts import Draft


@dataclass(frozen=True, slots=True)
class Wish:
    """Drafts of what should be, and the objects that are to be given back, of one department.

    `urgent`: it is to take the emergency path. `options` are how objects are given back, by key.
    `may_adopt`: things that nobody here has made may be taken over by it.
    """

    department: str
    drafts: tuple[Draft, ...]
    releases: tuple[ObjectKey, ...]
    urgent: bool = False
    options: Mapping[ObjectKey, Sequence[str]] = field(default_factory=dict)
    may_adopt: bool = True

    @property
    def keys(self) -> list[ObjectKey]:
        """All objects concerned."""
        return [*(draft.key for draft in self.drafts), *self.releases]


def wish_of(
    actor: Actor,
    manifests: Sequence[Manifest],
    releases: Sequence[ObjectKey],
    *,
    urgent: bool = False,
    options: Sequence[str] = (),
) -> Wish:
    """Return what an actor wants; refuses what it may not want.

    `options` hold for all that is given back.

    Raises ForbiddenError for another department's objects, InvalidInputError for platform kinds,
    for several departments at once and for an object that is both wanted and given back.
    """
    if not actor.may(Permission.SUBMIT):
        raise ForbiddenError("requests.may_not_submit", role=actor.role)
    wish = Wish("", tuple(map(Draft.of, manifests)), tuple(dict.fromkeys(releases)))
    owned = (key.department for key in wish.keys if KINDS[key.kind].owned)
    department = next(owned, actor.department)
    if not actor.may(Permission.READ_ALL):
        _keep_to_own(actor, wish)
    faults = [*_wanted_wrongly(wish, department), *_given_back_wrongly(wish, department)]
    if faults:
        raise InvalidInputError(faults)
    return Wish(
        department,
        wish.drafts,
        wish.releases,
        urgent,
        dict.fromkeys(wish.releases, tuple(sorted(set(options)))),
        may_adopt=actor.may(Permission.APPLY),
    )


def _keep_to_own(actor: Actor, wish: Wish) -> None:
    for key in wish.keys:
        if KINDS[key.kind].owned and (not actor.department or key.department != actor.department):
            raise ForbiddenError("requests.other_department", department=key.department)


def _wanted_wrongly(wish: Wish, department: str) -> Iterator[Diagnostic]:
    seen, others = set(wish.releases), _others(wish, department)
    for draft in wish.drafts:
        key = draft.key
        if not draft.kind.owned:
            yield draft.fault("requests.use_apply", "kind", kind=key.kind)
        elif key.department in others:
            params = {"department": department, "others": others, "count": len(others)}
            yield draft.fault("requests.several_departments", "metadata.department", **params)
            others = []  # said once, it is said of all
        if key in seen:
            yield draft.fault("requests.wanted_twice", "metadata.name", object=str(key))
        seen.add(key)


def _given_back_wrongly(wish: Wish, department: str) -> Iterator[Diagnostic]:
    told = any(draft.kind.owned and draft.key.department != department for draft in wish.drafts)
    for key in wish.releases:
        if not KINDS[key.kind].owned:
            yield Diagnostic("requests.use_delete", {"kind": key.kind}, field=str(key))
        elif key.department != department and not told:
            others = _others(wish, department)
            params = {"department": department, "others": others, "count": len(others)}
            yield Diagnostic("requests.several_departments", params, field=str(key))
            told = True


def _others(wish: Wish, department: str) -> list[str]:
    """Return the departments of a wish beside the one that it is of."""
    return sorted({key.department for key in wish.keys if KINDS[key.kind].owned} - {department})
