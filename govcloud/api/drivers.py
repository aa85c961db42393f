"""Whether clouds that are applied have a driver on this installation."""

from collections.abc import Iterable, Iterator, Sequence

from govcloud.domain.kinds.platform import CloudSpec
from govcloud.domain.manifest import Manifest
from govcloud.domain.suggest import nearest
from govcloud.errors import Diagnostic, InvalidInputError

FIELD = "spec.provider"


def check(manifests: Iterable[Manifest], installed: Sequence[str]) -> None:
    """Raise InvalidInputError where a cloud names a driver that is not installed."""
    if faults := list(_unknown(manifests, installed)):
        raise InvalidInputError(faults)


def _unknown(manifests: Iterable[Manifest], installed: Sequence[str]) -> Iterator[Diagnostic]:
    for manifest in manifests:
        spec = manifest.spec
        if isinstance(spec, CloudSpec) and spec.provider not in installed:
            line, column = manifest.position(FIELD)
            meant = nearest(spec.provider, installed)
            key = "api.no_such_driver_meant" if meant else "api.no_such_driver"
            params = {"provider": spec.provider, "meant": meant, "installed": list(installed)}
            yield Diagnostic(key, params, file=manifest.file, line=line, column=column, field=FIELD)
