"""What the driver makes of lists that are cut, renamed, short or ambiguous, from a stand-in."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from govcloud.domain.drift import DriftMode
from govcloud.errors import AwaitedCloudError, CloudError, TerminalCloudError, TransientCloudError
from govcloud.messages import render
from govcloud.plan.actions import plan
from govcloud.plan.model import Situation, Verb
from govcloud.ports.cloud import CloudAddress, Observed, Order, Provisioner, State
from govcloud.testing.openstack_stub import PROJECT, Cloud, Query, serving
from govcloud.testing.world import machine_order, volume_order
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.driver import OpenStackProvisioner, open_cloud
from provisioners.openstack.marks import Mark, Marks
from provisioners.openstack.parts import ground_uid, tenant_of
from provisioners.openstack.session import IMAGE, Door
from provisioners.openstack.settings import read_settings

NAME, MARKS = "gov", Marks("gc-1")
VOLUMES, PROJECTS = "/volume/v3/volumes/detail", "/v3/projects"
SERVERS = "/compute/v2.1/servers/detail"
GROUPS = "/compute/v2.1/os-server-groups"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A region that has a domain of ours, and nothing in it yet."""
    with serving() as cloud:
        cloud.say = (200, {}, {})
        cloud.services = ("identity", "compute", "network", "image", "block-storage")
        cloud.lists["/v3/domains"] = lambda _: {"domains": [{"id": "ours"}]}
        yield cloud


@pytest.fixture
def driver(cloud: Cloud, tmp_path: Path) -> Iterator[OpenStackProvisioner]:
    connection = {**cloud.connection(tmp_path), "page-size": "100"}
    driver = open_cloud(CloudAddress(NAME, connection, MARKS.installation, ""))
    assert isinstance(driver, OpenStackProvisioner)
    yield driver
    driver.close()


@pytest.fixture
def door(cloud: Cloud, tmp_path: Path) -> Iterator[Door]:
    door = Door(read_settings({**cloud.connection(tmp_path), "page-size": "100"}))
    yield door
    door.close()


def project(order: Order, key: str, name: str, tags: dict[str, str] | None = None) -> Any:
    mark = Mark(ground_uid(NAME, "Tenant", tenant_of(order)), "project")
    said = {"department": order.department, "system": order.system} if tags is None else tags
    return {
        "id": key,
        "name": name or tenant_of(order),
        "description": MARKS.description(mark, said),
    }


def volume(order: Order, key: str, project_id: str) -> Any:
    return {
        "id": key,
        "status": "available",
        "metadata": MARKS.metadata(Mark(order.uid, "volume"), {}),
        "os-vol-tenant-attr:tenant_id": project_id,
    }


def listed(word: str, rows: Sequence[Any]) -> Callable[[Query], Any]:
    """List rows, of one project where that is asked for."""

    def answer(query: Query) -> Any:
        of = query.get("project_id")
        return {word: [r for r in rows if not of or r["os-vol-tenant-attr:tenant_id"] in of]}

    return answer


def said(provisioner: Provisioner, language: str = "en") -> list[str]:
    """Return what a cloud's report complains of."""
    return [render(one.key, language, one.params) for one in provisioner.report().problems]


def all_of(word: str, rows: Sequence[Any], **more: Any) -> Callable[[Query], Any]:
    return lambda _: {word: rows, **more}


# --- Where one looks ----------------------------------------------------------------------------


@pytest.mark.guarantee("Q3")
@pytest.mark.guarantee("R2")
@pytest.mark.parametrize(
    "projects",
    [
        pytest.param([], id="deleted"),
        pytest.param([("p1", "renamed", None)], id="renamed"),
        pytest.param([("p1", "renamed", {})], id="renamed, without tags"),
        pytest.param([("p1", "a--b", None), ("p2", "", None)], id="two"),
    ],
)
def test_what_stands_is_found_whatever_became_of_its_project(
    cloud: Cloud, driver: OpenStackProvisioner, projects: list[Any]
) -> None:
    """Nothing found is taken for nothing there, and the quota is given back: it must be true."""
    order = volume_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [project(order, *each) for each in projects])
    cloud.lists[VOLUMES] = listed("volumes", [volume(order, "v1", "p1")])
    driver.resources(order)
    assert [item.id for item in driver.find([order.uid])] == ["v1"]


def test_a_renamed_project_is_the_same_tenant(cloud: Cloud, driver: OpenStackProvisioner) -> None:
    """Told by its mark, so that what is in it is what it was, and its quota is still known."""
    order = volume_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", "renamed")])
    cloud.lists[VOLUMES] = listed("volumes", [volume(order, "v1", "p1")])
    for service in ("/compute/v2.1/os-quota-sets/p1/detail", "/volume/v3/os-quota-sets/p1"):
        cloud.lists[service] = lambda _: {"quota_set": {}}
    cloud.lists["/network/v2.0/quotas/p1/details"] = lambda _: {"quota": {}}
    [wanted] = driver.resources(order)
    assert [item.tenant for item in driver.find([order.uid])] == [wanted.tenant]
    assert ("project_id", ["p1"]) in [
        e for p, q in cloud.queries if p == VOLUMES for e in q.items()
    ]
    assert [quota.tenant for page in driver.quotas() for quota in page] == [wanted.tenant]


def test_quotas_that_were_not_asked_for_in_this_pass_are_told_as_recalled(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """Somebody else may have set them since: a change by hand cannot be told from that."""
    orders = [replace(volume_order(number), system=f"portal-{number}") for number in range(25)]
    ids = [f"p{number}" for number in range(25)]
    found = [project(order, key, "") for order, key in zip(orders, ids, strict=True)]
    cloud.lists[PROJECTS] = all_of("projects", found)
    for key in ids:
        cloud.lists[f"/compute/v2.1/os-quota-sets/{key}/detail"] = lambda _: {
            "quota_set": {"cores": {"limit": 8, "in_use": 0, "reserved": 0}}
        }
        cloud.lists[f"/volume/v3/os-quota-sets/{key}"] = lambda _: {"quota_set": {}}
        cloud.lists[f"/network/v2.0/quotas/{key}/details"] = lambda _: {"quota": {}}

    def told() -> list[bool]:
        return [quota.recalled for page in driver.quotas() for quota in page]

    assert told() == [False] * 25
    assert sorted(told()) == [False] * 20 + [True] * 5
    recalled = [quota for page in driver.quotas() for quota in page if quota.recalled]
    assert {quota.limits["vcpu"] for quota in recalled} == {8}


@pytest.mark.parametrize("objects", [1, 5])
def test_a_project_that_another_controller_has_made_is_its_tenants(
    cloud: Cloud, driver: OpenStackProvisioner, objects: int
) -> None:
    """Taken for another tenant's, what stands in it would be a conflict, and left for good."""
    orders = [replace(volume_order(n), system=f"system-{n}") for n in range(objects)]
    made = [project(volume_order(99), "p99", "x")]
    cloud.lists[PROJECTS] = all_of("projects", made)
    list(driver.observe())
    made += [project(order, f"p{number}", "") for number, order in enumerate(orders)]
    rows = [volume(order, f"v{number}", f"p{number}") for number, order in enumerate(orders)]
    cloud.lists[VOLUMES] = listed("volumes", rows)
    wanted = {one.uid: one.tenant for order in orders for one in driver.resources(order)}
    assert {item.uid: item.tenant for item in driver.find(list(wanted))} == wanted


def test_a_project_that_is_made_while_one_looks_is_its_tenants(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """Projects are listed first, and what is in them after."""
    order = volume_order(1)
    rows: list[Any] = []

    def volumes(_: Query) -> Any:
        rows[:] = [project(order, "p1", "")]
        return {"volumes": [volume(order, "v1", "p1")]}

    cloud.lists[PROJECTS] = all_of("projects", rows)
    cloud.lists[VOLUMES] = volumes
    seen = [item for page in driver.observe() for item in page if item.uid]
    assert [(item.id, item.tenant) for item in seen] == [("v1", tenant_of(order))]


def test_tags_that_somebody_changed_make_no_other_tenant(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    order = volume_order(1)
    forged = {"department": "other", "system": "portal"}
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", tenant_of(order), forged)])
    cloud.lists[VOLUMES] = listed("volumes", [volume(order, "v1", "p1")])
    driver.resources(order)
    assert [item.tenant for item in driver.find([order.uid])] == [tenant_of(order)]


@pytest.mark.guarantee("Q3")
def test_a_list_of_projects_that_is_cut_is_not_believed(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """Keystone cuts at its `list_limit`; whoever is not in the list may be there all the same."""
    order = volume_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [], truncated=True)
    driver.resources(order)
    for look in (lambda: driver.find([order.uid]), lambda: list(driver.observe())):
        with pytest.raises(TransientCloudError) as caught:
            look()
        assert caught.value.reason == "Truncated"
    assert any("Truncated" in problem for problem in said(driver))


def test_projects_come_in_pages_where_keystone_has_pages(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    order = volume_order(1)

    def pages(query: Query) -> Any:
        if query.get("marker") == ["p0"]:
            return {"projects": [project(order, "p1", "x")], "links": {"next": None}}
        first = {"id": "p0", "name": "other", "description": ""}
        more = {"next": f"{cloud.url}{PROJECTS}?marker=p0"}
        return {"projects": [first], "links": more, "truncated": True}

    cloud.lists[PROJECTS] = pages
    cloud.lists[VOLUMES] = listed("volumes", [volume(order, "v1", "p1")])
    driver.resources(order)
    assert [item.tenant for item in driver.find([order.uid])] == [tenant_of(order)]


# --- What is not shown --------------------------------------------------------------------------


def refused(cloud: Cloud, act: Callable[[], object]) -> CloudError:
    """Return why something was not done, having seen that nothing was removed."""
    with pytest.raises(CloudError) as caught:
        act()
    assert not [path for verb, path in cloud.asked if verb == "DELETE"]
    return caught.value


def seen_project(driver: OpenStackProvisioner, cloud: Cloud) -> Observed:
    """Return the first project of ours, and let Keystone tell it by itself, too."""
    found = next(i for page in driver.observe() for i in page if i.type == "project" and i.uid)
    rows = cloud.lists[PROJECTS]({})["projects"]
    row = next(row for row in rows if row["id"] == found.id)
    cloud.lists[f"{PROJECTS}/{found.id}"] = lambda _: {"project": row}
    return found


@pytest.mark.guarantee("Q3")
def test_a_catalogue_without_cinder_takes_no_volume_for_gone(
    cloud: Cloud, driver: OpenStackProvisioner, tmp_path: Path
) -> None:
    """An endpoint that somebody switched off; its volumes go on standing, and count."""
    order = volume_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", "")])
    cloud.lists[VOLUMES] = listed("volumes", [volume(order, "v1", "p1")])
    tenant = seen_project(driver, cloud)
    cloud.services = tuple(name for name in cloud.services if name != "block-storage")
    connection = cloud.connection(tmp_path)
    without = open_cloud(CloudAddress(NAME, connection, MARKS.installation, ""))
    without.resources(order)
    acts: list[Callable[[], object]] = [
        lambda: without.find([order.uid]),
        lambda: list(without.observe()),
        lambda: without.delete(tenant),
    ]
    for act in acts:
        error = refused(cloud, act)
        assert (type(error), error.reason) == (TransientCloudError, "NoService")
    assert any("set volumes to false" in problem for problem in said(without))
    assert any("请将 volumes 设为 false" in problem for problem in said(without, "zh"))
    declared = {**connection, "volumes": "false", "boot-from-volume": "false"}
    having_none = open_cloud(CloudAddress(NAME, declared, MARKS.installation, ""))
    assert list(having_none.find([order.uid])) == []
    assert not [one for one in said(having_none) if "block-storage" in one]


def server(order: Order, part: str = "server-0", **more: Any) -> Any:
    metadata = MARKS.metadata(Mark(order.uid, part), {}, {"object": order.name})
    return {"id": f"id-{part}", "status": "ACTIVE", "metadata": metadata, "tenant_id": "p1", **more}


@pytest.mark.guarantee("Q3")
def test_a_server_in_a_cell_that_is_down_is_not_gone(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """Nova tells of it that it is there, and not that it is ours."""
    order = machine_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", "")])
    cloud.lists[SERVERS] = all_of("servers", [server(order)])
    driver.resources(order)
    [found] = driver.find([order.uid])
    down = {
        "id": found.id,
        "status": "UNKNOWN",
        "tenant_id": "p1",
        "created": "2026-01-01",
        "links": [],
    }
    cloud.lists[SERVERS] = all_of("servers", [down])
    cloud.lists[f"/compute/v2.1/servers/{found.id}"] = lambda _: {"server": down}
    acts: list[Callable[[], object]] = [
        lambda: driver.find([order.uid]),
        lambda: list(driver.observe()),
        lambda: driver.delete(found),
    ]
    for act in acts:
        error = refused(cloud, act)
        assert (type(error), error.reason) == (TransientCloudError, "Truncated")


@pytest.mark.guarantee("R2")
@pytest.mark.parametrize("kind", ["floatingips", "ports", "routers", "networks"])
def test_a_project_with_somebodys_addresses_in_it_stays(
    cloud: Cloud, driver: OpenStackProvisioner, kind: str
) -> None:
    """Neutron does not notice that a project goes, and nobody would find what was in it."""
    cloud.lists[PROJECTS] = all_of("projects", [project(machine_order(1), "p1", "")])
    row = {"id": "x", "description": "of somebody", "floating_ip_address": "203.0.113.9"}
    path, rows = f"/network/v2.0/{kind}", [row]
    cloud.lists[path] = lambda query: {kind: rows if query.get("project_id") == ["p1"] else []}
    tenant = seen_project(driver, cloud)
    error = refused(cloud, lambda: driver.delete(tenant))
    assert (type(error), error.reason) == (TransientCloudError, "StillUsed")
    rows.clear()
    driver.delete(tenant)
    assert ("DELETE", f"{PROJECTS}/p1") in cloud.asked


@pytest.mark.guarantee("Q3")
def test_a_server_that_nova_keeps_for_a_while_is_not_gone(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """With `reclaim_instance_interval`; until then it can be restored, and holds what it held."""
    order = machine_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", "")])
    kept = server(order, status="SOFT_DELETED")
    cloud.lists[SERVERS] = lambda query: {"servers": [kept] if "soft_deleted" in query else []}
    wanted = driver.resources(order)
    [found] = driver.find([order.uid])
    assert found.state is State.DELETING
    made = plan(wanted, [found], Situation(lambda _: DriftMode.HEAL, releasing=True))
    assert (made.actions, made.waiting) == ((), (found,))
    tenant = seen_project(driver, cloud)
    assert refused(cloud, lambda: driver.delete(tenant)).reason == "StillUsed"


L3 = {"/network/v2.0/floatingips", "/network/v2.0/routers"}


@pytest.mark.parametrize(("alias", "works"), [("quotas", True), ("router", False), ("", False)])
def test_a_region_without_routers_works_for_what_it_has(
    cloud: Cloud, driver: OpenStackProvisioner, alias: str, works: bool
) -> None:
    """Where Neutron says that it has them, that they are not found is an error."""
    order = machine_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", "")])
    cloud.lists[SERVERS] = all_of("servers", [server(order)])
    cloud.lists["/network/v2.0/extensions"] = all_of(
        "extensions", [{"alias": alias}] if alias else []
    )
    kinds = ("networks", "subnets", "ports", "security-groups", "security-group-rules")
    for path in (*(f"/network/v2.0/{kind}" for kind in kinds), GROUPS, VOLUMES):
        cloud.lists[path] = lambda _: {}
    cloud.say = (404, {}, {"message": "The resource could not be found."})
    driver.resources(order)
    if works:
        assert [item.type for item in driver.find([order.uid])] == ["server"]
        assert [i.type for page in driver.observe() for i in page if i.uid] == ["project", "server"]
        assert {path for _, path in cloud.asked} >= L3
    else:
        with pytest.raises(CloudError):
            driver.find([order.uid])


# --- Volumes of machines of which some are left out ---------------------------------------------


@pytest.mark.parametrize(
    ("without", "known", "there", "attached", "shown"),
    [
        ([], True, (0, 1), 0, 0),
        ([], True, (1,), None, None),
        ([0], True, (1, 2), 1, 1),
        ([0], True, (0, 1), 1, 1),
        ([0], False, (1, 2), None, 1),
        ([], False, (0, 1), 0, 0),
    ],
)
def test_a_volume_is_attached_to_the_first_machine_that_is_wanted(
    cloud: Cloud,
    driver: OpenStackProvisioner,
    without: list[int],
    known: bool,
    there: tuple[int, ...],
    attached: int | None,
    shown: int | None,
) -> None:
    """While it is built anew, no other takes its place: the data is of that one."""
    machine, order = machine_order(0), volume_order(1)
    order = replace(order, spec={**order.spec, "attachTo": machine.name})
    machine = replace(machine, spec={**machine.spec, "count": 2, "without": without})
    servers = [server(machine, f"server-{number}") for number in there]
    row = volume(order, "v1", "p1")
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", "")])
    cloud.lists[SERVERS] = all_of("servers", servers)
    cloud.lists[VOLUMES] = all_of("volumes", [row])
    cloud.lists["/volume/v3/volumes/v1"] = lambda _: {"volume": row}
    if known:
        driver.resources(machine)
    [wanted] = driver.resources(order)
    [seen] = driver.find([order.uid])
    if attached is None:
        with pytest.raises(AwaitedCloudError):
            driver.change(seen, wanted, ["attached_to"])
    else:
        driver.change(seen, wanted, ["attached_to"])
        path = f"/compute/v2.1/servers/id-server-{attached}/os-volume_attachments"
        assert ("POST", path) in cloud.asked
    for number in there:
        row["attachments"] = [{"server_id": f"id-server-{number}"}]
        [seen] = driver.find([order.uid])
        assert (seen.props["attached_to"] == machine.name) is (number == shown)


# --- Copies -------------------------------------------------------------------------------------


def test_the_volume_that_was_made_is_told_from_a_backup_of_it_that_was_restored(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """Cinder restores what a volume says of itself, and its mark with it."""
    order = volume_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", "")])
    rows = [
        {**volume(order, key, "p1"), "created_at": f"2026-0{month}-01T00:00:00.000000"}
        for key, month in (("restored", 3), ("original", 1), ("again", 2))
    ]
    cloud.lists[VOLUMES] = listed("volumes", rows)
    [wanted] = driver.resources(order)
    found = driver.find([order.uid])
    known = frozenset({"original"})
    situation = Situation(lambda _: DriftMode.HEAL, known=known, delivered=known)
    made = plan([wanted], found, situation)
    assert {item.id for item in made.doubles} == {"restored", "again"}
    assert not any(action.verb is Verb.DELETE for action in made.actions)
    assert driver._ids(wanted)("volume") == "original"


def test_where_cinder_moves_a_volume_to_is_no_volume_of_its_own(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    order = volume_order(1)
    cloud.lists[PROJECTS] = all_of("projects", [project(order, "p1", "")])
    moving = {**volume(order, "v1", "p1"), "status": "retyping", "migration_status": "migrating"}
    target = {**volume(order, "v2", "p1"), "migration_status": "target:v1"}
    cloud.lists[VOLUMES] = listed("volumes", [moving, target])
    driver.resources(order)
    assert [item.id for item in driver.find([order.uid])] == ["v1"]


# --- Pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        pytest.param({"next": "/v2/images?marker=0"}, id="Glance"),
        pytest.param({"images_links": [{"rel": "next", "href": "x"}]}, id="Nova, Neutron"),
        pytest.param({"image_links": [{"rel": "next", "href": "x"}]}, id="Cinder's types"),
    ],
)
def test_a_service_with_smaller_pages_says_that_more_follows(
    cloud: Cloud, door: Door, link: dict[str, Any]
) -> None:
    def pages(query: Query) -> Any:
        if "marker" in query:
            return {"images": [{"id": "1"}]}
        return {"images": [{"id": "0"}], **link}

    cloud.lists["/image/v2/images"] = pages
    assert [row["id"] for row in door.rows(IMAGE, "/images", "images")] == ["0", "1"]
    assert len(cloud.asked) == 2


@pytest.mark.parametrize(("there", "most", "calls"), [(0, 3, 1), (5, 3, 3), (6, 3, 3), (5, 200, 2)])
def test_server_groups_are_seen_whatever_is_the_most_that_nova_gives(
    cloud: Cloud, driver: OpenStackProvisioner, there: int, most: int, calls: int
) -> None:
    """Nova cuts a page at its `max_limit` and says nothing of it: only an empty one is the last."""
    rows = [
        {"id": str(n), "name": MARKS.name(Mark(f"u{n}", "affinity")), "policy": "anti-affinity"}
        for n in range(there)
    ]

    def page(query: Query) -> Any:
        offset, limit = (int(query[word][0]) for word in ("offset", "limit"))
        return {"server_groups": rows[offset : offset + min(limit, most)]}

    cloud.lists[GROUPS] = page
    found = [item.id for page in driver.observe() for item in page if item.type == "server-group"]
    assert found == [str(n) for n in range(there)]
    assert len([path for path, _ in cloud.queries if path == GROUPS]) == calls


def test_server_groups_of_a_cloud_that_knows_no_offset(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    cloud.lists[GROUPS] = all_of("server_groups", [{"id": "1", "name": "x"}])
    list(driver.observe())
    assert len([path for path, _ in cloud.queries if path == GROUPS]) == 2


# --- Images -------------------------------------------------------------------------------------


def image(key: str, visibility: str = "public", owner: str = "other") -> dict[str, Any]:
    return {"id": key, "name": "debian-12", "visibility": visibility, "owner": owner}


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([image("1", "shared"), image("2", "public")], "2"),
        ([image("1", "community"), image("2", "private", PROJECT)], "2"),
        ([image("1"), image("debian-12")], "debian-12"),
    ],
)
def test_an_image_of_others_is_never_preferred(
    cloud: Cloud, door: Door, rows: list[Any], chosen: str
) -> None:
    """An administrator sees what every project has: anybody's image may have this name."""
    cloud.lists["/image/v2/images"] = all_of("images", rows)
    assert Catalogue(door).image("debian-12") == chosen


@pytest.mark.parametrize(
    "rows",
    [
        [image("1"), image("2")],
        [image("1"), image("2", "private", PROJECT)],
    ],
)
def test_a_name_that_several_images_have_is_refused(
    cloud: Cloud, door: Door, rows: list[Any]
) -> None:
    cloud.lists["/image/v2/images"] = all_of("images", rows)
    with pytest.raises(CloudError) as caught:
        Catalogue(door).image("debian-12")
    assert (type(caught.value), caught.value.reason) == (TerminalCloudError, "AmbiguousImage")
    assert caught.value.message == "debian-12: 1, 2"


@pytest.mark.parametrize("visibility", ["shared", "community", "private"])
def test_an_image_of_others_is_taken_by_its_id_only(
    cloud: Cloud, door: Door, visibility: str
) -> None:
    cloud.lists["/image/v2/images"] = all_of("images", [image("1", visibility)])
    with pytest.raises(TerminalCloudError) as caught:
        Catalogue(door).image("debian-12")
    assert caught.value.reason == "UnknownImage"
    assert Catalogue(door).image("1") == "1"


def test_a_pool_of_addresses_is_the_operators(cloud: Cloud, door: Door) -> None:
    theirs = {"id": "1", "name": "v6", "shared": False, "project_id": "other"}
    pools = [theirs, {**theirs, "id": "2", "shared": True}]
    cloud.lists["/network/v2.0/subnetpools"] = all_of("subnetpools", pools)
    assert Catalogue(door).subnet_pool("v6") == "2"
    pools.pop()
    with pytest.raises(TerminalCloudError):
        Catalogue(door).subnet_pool("v6")


def test_an_image_that_is_no_longer_ambiguous_is_taken_at_once(cloud: Cloud, door: Door) -> None:
    """What an administrator has put right is not remembered wrong."""
    rows = [image("1"), image("2")]
    cloud.lists["/image/v2/images"] = all_of("images", rows)
    catalogue = Catalogue(door)
    with pytest.raises(TerminalCloudError):
        catalogue.image("debian-12")
    rows.pop()
    assert catalogue.image("debian-12") == "1"


# --- What stands open, and what is old ----------------------------------------------------------


@pytest.mark.guarantee("R4")
@pytest.mark.parametrize("words", ["by hand", "govcloud opened for the vendor", ""])
@pytest.mark.parametrize("within", [True, False])
def test_a_rule_that_carries_no_mark_is_seen_whatever_it_says(
    cloud: Cloud, driver: OpenStackProvisioner, words: str, *, within: bool
) -> None:
    order = machine_order(1)
    said = MARKS.description(Mark(order.uid, "group"), {})
    opened = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "description": words}
    rules = [{"id": "r1", "security_group_id": "g1", "remote_ip_prefix": "0.0.0.0/0", **opened}]
    group = {"id": "g1", "name": "web", "project_id": PROJECT, "description": said}
    group |= {"security_group_rules": rules} if within else {}
    cloud.lists["/network/v2.0/security-groups"] = all_of("security_groups", [group])
    cloud.lists["/network/v2.0/security-group-rules"] = all_of("security_group_rules", rules)
    [found] = [one for page in driver.observe() for one in page if one.type == "security-group"]
    assert "0.0.0.0/0" in str(found.props["extra"])


@pytest.mark.guarantee("R1")
def test_a_cache_of_the_sdk_hides_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """Whoever writes clouds.yaml for people may let the SDK remember answers for an hour."""
    connection = cloud.connection(tmp_path)
    file = Path(connection["config-file"])
    kept = {"compute.servers.detail": 3600}
    cache = {"class": "dogpile.cache.memory", "expiration_time": 3600, "expiration": kept}
    file.write_text(json.dumps({**json.loads(file.read_text()), "cache": cache}))
    asked = "/compute/v2.1/servers/detail"
    cloud.lists[asked] = all_of("servers", [])
    driver = open_cloud(CloudAddress(NAME, connection, MARKS.installation, ""))
    for number in (1, 2):
        list(driver.observe())
        assert len([path for path, _ in cloud.queries if path == asked]) == number
    driver.close()


# --- Taking over ---------------------------------------------------------------------------------


SERVER = {
    "id": "s1", "name": "web", "status": "ACTIVE", "tenant_id": PROJECT,
    "metadata": {}, "image": "",
    "flavor": {"vcpus": 1, "ram": 1024, "original_name": "m1"},
    "OS-EXT-SRV-ATTR:root_device_name": "/dev/vda",
}  # fmt: skip


def disk(key: str, device: str, size: int) -> dict[str, Any]:
    attachments = [{"device": device, "server_id": "s1"}]
    about = {"bootable": "true", "volume_type": "hdd"}
    return {"id": key, "size": size, "attachments": attachments, **about}


def standing(
    cloud: Cloud, server: dict[str, Any], *disks: dict[str, Any], along: bool = False
) -> None:
    """Let a server of nobody's stand there, with disks in the order of its list."""
    held = [{"id": one["id"], "delete_on_termination": along} for one in disks]
    whole = {**server, "os-extended-volumes:volumes_attached": held}
    cloud.lists[f"/compute/v2.1/servers/{server['id']}"] = lambda _: {"server": whole}
    for one in disks:
        cloud.lists[f"/volume/v3/volumes/{one['id']}"] = lambda _, one=one: {"volume": one}
    cloud.lists["/image/v2/images"] = all_of("images", [])


def test_a_machine_is_taken_over_with_the_disk_that_it_boots_from(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """A data disk may be bootable, and may stand first in the list."""
    standing(cloud, SERVER, disk("data", "/dev/vdb", 500), disk("root", "/dev/vda", 40))
    found = driver.inspect("s1")
    assert found.parts == {"server-0": "s1", "disk-0": "root", "data-0-0": "data"}
    assert found.spec["systemDisk"] == {"size": 40, "type": "hdd"}
    assert found.props["disk-0"]["size"] == 40
    assert found.props["server-0"]["disks"] == "data-0-0 disk-0"
    standing(cloud, {**SERVER, "image": {"id": "i"}}, disk("data", "/dev/vdb", 500))
    assert driver.inspect("s1").parts == {"server-0": "s1", "data-0-0": "data"}
    standing(cloud, SERVER, disk("one", "/dev/vdb", 1), disk("two", "/dev/vdc", 2))
    with pytest.raises(CloudError) as caught:
        driver.inspect("s1")
    assert caught.value.reason == "NoBootDisk"


@pytest.mark.guarantee("P2")
def test_a_machine_whose_end_takes_disks_along_is_not_taken_over(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """Disks that a release keeps, or has yet to copy, would go with it."""
    standing(cloud, SERVER, disk("root", "/dev/vda", 40), along=True)
    with pytest.raises(CloudError) as caught:
        driver.inspect("s1")
    assert (caught.value.reason, caught.value.message) == ("TakesDisksAlong", "root")


@pytest.mark.parametrize("status", ["VERIFY_RESIZE", "REBOOT", "HARD_REBOOT"])
def test_a_machine_that_runs_goes_on_running(
    cloud: Cloud, driver: OpenStackProvisioner, status: str
) -> None:
    standing(cloud, {**SERVER, "status": status}, disk("root", "/dev/vda", 40))
    assert driver.inspect("s1").spec["power"] == "on"


def test_what_is_only_like_a_name_is_not_that(cloud: Cloud, driver: OpenStackProvisioner) -> None:
    """Nova takes names for patterns."""
    cloud.say = (404, {}, {"message": "not found"})
    cloud.lists[PROJECTS] = all_of("projects", [])
    cloud.lists[VOLUMES] = all_of("volumes", [])
    names = [{**SERVER, "id": "1", "name": "db-01"}, {**SERVER, "id": "2", "name": "web (1)"}]
    cloud.lists["/compute/v2.1/servers/detail"] = all_of("servers", names)
    cloud.lists["/image/v2/images"] = all_of("images", [])
    for word in ("db.01", "detail"):
        with pytest.raises(CloudError) as caught:
            driver.inspect(word)
        assert caught.value.reason == "Gone"
    assert driver.inspect("web (1)").id == "2"
    assert ("name", [r"^web\ \(1\)$"]) in [e for _, q in cloud.queries for e in q.items()]


@pytest.mark.guarantee("P2")
def test_a_last_copy_is_ours_and_of_what_it_is_to_be(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """Anybody's image of that name would let the machine go without a copy."""
    order = machine_order(1)
    mark = MARKS.metadata(Mark(order.uid, "server-0"), {})
    server = {**SERVER, "metadata": mark, "status": "SHUTOFF", "image": {"id": "i"}}
    standing(cloud, server)
    cloud.lists["/compute/v2.1/servers/detail"] = all_of("servers", [server])
    copies: list[Any] = []
    cloud.lists["/image/v2/images"] = all_of("images", copies)
    [seen] = [one for one in driver.find([order.uid]) if one.part == "server-0"]
    done = {"id": "c", "name": "copy", "status": "active"}
    for said in ({"owner": "other"}, {"owner": PROJECT, "govcloud:of": "another"}):
        copies[:] = [{**done, **said}]
        assert not driver.keep_copy(seen, "copy")
    copies[:] = [{**done, "owner": PROJECT, "govcloud:of": "s1"}]
    assert driver.keep_copy(seen, "copy")


# --- What another did at the same moment --------------------------------------------------------


def test_a_user_that_another_has_just_made_is_taken(cloud: Cloud, tmp_path: Path) -> None:
    """Two tenants that are made at once need the same one, where credentials are of one project."""
    secret = tmp_path / "secret"
    secret.write_text("s", encoding="utf-8")
    connection = {
        "auth-url": f"{cloud.url}/v3",
        "application-credential-id": "id",
        "application-credential-secret-file": str(secret),
    }
    users: list[Any] = []

    def answer(query: Query) -> Any:
        if "name" in query:
            return {"users": list(users)}
        users.append({"id": "theirs"})
        return 409, {}, {"error": {"message": "Conflict occurred attempting to store user"}}

    order = volume_order(1)
    cloud.lists["/v3/users"] = answer
    cloud.lists["/v3/roles"] = all_of("roles", [{"name": "member", "id": "r"}])
    cloud.lists[PROJECTS] = all_of("projects", [], project=project(order, "p1", ""))
    driver = open_cloud(CloudAddress(NAME, connection, MARKS.installation, ""))
    [tenant] = driver.ground(order)
    wanted = next(one for one in driver.resources(tenant) if one.type == "project")
    assert driver.create(wanted).id == "p1"
    granted = "/v3/OS-INHERIT/domains/ours/users/theirs/roles/r/inherited_to_projects"
    assert ("PUT", granted) in cloud.asked
    driver.close()


# --- What is done already -----------------------------------------------------------------------


def test_a_resize_that_was_confirmed_meanwhile_is_well(
    cloud: Cloud, driver: OpenStackProvisioner
) -> None:
    """Between a look and the confirmation that it asks for, an earlier one has come through."""
    wanted = next(one for one in driver.resources(machine_order(1)) if one.type == "server")
    server = {
        "id": "s1",
        "status": "VERIFY_RESIZE",
        "metadata": MARKS.metadata(Mark(wanted.uid, wanted.part), {}),
    }
    cloud.lists["/compute/v2.1/servers/s1"] = lambda _: {"server": server}
    told = "Cannot 'confirmResize' instance s1 while it is in vm_state active"
    cloud.say = (409, {}, {"conflictingRequest": {"code": 409, "message": told}})
    seen = Observed("s1", "server", "web", wanted.tenant, State.CHANGING, wanted.uid, wanted.part)
    driver.change(seen, wanted, ["confirmed"])
    assert ("POST", "/compute/v2.1/servers/s1/action") in cloud.asked
