"""What a database is made of, object by object, so that two versions of a server say the same."""

import re

from queries import PATTERNS, closeness, fits, literal
from server import ours

SAID = {
    "column": (
        "columns",
        "table_schema",
        "CONCAT(table_name, '.', column_name)",
        (
            "ordinal_position, column_type, is_nullable, IFNULL(column_default, '-'),"
            " IFNULL(collation_name, ''), extra, IFNULL(generation_expression, ''), column_comment"
        ),
    ),
    "table": (
        "tables",
        "table_type NOT LIKE '%VIEW' AND table_schema",
        "table_name",
        (
            "table_type, IFNULL(engine, ''), IFNULL(table_collation, ''), create_options,"
            " table_comment"
        ),
    ),
    "foreign key": (
        "referential_constraints",
        "constraint_schema",
        "CONCAT(table_name, '.', constraint_name)",
        "unique_constraint_name, match_option, update_rule, delete_rule, referenced_table_name",
    ),
    "view": (
        "views",
        "table_schema",
        "table_name",
        "view_definition, check_option, definer, security_type",
    ),
    "routine": (
        "routines",
        "routine_schema",
        "CONCAT(LOWER(routine_type), ' ', routine_name)",
        (
            "IFNULL(dtd_identifier, ''), routine_definition, is_deterministic, sql_data_access,"
            " security_type, sql_mode, definer, routine_comment"
        ),
    ),
    "parameter": (
        "parameters",
        "specific_schema",
        "CONCAT(specific_name, '.', ordinal_position)",
        "IFNULL(parameter_mode, ''), IFNULL(parameter_name, ''), dtd_identifier",
    ),
    "trigger": (
        "triggers",
        "trigger_schema",
        "trigger_name",
        (
            "action_timing, event_manipulation, event_object_table, action_order, action_statement,"
            " sql_mode, definer"
        ),
    ),
    "event": (
        "events",
        "event_schema",
        "event_name",
        (
            "event_definition, IFNULL(execute_at, ''), IFNULL(interval_value, ''),"
            " IFNULL(interval_field, ''), IFNULL(starts, ''), IFNULL(ends, ''), on_completion,"
            " sql_mode, time_zone, definer, event_comment"
        ),
    ),
}
"""Objects of each kind: where they stand, their database, their name, what they are."""
KEYS = """
SELECT 'index', CONCAT(table_name, '.', index_name), CONCAT_WS(' ', MIN(non_unique),
  MIN(index_type),
  GROUP_CONCAT(CONCAT(column_name, ':', IFNULL(sub_part, '')) ORDER BY seq_in_index))
FROM information_schema.statistics WHERE table_schema = {0} GROUP BY table_name, index_name
"""
PARTS = """
SELECT 'partition', CONCAT(table_name, '.', partition_name), CONCAT_WS(' ',
  partition_ordinal_position, partition_method, partition_expression, partition_description)
FROM information_schema.partitions WHERE table_schema = {0} AND partition_name IS NOT NULL
"""
CHECKS = """
SELECT 'check', constraint_name, check_clause FROM information_schema.check_constraints
WHERE constraint_schema = {0} ORDER BY 2, 3
"""
RIGHTS = """
SELECT CONCAT(grantee, ' ', privilege_type, ' ', what), is_grantable FROM (
  SELECT grantee, privilege_type, '' what, is_grantable, table_schema s
  FROM information_schema.schema_privileges UNION ALL
  SELECT grantee, privilege_type, table_name, is_grantable, table_schema
  FROM information_schema.table_privileges
) a WHERE REPLACE(s, CHAR(92), '') = {0} AND grantee LIKE '''%''@''%'''
"""


def definitions(server, database, name=None):
    """Return `{"person.pay (column)": what it is}`; `name` is the database's name there."""
    there = literal(name or database)
    asked = [
        "SELECT '%s', %s, CONCAT_WS(CHAR(31), %s) FROM information_schema.%s WHERE %s = %s"
        % (kind, what, parts, where, schema, there)
        for kind, (where, schema, what, parts) in SAID.items()
    ]
    asked += [sql.format(there) for sql in (KEYS, PARTS, *([CHECKS] if checked(server) else []))]
    found = {}
    for kind, what, text in server.rows(";\n".join(asked)):
        key = "%s (%s)" % (what, kind)
        # A check of a column has the column's name, which tables share.
        known = [found[key]] if key in found else []
        found[key] = "; ".join([*known, alike(text, kind, name or database)])
    return found


def rights(server, database):
    """Return `{"'app'@'%' SELECT  (right)": whether it may be granted}`; without the system's."""
    found = server.rows(RIGHTS.format(literal(database)))
    for account, (_, given) in by_pattern(server, database).items():
        found += [["%s %s" % (account, right), text] for right, text in given]
    return {"%s (right)" % key.strip(): text for key, text in found if not ours(key)}


def by_pattern(server, database):
    """Return `{"'app'@'%'": (pattern, [[right, whether it may be granted]])}`.

    As the server sees it: of the patterns that fit, the closest counts alone, and none for an
    account with rights by the database's own name.
    """
    found, named = {}, set()
    for account, pattern, *right in server.rows(PATTERNS):
        if plainly(pattern) == database:
            named.add(account)
        elif fits(pattern, database):
            found.setdefault(account, {}).setdefault(pattern, []).append(right)
    return {
        account: max(patterns.items(), key=lambda item: closeness(item[0]))
        for account, patterns in found.items()
        if account not in named
    }


def plainly(pattern):
    """Return the name that a pattern is when nothing in it is wild."""
    return re.sub(r"\\(.)", r"\1", pattern)


def checked(server):
    """Whether the server keeps conditions of tables."""
    return server.maria or int(server.version.split(".")[0]) >= 8


def alike(text, kind, name):
    """Take away what versions write differently, and the database's own name."""
    if kind == "view":
        return text.replace("`%s`." % name.replace("`", "``"), "")
    text = text.replace("utf8_", "utf8mb3_")
    if kind in ("column", "parameter", "routine"):
        text = re.sub(r"\b((?:tiny|small|medium|big)?int)\(\d+\)", r"\1", text)
    if kind == "column":
        text = text.replace("DEFAULT_GENERATED", "").replace(
            "CURRENT_TIMESTAMP", "current_timestamp"
        )
        text = text.replace("current_timestamp()", "current_timestamp")
    return text
