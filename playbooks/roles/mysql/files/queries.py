"""What is asked of a database, and how names and values are written in SQL."""

import re

GROUPS = 4096
SYSTEM = [
    "root",
    "mysql",
    "mariadb.sys",
    "mysql.sys",
    "mysql.session",
    "mysql.infoschema",
    "debian-sys-maint",
    "PUBLIC",
]
"""Accounts that every server has of its own."""
OWN = "('information_schema', 'performance_schema', 'mysql', 'sys')"
"""Databases that every server has of its own."""

ACROSS = """SET SESSION sql_mode = '', time_zone = '+00:00', group_concat_max_len = 1000000,
  net_write_timeout = 86400, net_read_timeout = 86400, wait_timeout = 86400
  /*M!100100 , max_statement_time = 0 */ /*!80000 , information_schema_stats_expiry = 0 */
  /*!80017 , print_identified_with_as_hex = ON */;
"""
"""Both ends write values in the same way, whatever their settings are."""
SNAPSHOT = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
SETTINGS = """
SHOW GLOBAL VARIABLES WHERE variable_name IN ('bind_address', 'sql_mode', 'max_connections',
  'max_allowed_packet', 'character_set_server', 'collation_server', 'time_zone', 'system_time_zone',
  'transaction_isolation', 'tx_isolation', 'default_storage_engine', 'innodb_strict_mode',
  'explicit_defaults_for_timestamp', 'group_concat_max_len', 'init_connect', 'local_infile',
  'require_secure_transport', 'wait_timeout', 'event_scheduler')
"""
"""What applications notice of a server's configuration."""
TABLES = """
SELECT t.table_name, COALESCE(t.data_length + t.index_length, 0), COALESCE(e.transactions, 'NO'),
  COALESCE(t.auto_increment, 0), COALESCE(t.data_length, 0)
FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine
WHERE t.table_schema = {0} AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1
"""
COLUMNS = """
SELECT c.table_name, c.column_name, LOWER(c.data_type), COALESCE(c.character_octet_length, 0),
  s.column_name IS NOT NULL
FROM information_schema.columns c LEFT JOIN information_schema.statistics s
  ON s.table_schema = c.table_schema AND s.table_name = c.table_name
  AND s.column_name = c.column_name AND s.index_name = 'PRIMARY'
WHERE c.table_schema = {0} AND c.extra NOT REGEXP '(VIRTUAL|STORED|PERSISTENT)'
ORDER BY c.table_name, c.ordinal_position
"""
SEQUENCES = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = {0} AND table_type = 'SEQUENCE' ORDER BY 1
"""
GRANTEES = """
SELECT DISTINCT grantee FROM (
  SELECT grantee, table_schema s FROM information_schema.schema_privileges UNION ALL
  SELECT grantee, table_schema FROM information_schema.table_privileges UNION ALL
  SELECT grantee, table_schema FROM information_schema.column_privileges UNION ALL
  SELECT {definer}, table_schema FROM information_schema.views UNION ALL
  SELECT {definer}, routine_schema FROM information_schema.routines UNION ALL
  SELECT {definer}, event_schema FROM information_schema.events UNION ALL
  SELECT {definer}, trigger_schema FROM information_schema.triggers
) a WHERE REPLACE(s, CHAR(92), '') IN ({names}) AND grantee LIKE '''%''@''%''' ORDER BY 1
"""
PATTERNS = """
SELECT grantee, table_schema, privilege_type, is_grantable FROM information_schema.schema_privileges
WHERE grantee LIKE '''%''@''%''' ORDER BY 1, 2
"""
DEFINER = (
    "CONCAT('''', SUBSTRING_INDEX(definer, '@', 1), '''@''', SUBSTRING_INDEX(definer, '@', -1),"
    " '''')"
)
CONNECTED = """
SELECT id FROM information_schema.processlist WHERE CONCAT('''', user, '''') IN ({0})
"""

TEXTS = {"char", "varchar", "enum", "set", "binary", "varbinary", "tinytext", "tinyblob"}
LONG = {
    "text",
    "mediumtext",
    "longtext",
    "blob",
    "mediumblob",
    "longblob",
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
}
NUMBERS = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "double", "year"}
DATES = {"date", "time", "datetime", "timestamp"}
TOO_LONG = "`a value is longer than the source's max_allowed_packet`"


def literal(text):
    """Write text as SQL does, where a backslash is an escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def fits(pattern, name):
    """Whether a name is what a right names: `_` and `%` stand for others, unless escaped."""
    signs = re.findall(r"\\?.", pattern, re.DOTALL)
    wild = "".join({"_": ".", "%": ".*"}.get(sign, re.escape(sign[-1])) for sign in signs)
    return re.match("(?s)%s$" % wild, name) is not None


def closeness(pattern):
    """Return by what a server chooses among patterns: how much stands before what is wild."""
    return len(re.match(r"(?:\\.|[^_%\\])*", pattern).group())


def ident(name):
    """Write a name as SQL does."""
    return "`" + name.replace("`", "``") + "`"


class Column:
    """A column, and how its values are written so that the same bytes come of them."""

    def __init__(self, name, kind, octets):
        self.name = ident(name)
        self.kind = kind
        self.long = kind in LONG or kind == "json" or (kind in TEXTS and int(octets) > 4096)

    @property
    def value(self):
        """The value as bytes or as text."""
        if self.kind in TEXTS or self.kind in LONG:
            return "CAST(%s AS BINARY)" % self.name
        if self.kind == "json":
            return "CAST(CAST(%s AS CHAR) AS BINARY)" % self.name
        # A float is written with all its digits only as a double.
        added = {"float": " + 0e0", "bit": " + 0"}.get(self.kind, "")
        return "CAST(%s%s AS CHAR)" % (self.name, added)

    @property
    def digest(self):
        """What stands for the value in a digest of its row; a row of long ones fits a packet."""
        return ("IFNULL(MD5(%s), '-')" if self.long else "QUOTE(%s)") % self.value

    @property
    def written(self):
        """The value as a word of SQL in one line and without tabs."""
        if self.kind in NUMBERS or self.kind in ("float", "bit"):
            return "IFNULL(%s, 'NULL')" % self.value
        text = "IFNULL(QUOTE(%s), %s)" % (self.value, literal(TOO_LONG)) if self.long else None
        text = text or "QUOTE(%s)" % self.value
        for code, sign in ((10, "n"), (9, "t")):
            text = "REPLACE(%s, CHAR(%d), %s)" % (text, code, literal("\\" + sign))
        if self.kind not in TEXTS | LONG | DATES:
            # Their text is understood only as text, and what is written else is bytes.
            text = "IF(%s IS NULL, 'NULL', CONCAT('_utf8mb4', %s))" % (self.name, text)
        return text


class Table:
    """A table: its columns that can be written, and its rows' groups."""

    def __init__(self, name, size, safe, number, data):
        self.name = name
        self.sql = ident(name)
        self.size = int(size)
        self.data = int(data)  # Without indexes, which are not moved.
        self.safe = safe == "YES"
        self.number = int(number)
        self.columns = []
        self.key = []

    @property
    def group(self):
        """The group of a row, by its primary key: three digits in hex."""
        if not self.key:
            return "'0'"
        return "LEFT(MD5(CONCAT_WS(',', %s)), 3)" % ", ".join(each.digest for each in self.key)

    @property
    def digests(self):
        """A query: each group, its rows, its digest."""
        row = "MD5(CONCAT_WS(',', %s))" % ", ".join(["''"] + [each.digest for each in self.columns])
        number = "CAST(CONV(LEFT(%s, 15), 16, 10) AS UNSIGNED)" % row
        asked = "SELECT %s g, COUNT(*), SUM(%s) FROM %s GROUP BY g"
        return asked % (self.group, number, self.sql)

    def where(self, groups):
        """Return the condition for rows of some groups."""
        return " WHERE %s IN ('%s')" % (self.group, "', '".join(groups))


def tables(rows, columns):
    """Return tables, of the rows of TABLES and COLUMNS."""
    found = {row[0]: Table(*row) for row in rows}
    for name, column, kind, octets, key in columns:
        if name in found:
            made = Column(column, kind, octets)
            found[name].columns.append(made)
            found[name].key += [made] * int(key)
    return list(found.values())
