"""Short-lived credentials for members of a namespace.

An account acts for all who have a role in a namespace. It lives in a namespace that departments
cannot reach, so that no pod of theirs can take its place, belongs to the namespace it is for, and
goes when that goes. Who may have its token is decided by whoever asks for it.
"""

import base64
from pathlib import Path
from typing import Any, Final

from govcloud.errors import TransientCloudError
from govcloud.ports.cloud import Observed
from provisioners.kubernetes.credentials import way
from provisioners.kubernetes.marks import FIELD_MANAGER, INSTALLATION, MANAGED_BY
from provisioners.kubernetes.objects import account_name
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.settings import Settings

Json = dict[str, Any]
LIFE_S: Final = 3600


def kubeconfig(
    session: Session, settings: Settings, installation: str, namespace: Observed, role: str
) -> Json:
    """Return a kubeconfig for one role in one namespace, and until when it works.

    Raises CloudError.
    """
    name = account_name(namespace.name, role)
    home = f"/api/v1/namespaces/{settings.access_namespace}/serviceaccounts/{name}"
    session.apply(
        home, _account(settings, installation, namespace, name), fieldManager=FIELD_MANAGER
    )
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": LIFE_S},
    }
    said = session.post(f"{home}/token", body).get("status") or {}
    if not said.get("token"):
        raise TransientCloudError("ServerError", "no token in the answer")
    return {
        "expires_at": said.get("expirationTimestamp", ""),
        "kubeconfig": _document(_cluster(session, settings), namespace.name, role, said["token"]),
    }


def _account(settings: Settings, installation: str, namespace: Observed, name: str) -> Json:
    owner = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "name": namespace.name,
        "uid": namespace.id,
    }
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": settings.access_namespace,
            "labels": {**MANAGED_BY, INSTALLATION: installation},
            "ownerReferences": [owner],
        },
        "automountServiceAccountToken": False,
    }


def _cluster(session: Session, settings: Settings) -> Json:
    """Return where members find the API server, and whom they trust there: like us, or as said."""
    ours = session.configuration
    ca_file = settings.members_ca_file or ours.ssl_ca_cert
    if settings.members_endpoint:
        return {"server": settings.members_endpoint, **_authority(ca_file)}
    said = {"server": ours.host, "tls-server-name": ours.tls_server_name, "proxy-url": way(ours)}
    there = {name: text for name, text in said.items() if text}
    if not ours.verify_ssl:  # beside a CA, kubectl refuses it
        return {**there, "insecure-skip-tls-verify": True}
    return {**there, **_authority(ca_file)}


def _authority(file: str | None) -> Json:
    """Return a CA as a kubeconfig holds it; nothing where the machine's own are trusted."""
    if not file:
        return {}
    try:
        data = Path(file).expanduser().read_bytes()
    except OSError as error:
        raise TransientCloudError("NoCredentials", str(error)) from error
    return {"certificate-authority-data": base64.b64encode(data).decode()}


def _document(cluster: Json, namespace: str, role: str, token: str) -> Json:
    user = f"{namespace}.{role}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [
            {
                "name": namespace,
                "context": {"cluster": "cluster", "user": user, "namespace": namespace},
            }
        ],
        "current-context": namespace,
    }
