"""What a cloud offers, as documents that map it: zones, flavors, images, storage classes; pure.

What is mapped already is left alone and named in a comment; what only a person can decide (which
security domain a zone is, its level, what a flavor costs) is marked.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from govcloud.domain.base import API_VERSION
from govcloud.messages import render
from govcloud.ports.abilities import Offer

Spec = Mapping[str, Any]
_GIB: Final = 1024
_BREAKS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What ends a line for some reader of YAML, or is no letter at all."""
_CLASSES: Final = ("ssd", "hdd")
"""Storage classes that quotas are usually given for; a type is mapped to the one that it names."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the platform has already: specs by name, in their plain form as users write them.

    `flavors` sizes are `(vcpu, MiB, gpu)` by name.
    """

    zones: Mapping[str, Spec]
    flavors: Mapping[str, Spec]
    sizes: Mapping[str, tuple[int, int, int]]
    images: Mapping[str, Spec]


def proposal(cloud: str, spec: Spec, offers: Sequence[Offer], known: Known, tongue: str) -> str:
    """Return the text of a file that can be applied, with what is to be decided in comments."""
    return "\n".join(_Writer(cloud, spec, offers, known, tongue).lines()) + "\n"


@dataclass(frozen=True, slots=True)
class _Writer:
    cloud: str
    spec: Spec
    offers: Sequence[Offer]
    known: Known
    tongue: str
    proposed: set[str] = field(default_factory=set)

    def lines(self) -> Iterator[str]:
        yield from self._head()
        yield from self._storage()
        yield from self._zones()
        for offer in sorted(self._of("flavor"), key=_size_of):
            yield from self._flavor(offer)
        for offer in self._of("image"):
            yield from self._image(offer)

    # --- What there is ---

    def _of(self, kind: str) -> list[Offer]:
        return [offer for offer in self.offers if offer.kind == kind]

    def _names(self, kind: str) -> list[str]:
        return [offer.name for offer in self._of(kind)]

    def _say(self, key: str, **params: object) -> str:
        return f"# {_line(render(f'api.discovery_{key}', self.tongue, params))}"

    def _head(self) -> Iterator[str]:
        yield self._say("head", cloud=self.cloud)
        for offer in self._of("service"):
            version = f" {offer.facts['version']}" if offer.facts.get("version") else ""
            yield f"#   {_line(offer.name)}{version}"
        for offer in self._of("tenants"):
            yield self._say("tenants", count=offer.facts.get("count", 0))
        networks = self._names("network")
        if networks:
            yield self._say("networks", names=networks)
        elif self._of("flavor"):
            yield self._say("no_networks")
        if self._of("flavor") and not self._names("storage") and not self._zones_of("storage"):
            yield self._say("no_storage")

    # --- Storage classes: a field of the cloud itself ---

    def _storage(self) -> Iterator[str]:
        """Propose the cloud's own document where volume types are called otherwise than here."""
        mapped = dict(self.spec.get("storage") or {})
        types = [name for name in self._names("storage") if name not in mapped.values()]
        for word in _CLASSES:
            fitting = [name for name in types if word in re.split(r"[^a-z0-9]+", name.lower())]
            if word not in mapped and word not in types and fitting:
                mapped[word] = fitting[0]
        if types:
            yield self._say("types", names=types)
        if mapped != (self.spec.get("storage") or {}):
            yield from self._document("Cloud", self.cloud, {**self.spec, "storage": mapped})

    # --- Zones ---

    def _zones_of(self, kind: str) -> list[str]:
        return [o.name for o in self._of("zone") if o.facts.get("type", "compute") == kind]

    def _zones(self) -> Iterator[str]:
        mapped = {str(spec.get("hostZone") or name): name for name, spec in self._mine()}
        networks = self._names("network")
        for zone in self._zones_of("compute") or ([] if mapped else [""]):
            if zone in mapped:
                yield self._say("mapped", kind="Zone", name=mapped[zone], there=zone)
                continue
            spec: dict[str, Any] = {
                "cloud": self.cloud,
                "type": "extranet-public",
                "mlpsLevel": 3,
                "ipv6": True,
                "floatingIps": bool(networks),
            }
            spec |= {"hostZone": zone} if zone else {}
            if networks:
                spec["externalNetwork"] = networks[0]
            decide = {"type": "decide_type", "mlpsLevel": "decide_level"}
            if len(networks) > 1:
                decide["externalNetwork"] = "decide_network"
            yield from self._document("Zone", _name(f"{self.cloud}-{zone}"), spec, decide)

    def _mine(self) -> Iterable[tuple[str, Spec]]:
        return [(n, s) for n, s in self.known.zones.items() if s.get("cloud") == self.cloud]

    # --- Flavors and images ---

    def _flavor(self, offer: Offer) -> Iterator[str]:
        size = _size_of(offer)
        alike = [name for name, found in self.known.sizes.items() if found == size]
        same = self._unmapped(self.known.flavors, alike)
        done = self._mapped(self.known.flavors, offer.name)
        if done:
            yield self._say("mapped", kind="Flavor", name=done, there=offer.name)
        elif same:
            yield from self._mapping("Flavor", same[0], self.known.flavors[same[0]], offer)
        elif size[0] and size[1]:
            spec: dict[str, Any] = {"vcpu": size[0], "memory": _memory(size[1])}
            spec |= {"gpu": size[2]} if size[2] else {}
            spec |= {"price": 0, "clouds": {self.cloud: offer.name}}
            name = self._new(self.known.flavors, offer.name)
            yield from self._document("Flavor", name, spec, {"price": "decide_price"})

    def _image(self, offer: Offer) -> Iterator[str]:
        done = self._mapped(self.known.images, offer.name)
        system = str(offer.facts.get("os") or offer.name)
        alike = [n for n, spec in self.known.images.items() if _alike(str(spec.get("os")), system)]
        same = self._unmapped(self.known.images, alike)
        if done:
            yield self._say("mapped", kind="Image", name=done, there=offer.name)
        elif same:
            yield from self._mapping("Image", same[0], self.known.images[same[0]], offer)
        else:
            spec: dict[str, Any] = {"os": system}
            spec |= {"arch": offer.facts["arch"]} if offer.facts.get("arch") else {}
            spec |= {"minDisk": offer.facts["min_disk"]} if offer.facts.get("min_disk") else {}
            spec["clouds"] = {self.cloud: offer.name}
            name = self._new(self.known.images, offer.name)
            yield from self._document("Image", name, spec, {"os": "decide_os"})

    def _mapped(self, known: Mapping[str, Spec], there: str) -> str:
        """Return the object that is called `there` in this cloud; empty for none."""
        found = (n for n, s in known.items() if (s.get("clouds") or {}).get(self.cloud, n) == there)
        return next(found, "")

    def _unmapped(self, known: Mapping[str, Spec], names: Iterable[str]) -> list[str]:
        """Return the objects that nothing in this cloud stands for yet, here or in this file."""
        there = self._names("flavor") + self._names("image")
        return [
            name
            for name in names
            if self.cloud not in (known[name].get("clouds") or {})
            and name not in there
            and name not in self.proposed
        ]

    def _new(self, known: Mapping[str, Spec], words: str) -> str:
        """Return a name for a new object; several things may come to the same one."""
        name = plain = _name(words)
        for number in itertools.count(2):
            if name not in known and name not in self.proposed:
                return name
            name = f"{plain[:58]}-{number}"
        raise AssertionError("unreachable")

    def _mapping(self, kind: str, name: str, spec: Spec, offer: Offer) -> Iterator[str]:
        yield self._say("maps", kind=kind, name=name, there=offer.name)
        clouds = {**(spec.get("clouds") or {}), self.cloud: offer.name}
        yield from self._document(kind, name, {**spec, "clouds": clouds})

    # --- Documents ---

    def _document(
        self, kind: str, name: str, spec: Spec, decide: Mapping[str, str] | None = None
    ) -> Iterator[str]:
        self.proposed.add(name)
        yield "---"
        yield f"apiVersion: {API_VERSION}"
        yield f"kind: {kind}"
        yield f"metadata: {{name: {_scalar(name)}}}"
        yield "spec:"
        for word, value in spec.items():
            key = (decide or {}).get(word)
            remark = f"  {self._say(key)}" if key else ""
            yield f"  {word}: {_scalar(value)}{remark}"


def _size_of(offer: Offer) -> tuple[int, int, int]:
    """Return a flavor's vCPU, memory (MiB) and GPUs."""
    vcpu, memory, gpu = (int(str(offer.facts.get(n) or 0)) for n in ("vcpu", "memory", "gpu"))
    return vcpu, memory, gpu


def _scalar(value: object) -> str:
    """Return a value in YAML's flow style, which JSON is, on one line."""
    text = json.dumps(value, ensure_ascii=False)
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _line(text: str) -> str:
    """Return words of a cloud as one line of a comment: whoever named things ends it nowhere."""
    return _BREAKS.sub("?", text)


def _name(words: str) -> str:
    """Return a name that an object may have."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:63].rstrip("-") or "unnamed"


def _memory(mib: int) -> str:
    return f"{mib}Mi" if mib % _GIB else f"{mib // _GIB}Gi"


def _alike(one: str, other: str) -> bool:
    return re.sub(r"[^a-z0-9]+", "", one.lower()) == re.sub(r"[^a-z0-9]+", "", other.lower())
