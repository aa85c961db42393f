"""Whether databases can move and follow, and what somebody should know before."""

import os
import subprocess

from databases import short, unlike
from ends import ComplaintError
from queries import (
    AVAILABLE,
    EXTENSIONS,
    FED,
    MADE,
    MIGHTY,
    OIDS,
    PARTLY,
    RULES,
    SETTINGS,
    TABLES,
    literal,
)
from relay import Relay

OLDEST = 120000
"""The first version whose senders can be told how long to wait; from 11 on TRUNCATE is told of."""
SOURCE = """
SELECT current_setting('server_version_num'), current_setting('wal_level'),
  current_setting('max_replication_slots')::int - (
    SELECT count(*) FROM pg_replication_slots
    WHERE left(slot_name, length({prefix})) <> {prefix}),
  current_setting('max_wal_senders')::int - (
    SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'),
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), pg_is_in_recovery(),
  current_setting('max_slot_wal_keep_size', true)
"""
TARGET = """
SELECT coalesce(current_setting('max_active_replication_origins', true),
    current_setting('max_replication_slots'))::int - (
    SELECT count(*) FROM pg_replication_origin o WHERE NOT EXISTS (SELECT FROM pg_subscription s
      WHERE o.roname = 'pg_' || s.oid AND starts_with(subname, {prefix}))),
  current_setting('max_logical_replication_workers')::int - (
    SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%worker')
"""


def plan(mover):
    """Return what somebody should know; raise all that stands in the way."""
    names = mover.wanted["databases"]
    available = {name for (name,) in mover.target.rows("postgres", AVAILABLE)}
    faults = [fault for name in names for fault in unfit(mover, name, available)]
    if faults:
        raise ComplaintError("; ".join(faults))
    warnings = [*partly(mover, names), *writers(mover, names), *configured(mover, names)]
    if mover.wanted["follow"] == "logical":
        warnings += follow(mover)
    return {"warnings": "; ".join(warnings)} if warnings else {}


def unfit(mover, database, available):
    """Yield why the target cannot have a database."""
    lists = [mover.source.rows(database, sql) for sql in (OIDS, EXTENSIONS)]
    tables, extensions = ([name for (name,) in rows] for rows in lists)
    if tables:
        yield (
            "no server since version 12 has tables WITH OIDS: ALTER TABLE ... SET WITHOUT OIDS"
            " on %s those of %s, where nobody needs them: %s"
            % (mover.source.name, database, short(tables))
        )
    missing = [name for name in extensions if name not in available]
    if missing:
        yield "%s has extensions that %s has not: install the packages of %s there" % (
            database,
            mover.target.name,
            short(missing),
        )
    ((_, _, collate, ctype, *_),) = mover.source.rows(
        "postgres", MADE.format(literal=literal(database))
    )
    unknown = [locale for locale in sorted({collate, ctype}) if not known(locale)]
    if unknown:
        yield "%s has the locale %s, and %s has not: make it there (locale-gen) and restart" % (
            database,
            ", ".join(unknown),
            mover.target.name,
        )


def known(locale):
    """Whether this host, the target, has a locale."""
    asked = subprocess.run(
        ["locale"],
        env=dict(os.environ, LC_ALL=locale),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return not asked.stderr


def partly(mover, names):
    """Yield which tables of extensions stay as the target's extension has them."""
    rows = [(name, table) for name in names for (table,) in mover.source.rows(name, PARTLY)]
    if rows:
        yield "of extensions' own tables, rows that were added are not moved: %s" % short(
            ["%s.%s" % row for row in rows]
        )


def writers(mover, names):
    """Yield who may write to the source though it is frozen, or keeps it from being frozen."""
    asked = (sql.format(names=", ".join(map(literal, names))) for sql in (MIGHTY, FED))
    mighty, fed = ([name for (name,) in mover.source.rows("postgres", sql)] for sql in asked)
    if mighty:
        yield (
            "superusers of %s may log in after the freeze, and write where they say READ WRITE:"
            " name the services that use them in `services`: %s"
            % (mover.source.name, short(mighty))
        )
    if fed:
        yield (
            "subscriptions write to databases of %s: disable them before the freeze, which fails"
            " otherwise: %s" % (mover.source.name, short(fed))
        )


def configured(mover, names):
    """Yield what of the source's configuration, which does not move, the target's has not."""
    ends = (mover.source, mover.target)
    yield from unlike(*ends, *(dict(end.rows("postgres", SETTINGS)) for end in ends))
    asked = RULES.format(names=", ".join(map(literal, names)))
    lists = [end.rows("postgres", asked) for end in ends]
    rules = [rule for (rule,) in lists[0] if [rule] not in lists[1]]
    if rules:
        yield "lines of pg_hba.conf that %s has not: %s" % (mover.target.name, short(rules))


def follow(mover):
    """Return what somebody should know; raise all that stands in the way of following."""
    words = {"prefix": literal(mover.wanted["stream"]["prefix"])}
    (source,) = mover.source.rows("postgres", SOURCE.format(**words))
    (target,) = mover.target.rows("postgres", TARGET.format(**words))
    names = mover.wanted["databases"]
    faults = [
        *of_source(mover.source.name, source, len(names)),
        *of_target(mover.target.name, target, len(names)),
    ]
    if not faults:
        faults = list(unreached(mover, names[0]))
    if faults:
        raise ComplaintError("%s; or say `follow: digests`" % "; ".join(faults))
    return [*compared(mover, names), *unbounded(mover.source.name, source)]


def of_source(name, facts, count):
    """Yield what the source lacks for so many databases."""
    version, level, slots, senders, mighty, standby, _ = facts
    if int(version) < OLDEST:
        yield "the server of %s is older than version %d" % (name, OLDEST / 10000)
    if standby == "t":
        yield "the server of %s is a standby: name its primary as the source" % name
    if level != "logical":
        yield "wal_level of %s is %s: set it to logical, which takes a restart" % (name, level)
    if int(slots) < count:
        yield "%s has %s replication slots free, and %d are needed: raise max_replication_slots" % (
            name,
            max(0, int(slots)),
            count,
        )
    if int(senders) < 1:
        yield "%s has no WAL sender free: raise max_wal_senders" % name
    if mighty != "t":
        yield "who logs in to the server of %s is no superuser" % name


def of_target(name, facts, count):
    """Yield what the target lacks for so many databases."""
    origins, workers = map(int, facts)
    if origins < count:
        yield (
            "%s can follow %d more, and %d are needed: raise max_replication_slots (from version 18"
            " on max_active_replication_origins)" % (name, max(0, origins), count)
        )
    if workers < 1:
        yield "%s has no worker free: raise max_logical_replication_workers" % name


def unreached(mover, database):
    """Yield why the target's server does not reach the source's, if so."""
    with Relay(mover.source, mover.wanted["folder"], mover.meter.count) as relay:
        try:
            mover.target.run(
                "psql",
                "-Xq",
                "-d",
                relay.way(database, replication="database"),
                "-c",
                "IDENTIFY_SYSTEM",
            )
        except ComplaintError as fault:
            yield "its server does not reach that of %s: %s" % (
                mover.source.name,
                relay.lost or fault,
            )


def compared(mover, names):
    """Yield which tables are read in full each time all the same."""
    rows = [(name, table) for name in names for table in mover.source.rows(name, TABLES)]
    some = ["%s.%s" % (name, table[0]) for name, table in rows if table[4] != "t"]
    if some:
        whole = sum(int(table[3]) for _, table in rows if table[4] != "t")
        yield (
            "read in full by each copy (%d MB), for their rows have no primary key or other replica"
            " identity that logical replication can use: %s" % (whole / 1e6, short(some))
        )


def unbounded(name, facts):
    """Yield that nothing limits what the source keeps."""
    if facts[-1] in ("-1", ""):
        yield (
            "between copies %s keeps its log, without a limit if max_slot_wal_keep_size is not set:"
            " watch the room of its disk" % name
        )
