"""Heat beside the lab, for who compares: `python tests/labs/openstack heat` adds and starts it."""

import identity
import packages
import prepare
import services
from access import connect
from daemon import start_all
from settings import url

_PACKAGES = ("heat-api", "heat-engine")
_ENTRY = ("heat", "orchestration", url("heat", "/v1/%(project_id)s"))
_STACK_USER = "heat_stack_user"


def bring_up() -> None:
    """Install, configure and start Heat; the rest of the lab is up."""
    if names := packages.missing(_PACKAGES):
        packages.install(names)
    prepare.heat()
    cloud = connect()
    identity.catalogue(cloud, [_ENTRY])
    if cloud.identity.find_role(_STACK_USER) is None:
        cloud.identity.create_role(name=_STACK_USER)
    start_all(services.HEAT)
