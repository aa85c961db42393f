"""Where an object stands in its life."""

from enum import StrEnum


class Phase(StrEnum):
    """The value of `ObjectRow.phase`, and of the facts that reports count."""

    PENDING = "pending"
    """Approved, and never yet ready."""
    ACTIVE = "active"
    """Was ready at least once; or of a kind for which nothing is built."""
    MISSING = "missing"
    """Was delivered, and nothing of it stands in the cloud; only facts say this."""
    RELEASING = "releasing"
    """Approved to be given back; the cloud has not yet confirmed that it is gone."""
    GONE = "gone"
    """Confirmed to be gone; only facts say this, the object's row is no more."""
