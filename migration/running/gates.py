"""What must hold before a cut-over begins (MIG-5), and before an acceptance (MIG-6). Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from govcloud.errors import Text
from migration.running.model import Case, Entry, Party, StepName, Verb

BACKUP_AGE: Final = timedelta(hours=24)


def cutover(case: Case, now: datetime) -> tuple[Text, ...]:
    """Return why a cut-over may not begin now; empty: it may."""
    return (*_tested(case), *_asked(case, now), *_window(case, now), *_delta(case, now))


def _tested(case: Case) -> Iterator[Text]:
    done = {entry.key for entry in case.entries if entry.ok}
    for step, key in (
        (StepName.TEST_VERIFY, "migrate.run_gate_test"),
        (StepName.TEST_UNDO, "migrate.run_gate_rehearsal"),
    ):
        missing = [one.name for one in case.move.workloads if (step, one.name) not in done]
        if missing:
            yield Text(key, {"workloads": missing})


def _asked(case: Case, now: datetime) -> Iterator[Text]:
    wish = case.last(Verb.CUTOVER)
    if wish is None:
        yield Text("migrate.run_gate_asked")
        return
    closed = wish.detail.get("closes")
    if closed is not None and now >= datetime.fromisoformat(str(closed)):
        # Whoever wanted it on one night has not said so of another.
        yield Text("migrate.run_gate_asked_before", {"at": datetime.fromisoformat(str(closed))})
        return
    if wish.detail.get("waiver"):
        return
    backup = datetime.fromisoformat(str(wish.detail["backup"]))
    if now - backup > BACKUP_AGE:
        yield Text("migrate.run_gate_backup", {"at": backup})


def _window(case: Case, now: datetime) -> Iterator[Text]:
    window = case.window
    if window is None:
        yield Text("migrate.run_gate_no_window")
    elif now < window.opens:
        yield Text("migrate.run_gate_opens", {"at": window.opens})
    elif now >= window.closes:
        yield Text("migrate.run_gate_closed", {"at": window.closes})


def _delta(case: Case, now: datetime) -> Iterator[Text]:
    expected = expected_s(case)
    if expected is None:
        return
    fits = case.move.delta_fits_minutes * 60
    if expected > fits:
        minutes = {"minutes": -(-round(expected) // 60), "fits": case.move.delta_fits_minutes}
        yield Text("migrate.run_gate_delta", minutes)
    window = case.window
    if window is not None and window.opens <= now < window.closes:
        left = (window.closes - now).total_seconds()
        if expected > left:
            yield Text("migrate.run_gate_late", {"at": window.closes})


def expected_s(case: Case) -> float | None:
    """Return how long the last changes will take: as long as last time; None before that."""
    last: dict[str, Entry] = {
        entry.part: entry
        for entry in case.entries
        if entry.step is StepName.DELTA_SYNC and entry.ok
    }
    if len(last) < len(case.move.workloads):
        return None
    return sum((one.ended - one.began).total_seconds() for one in last.values() if one.ended)


def trial_ends(case: Case) -> datetime | None:
    """Return when the trial run ends; None before it has begun."""
    began = [one.ended for one in case.entries if one.step is StepName.TRIAL and one.ok]
    return began[-1] + timedelta(days=case.move.trial_days) if began and began[-1] else None


def acceptance(case: Case, now: datetime) -> tuple[Text, ...]:
    """Return why it is not accepted yet."""
    ends = trial_ends(case)
    if ends is None:
        return (Text("migrate.run_gate_no_trial"),)
    early = (Text("migrate.run_gate_trial", {"at": ends}),) if now < ends else ()
    missing = [party.label for party in Party if party not in case.signatures()]
    signing = (Text("migrate.run_gate_signatures", {"parties": missing}),) if missing else ()
    return (*early, *signing)


def still_on(case: Case) -> tuple[str, ...]:
    """Return the sources of which there is no evidence that they are off."""
    off = case.switched_off()
    return tuple(one.host for one in case.move.sources if one.host not in off)
