"""Keystone's contents: catalogue, service users, and our domain with its accounts."""

from collections.abc import Sequence

from access import DOMAIN
from openstack.connection import Connection
from settings import REGION, secret, url

# Name, type, address of each API.
_CATALOGUE = (
    ("glance", "image", url("glance")),
    ("placement", "placement", url("placement")),
    ("nova", "compute", url("nova", "/v2.1")),
    ("neutron", "network", url("neutron")),
    ("cinder", "volumev3", url("cinder", "/v3/%(project_id)s")),
)


def catalogue(cloud: Connection, entries: Sequence[tuple[str, str, str]] = _CATALOGUE) -> None:
    """Name the services and give each its user in the project `service`."""
    identity = cloud.identity
    project = identity.find_project("service") or identity.create_project(
        name="service", domain_id="default"
    )
    service, admin = (_role(cloud, name) for name in ("service", "admin"))
    known = {endpoint.service_id for endpoint in identity.endpoints()}
    services = {one.type: one for one in identity.services()}
    for name, kind, address in entries:
        entry = services.get(kind) or identity.create_service(name=name, type=kind)
        if entry.id not in known:
            identity.create_endpoint(
                service_id=entry.id, interface="public", url=address, region_id=REGION
            )
        user = _user(cloud, name, "default")
        for role in (service, admin):
            identity.assign_project_role_to_user(project, user, role)


def accounts(cloud: Connection) -> None:
    """Make our domain, the driver's service user in it, and a mere member.

    The service user is administrator of the domain and, inherited, of each project in it. Its own
    project, `operations`, is where it logs in to list what all projects have.
    """
    identity = cloud.identity
    domain = identity.find_domain(DOMAIN) or identity.create_domain(name=DOMAIN)
    admin, member = (_role(cloud, name) for name in ("admin", "member"))
    driver = _user(cloud, "govcloud", domain.id)
    identity.assign_project_role_to_user(_project(cloud, "operations", domain.id), driver, admin)
    identity.assign_domain_role_to_user(domain, driver, admin)
    identity.put(
        f"/OS-INHERIT/domains/{domain.id}/users/{driver.id}/roles/{admin.id}/inherited_to_projects"
    ).raise_for_status()
    outsider = _user(cloud, "member", domain.id)
    identity.assign_project_role_to_user(_project(cloud, "outsider", domain.id), outsider, member)


def _role(cloud: Connection, name: str):
    return cloud.identity.find_role(name) or cloud.identity.create_role(name=name)


def _project(cloud: Connection, name: str, domain: str):
    found = cloud.identity.find_project(name, domain_id=domain)
    return found or cloud.identity.create_project(name=name, domain_id=domain)


def _user(cloud: Connection, name: str, domain: str):
    found = cloud.identity.find_user(name, domain_id=domain)
    return found or cloud.identity.create_user(name=name, domain_id=domain, password=secret())
