"""Finding the kind that a caller means."""

from govcloud.domain.kinds.registry import KINDS, Kind, find_kind
from govcloud.domain.suggest import nearest
from govcloud.errors import NotFoundError


def kind_named(word: str) -> Kind:
    """Return the kind that a word means; NotFoundError says what was probably meant."""
    kind = find_kind(word)
    if kind is not None:
        return kind
    meant = nearest(word, [name for each in KINDS.values() for name in (each.name, *each.words)])
    if meant:
        raise NotFoundError("errors.unknown_kind_meant", kind=word[:60], meant=meant)
    raise NotFoundError("errors.unknown_kind", kind=word[:60])


def canonical(word: str) -> str:
    """Return what may be replaced with its kind's proper name: `VirtualMachine/web:data-0`."""
    kind, slash, name = word.rpartition("/")
    return f"{kind_named(kind.rpartition('/')[2]).name}/{name}" if slash else word
