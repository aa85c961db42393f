"""The processes of the lab, in the order in which they are started."""

from pathlib import Path
from typing import Final

from daemon import Daemon
from probes import greets, http_answers
from settings import HOSTS, PORTS, STATE, VOLUME_TYPES

_CONFIG: Final = STATE / "config"
_DATA: Final = STATE / "data"
_PLUGIN: Final = {"PYTHONPATH": str(STATE / "plugin")}
_AMQP: Final = b"AMQP\x00\x00\x09\x01"

# What each service's own user is called; its configuration and data belong to it.
USERS: Final = {
    name: name for name in ("keystone", "glance", "placement", "nova", "neutron", "cinder", "heat")
} | {"mariadb": "mysql", "memcached": "memcache", "epmd": "rabbitmq", "rabbitmq": "rabbitmq"}


def _options(service: str) -> list[str]:
    return ["--config-file", str(_CONFIG / f"{service}.conf")]


def _program(name: str, service: str, **more: object) -> Daemon:
    command = [f"/usr/bin/{name}", *_options(service)]
    return Daemon(name, USERS[service], command, environment=_PLUGIN, **more)  # type: ignore[arg-type]


def _api(name: str, service: str) -> Daemon:
    return _program(name, service, answers=http_answers(PORTS[service]))


def _uwsgi(service: str, program: str, processes: int, environment: dict[str, str]) -> Daemon:
    command = ["/usr/bin/uwsgi_python3", "--http-socket", f"127.0.0.1:{PORTS[service]}"]
    command += ["--wsgi-file", program, "--master", "--processes", str(processes)]
    command += ["--enable-threads", "--need-app", "--die-on-term", "--buffer-size", "65535"]
    # Without it a client that keeps its connection waits for uWSGI, which has closed it.
    command += ["--add-header", "Connection: close", "--disable-logging"]
    probe = http_answers(PORTS[service])
    return Daemon(service, USERS[service], command, probe, environment)


def _compute(host: str) -> Daemon:
    program = ["/usr/bin/python3", "-m", "govcloud_lab.compute"]
    command = [*program, *_options("nova"), *_options(f"nova-{host}")]
    return Daemon(f"nova-compute-{host}", "nova", command, environment=_PLUGIN)


def _mariadb() -> Daemon:
    folder = _DATA / "mariadb"
    command = ["/usr/sbin/mariadbd", "--no-defaults", "--skip-networking", "--skip-log-bin"]
    command += [f"--datadir={folder / 'tables'}", f"--socket={folder / 'socket'}"]
    command += [f"--pid-file={folder / 'pid'}", f"--init-file={_CONFIG / 'mariadb.sql'}"]
    # Tests want speed; what a power cut takes away is made anew with `down --purge`.
    command += ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
    command += ["--innodb-flush-method=nosync", "--skip-sync-frm"]
    command += ["--innodb-buffer-pool-size=192M", "--innodb-log-file-size=64M"]
    command += ["--max-connections=500", "--performance-schema=off", "--skip-name-resolve"]
    command += ["--character-set-server=utf8mb3", "--innodb-lock-wait-timeout=20"]
    return Daemon("mariadb", "mysql", command, greets(folder / "socket"))


def _rabbitmq() -> Daemon:
    folder = _DATA / "rabbitmq"
    environment = {
        "ERL_EPMD_PORT": str(PORTS["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "lab@localhost",
        "RABBITMQ_DIST_PORT": str(PORTS["rabbitmq_peers"]),
        "RABBITMQ_CONFIG_FILE": str(_CONFIG / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(_CONFIG / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        # Two threads are enough here; without the limit each idle one spins.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
    }
    command = ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
    return Daemon("rabbitmq", "rabbitmq", command, greets(PORTS["rabbitmq"], _AMQP), environment)


FOUNDATION: Final = [
    _mariadb(),
    Daemon(
        "memcached",
        "memcache",
        ["/usr/bin/memcached", "-l", "127.0.0.1", "-p", str(PORTS["memcached"]), "-m", "64"],
        greets(PORTS["memcached"], b"version\r\n"),
    ),
    Daemon(
        "epmd",
        "rabbitmq",
        ["/usr/bin/epmd", "-address", "127.0.0.1", "-port", str(PORTS["epmd"])],
        greets(PORTS["epmd"], b"\x00\x01n"),
    ),
    _rabbitmq(),
]

IDENTITY: Final = [
    _uwsgi(
        "keystone",
        "/usr/bin/keystone-wsgi-public",
        2,
        {"OS_KEYSTONE_CONFIG_FILES": str(_CONFIG / "keystone.conf")},
    )
]

SERVICES: Final = [
    _uwsgi("placement", "/usr/bin/placement-api", 2, {"OS_PLACEMENT_CONFIG_DIR": str(_CONFIG)}),
    _api("glance-api", "glance"),
    _api("neutron-server", "neutron"),
    _program("nova-conductor", "nova"),
    _api("nova-api", "nova"),
    _program("nova-scheduler", "nova"),
    *(_compute(host) for host in HOSTS),
    _api("cinder-api", "cinder"),
    _program("cinder-scheduler", "cinder"),
    _program("cinder-volume", "cinder"),
]

HEAT: Final = [_api("heat-api", "heat"), _program("heat-engine", "heat")]
"""Not of the lab itself: for whoever compares."""

ALL: Final = [*FOUNDATION, *IDENTITY, *SERVICES]


# Processes without an API of their own, by the name and host under which they report.
NOVA_AGENTS: Final = {
    *(("nova-compute", host) for host in HOSTS),
    ("nova-conductor", "lab"),
    ("nova-scheduler", "lab"),
}
CINDER_AGENTS: Final = {
    *(("cinder-volume", f"lab@{name}") for name in VOLUME_TYPES),
    ("cinder-scheduler", "lab"),
}


def config_of(service: str) -> Path:
    """Return a service's configuration file."""
    return _CONFIG / f"{service}.conf"
