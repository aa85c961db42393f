"""What is asked of a database, and how names and values are written in SQL."""

GROUPS = 4096

TABLES = """
SELECT c.oid::regclass::text,
  (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''),
  (SELECT string_agg('t.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_index i
   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
   WHERE i.indrelid = c.oid AND i.indisprimary),
  pg_table_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value),
  last_value IS NOT NULL FROM pg_sequences ORDER BY 1
"""
OBJECTS = """
SELECT count(*), coalesce(sum(('x' || substr(md5(loid::text || ',' || pageno || ',' ||
  encode(data, 'base64')), 1, 15))::bit(60)::bigint::numeric), 0) FROM pg_largeobject
"""
PARTS = """
SELECT 'ALTER DATABASE {name} SET ' || split_part(s, '=', 1) || ' = '
  || quote_literal(substr(s, strpos(s, '=') + 1))
FROM pg_db_role_setting r JOIN pg_database d ON d.oid = r.setdatabase, unnest(setconfig) s
WHERE setrole = 0 AND datname = {literal} AND s NOT LIKE 'default_transaction_read_only=%'
"""
LOCK = (
    "ALTER DATABASE %s SET default_transaction_read_only = on; SELECT pg_terminate_backend(pid)"
    " FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
)


def literal(text):
    """Write text as SQL does."""
    return "'" + text.replace("'", "''") + "'"


def ident(name):
    """Write a name as SQL does."""
    return '"' + name.replace('"', '""') + '"'


def group(key):
    """Return the expression that gives a row its group."""
    return "('x' || substr(md5(ROW(%s)::text), 1, 8))::bit(32)::bigint %% %d" % (key, GROUPS)
