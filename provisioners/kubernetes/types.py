"""The types of resources that a namespace is made of, and where the API server keeps each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Type:
    """One type: our word, the API's kind, and its place; `namespaced` ones live in a namespace."""

    word: str
    kind: str
    plural: str
    group: str = ""
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As manifests say it."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def everywhere(self) -> str:
        """The path of all of them, in all namespaces."""
        base = f"/apis/{self.group}/v1" if self.group else "/api/v1"
        return f"{base}/{self.plural}"

    def within(self, namespace: str) -> str:
        """Return the path of all of them in one namespace."""
        base, _, plural = self.everywhere.rpartition("/")
        return f"{base}/namespaces/{namespace}/{plural}"

    def path(self, namespace: str, name: str) -> str:
        """Return the path of one of them."""
        if not self.namespaced:
            return f"{self.everywhere}/{name}"
        return f"{self.within(namespace)}/{name}"


NAMESPACE: Final = Type("namespace", "Namespace", "namespaces", namespaced=False)
QUOTA: Final = Type("quota", "ResourceQuota", "resourcequotas")
LIMITS: Final = Type("limits", "LimitRange", "limitranges")
POLICY: Final = Type("policy", "NetworkPolicy", "networkpolicies", "networking.k8s.io")
ACCESS: Final = Type("access", "RoleBinding", "rolebindings", "rbac.authorization.k8s.io")
POD: Final = Type("pod", "Pod", "pods")
CLAIM: Final = Type("claim", "PersistentVolumeClaim", "persistentvolumeclaims")
STORAGE_CLASS: Final = Type(
    "storage-class", "StorageClass", "storageclasses", "storage.k8s.io", namespaced=False
)
TYPES: Final = (NAMESPACE, QUOTA, LIMITS, POLICY, ACCESS)
"""All that one is made of; the namespace first, since the others are judged by it."""
BY_WORD: Final = {entry.word: entry for entry in TYPES}
