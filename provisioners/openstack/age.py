"""How long ago something was; services write UTC, some without saying so."""

from datetime import UTC, datetime


def age_s(said: object) -> float:
    """Return the seconds since an instant; 0 where a service says none."""
    return (datetime.now(UTC) - _instant(said)).total_seconds() if said else 0.0


def zoned(said: object) -> str | None:
    """Return an instant with its offset: Cinder leaves out that it speaks of UTC."""
    return _instant(said).isoformat() if said else None


def _instant(said: object) -> datetime:
    instant = datetime.fromisoformat(str(said))
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
