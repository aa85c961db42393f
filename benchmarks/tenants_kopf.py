"""A small kopf operator that makes the objects of namespaces: what `benchmarks.clusters` compares.

    python -m kopf run --standalone -A benchmarks/tenants_kopf.py

A `Tenant` carries the manifests of all that is to be there; a handler applies them, and what is
removed behind its back is applied again. The API server is named by the environment: SERVER,
CA_FILE, TOKEN_FILE. It needs kopf and nothing of govcloud.
"""

import json
import os
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import kopf

MANAGER = "tenants-kopf"
TENANT = "bench.govcloud.io/tenant"
AT_ONCE = 16
SERVER = os.environ["SERVER"]
CA_FILE = os.environ.get("CA_FILE")
TOKEN = Path(os.environ["TOKEN_FILE"]).read_text()
PLACES = {
    "Namespace": ("/api/v1", ""),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "LimitRange": ("/api/v1", "limitranges"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}
CHILDREN = [
    ("", "v1", "resourcequotas"),
    ("", "v1", "limitranges"),
    ("networking.k8s.io", "v1", "networkpolicies"),
    ("rbac.authorization.k8s.io", "v1", "rolebindings"),
]


@kopf.on.login()
def login(**_: Any) -> kopf.ConnectionInfo:
    return kopf.ConnectionInfo(server=SERVER, ca_path=CA_FILE, scheme="Bearer", token=TOKEN)


@kopf.on.startup()
async def begin(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    settings.posting.enabled = False
    settings.queueing.worker_limit = AT_ONCE
    memo.tls = ssl.create_default_context(cafile=CA_FILE) if CA_FILE else False
    memo.session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"})


@kopf.on.cleanup()
async def end(memo: kopf.Memo, **_: Any) -> None:
    await memo.session.close()


@kopf.on.resume("bench.govcloud.io", "v1", "tenants")
@kopf.on.create("bench.govcloud.io", "v1", "tenants")
@kopf.on.update("bench.govcloud.io", "v1", "tenants")
async def made(name: str, spec: kopf.Spec, memo: kopf.Memo, **_: Any) -> None:
    for manifest in spec["manifests"]:
        await apply(memo, name, json.loads(manifest))


async def removed(event: Any, labels: Any, memo: kopf.Memo, **_: Any) -> None:
    """Apply a tenant's manifests again when one of its objects is gone."""
    if event["type"] != "DELETED":
        return
    url = f"{SERVER}/apis/bench.govcloud.io/v1/tenants/{labels[TENANT]}"
    async with memo.session.get(url, ssl=memo.tls) as answer:
        if answer.status == 200:
            for manifest in (await answer.json())["spec"]["manifests"]:
                await apply(memo, labels[TENANT], json.loads(manifest))


for child in CHILDREN:
    kopf.on.event(*child, labels={TENANT: kopf.PRESENT})(removed)


async def apply(memo: kopf.Memo, tenant: str, manifest: dict[str, Any]) -> None:
    about = manifest["metadata"]
    about.setdefault("labels", {})[TENANT] = tenant
    base, plural = PLACES[manifest["kind"]]
    inside = f"{about['namespace']}/{plural}/" if plural else ""
    url = f"{SERVER}{base}/namespaces/{inside}{about['name']}"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    query = {"fieldManager": MANAGER, "force": "true"}
    body = json.dumps(manifest)
    async with memo.session.patch(
        url, params=query, data=body, headers=headers, ssl=memo.tls
    ) as answer:
        if answer.status >= 400:
            raise kopf.TemporaryError(await answer.text(), delay=1)
