"""Asking a cloud on behalf of a person: the driver opened, what it cannot do said plainly."""

from collections.abc import Iterator
from contextlib import contextmanager

from govcloud.api.services import Services
from govcloud.domain.access import Actor
from govcloud.domain.kinds.platform import CloudSpec
from govcloud.domain.manifest import parse_spec
from govcloud.errors import CloudError, ConflictError, TransientCloudError, UnavailableError
from govcloud.ports.cloud import Provisioner
from govcloud.store import objects


@contextmanager
def cloud(services: Services, actor: Actor, name: str) -> Iterator[Provisioner]:
    """Give the driver of a cloud; what it raises becomes an error with a sentence.

    Raises NotFoundError for a cloud that there is not, and what opening its driver raises.
    """
    with services.store.reading() as session:
        spec = parse_spec("Cloud", objects.get_object(session, actor, "Cloud", name).spec)
    assert isinstance(spec, CloudSpec)
    provisioner = services.provisioner(name, spec)
    try:
        yield provisioner
    except CloudError as error:
        params = {"cloud": name, "reason": error.reason, "detail": error.message}
        if isinstance(error, TransientCloudError):
            raise UnavailableError("api.cloud_unavailable", **params) from error
        raise ConflictError("api.cloud_refuses", **params) from error
    finally:
        provisioner.close()


def cannot(name: str, what: str) -> ConflictError:
    """Return the error for what a cloud's driver does not do."""
    return ConflictError("api.cannot", cloud=name, what=what)
