"""The accounts of the lab and the clouds.yaml that names them."""

from typing import Final

import openstack
import yaml
from openstack.connection import Connection
from settings import CLOUDS, REGION, secret, url

DOMAIN: Final = "govcloud"
ADMIN: Final = "lab-admin"
DRIVER: Final = "lab"
MEMBER: Final = "lab-member"


def write_clouds() -> None:
    """Write the clouds.yaml: an administrator, the driver's service user, a mere member."""
    clouds = {
        ADMIN: _entry("admin", "Default", "admin"),
        DRIVER: _entry("govcloud", DOMAIN, "operations"),
        MEMBER: _entry("member", DOMAIN, "outsider"),
    }
    CLOUDS.touch(mode=0o600)
    CLOUDS.write_text(yaml.safe_dump({"clouds": clouds}, sort_keys=False), encoding="utf-8")


def _entry(user: str, domain: str, project: str) -> dict[str, object]:
    return {
        "auth": {
            "auth_url": url("keystone", "/v3"),
            "username": user,
            "password": secret(),
            "user_domain_name": domain,
            "project_name": project,
            "project_domain_name": domain,
        },
        "region_name": REGION,
        "identity_api_version": "3",
    }


def connect(cloud: str = ADMIN) -> Connection:
    """Return a connection of one of the accounts."""
    return Connection(
        config=openstack.config.OpenStackConfig(
            config_files=[str(CLOUDS)], vendor_files=[], secure_files=[], load_envvars=False
        ).get_one(cloud)
    )
