"""What there is to move, whether it can be, and what somebody should know before it is."""

import os
import re
import shutil

from databases import short, unlike
from ends import ComplaintError
from queries import OWN, SETTINGS, literal
from server import ours

COUNTED = {
    "tables": "tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_schema",
    "views": "views WHERE table_schema",
    "routines": "routines WHERE routine_schema",
    "triggers": "triggers WHERE trigger_schema",
    "events": "events WHERE event_schema",
}
MIGHTY = """
SELECT DISTINCT grantee FROM information_schema.user_privileges
WHERE privilege_type IN ('SUPER', 'READ_ONLY ADMIN', 'READ ONLY ADMIN', 'CONNECTION_ADMIN')
"""
OLDEST = {True: ((10, 2), (10, 4)), False: ((5, 7), (5, 7))}
"""The oldest versions of a source and a target, of MariaDB (True) and MySQL."""


def plan(mover):
    """Return the numbers and warnings of a move; raise what stands in its way."""
    source, target, names = mover.source, mover.target, mover.wanted["databases"]
    listed = ", ".join(literal(name) for name in names)
    asked = "SELECT COUNT(*) FROM information_schema.%s IN (%s)"
    told = {what: int(source.rows(asked % (sql, listed))[0][0]) for what, sql in COUNTED.items()}
    told["accounts"] = len(mover.accounts.found())
    tables = [each for name in names for each in mover.tables(source, name)]
    told["bytes"] = sum(table.size for table in tables)
    told["room"] = room(target)
    faults = [
        *compared(source, target),
        *missing(mover),
        *(fault for end in (source, target) for fault in blind(end)),
        *unknown(source, target, listed),
    ]
    if told["room"] < told["bytes"]:
        faults.append(
            "%s has room for %d MB, and %d MB are to move"
            % (target.name, told["room"] / 1e6, told["bytes"] / 1e6)
        )
    if faults:
        raise ComplaintError("; ".join(faults))
    return dict(told, warnings="; ".join(warnings(mover, tables, listed)))


def room(target):
    """Return how many bytes are free where the target's server keeps its data."""
    ((folder,),) = target.rows("SELECT @@datadir")
    return shutil.disk_usage(folder if os.path.isdir(folder) else "/").free


def number(version):
    """Return the first two numbers of a version."""
    return tuple(int(part) for part in re.match(r"(\d+)\.(\d+)", version).groups())


def compared(source, target):
    """Yield why one server's databases cannot be the other's."""
    kinds = {True: "MariaDB", False: "MySQL"}
    if source.maria != target.maria:
        yield (
            "%s runs %s and %s runs %s: their accounts, JSON and collations differ; install %s "
            "on the target"
            % (
                source.name,
                kinds[source.maria],
                target.name,
                kinds[target.maria],
                kinds[source.maria],
            )
        )
        return
    if number(target.version) < number(source.version):
        yield "the server of %s (%s) is older than that of %s (%s)" % (
            target.name,
            target.version,
            source.name,
            source.version,
        )
    for end, which in ((source, 0), (target, 1)):
        oldest = OLDEST[source.maria][which]
        if number(end.version) < oldest:
            yield "the server of %s (%s) is older than %d.%d" % (end.name, end.version, *oldest)
    cases = [end.rows("SELECT @@lower_case_table_names")[0][0] for end in (source, target)]
    if len(set(cases)) > 1:
        yield "lower_case_table_names is %s on %s and %s on %s" % (
            cases[0],
            source.name,
            cases[1],
            target.name,
        )


def blind(end):
    """Yield that a login sees only sessions of its own, so that it could end no others.

    Nothing of the list of processes says so; who sees all transactions sees all sessions too.
    """
    try:
        end.rows("SELECT COUNT(*) FROM information_schema.innodb_trx")
    except ComplaintError as fault:
        if "ERROR 1227" in str(fault):
            ((who,),) = end.rows("SELECT CURRENT_USER()")
            yield (
                "%s does not see the sessions of others on %s, which have to end: GRANT PROCESS ON"
                " *.* to it" % (who, end.name)
            )


def missing(mover):
    """Yield databases that are not there, and others that would have to wait."""
    names = mover.wanted["databases"]
    gone = [name for name in names if not mover.source.has(name)]
    if gone:
        yield "not on %s: %s" % (mover.source.name, ", ".join(gone))
    asked = "SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_schema NOT IN "
    others = sorted({row[0] for row in mover.source.rows(asked + OWN)} - set(names))
    if others and not mover.wanted["others_wait"]:
        yield (
            "from the cut-over on the whole server of %s is read-only, and it has %s as well: move "
            "them together, or allow it with `others_wait`" % (mover.source.name, ", ".join(others))
        )


def unknown(source, target, listed):
    """Yield engines that the target lacks."""
    asked = (
        "SELECT DISTINCT engine FROM information_schema.tables WHERE engine IS NOT NULL"
        " AND table_schema IN (%s)"
    )
    known = "SELECT engine FROM information_schema.engines WHERE support IN ('YES', 'DEFAULT')"
    lacking = {row[0] for row in source.rows(asked % listed)} - {r[0] for r in target.rows(known)}
    if lacking:
        yield "%s does not know the engine %s" % (target.name, ", ".join(sorted(lacking)))


def warnings(mover, tables, listed):
    """Yield what somebody should know."""
    unsafe = [table.name for table in tables if not table.safe]
    if unsafe:
        yield "locked while they are copied, for their engine has no transactions: %s" % short(
            unsafe
        )
    keyless = [table.name for table in tables if not table.key]
    if keyless:
        yield "copied whole each time, for they have no primary key: %s" % short(keyless)
    ends = (mover.source, mover.target)
    yield from unlike(*ends, *(dict(end.rows(SETTINGS)) for end in ends))
    asked = "SELECT table_name FROM information_schema.tables WHERE table_type = 'SYSTEM VERSIONED'"
    kept = [row[0] for row in mover.source.rows(asked + " AND table_schema IN (%s)" % listed)]
    if kept:
        yield "moved without the history of their rows: %s" % short(kept)
    may = sorted(row[0] for row in mover.source.rows(MIGHTY))
    others = [account for account in may if account.startswith("'root'") or not ours(account)]
    if others and not mover.source.rows("SHOW GLOBAL VARIABLES LIKE 'super_read_only'"):
        yield "may write also when the server is read-only: %s" % short(others)
