"""What platform objects refer to, and who refers to them: one table, read both ways."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlmodel import Session

from govcloud.domain.access import Role
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.governance import PolicySpec, SurveySpec, WaiverSpec
from govcloud.domain.kinds.platform import CloudSpec, Management, QuotaSpec
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.manifest import parse_spec
from govcloud.errors import Diagnostic
from govcloud.policy.context import PARAMETERS
from govcloud.policy.evaluate import RULES
from govcloud.requests.drafts import Draft
from govcloud.requests.references import known
from govcloud.store import objects
from govcloud.store.tables import ObjectRow


class Reference(NamedTuple):
    """A field of a kind that names an object of another."""

    kind: str
    field: str
    target: str


REFERENCES: Final = tuple(
    Reference(*entry)
    for entry in (
        ("Department", "parent", "Department"),
        ("Department", "industryCloud", "Cloud"),
        ("Cloud", "owner", "Department"),
        ("Zone", "cloud", "Cloud"),
        ("Quota", "department", "Department"),
        ("Quota", "cloud", "Cloud"),
        ("Quota", "zone", "Zone"),
        ("Exemption", "department", "Department"),
        ("Waiver", "department", "Department"),
        ("MigrationPlan", "department", "Department"),
        ("MigrationPlan", "wave", "Wave"),
        ("System", "industryCloud", "Cloud"),
        ("VirtualMachine", "zone", "Zone"),
        ("VirtualMachine", "flavor", "Flavor"),
        ("VirtualMachine", "image", "Image"),
        ("Volume", "zone", "Zone"),
        ("Namespace", "zone", "Zone"),
    )
)
FROZEN: Final[Mapping[str, tuple[str, ...]]] = {
    "Flavor": ("vcpu", "memory", "gpu", "arch"),
    "Image": ("arch",),
    "Zone": ("cloud",),
}
"""What must not change under what was approved and built with it (R3), by kind."""

Names = Mapping[str, Mapping[str, ObjectRow | Draft]]
"""The platform objects that there will be, by kind and name."""
Limited = tuple[tuple[str, str | None, str | None], str]
"""Where, and of which class, a quota limits."""


def faults(draft: Draft, there: Names) -> Iterator[Diagnostic]:
    """Yield what is wrong with what a platform object names."""
    for kind, field, target in REFERENCES:
        if kind == draft.key.kind:
            name = draft.plain.get(field)
            yield from known(draft, f"spec.{field}", target, name, there.get(target, {}))
    spec = draft.spec
    if isinstance(spec, QuotaSpec):
        yield from _quota(draft, spec, there)
    elif isinstance(spec, CloudSpec):
        built = [name for name, kind in KINDS.items() if kind.allocates]
        for index, word in enumerate(spec.kinds):
            yield from known(draft, f"spec.kinds[{index}]", "Kind", word, built)
        yield from _storage(draft, spec)
    elif isinstance(spec, PolicySpec):
        yield from _policy(draft, spec)
    elif isinstance(spec, WaiverSpec):
        yield from _waiver(draft, spec)
    elif isinstance(spec, SurveySpec):
        departments = there.get("Department", {})
        for index, unit in enumerate(spec.units):
            field = f"spec.units[{index}].department"
            yield from known(draft, field, "Department", unit.department, departments)


def _storage(draft: Draft, spec: CloudSpec) -> Iterator[Diagnostic]:
    """Yield storage classes that are called the same in the cloud: use could not be told apart."""
    words: dict[str, str] = {}
    for word, there in spec.storage.items():
        other = words.setdefault(there, word)
        if other != word:
            params = {"word": word, "other": other, "there": there}
            yield draft.fault("requests.storage_twice", f"spec.storage.{word}", **params)


def _quota(draft: Draft, spec: QuotaSpec, there: Names) -> Iterator[Diagnostic]:
    zone = there.get("Zone", {}).get(spec.zone or "")
    if zone is not None:
        cloud = _plain(zone)["cloud"]
        if cloud != spec.cloud:
            params = {"zone": spec.zone, "cloud": cloud, "other": spec.cloud}
            yield draft.fault("requests.zone_of_other_cloud", "spec.zone", **params)
    yield from _storage_classes(draft, spec, there)
    for name, amounts in (("lend", spec.lend), ("borrow", spec.borrow)):
        for word in amounts:
            if word not in spec.limits:
                yield draft.fault("requests.no_limit_for", f"spec.{name}", **{"class": word})


def _plain(found: ObjectRow | Draft) -> Mapping[str, Any]:
    """Return the spec of what there is or will be, in its plain form."""
    return found.plain if isinstance(found, Draft) else found.spec


def limited_twice(drafts: Iterable[Draft], there: Names) -> Iterator[Diagnostic]:
    """Yield a fault for each standing limit of what another limits: the tighter one would hold.

    What has an end may stand beside a standing limit: it tightens it for that time.
    """
    wanted = [(draft, draft.spec) for draft in drafts if isinstance(draft.spec, QuotaSpec)]
    limiting = _limiting(there, {spec.department for _, spec in wanted if spec.stands})
    for draft, spec in wanted:
        twice: dict[str, list[str]] = {}
        for word in sorted(spec.limits) if spec.stands else ():
            names = (name for name in limiting[spec.place, word] if name != draft.key.name)
            other = next(names, None)  # Of many one is named: a fault each would say no more.
            if other is not None:
                twice.setdefault(other, []).append(word)
        for other, classes in twice.items():
            params = {"department": spec.department, "other": other, "classes": classes}
            yield draft.fault("requests.limited_twice", "spec.limits", **params)


def _limiting(there: Names, departments: Collection[str]) -> Mapping[Limited, Sequence[str]]:
    """Return the first two quotas that limit each class at each place without an end."""
    found: dict[Limited, list[str]] = {}
    for name, quota in there.get("Quota", {}).items() if departments else ():
        plain = _plain(quota)
        if plain["department"] not in departments:
            continue
        spec = quota.spec if isinstance(quota, Draft) else parse_spec("Quota", plain)
        assert isinstance(spec, QuotaSpec)
        for word in spec.limits if spec.stands else ():
            names = found.setdefault((spec.place, word), [])
            if len(names) < 2:
                names.append(name)
    return found


def planned_twice(drafts: Iterable[Draft], there: Names) -> Iterator[Diagnostic]:
    """Yield a fault for each plan of a system that has another already."""
    plans = [draft for draft in drafts if draft.key.kind == "MigrationPlan"]
    named: dict[tuple[object, object], list[str]] = {}
    for name, found in there.get("MigrationPlan", {}).items() if plans else ():
        plain = _plain(found)
        named.setdefault((plain["department"], plain["system"]), []).append(name)
    for draft in plans:
        whose, system = draft.plain["department"], draft.plain["system"]
        for other in named[whose, system]:
            if other != draft.key.name:
                params = {"system": f"{whose}/{system}", "other": other}
                yield draft.fault("requests.planned_twice", "spec.system", **params)


def _storage_classes(draft: Draft, spec: QuotaSpec, there: Names) -> Iterator[Diagnostic]:
    """Yield a fault for each storage class that none of the clouds concerned has.

    A cloud that names none has whatever it is asked for.
    """
    clouds = [
        parse_spec("Cloud", _plain(found))
        for name, found in there.get("Cloud", {}).items()
        if spec.cloud in (None, name)
    ]
    managed = [
        cloud.storage
        for cloud in clouds
        if isinstance(cloud, CloudSpec) and cloud.management is Management.MANAGED
    ]
    if not managed or not all(managed):
        return
    words = {word for storage in managed for word in storage}
    for limited in spec.limits:
        _, _, word = limited.partition(".")
        yield from known(draft, f"spec.limits.{limited}", "StorageClass", word or None, words)


def _policy(draft: Draft, spec: PolicySpec) -> Iterator[Diagnostic]:
    for rule in spec.checks:
        yield from known(draft, "spec.checks", "Rule", rule, RULES)
    for name in spec.parameters:
        yield from known(draft, "spec.parameters", "Parameter", name, PARAMETERS)
    for index, approval in enumerate(spec.approval):
        path = f"spec.approval[{index}]"
        for word in approval.kinds:
            yield from known(draft, f"{path}.kinds", "Kind", word, KINDS)
        for number, step in enumerate(approval.steps):
            roles = [role.value for role in Role]
            yield from known(draft, f"{path}.steps[{number}].role", "Role", step.role, roles)
    for index, drift in enumerate(spec.drift):
        yield from known(draft, f"spec.drift[{index}].kind", "Kind", drift.kind, KINDS)


def _waiver(draft: Draft, spec: WaiverSpec) -> Iterator[Diagnostic]:
    yield from known(draft, "spec.rule", "Rule", spec.rule, RULES)
    rule = RULES.get(spec.rule)
    if rule is not None and not rule.waivable:
        yield draft.fault("requests.not_waivable", "spec.rule", rule=spec.rule)


def frozen(session: Session, draft: Draft, row: ObjectRow) -> Iterator[Diagnostic]:
    """Yield a fault for each field that must not change while something is built with it."""
    changed = [
        name for name in FROZEN.get(row.kind, ()) if row.spec.get(name) != draft.plain.get(name)
    ]
    user = next(users(session, draft.key, ()), None) if changed else None
    if user is not None:
        for name in changed:
            params = {"field": name, "object": str(draft.key), "user": user}
            yield draft.fault("requests.in_use", f"spec.{name}", **params)


def users(session: Session, key: ObjectKey, besides: Iterable[ObjectKey]) -> Iterator[str]:
    """Yield what refers to a platform object, leaving out those that are deleted with it."""
    leaving = set(besides)
    for kind, field, target in REFERENCES:
        if target != key.kind:
            continue
        for row in objects.with_field(session, kind, field, key.name):
            if objects.key_of(row) not in leaving:
                yield str(objects.key_of(row))
    if key.kind == "Department":
        yield from (str(objects.key_of(row)) for row in objects.owned_by(session, key.name))
