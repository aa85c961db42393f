"""The simulated cloud itself: what would be a service elsewhere, here the keeper of one file.

Calls answer at once; what they start (building, changing, deleting) ends `latency_s` later. Ends
are carried out by whoever looks next, so there is no process in the background and time may come
from any clock.
"""

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from govcloud.errors import CloudConflictError, TerminalCloudError, TransientCloudError
from govcloud.ports.clock import Clock
from govcloud.ports.cloud import Observed, Resource, State, TenantQuota
from provisioners.simulated import faults, quota
from provisioners.simulated.file import CloudFile, transaction
from provisioners.simulated.rows import COLUMNS, INSERT, TAG, dump, observed, patched, settle


@dataclass(frozen=True, slots=True)
class Settings:
    """How a cloud behaves: seconds that work takes, rows a page, quota refused at once or late."""

    latency_s: float = 0.2
    page_size: int = 1000
    late_quota: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call under way: its connection, the cloud's time, what the faults do to it."""

    db: sqlite3.Connection
    now: float
    effects: faults.Effects


class Cloud:
    """One cloud as seen by one installation, whose marks it reads and writes.

    `calls` counts what would have gone over the network, by method.
    """

    def __init__(
        self,
        path: Path,
        installation: str,
        clock: Clock,
        settings: Settings,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.calls: Counter[str] = Counter()
        self._file = CloudFile(path)
        self.installation = installation
        self.latency_s = settings.latency_s
        self._clock = clock
        self._settings = settings
        self._pause = pause
        self._lock = threading.Lock()

    # --- Looking ---

    def pages(self) -> Iterator[Sequence[Observed]]:
        """List everything; pages follow the order of creation, so none is shown twice or missed."""
        last, size = 0, self._settings.page_size
        while True:
            with self.call("observe") as call:
                rows = call.db.execute(
                    f"SELECT {COLUMNS} FROM resources"  # noqa: S608 (a constant)
                    " WHERE seq > ? ORDER BY seq LIMIT ?",
                    (last, size),
                ).fetchall()
            if rows:
                last = rows[-1][0]
                yield self._observed(rows)
            if len(rows) < size:
                return

    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        """Return what carries our mark for any of `uids`, in one call."""
        with self.call("find") as call:
            return self._observed(
                call.db.execute(
                    f"SELECT {COLUMNS} FROM resources WHERE uid <> '' AND installation = ?"  # noqa: S608
                    " AND uid IN (SELECT value FROM json_each(?)) ORDER BY seq",
                    (self.installation, json.dumps(list(uids))),
                ).fetchall()
            )

    def _observed(self, rows: Iterable[tuple[Any, ...]]) -> list[Observed]:
        return [observed(row, self.installation) for row in rows]

    # --- Acting ---

    def create(self, resource: Resource) -> Observed:
        """Start building a resource; a second one with the same mark or name is no fault here."""
        with self.call("create") as call:
            doom = call.effects.doom
            text = dump(resource.props)
            if over := quota.over(call.db, resource.tenant, quota.amounts(resource.type, text)):
                if not self._settings.late_quota:
                    raise TerminalCloudError("OverQuota", over)
                doom = "OverQuota"
            self._own(call.db, resource.tenant)
            due = call.now + self._settings.latency_s + call.effects.slow_s
            row = self._row(resource, State.BUILDING, due, doom)
            call.db.execute(INSERT, row)
            return self.get(call.db, str(row[0]))

    def change(
        self, key: str, mark: tuple[str, str], wanted: Resource, fields: Sequence[str]
    ) -> Observed:
        """Start bringing fields to what is wanted; tags change at once."""
        with self.call("change") as call:
            state, kind, tenant, old, target, tags = self.marked(call.db, key, mark)
            if state == State.DELETING:
                raise TransientCloudError("Busy", "it is being deleted")
            new_tags = patched(tags, wanted.tags, [f for f in fields if f.startswith(TAG)], TAG)
            if new_tags != tags:
                call.db.execute("UPDATE resources SET tags = ? WHERE id = ?", (new_tags, key))
            names = [field for field in fields if not field.startswith(TAG)]
            new = patched(target or old, wanted.props, names)
            if new != (target or old) or (names and state == State.FAILED):
                if state not in (State.READY, State.FAILED):
                    raise TransientCloudError("Busy", f"it is {state}")
                self._refuse_frozen(wanted, names)
                self._refuse_growth(
                    call.db, tenant, quota.amounts(kind, old), quota.amounts(kind, new)
                )
                self.begin(call, key, State.CHANGING, new)
            return self.get(call.db, key)

    def delete(self, key: str, mark: tuple[str, str]) -> None:
        """Start removing a resource; what is gone or on its way is left in peace."""
        with self.call("delete") as call:
            row = call.db.execute("SELECT state FROM resources WHERE id = ?", (key,)).fetchone()
            if row is not None:
                self.marked(call.db, key, mark)
                if row[0] != State.DELETING:
                    self.begin(call, key, State.DELETING, None)

    def force_delete(self, key: str, mark: tuple[str, str]) -> None:
        """Remove a resource at once, whatever it is doing."""
        with self.call("force_delete") as call:
            if call.db.execute("SELECT 1 FROM resources WHERE id = ?", (key,)).fetchone():
                self.marked(call.db, key, mark)
                call.db.execute("DELETE FROM resources WHERE id = ?", (key,))

    def begin(self, call: Call, key: str, state: State, target: str | None) -> None:
        """Start something that ends by itself."""
        due = call.now + self._settings.latency_s + call.effects.slow_s
        call.db.execute(
            "UPDATE resources SET state = ?, target = ?, due = ?, doom = ?, fault = ''"
            " WHERE id = ?",
            (state.value, target, due, call.effects.doom, key),
        )

    def marked(self, db: sqlite3.Connection, key: str, mark: tuple[str, str]) -> tuple[Any, ...]:
        """Return state, type, tenant, props, target and tags if the mark is still there."""
        row = db.execute(
            "SELECT installation, uid, part, state, type, tenant, props, target, tags"
            " FROM resources WHERE id = ?",
            (key,),
        ).fetchone()
        if row is None or not mark[0] or row[:3] != (self.installation, *mark):
            raise CloudConflictError("NotOurs", f"{key} does not carry the mark {'/'.join(mark)}")
        return tuple(row[3:])

    @staticmethod
    def _refuse_frozen(wanted: Resource, names: Sequence[str]) -> None:
        if frozen := sorted(wanted.immutable & set(names)):
            raise TerminalCloudError("Immutable", f"cannot be changed in place: {frozen}")

    def _row(self, resource: Resource, state: State, due: float | None, doom: str) -> list[object]:
        mark = (self.installation, resource.uid, resource.part)
        props, tags = dump(resource.props), dump(resource.tags)
        where = (resource.type, resource.name, resource.tenant)
        return [str(uuid4()), *where, state.value, *mark, props, tags, due, doom]

    def get(self, db: sqlite3.Connection, key: str) -> Observed:
        """Return a resource as it is."""
        select = f"SELECT {COLUMNS} FROM resources WHERE id = ?"  # noqa: S608 (a constant)
        return observed(db.execute(select, (key,)).fetchone(), self.installation)

    # --- The cloud's own quota ---

    def quotas(self) -> Iterator[Sequence[TenantQuota]]:
        """List limits and use of our tenants, page by page."""
        last, size = "", self._settings.page_size
        while True:
            with self.call("quotas") as call:
                rows = call.db.execute(
                    "SELECT tenant FROM tenants WHERE installation = ? AND tenant > ?"
                    " ORDER BY tenant LIMIT ?",
                    (self.installation, last, size),
                ).fetchall()
                page = [
                    TenantQuota(
                        tenant, quota.limits_of(call.db, tenant), quota.used(call.db, tenant)
                    )
                    for (tenant,) in rows
                ]
            if page:
                last = page[-1].tenant
                yield page
            if len(page) < size:
                return

    def set_quota(self, tenant: str, limits: Mapping[str, int]) -> None:
        """Set limits; classes that are not named keep theirs, unknown ones are passed over."""
        known = {word: amount for word, amount in limits.items() if quota.known(word)}
        with self.call("set_quota") as call:
            in_use = quota.used(call.db, tenant)
            below = [word for word, amount in known.items() if amount < in_use.get(word, 0)]
            if below:
                shown = ", ".join(f"{w}: {known[w]} < {in_use[w]}" for w in sorted(below))
                raise TerminalCloudError("BelowUsage", shown)
            self._own(call.db, tenant)
            call.db.executemany(
                "INSERT INTO limits VALUES (?, ?, ?)"
                " ON CONFLICT (tenant, class) DO UPDATE SET amount = excluded.amount",
                [(tenant, word, amount) for word, amount in known.items()],
            )

    def _own(self, db: sqlite3.Connection, tenant: str) -> None:
        db.execute("INSERT OR IGNORE INTO tenants VALUES (?, ?)", (tenant, self.installation))

    def _refuse_growth(
        self, db: sqlite3.Connection, tenant: str, old: Mapping[str, int], new: Mapping[str, int]
    ) -> None:
        growth = {word: amount - old.get(word, 0) for word, amount in new.items()}
        if over := quota.over(db, tenant, growth):
            raise TerminalCloudError("OverQuota", over)

    # --- Around every call ---

    @contextmanager
    def call(self, method: str) -> Iterator[Call]:
        """Count a call, let it meet the faults, end what is due, and do its work as one."""
        with self._lock:
            self.calls[method] += 1
        try:
            with self._file.connection() as db:
                effects = faults.meet(db, method)
                if effects.stall_s:
                    self._pause(effects.stall_s)
                now = self._clock.now().timestamp()
                settle(db, now)
                if method in faults.WRITES:
                    with transaction(db):
                        yield Call(db, now, effects)
                else:
                    yield Call(db, now, effects)
        except (sqlite3.Error, OSError) as error:
            raise TransientCloudError("Unreachable", str(error)) from error
        if effects.lose:
            raise TransientCloudError("AnswerLost", outcome_unknown=True)

    def active_faults(self) -> Sequence[faults.Fault]:
        """Return the faults that the cloud was told to have."""
        with self.call("report") as call:
            return faults.active(call.db)

    def stock(self, resources: Iterable[Resource]) -> None:
        """Put resources there that are ready, in one go: for measurements, no call of a cloud."""
        with self._file.connection() as db, transaction(db):
            db.executemany(INSERT, (self._row(r, State.READY, None, "") for r in resources))

    def close(self) -> None:
        """Give the connections back."""
        self._file.close()
