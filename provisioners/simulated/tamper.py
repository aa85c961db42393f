"""What happens to a simulated cloud behind the controller's back; for demonstrations and tests.

Each function opens the file of one cloud (`file.cloud_file`; `file.prepare` makes an empty one),
acts in one transaction and closes it. Resources are named by id, by the unique beginning of an id,
or by a unique name.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from govcloud.domain.classes import CLASSES, class_of
from govcloud.domain.quantity import QuantityError
from govcloud.errors import ConflictError, NotFoundError, UnavailableError, UsageError
from govcloud.plan.limits import UNLIMITED
from govcloud.ports.cloud import Observed, State, Value
from provisioners.simulated import faults
from provisioners.simulated.faults import METHODS, Fault, FaultKind
from provisioners.simulated.file import CloudFile, transaction
from provisioners.simulated.rows import COLUMNS, INSERT, TAG, dump, observed, patched, settle

__all__ = ["Fault", "FaultKind"]
_MATCHES_SHOWN: Final = 5


def list_resources(path: Path, now: float | None = None) -> Sequence[Observed]:
    """Return everything in the cloud, with all marks, whosever they are.

    With `now` (seconds since 1970), what is due by then has ended.
    """
    with _open(path, now) as db:
        rows = db.execute(f"SELECT {COLUMNS} FROM resources ORDER BY seq")  # noqa: S608
        return [observed(row, row[6]) for row in rows]


def remove(path: Path, name: str) -> Observed:
    """Remove a resource at once and return what it was."""
    with _open(path) as db:
        found = _one(db, name)
        db.execute("DELETE FROM resources WHERE id = ?", (found.id,))
    return found


def change(path: Path, name: str, field: str, value: Value) -> Observed:
    """Set a property, or with `tag:<name>` a tag, at once; None takes it away."""
    column = "tags" if field.startswith(TAG) else "props"
    typed = str(value) if column == "tags" else value
    patch = {} if value is None else {field.removeprefix(TAG): typed}
    with _open(path) as db:
        key = _one(db, name).id
        for touched in (column, "target") if column == "props" else (column,):
            # What a change under way will bring is set as well: it would undo this.
            select = f"SELECT {touched} FROM resources WHERE id = ?"  # noqa: S608 (a constant)
            if text := db.execute(select, (key,)).fetchone()[0]:
                new = patched(text, patch, [field], TAG)
                db.execute(f"UPDATE resources SET {touched} = ? WHERE id = ?", (new, key))  # noqa: S608
        return _one(db, key)


def fail(path: Path, name: str, reason: str = "HostFailed") -> Observed:
    """Let a resource be FAILED at once."""
    with _open(path) as db:
        key = _one(db, name).id
        db.execute(
            "UPDATE resources SET state = ?, fault = ?, target = NULL, due = NULL, doom = ''"
            " WHERE id = ?",
            (State.FAILED.value, reason, key),
        )
        return _one(db, key)


def unmark(path: Path, name: str) -> Observed:
    """Take the mark from a resource, which then is nobody's."""
    return set_mark(path, name, "", "", "")


def set_mark(path: Path, name: str, installation: str, uid: str, part: str) -> Observed:
    """Give a resource another mark."""
    with _open(path) as db:
        key = _one(db, name).id
        db.execute(
            "UPDATE resources SET installation = ?, uid = ?, part = ? WHERE id = ?",
            (installation, uid, part, key),
        )
        return _one(db, key)


def add_foreign(
    path: Path,
    name: str,
    kind: str = "server",
    *,
    tenant: str = "foreign",
    props: Mapping[str, Value] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Observed:
    """Add a resource without a mark, ready at once; the name may be one that is in use."""
    with _open(path) as db:
        key = str(uuid4())
        where, nobody = (kind, name, tenant), ("", "", "")
        said = (dump(props or {}), dump(tags or {}))
        db.execute(INSERT, (key, *where, State.READY.value, *nobody, *said, None, ""))
        return _one(db, key)


def set_limit(path: Path, tenant: str, word: str, text: str) -> None:
    """Set a tenant's limit of a resource class at once; `unlimited` takes it away."""
    amount = _amount(word, text)
    with _open(path) as db:
        known = [name for (name,) in db.execute("SELECT tenant FROM tenants ORDER BY tenant")]
        if tenant not in known:
            raise NotFoundError("sim.no_tenant", name=tenant, known=known)
        db.execute("DELETE FROM limits WHERE tenant = ? AND class = ?", (tenant, word))
        if amount is not None:
            db.execute("INSERT INTO limits VALUES (?, ?, ?)", (tenant, word, amount))


def _amount(word: str, text: str) -> int | None:
    try:
        parse = class_of(word).parse
    except KeyError:
        raise UsageError("sim.bad_class", word=word, known=sorted(CLASSES)) from None
    if text == UNLIMITED:
        return None
    try:
        return parse(read_value(text))
    except QuantityError:
        raise UsageError("sim.bad_limit", word=word, text=text) from None


def set_fault(path: Path, fault: Fault) -> None:
    """Put a fault in force; raises UsageError where its method or numbers make no sense."""
    if not any(fault.strikes(method) for method in METHODS):
        raise UsageError("sim.bad_method", method=fault.method, known=sorted(METHODS))
    used_up = fault.count is not None and fault.count < 1
    if not 0 < fault.probability <= 1 or fault.seconds < 0 or used_up:
        raise UsageError("sim.bad_numbers")
    with _open(path) as db:
        faults.store(db, fault)


def active_faults(path: Path) -> Sequence[Fault]:
    """Return the faults in force."""
    with _open(path) as db:
        return faults.active(db)


def clear_faults(path: Path) -> int:
    """End all faults and return how many there were."""
    with _open(path) as db:
        count = len(faults.active(db))
        faults.clear(db)
        return count


def fault_kind(word: str) -> FaultKind:
    """Return the kind of fault that a word names; raises UsageError naming the known ones."""
    try:
        return FaultKind(word)
    except ValueError:
        known = [kind.value for kind in FaultKind]
        raise UsageError("sim.bad_fault", kind=word, known=known) from None


def read_value(text: str) -> Value:
    """Return a typed word as a property: `8` a number, `true` a flag, `null` nothing, else text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if value is None or isinstance(value, bool | int | str) else text


@contextmanager
def _open(path: Path, now: float | None = None) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise NotFoundError("sim.no_cloud", name=path.stem)
    try:
        with closing(CloudFile(path)) as file, file.connection() as db:
            if now is not None:
                settle(db, now)
            with transaction(db):
                yield db
    except sqlite3.Error as error:
        raise UnavailableError("sim.unusable", name=path.stem, detail=str(error)) from error


def _one(db: sqlite3.Connection, name: str) -> Observed:
    select = f"SELECT {COLUMNS} FROM resources WHERE "  # noqa: S608 (a constant)
    for condition in ("id = ?1", "name = ?1", "substr(id, 1, length(?1)) = ?1"):
        rows = db.execute(f"{select}{condition} LIMIT ?2", (name, _MATCHES_SHOWN)).fetchall()
        found = [observed(row, row[6]) for row in rows]
        if len(found) == 1:
            return found[0]
        if found:
            raise ConflictError("sim.ambiguous", name=name, ids=[match.id for match in found])
    raise NotFoundError("sim.no_resource", name=name)
