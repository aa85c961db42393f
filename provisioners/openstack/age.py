"""How long ago something was; services write UTC, some without saying so."""

from datetime import UTC, datetime


def age_s(said: object) -> float:
    """Return the seconds since an instant; 0 where a service says none."""
    if not said:
        return 0.0
    instant = datetime.fromisoformat(str(said))
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (datetime.now(UTC) - instant).total_seconds()
