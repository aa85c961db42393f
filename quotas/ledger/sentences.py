"""How a refusal reads: which level, which class, the numbers (Q4); catalogue area `quota`."""

from govcloud.domain.classes import show
from govcloud.errors import Text
from govcloud.ports.ledger import Refusal


def text(refusal: Refusal) -> Text:
    """Return the sentence of a refusal, its amounts written as users write them."""
    word = refusal.resource_class
    amounts = ("limit", "allocated", "reserved", "requested", "available")
    params: dict[str, object] = {name: show(word, getattr(refusal, name)) for name in amounts}
    params |= {
        "department": refusal.department,
        "level": level_text(refusal.level),
        "class": class_text(word),
        "scope": scope_text(refusal.cloud, refusal.zone),
        "over": show(word, max(0, refusal.allocated + refusal.reserved - refusal.limit)),
    }
    return Text(f"quota.{refusal.obstacle.value}", params)


def class_text(word: str) -> Text:
    """Return the name of a class, with its storage class."""
    base, _, storage_class = word.partition(".")
    return Text(f"quota.class.{base}", {"storage_class": storage_class})


def level_text(level: str) -> Text:
    """Return the name of a level of the tree."""
    return Text(f"quota.level.{level}" if level else "quota.level.node")


def scope_text(cloud: str, zone: str) -> Text:
    """Return what a limit speaks of: everywhere, one cloud, one zone."""
    if zone:
        return Text("quota.scope.zone", {"cloud": cloud, "zone": zone})
    return Text("quota.scope.cloud", {"cloud": cloud}) if cloud else Text("quota.scope.any")
