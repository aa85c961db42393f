"""What is asked of a database, and how names and values are written in SQL."""

GROUPS = 4096

TABLES = """
SELECT c.oid::regclass::text,
  (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
     AND coalesce(to_jsonb(pg_attribute) ->> 'attgenerated', '') = ''),
  (SELECT string_agg('t.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_index i
   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
   WHERE i.indrelid = c.oid AND i.indisprimary),
  pg_table_size(c.oid),
  c.relpersistence = 'p' AND CASE c.relreplident
    WHEN 'd' THEN EXISTS (SELECT FROM pg_index i
      WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate)
    WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
    WHEN 'f' THEN NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND (t.typcategory = 'G' OR t.typname IN ('json', 'xml')))
    ELSE false END,
  (SELECT string_agg('t.' || quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
     AND coalesce(to_jsonb(pg_attribute) ->> 'attgenerated', '') = ''),
  (SELECT string_agg(format(CASE WHEN t.typcategory = 'A'
      THEN 'ARRAY(SELECT %1$ssend(nullif(v, ''NaN'')) FROM unnest(t.%2$I) v)'
      ELSE '%1$ssend(nullif(t.%2$I, ''NaN''))' END, ltrim(t.typname, '_'), attname), ', ')
   FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND attnum > 0
     AND NOT attisdropped AND t.typname IN ('float4', 'float8', '_float4', '_float8'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
  AND (NOT EXISTS (SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    OR EXISTS (SELECT FROM pg_extension, unnest(extconfig, extcondition) AS u (which, rows_)
      WHERE which = c.oid AND rows_ = ''))
ORDER BY 1
"""
"""Name, columns, primary key, size, whether logical replication can tell of its rows' changes (a
row is known again by its key, or as a whole, where all its values can be compared), its columns as
those of a row `t`, and its numbers with a floating point, bit by bit. An extension's tables are
among them where all their rows are a user's."""
OIDS = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE relkind IN ('r', 'p') AND c.oid >= 16384 AND to_jsonb(c) ->> 'relhasoids' = 'true' ORDER BY 1
"""
SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value),
  last_value IS NOT NULL FROM pg_sequences ORDER BY 1
"""
OBJECTS = """
SELECT count(*), coalesce(sum(('x' || substr(md5(loid::text || ',' || pageno || ',' ||
  encode(data, 'base64')), 1, 15))::bit(60)::bigint::numeric), 0),
  (SELECT coalesce(sum(('x' || substr(md5(ROW(m.oid, pg_get_userbyid(lomowner),
    ARRAY(SELECT DISTINCT format('%s %s %s', pg_get_userbyid(whom), what, lends)
      FROM aclexplode(coalesce(lomacl, acldefault('L', lomowner))) AS a (who, whom, what, lends)
      ORDER BY 1))::text), 1, 15))::bit(60)::bigint::numeric), 0)
   FROM pg_largeobject_metadata m)
FROM pg_largeobject
"""
"""Pages, a digest of what they hold, and one of which objects there are, whose, and for whom."""
MADE = """
SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype,
  coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
  coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', ''),
  coalesce(to_jsonb(d) ->> 'daticurules', '')
FROM pg_database d WHERE datname = {literal}
"""
"""Owner, encoding and locale of a database; who compares its texts, in which locale and how."""
PARTS = """
SELECT format('ALTER %s SET %s = %s',
  CASE setrole WHEN 0 THEN 'DATABASE {name}'
    ELSE format('ROLE %I IN DATABASE {name}', pg_get_userbyid(setrole)) END,
  named, CASE WHEN named IN ('search_path', 'session_preload_libraries', 'local_preload_libraries')
    THEN coalesce(nullif(value, ''), quote_literal('')) ELSE quote_literal(value) END)
FROM pg_db_role_setting r JOIN pg_database d ON d.oid = r.setdatabase, unnest(setconfig) s,
  LATERAL (SELECT split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)) AS told (named, value)
WHERE datname = {literal} AND named NOT IN ('default_tablespace', 'temp_tablespaces')
  AND (setrole <> 0 OR named <> 'default_transaction_read_only')
UNION ALL SELECT 'ALTER DATABASE {name} OWNER TO ' || quote_ident(pg_get_userbyid(datdba))
FROM pg_database WHERE datname = {literal}
UNION ALL SELECT format('GRANT %s ON DATABASE {name} TO %s%s', what,
  CASE whom WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(whom)) END,
  CASE WHEN bool_or(lends) THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
  AS a (who, whom, what, lends) WHERE datname = {literal} GROUP BY whom, what
UNION ALL SELECT format('COMMENT ON DATABASE {name} IS E%s', '''' || replace(replace(replace(
  words, E'\\\\', E'\\\\\\\\'), '''', ''''''), E'\\n', E'\\\\n') || '''')
FROM pg_database, shobj_description(oid, 'pg_database') AS words
WHERE datname = {literal} AND words IS NOT NULL
"""
"""What belongs to a database and is in no dump of it: settings, its owner, rights, its comment."""
BARE = """
SELECT format('ALTER %s RESET %s',
  CASE setrole WHEN 0 THEN 'DATABASE {name}'
    ELSE format('ROLE %I IN DATABASE {name}', pg_get_userbyid(setrole)) END, named)
FROM pg_db_role_setting r JOIN pg_database d ON d.oid = r.setdatabase, unnest(setconfig) s,
  split_part(s, '=', 1) AS named
WHERE datname = {literal} AND named NOT IN ('default_tablespace', 'temp_tablespaces')
  AND (setrole <> 0 OR named <> 'default_transaction_read_only')
UNION ALL SELECT DISTINCT format('REVOKE ALL ON DATABASE {name} FROM %s CASCADE',
  CASE whom WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(whom)) END)
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
  AS a (who, whom, what, lends) WHERE datname = {literal}
UNION ALL SELECT 'COMMENT ON DATABASE {name} IS NULL'
"""
"""What leaves a database without any of these parts, but with its owner."""
ROLES = r"""
SELECT rolname, md5(ROW(rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin,
  rolreplication, rolbypassrls, rolconnlimit, rolpassword, coalesce(rolvaliduntil, 'infinity'),
  ARRAY(SELECT CASE WHEN split_part(s, '=', 1) IN ('search_path', 'temp_tablespaces',
      'session_preload_libraries', 'local_preload_libraries')
    THEN lower(regexp_replace(s, '[\s"]', '', 'g')) ELSE s END
    FROM pg_db_role_setting, unnest(setconfig) s
    WHERE setrole = r.oid AND setdatabase = 0 ORDER BY s COLLATE "C"))::text)
FROM pg_authid r ORDER BY r.oid
"""
"""Roles, and a digest of what each is."""
MEMBERS = """
SELECT g.rolname, m.rolname, format('GRANT %I TO %I', g.rolname, m.rolname)
  || CASE WHEN bool_or(to_jsonb(a) ? 'inherit_option') THEN format(
    ' WITH ADMIN %s, INHERIT %s, SET %s', bool_or(admin_option)::text,
    bool_or((to_jsonb(a) ->> 'inherit_option')::boolean)::text,
    bool_or((to_jsonb(a) ->> 'set_option')::boolean)::text)
  WHEN bool_or(admin_option) THEN ' WITH ADMIN OPTION' ELSE '' END || ';',
  string_agg(format('REVOKE %I FROM %I', g.rolname, m.rolname)
    || CASE WHEN to_jsonb(a) ? 'inherit_option'
      THEN ' GRANTED BY ' || quote_ident(pg_get_userbyid(grantor)) ELSE '' END || ';', ' '),
  concat_ws(' ', bool_or(admin_option),
    bool_or(coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, m.rolinherit)),
    bool_or(coalesce((to_jsonb(a) ->> 'set_option')::boolean, true)))
FROM pg_auth_members a JOIN pg_roles g ON g.oid = roleid JOIN pg_roles m ON m.oid = member
GROUP BY 1, 2 ORDER BY 1, 2
"""
"""What a role belongs to: the role above, itself, how it is told so, by whoever tells it, how it is
told no more, and in which way it belongs there. From version 16 on, several may have granted it in
several ways."""
EXTENSIONS = "SELECT extname FROM pg_extension ORDER BY 1"
AVAILABLE = "SELECT name FROM pg_available_extensions"
SETTINGS = """
SELECT name, setting FROM pg_file_settings WHERE applied AND lower(name) IN ('listen_addresses',
  'max_connections', 'max_prepared_transactions', 'max_locks_per_transaction', 'ssl', 'timezone',
  'shared_preload_libraries', 'datestyle', 'intervalstyle', 'bytea_output', 'lc_monetary',
  'lc_numeric', 'lc_time', 'default_text_search_config', 'default_transaction_isolation',
  'standard_conforming_strings', 'search_path', 'statement_timeout', 'lock_timeout',
  'idle_in_transaction_session_timeout', 'row_security') ORDER BY 1
"""
"""What applications notice of a server's configuration."""
RULES = """
SELECT concat_ws(' ', type, array_to_string(database, ','), array_to_string(user_name, ','),
  address, netmask, auth_method) FROM pg_hba_file_rules
WHERE type LIKE 'host%' AND address NOT IN ('127.0.0.1', '::1', 'localhost')
  AND database && ARRAY['all', 'sameuser', 'samerole', {names}] ORDER BY line_number
"""
"""Who is let in from elsewhere."""
MIGHTY = """
SELECT rolname FROM pg_roles r WHERE rolsuper AND rolcanlogin AND (rolname <> current_user
  OR EXISTS (SELECT FROM pg_stat_activity
    WHERE usesysid = r.oid AND datname IN ({names}) AND pid <> pg_backend_pid())) ORDER BY 1
"""
"""Whom no freeze keeps out, but for who asks."""
FED = """
SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid
WHERE subenabled AND datname IN ({names}) ORDER BY 1
"""
"""What writes to the databases whatever they say."""
PARTLY = """
SELECT which::regclass::text FROM pg_extension, unnest(extconfig, extcondition) AS u (which, rows_)
WHERE rows_ <> '' ORDER BY 1
"""
"""Tables of which some rows are an extension's, and some a user's."""
OBJECTS_SIZE = "SELECT 2 * pg_table_size('pg_catalog.pg_largeobject')"
"""As a dump writes them, in hex."""
UNLINK = """
DO $$ BEGIN
  LOOP
    PERFORM lo_unlink(oid) FROM (SELECT oid FROM pg_largeobject_metadata LIMIT 1000) AS few;
    EXIT WHEN NOT FOUND;
    COMMIT;
  END LOOP;
END $$
"""
"""Removes all large objects, few at a time: each is locked to the end of its transaction."""
REFRESH = """
WITH RECURSIVE built AS (
  SELECT DISTINCT ev_class AS which, refobjid AS what FROM pg_rewrite r
  JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = r.oid
    AND refclassid = 'pg_class'::regclass
  WHERE ev_type = '1' AND refobjid <> ev_class
), steps AS (
  SELECT oid AS which, 0 AS step FROM pg_class WHERE relkind = 'm'
  UNION SELECT built.which, step + 1 FROM steps JOIN built ON what = steps.which
  WHERE step < (SELECT count(*) FROM pg_class WHERE relkind IN ('m', 'v'))
)
SELECT format('REFRESH MATERIALIZED VIEW %I.%I', nspname, relname)
  || CASE WHEN relispopulated THEN '' ELSE ' WITH NO DATA' END
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN steps ON which = c.oid
WHERE relkind = 'm' GROUP BY c.oid, nspname, relname, relispopulated ORDER BY max(step), c.oid
"""
"""Computes anew what is computed: first what others are built on, be it through views; then by age,
since what a function reads is told nowhere."""
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
