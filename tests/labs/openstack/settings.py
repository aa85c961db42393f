"""Where the lab keeps its things, on which ports it listens, and what it is made of."""

import secrets
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
STATE: Final = Path("/var/lib/govcloud-lab/openstack")
CLOUDS: Final = STATE / "clouds.yaml"

# All on 127.0.0.1. Away from the services' usual ports and from the range of outgoing connections.
PORTS: Final = {
    "keystone": 18500,
    "glance": 18292,
    "placement": 18778,
    "nova": 18774,
    "neutron": 18696,
    "cinder": 18776,
    "heat": 18004,
    "memcached": 18211,
    "rabbitmq": 18672,
    "rabbitmq_peers": 18673,
    "epmd": 18369,
}

# Compute host: the availability zone it stands in.
HOSTS: Final = {"lab-a": "az-a", "lab-b": "az-b"}
VOLUME_TYPES: Final = ("ssd", "hdd")
REGION: Final = "lab"

# Debian's programs need Debian's Python, whatever the caller's PATH says.
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


def url(service: str, path: str = "") -> str:
    """Return the address of one of the API services."""
    return f"http://127.0.0.1:{PORTS[service]}{path}"


def secret() -> str:
    """Return the one password of everything in the lab, made at first use."""
    file = STATE / "secret"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(16), encoding="ascii")
    return file.read_text(encoding="ascii")
