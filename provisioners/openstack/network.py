"""Neutron: networks, subnets, routers; security groups, rules, ports, floating addresses.

Everything carries its mark in its description. A rule cannot be changed, so each opening is a
resource of its own; those in a group of ours that are not marked are shown as its `extra`. Where
one gets out of a group is one value of it, `egress`, so that nothing is cut off while it changes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from govcloud.errors import CloudConflictError, TerminalCloudError
from govcloud.ports.cloud import Observed, Resource, State, Value
from provisioners.openstack import rules
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.identity import Identity
from provisioners.openstack.marks import Label, Mark, Marks
from provisioners.openstack.session import NETWORK, Door, Json

NETWORK_TYPE: Final = "network"
SUBNET: Final = "subnet"
ROUTER: Final = "router"
GROUP: Final = "security-group"
RULE: Final = "rule"
PORT: Final = "port"
ADDRESS: Final = "floating-ip"
PATHS: Final[Mapping[str, tuple[str, str]]] = {
    NETWORK_TYPE: ("networks", "network"),
    SUBNET: ("subnets", "subnet"),
    ROUTER: ("routers", "router"),
    GROUP: ("security-groups", "security_group"),
    RULE: ("security-group-rules", "security_group_rule"),
    PORT: ("ports", "port"),
    ADDRESS: ("floatingips", "floatingip"),
}
_GATEWAYS: Final = frozenset(
    {
        "network:router_interface",
        "network:router_interface_distributed",
        "network:ha_router_replicated_interface",
    }
)
_ROUTED: Final = frozenset({ROUTER, ADDRESS})
_L3: Final = "router"
"""The extension without which Neutron has none of these."""
_SERVER_OWNER: Final = "compute:"
_LISTED: Final = "security_groups"
_ASKED: Final[Mapping[str, Sequence[str]]] = {
    GROUP: ("id", "name", "description", "project_id"),
}
"""What is asked of a type in a look at all projects: for groups with their rules Neutron takes
many times as long as for the groups and all the rules."""


Ids = Callable[[str], str]
"""From the word for a resource (its part, or `<uid>/<part>`) to its id."""


@dataclass(slots=True)
class View:
    """What one look at a cloud's networks showed: marks by id, ports by owner."""

    labels: dict[str, Label] = field(default_factory=dict)
    servers_ports: dict[str, list[Json]] = field(default_factory=dict)
    gateways: dict[str, set[str]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    rules: dict[str, list[Json]] = field(default_factory=dict)

    def part(self, key: str | None, uid: str = "") -> str:
        """Return the part that an id is; with its uid where it is of another object than `uid`.

        What carries no mark is shown by its id.
        """
        if not key:
            return ""
        mark = self.labels[key].mark if key in self.labels else Mark()
        if not mark.ours:
            return key
        return mark.part if mark.uid == uid else f"{mark.uid}/{mark.part}"


class Network:
    """The networks of a cloud."""

    def __init__(self, door: Door, marks: Marks, identity: Identity, catalogue: Catalogue) -> None:
        self._door = door
        self._marks = marks
        self._identity = identity
        self._catalogue = catalogue

    # --- Looking ---

    def pages(self, kind: str, projects: Sequence[str] = ()) -> Iterator[list[Json]]:
        """List a type, of some projects or of all."""
        collection, _ = PATHS[kind]
        params = [("project_id", project) for project in projects]
        params += [("fields", name) for name in _ASKED.get(kind, ()) if not projects]
        key = collection.replace("-", "_")
        try:
            yield from self._door.pages(NETWORK, f"/{collection}", key, params)
        except CloudConflictError as error:
            if error.reason != "Gone" or self._offered(kind):
                raise

    def _offered(self, kind: str) -> bool:
        """Whether the region has a type at all: without L3 it has no routers, no addresses."""
        rows = self._door.get(NETWORK, "/extensions").get("extensions")
        aliases = {row["alias"] for row in rows or ()}
        return not aliases or kind not in _ROUTED or _L3 in aliases

    def label(self, row: Json) -> Label:
        """Return what a resource says of itself."""
        return self._marks.from_description(row.get("description"))

    def note(self, view: View, kind: str, row: Json) -> None:
        """Keep of a row what the view of others needs."""
        rules: list[Json] = row.get("security_group_rules") or [] if kind == GROUP else []
        for one in (row, *rules):
            if (label := self.label(one)).mark.ours:
                view.labels[one["id"]] = label
        if kind == PORT:
            self._note_port(view, row)
        elif kind == GROUP and "security_group_rules" in row:
            view.rules[row["id"]] = row["security_group_rules"]
        elif kind == RULE:
            view.rules.setdefault(row["security_group_id"], []).append(row)
        elif kind == ADDRESS and row.get("port_id"):
            view.addresses[row["port_id"]] = row["floating_ip_address"]

    @staticmethod
    def _note_port(view: View, row: Json) -> None:
        owner, device = row.get("device_owner") or "", row.get("device_id") or ""
        if owner.startswith(_SERVER_OWNER):
            view.servers_ports.setdefault(device, []).append(row)
        elif owner in _GATEWAYS:
            subnets = {entry["subnet_id"] for entry in row.get("fixed_ips") or ()}
            view.gateways.setdefault(device, set()).update(subnets)

    def observed(self, kind: str, row: Json, view: View) -> list[Observed]:
        """Return a row as the port's values: a group brings its rules along."""
        label = self.label(row)
        project = str(row.get("project_id") or row.get("tenant_id") or "")
        props, info, state = _READERS[kind](row, view, label)
        found = Observed(
            id=str(row["id"]),
            type=kind,
            name=row.get("name") or row.get("floating_ip_address") or "",
            tenant=self._identity.tenant(project),
            state=state,
            uid=label.mark.uid,
            part=label.mark.part,
            props={**label.facts, **props},
            tags=label.tags,
            info=info,
            fault="NetworkFailed" if state is State.FAILED else "",
        )
        if kind != GROUP:
            return [found]
        rules = view.rules.get(found.id, ())
        return [found, *(self._rule(rule, found, view) for rule in rules if self._marked(rule))]

    def _marked(self, rule: Json) -> bool:
        return self.label(rule).mark.ours

    def _rule(self, row: Json, group: Observed, view: View) -> Observed:
        mark = self.label(row).mark
        said: dict[str, Value] = {"rule": _said(row, view, mark.uid)}
        return Observed(
            str(row["id"]), RULE, "", group.tenant, State.READY, mark.uid, mark.part, said
        )

    # --- Making ---

    def create(self, resource: Resource, ids: Ids) -> Observed:
        """Make a resource of others that `ids` finds."""
        project = self._identity.need(resource.tenant)
        body = _BODIES[resource.type](resource, ids, self._catalogue)
        label = Mark(resource.uid, resource.part)
        facts = {str(n): str(v) for n, v in resource.props.items() if n in FACTS}
        body["description"] = self._marks.description(label, resource.tags, facts)
        body["project_id"] = project
        if resource.type not in (RULE, ADDRESS):
            body["name"] = resource.name
        collection, word = PATHS[resource.type]
        row = self._door.call(NETWORK, "POST", f"/{collection}", json={word: body})[word]
        if resource.type == GROUP:
            self._let_out(row, str(resource.props["egress"]), ids)
        view = View()
        if resource.type in (RULE, GROUP):
            return Observed(
                str(row["id"]),
                resource.type,
                resource.name,
                resource.tenant,
                State.READY,
                *label,
                props=dict(resource.props),
                tags=dict(resource.tags),
            )
        self.note(view, resource.type, row)
        return self.observed(resource.type, row, view)[0]

    # --- Changing ---

    def change(
        self,
        observed: Observed,
        wanted: Resource,
        fields: Sequence[str],
        ids: Ids,
    ) -> None:
        """Bring the named fields to what is wanted."""
        row = self.check(observed)
        if frozen := sorted(wanted.immutable & set(fields)):
            raise TerminalCloudError("Immutable", " ".join(frozen))
        body = self._body(row, wanted, fields, ids)
        if body:
            collection, word = PATHS[observed.type]
            self._door.call(NETWORK, "PUT", f"/{collection}/{observed.id}", json={word: body})
        if "subnets" in fields:
            self._interfaces(observed, wanted, ids)
        if "extra" in fields:
            self._close(row)
        if "egress" in fields:
            self._let_out(row, str(wanted.props["egress"]), ids)

    def _body(self, row: Json, wanted: Resource, fields: Sequence[str], ids: Ids) -> Json:
        """Return what the resource itself is to be told."""
        body: Json = {}
        if any(name.startswith("tag:") for name in fields):
            mark, facts = Mark(wanted.uid, wanted.part), self.label(row).facts
            body["description"] = self._marks.description(mark, wanted.tags, facts)
        if "up" in fields:
            body["admin_state_up"] = bool(wanted.props["up"])
        if "groups" in fields:
            body["security_groups"] = [ids(w) for w in str(wanted.props["groups"]).split()]
        if "attached_to" in fields:
            body["port_id"] = ids(str(wanted.props["attached_to"]))
        if "gateway" in fields:
            body["external_gateway_info"] = _gateway(wanted, self._catalogue)
        return body

    def _interfaces(self, router: Observed, wanted: Resource, ids: Ids) -> None:
        """Let a router stand in each subnet; those that it stands in already answer 400."""
        have = set(str(router.props.get("subnets") or "").split())
        for word in str(wanted.props["subnets"]).split():
            if word in have:
                continue
            body = {"subnet_id": ids(word)}
            url = f"/routers/{router.id}/add_router_interface"
            try:
                self._door.call(NETWORK, "PUT", url, json=body)
            except TerminalCloudError as error:
                if "already has" not in error.message:
                    raise

    def _close(self, group: Json) -> None:
        """Take the openings from a group of ours that nobody approved."""
        for rule in group.get("security_group_rules") or ():
            if not self._marked(rule) and not rules.outward(rule):
                self._delete(RULE, rule["id"])

    def _let_out(self, group: Json, egress: str, ids: Ids) -> None:
        """Let out of a group where it is wanted, and once that is so nowhere else."""
        bodies = [rules.body(words, ids) for words in rules.ways_of(egress)]
        wanted = {rules.key(body): body for body in bodies}
        there = [r for r in group.get("security_group_rules") or () if rules.outward(r)]
        collection, word = PATHS[RULE]
        for key in sorted(wanted.keys() - {rules.key(rule) for rule in there}):
            of = {"security_group_id": group["id"], "project_id": group["project_id"]}
            self._door.call(NETWORK, "POST", f"/{collection}", json={word: wanted[key] | of})
        for rule in there:
            if rules.key(rule) not in wanted:
                self._delete(RULE, rule["id"])

    # --- Removing ---

    def delete(self, observed: Observed) -> None:
        """Remove a resource; a router gives back its interfaces first."""
        try:
            self.check(observed)
        except CloudConflictError as error:
            if error.reason == "Gone":
                return
            raise
        if observed.type == ROUTER:
            self._leave_subnets(observed)
        self._delete(observed.type, observed.id)

    def _leave_subnets(self, router: Observed) -> None:
        rows = self._door.rows(NETWORK, "/ports", "ports", [("device_id", router.id)])
        for row in rows:
            if row.get("device_owner") not in _GATEWAYS:
                continue
            url = f"/routers/{router.id}/remove_router_interface"
            try:
                self._door.call(NETWORK, "PUT", url, json={"port_id": row["id"]})
            except CloudConflictError:
                continue

    def _delete(self, kind: str, key: str) -> None:
        collection, _ = PATHS[kind]
        try:
            self._door.call(NETWORK, "DELETE", f"/{collection}/{key}")
        except CloudConflictError as error:
            if error.reason != "Gone":
                raise

    def check(self, observed: Observed) -> Json:
        """Return the resource if the mark is still there, else raise CloudConflictError."""
        collection, word = PATHS[observed.type]
        row: Json = self._door.get(NETWORK, f"/{collection}/{observed.id}")[word]
        mark = self.label(row).mark
        if not mark.ours or mark != (observed.uid, observed.part):
            raise CloudConflictError("NotOurs", f"{observed.type} {observed.id}")
        return row


# --- Reading rows -------------------------------------------------------------------------------

_Read = tuple[dict[str, Value], dict[str, Value], State]
FACTS: Final = frozenset({"network", "pool"})
"""Properties that are noted in the description, because a resource does not tell them itself."""


def _read_network(row: Json, view: View, label: Label) -> _Read:
    del view, label
    return {"up": bool(row.get("admin_state_up", True))}, {}, State.READY


def _read_subnet(row: Json, view: View, label: Label) -> _Read:
    props: dict[str, Value] = {
        "network": view.part(row.get("network_id"), label.mark.uid),
        "version": row.get("ip_version"),
    }
    return props, {"cidr": row.get("cidr")}, State.READY


def _read_router(row: Json, view: View, label: Label) -> _Read:
    gateway = row.get("external_gateway_info") or {}
    inside = sorted(view.part(key, label.mark.uid) for key in view.gateways.get(row["id"], ()))
    props: dict[str, Value] = {
        "up": bool(row.get("admin_state_up", True)),
        "gateway": bool(gateway),
        "subnets": " ".join(inside),
    }
    outside = [entry.get("ip_address") for entry in gateway.get("external_fixed_ips") or ()]
    return props, {"address": " ".join(filter(None, outside))}, State.READY


def _read_group(row: Json, view: View, label: Label) -> _Read:
    inward, ways = [], []
    for rule in view.rules.get(row["id"], ()):
        said = _said(rule, view, label.mark.uid)
        if rules.outward(rule):
            ways.append(said)
        elif rule["id"] not in view.labels:
            inward.append(said)
    return {"extra": "; ".join(sorted(inward)), "egress": rules.as_egress(ways)}, {}, State.READY


def _said(rule: Json, view: View, uid: str) -> str:
    return rules.words(rule, view.part(rule.get("remote_group_id"), uid))


def _read_port(row: Json, view: View, label: Label) -> _Read:
    groups = sorted(view.part(key, label.mark.uid) for key in row.get(_LISTED) or ())
    addresses = [str(entry["ip_address"]) for entry in row.get("fixed_ips") or ()]
    props: dict[str, Value] = {
        "groups": " ".join(groups),
        "up": bool(row.get("admin_state_up", True)),
    }
    info: dict[str, Value] = {
        "address": next((a for a in addresses if ":" not in a), ""),
        "address6": next((a for a in addresses if ":" in a), ""),
        "status": row.get("status"),
    }
    return props, info, State.READY


def _read_address(row: Json, view: View, label: Label) -> _Read:
    props: dict[str, Value] = {"attached_to": view.part(row.get("port_id"), label.mark.uid)}
    failed = row.get("status") == "ERROR"
    info: dict[str, Value] = {"address": row.get("floating_ip_address")}
    return props, info, State.FAILED if failed else State.READY


_READERS: Final[Mapping[str, Callable[[Json, View, Label], _Read]]] = {
    NETWORK_TYPE: _read_network,
    SUBNET: _read_subnet,
    ROUTER: _read_router,
    GROUP: _read_group,
    PORT: _read_port,
    ADDRESS: _read_address,
}


# --- Making bodies ------------------------------------------------------------------------------


def _network_body(resource: Resource, ids: Ids, catalogue: Catalogue) -> Json:
    del resource, ids, catalogue
    return {"admin_state_up": True}


def _subnet_body(resource: Resource, ids: Ids, catalogue: Catalogue) -> Json:
    build = resource.build
    body: Json = {
        "network_id": ids(str(resource.props["network"])),
        "ip_version": resource.props["version"],
        "enable_dhcp": True,
    }
    if build.get("pool"):
        body["subnetpool_id"] = catalogue.subnet_pool(str(build["pool"]))
    else:
        body["cidr"] = build["cidr"]
    if resource.props["version"] == 6:
        body |= {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    if build.get("nameservers"):
        body["dns_nameservers"] = list(build["nameservers"])  # type: ignore[call-overload]
    return body


def _router_body(resource: Resource, ids: Ids, catalogue: Catalogue) -> Json:
    del ids
    return {"admin_state_up": True, "external_gateway_info": _gateway(resource, catalogue)}


def _gateway(resource: Resource, catalogue: Catalogue) -> Json | None:
    outside = resource.build.get("external_network")
    return {"network_id": catalogue.external_network(str(outside))} if outside else None


def _group_body(resource: Resource, ids: Ids, catalogue: Catalogue) -> Json:
    del resource, ids, catalogue
    return {}


def _rule_body(resource: Resource, ids: Ids, catalogue: Catalogue) -> Json:
    del catalogue
    body = rules.body(str(resource.props["rule"]), ids)
    return body | {"security_group_id": ids(str(resource.build["group"]))}


def _port_body(resource: Resource, ids: Ids, catalogue: Catalogue) -> Json:
    del catalogue
    build = resource.build
    body: Json = {
        "network_id": ids(str(build["network_mark"])),
        "admin_state_up": True,
        "security_groups": [ids(word) for word in str(resource.props["groups"]).split()],
    }
    if build.get("only_subnet"):
        body["fixed_ips"] = [{"subnet_id": ids(str(build["only_subnet"]))}]
    return body


def _address_body(resource: Resource, ids: Ids, catalogue: Catalogue) -> Json:
    return {
        "floating_network_id": catalogue.external_network(str(resource.props["pool"])),
        "port_id": ids(str(resource.props["attached_to"])),
    }


_BODIES: Final[Mapping[str, Callable[[Resource, Ids, Catalogue], Json]]] = {
    NETWORK_TYPE: _network_body,
    SUBNET: _subnet_body,
    ROUTER: _router_body,
    GROUP: _group_body,
    RULE: _rule_body,
    PORT: _port_body,
    ADDRESS: _address_body,
}
