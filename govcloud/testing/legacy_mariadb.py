"""MariaDB on the hosts of a legacy room, as Debian has it."""

from typing import Final

from govcloud.testing.legacy import Host

_SERVER: Final = """
[ -d /var/lib/mysql/mysql ] || {
  install -d -o mysql -g mysql /var/lib/mysql
  mariadb-install-db --user=mysql --auth-root-authentication-method=socket > /dev/null
  printf '[mysqld]\\nlog_bin\\nevent_scheduler = ON\\n%s\\n' \
    'innodb_log_file_size = 16M' > /etc/mysql/mariadb.conf.d/90-test.cnf
}
systemctl daemon-reload
systemctl enable -q mariadb
systemctl start mariadb
"""


def serve(host: Host) -> None:
    """Let a server run on the host; again at will."""
    host.run(_SERVER)
