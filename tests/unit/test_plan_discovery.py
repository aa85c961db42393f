"""What a cloud offers becomes documents; what stands becomes the document that takes it over."""

from collections.abc import Sequence
from typing import Any

import pytest

from govcloud.domain.manifest import SourceFile, load
from govcloud.plan.discovery import Known, proposal
from govcloud.plan.owners import guess
from govcloud.plan.takeover import Target, takeover
from govcloud.ports.abilities import Offer, Standing

NOTHING = Known({}, {}, {}, {})
KNOWN = Known(
    zones={"public": {"cloud": "osp", "hostZone": "az-a"}, "other": {"cloud": "sim"}},
    flavors={"c2m4": {"vcpu": 2, "memory": "4Gi"}, "big": {"clouds": {"osp": "m1.big"}}},
    sizes={"c2m4": (2, 4096, 0), "big": (8, 16384, 0)},
    images={"debian": {"os": "Debian 12"}, "kylin": {"os": "Kylin V10", "clouds": {"osp": "kyl"}}},
)
OFFERS = (
    Offer("service", "compute", {"version": "2.1-2.93"}),
    Offer("zone", "az-a", {"type": "compute"}),
    Offer("zone", "az-b", {"type": "compute"}),
    Offer("zone", "nova", {"type": "storage"}),
    Offer("flavor", "m1.small", {"vcpu": 2, "memory": 4096}),
    Offer("flavor", "m1.big", {"vcpu": 8, "memory": 16384}),
    Offer("flavor", "m1.odd", {"vcpu": 3, "memory": 1500}),
    Offer("image", "Debian-12-generic", {"os": "debian 12"}),
    Offer("image", "kyl", {}),
    Offer("storage", "fast-ssd"),
    Offer("network", "public"),
)


def documents(text: str) -> dict[str, Any]:
    loaded = load([SourceFile("found.yaml", text)])
    assert not loaded.diagnostics, loaded.diagnostics
    return {f"{m.key.kind}/{m.key.name}": m.spec.plain() for m in loaded.manifests}


def propose(offers: Sequence[Offer], known: Known = KNOWN, tongue: str = "en") -> str:
    return proposal("osp", {"provider": "openstack"}, offers, known, tongue)


def test_whoever_names_things_in_a_cloud_writes_nothing_into_the_file() -> None:
    """Anybody may upload an image by any name; an administrator applies the file."""
    user = "apiVersion: govcloud.io/v1\nkind: User\nmetadata: {name: mallory}\n#"
    names = [f"x{mark}---{mark}{user}" for mark in ("\n", "\r", "\x85", "\u2028")]
    offers = [Offer("image", name, {"os": "Debian 12"}) for name in names]
    offers += [Offer(kind, names[0]) for kind in ("network", "storage", "zone", "service")]
    found = documents(propose(offers))
    assert {key.split("/")[0] for key in found} == {"Image", "Zone"}
    assert sorted(spec["clouds"]["osp"] for key, spec in found.items() if "Image" in key) == names


def test_what_stands_for_something_already_is_not_given_away() -> None:
    """A department's copy of a machine says that it is the same system."""
    copies = [Offer("image", f"hr-web-{number}", {"os": "Kylin V10"}) for number in (1, 2)]
    sizes = [Offer("flavor", name, {"vcpu": 8, "memory": 16384}) for name in ("大型", "超大")]
    found = documents(propose([*copies, *sizes]))
    assert set(found) >= {"Image/hr-web-1", "Image/hr-web-2", "Flavor/unnamed", "Flavor/unnamed-2"}
    assert not {"Image/kylin", "Flavor/big"} & set(found)


def test_what_is_mapped_is_left_and_what_is_not_is_proposed() -> None:
    text = propose(OFFERS)
    found = documents(text)
    assert set(found) == {
        "Cloud/osp",
        "Zone/osp-az-b",
        "Flavor/c2m4",
        "Flavor/m1-odd",
        "Image/debian",
    }
    assert found["Cloud/osp"]["storage"] == {"ssd": "fast-ssd"}
    assert found["Zone/osp-az-b"]["hostZone"] == "az-b"
    assert found["Zone/osp-az-b"]["externalNetwork"] == "public"
    assert found["Flavor/c2m4"]["clouds"] == {"osp": "m1.small"}
    assert (found["Flavor/m1-odd"]["vcpu"], found["Flavor/m1-odd"]["memory"]) == (3, "1500Mi")
    assert "compute 2.1-2.93" in text


@pytest.mark.parametrize("tongue", ["en", "zh"])
def test_a_poor_cloud_says_what_it_lacks(tongue: str) -> None:
    offers = (Offer("zone", "nova", {"type": "compute"}), Offer("flavor", "m", {}))
    text = propose(offers, NOTHING, tongue)
    found = documents(text)
    assert set(found) == {"Zone/osp-nova"}
    assert not found["Zone/osp-nova"]["floatingIps"]
    assert len([line for line in text.splitlines() if line.startswith("#")]) >= 3


def test_a_cloud_without_zones_of_its_own_gets_one() -> None:
    found = documents(propose([Offer("service", "kubernetes", {"version": "v1.34"})], NOTHING))
    assert set(found) == {"Zone/osp"}
    assert "hostZone" not in found["Zone/osp"]


@pytest.mark.parametrize(
    ("detail", "owner"),
    [
        ({"tags": {"department": "hrss"}, "tenant": "tax--x"}, "hrss"),
        ({"tenant": "tax--invoices"}, "tax"),
        ({"tenant": "0f0f", "name": "hrss-web-01"}, "hrss"),
        ({"tenant": "税务局项目"}, "tax"),
        ({"tenant": "taxi", "name": "x"}, ""),
        ({"tags": {"department": "unknown"}}, ""),
    ],
)
def test_owners_are_guessed_from_tags_then_tenant_then_name(
    detail: dict[str, Any], owner: str
) -> None:
    assert guess(detail, {"hrss": "", "tax": "税务局"}) == owner


def test_a_document_takes_over_in_the_words_of_the_catalogue() -> None:
    spec = {
        "flavor": "m1.big",
        "vcpu": 8,
        "memory": 16384,
        "image": "kyl",
        "hostZone": "az-a",
        "systemDisk": {"size": 40, "type": "ssd"},
        "dataDisks": [{"size": 100, "type": "hdd"}],
        "power": "off",
    }
    standing = Standing("VirtualMachine", "id-1", "old web", "legacy", spec, {"server-0": "id-1"})
    made = takeover(standing, Target("osp", "web", "hrss", "portal"), KNOWN)
    assert made.missing == {}
    assert made.document["spec"] == {
        "system": "portal",
        "zone": "public",
        "flavor": "big",
        "image": "kylin",
        "systemDisk": {"size": "40Gi", "type": "ssd"},
        "dataDisks": [{"size": "100Gi", "type": "hdd"}],
        "power": "off",
        "adopts": {"tenant": "legacy", "parts": {"server-0": "id-1"}},
    }


def test_what_the_catalogue_does_not_know_is_named() -> None:
    spec = {"vcpu": 5, "memory": 5000, "image": "own-brew", "hostZone": "az-z"}
    standing = Standing("VirtualMachine", "id-1", "x", "legacy", spec, {"server-0": "id-1"})
    made = takeover(standing, Target("nowhere", "web", "hrss", "portal"), KNOWN)
    assert made.missing == {"spec.zone": "az-z", "spec.image": "own-brew"}
    assert made.document["spec"]["memory"] == "5000Mi"
