"""What can be tuned, each with its unit and why its default is what it is. All times in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The controller's numbers.

    Tests turn them down; a city has no reason to turn them up.
    """

    batch: int = 50
    """Objects claimed, looked up and written together: one call and one transaction for all."""
    in_flight: int = 200
    """Objects of one cloud that are being acted on at most, however fast it is."""
    gather_s: float = 1.0
    """What is done is written after this time at the latest, where a batch is still under way."""
    hold_s: float = 2.0
    """How long an attempt waits for what the cloud tells by itself, before it is written."""
    lease_s: float = 30.0
    """How long a dead controller's work lies still; renewed at a third of it."""
    idle_s: float = 0.2
    """Between looks at an empty queue: a tenth of the two seconds a new object may wait."""
    poll_first_s: float = 0.3
    poll_cap_s: float = 10.0
    """Between looks at what the cloud is building: soon at first, then half as often each time."""
    backoff_first_s: float = 1.0
    backoff_cap_s: float = 300.0
    """Between attempts at an object that fails; doubled each time."""
    heal_limit: int = 5
    heal_window_s: float = 600.0
    """More heals of one resource in this time mean that somebody else fights for it."""
    reservation_s: float = 86_400.0
    """What a reservation is renewed to while its object is worked on; far beyond any backoff."""
    breaker_after: int = 5
    breaker_first_s: float = 1.0
    breaker_cap_s: float = 60.0
    """Failures in a row of one kind of call that close it, and for how long."""
    retry_after_cap_s: float = 300.0
    """The longest wait that a cloud may ask for; beyond it we look again by ourselves."""
    once_attempts: int = 4
    """Failures after which `--once` leaves an object to a later run."""
    page: int = 2000
    """Rows of desired state read at a time during a comparison."""
