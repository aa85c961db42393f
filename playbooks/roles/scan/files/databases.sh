# Sessions that can only read, for no longer than a minute.
PGOPTIONS='-c default_transaction_read_only=on -c statement_timeout=60000'; export PGOPTIONS
PGCONNECT_TIMEOUT=10; export PGCONNECT_TIMEOUT
root=no; [ "$(id -u)" = 0 ] && root=yes
ask_postgres() { # FOLDER PORT QUERY
  set -- -XAt -h "$1" -p "$2" -d postgres -c "$3"
  owner=$(stat -c %U "$folder/.s.PGSQL.$port" 2>/dev/null)
  if [ $root = yes ] && has runuser; then patient 90 runuser -u "${owner:-postgres}" -- psql "$@"
  else patient 90 psql "$@"; fi
}
cd /
for socket in /var/run/postgresql/.s.PGSQL.* /tmp/.s.PGSQL.*; do
  case $socket in *.lock) continue ;; esac
  [ -S "$socket" ] || continue
  folder=${socket%/*} port=${socket##*.}
  part postgresql "$port"
  if ! has psql; then echo "fault psql is not on the path"; continue; fi
  ask_postgres "$folder" "$port" "SELECT 'version ' || current_setting('server_version')" 2>&1
  ask_postgres "$folder" "$port" "SELECT 'database ' || pg_database_size(oid) || ' ' || datname FROM pg_database WHERE datallowconn AND NOT datistemplate" 2>&1
  ask_postgres "$folder" "$port" "SELECT 'written ' || pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') WHERE NOT pg_is_in_recovery()" 2>/dev/null ||
    ask_postgres "$folder" "$port" "SELECT 'written ' || pg_xlog_location_diff(pg_current_xlog_location(), '0/0') WHERE NOT pg_is_in_recovery()" 2>/dev/null
done
ask_mysql() { # QUERY
  patient 90 "$client" $login --batch --skip-column-names --connect-timeout=10 -e "$1"
}
if ps -eo comm= | grep -qE '^(mysqld|mariadbd)$'; then
  part mysql
  client=$(command -v mariadb || command -v mysql)
  if [ -z "$client" ]; then echo "fault neither mysql nor mariadb is on the path"; else
    login=
    if ! ask_mysql 'SELECT 1' >/dev/null 2>&1 && [ -r /etc/mysql/debian.cnf ]; then
      login=--defaults-file=/etc/mysql/debian.cnf
    fi
    ask_mysql "SELECT CONCAT('version ', VERSION())" 2>&1
    ask_mysql "SELECT CONCAT('database ', COALESCE(SUM(data_length + index_length), 0), ' ', s.schema_name) FROM information_schema.schemata s LEFT JOIN information_schema.tables t ON t.table_schema = s.schema_name WHERE s.schema_name NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys') GROUP BY s.schema_name" 2>&1
    ask_mysql "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_os_log_written', 'Uptime')" 2>/dev/null
  fi
fi
part others
ps -eo comm= | grep -E '^(ora_pmon_|dmserver|kingbase|gaussdb|db2sysc|sqlservr|mongod|redis-server|valkey-server|memcached|tnslsnr|oceanbase|observer|etcd|slapd|influxd)' | sort -u
