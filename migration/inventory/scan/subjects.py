"""The subjects that a host is asked about, in the order in which it is asked: one table."""

from collections.abc import Callable, Mapping
from typing import Final

from govcloud.domain import city
from migration.inventory.scan import (
    accounts,
    cron,
    databases,
    machine,
    packages,
    services,
    sockets,
    storage,
    use,
    web,
)
from migration.inventory.scan.answer import Answer, Found

PARSERS: Final[Mapping[str, Callable[[Answer], Found]]] = {
    "machine": machine.read,
    "accounts": accounts.read,
    "services": services.read,
    "packages": packages.read,
    "sockets": sockets.read,
    "cron": cron.read,
    "web": web.read,
    "databases": databases.read,
    "storage": storage.read,
    "use": lambda answer: use.read(answer, city.time()),
}


def understood(subject: str, text: str) -> Found | None:
    """Return what an answer says, or None where it cannot be understood."""
    try:
        return PARSERS[subject](Answer(text))
    except (ValueError, LookupError, StopIteration, TypeError, ZeroDivisionError):
        return None
