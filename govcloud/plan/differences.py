"""In which fields what is there differs from what is wanted."""

from govcloud.domain.drift import DriftMode
from govcloud.plan.drift import Drift
from govcloud.ports.cloud import Observed, Resource, Value


def differences(resource: Resource, item: Observed) -> tuple[str, ...]:
    """Return the fields in which an observed resource differs from the wanted one.

    Only what is wanted is compared: what a cloud shows beyond it is its own affair.
    """
    fields = [name for name, value in resource.props.items() if item.props.get(name) != value]
    fields += [
        f"tag:{name}" for name, value in resource.tags.items() if item.tags.get(name) != value
    ]
    return tuple(sorted(fields))


def drift(resource: Resource, item: Observed, name: str, mode: DriftMode) -> Drift:
    """Return one difference as it is shown and kept."""
    by = str(item.info.get("managed_by") or "")
    if name.startswith("tag:"):
        tag = name.removeprefix("tag:")
        return Drift(item.id, name, resource.tags.get(tag), item.tags.get(tag), mode, by)
    wanted, found = _shown(resource.props.get(name)), _shown(item.props.get(name))
    return Drift(item.id, name, wanted, found, mode, by)


def _shown(value: Value) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
