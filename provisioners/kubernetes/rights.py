"""Which rights govcloud needs on a cluster, and which of them it lacks.

`deploy/kubernetes/rights.yaml` grants exactly these; a test holds the two together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from govcloud.errors import Text
from govcloud.ports.cloud import CloudReport
from provisioners.kubernetes.contents import DATA
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.settings import ROLES, Settings
from provisioners.kubernetes.types import NAMESPACE, STORAGE_CLASS, TYPES

Json = dict[str, Any]
FEATURES: Final = frozenset({"Namespace", "tags", "kubeconfig"})
_OURS: Final = ("get", "list", "watch", "create", "patch", "delete")
_NOWHERE: Final = "no.such.namespace"
"""No namespace can be called so: what is granted there is granted everywhere."""
_REVIEWS: Final = "/apis/authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource: everywhere, or in one namespace; `name` narrows it to one object."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        """Return it as `kubectl auth can-i` would be asked."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {resource}{f'/{self.name}' if self.name else ''}{where}"


def needed(settings: Settings) -> Iterator[Right]:
    """Yield all rights that the driver uses."""
    for kind in TYPES:
        for verb in _OURS:
            yield Right(verb, kind.group, kind.plural)
    for plural in DATA:
        yield Right("list", "", plural)
    yield Right("list", STORAGE_CLASS.group, STORAGE_CLASS.plural)
    for role in ROLES:
        yield Right("bind", "rbac.authorization.k8s.io", "clusterroles", name=settings.roles[role])
    for verb in ("create", "patch"):
        yield Right(verb, "", "serviceaccounts", settings.access_namespace)
    yield Right("create", "", "serviceaccounts/token", settings.access_namespace)


def report(session: Session, settings: Settings) -> CloudReport:
    """Say what the cluster is, and what is missing; raises CloudError.

    Two questions bring all rules that the server can list, for everywhere and for the namespace of
    members' accounts. Only for what they do not grant it is asked one by one, since it may have
    authorizers that cannot list theirs.
    """
    version = _version(session.list("/version"))
    home = settings.access_namespace
    everywhere, there = _rules(session, _NOWHERE), _rules(session, home)
    missing = [
        right
        for right in needed(settings)
        if not any(_grants(rule, right) for rule in (there if right.namespace else everywhere))
        and not _allowed(session, right)
    ]
    problems = [Text("kubernetes.no_right", {"right": str(right)}) for right in missing]
    may_look = Right("get", "", "namespaces") not in missing
    if may_look and session.get(NAMESPACE.path("", home)) is None:
        problems.append(Text("kubernetes.no_access_namespace", {"namespace": home}))
    return CloudReport(f"Kubernetes {version}", FEATURES, tuple(problems))


def _version(said: Json) -> str:
    """Return the version, and the one that the cluster behaves like, where that is another."""
    real = said.get("gitVersion", "")
    like = f"{said.get('emulationMajor')}.{said.get('emulationMinor')}"
    same = like == f"{said.get('major')}.{said.get('minor')}"
    return str(real) if same or not said.get("emulationMinor") else f"{real} ({like})"


def _rules(session: Session, namespace: str) -> Sequence[Json]:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    said = session.review(f"{_REVIEWS}/selfsubjectrulesreviews", body)
    rules: Sequence[Json] = (said.get("status") or {}).get("resourceRules") or ()
    return rules


def _grants(rule: Mapping[str, Any], right: Right) -> bool:
    def has(word: str, value: str) -> bool:
        return bool({"*", value} & set(rule.get(word) or ()))

    names = rule.get("resourceNames") or ()
    named = not names or (right.name != "" and right.name in names)
    return (
        has("verbs", right.verb)
        and has("apiGroups", right.group)
        and has("resources", right.resource)
        and named
    )


def _allowed(session: Session, right: Right) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": right.namespace,
        "name": right.name,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    said = session.review(f"{_REVIEWS}/selfsubjectaccessreviews", body)
    return bool((said.get("status") or {}).get("allowed"))
