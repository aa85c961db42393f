"""A draft: an object as somebody wants it, from a file or from a request that was stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from govcloud.domain.base import Metadata, Model
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.registry import KINDS, Kind
from govcloud.domain.manifest import Manifest, digest_of, parse_spec
from govcloud.errors import Diagnostic


@dataclass(frozen=True)
class Draft:
    """An object as it is wanted; `source` says where in which file, if it stood in one."""

    key: ObjectKey
    metadata: Metadata
    spec: Model
    source: Manifest | None = None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the draft that a document is."""
        return cls(manifest.key, manifest.metadata, manifest.spec, manifest)

    @classmethod
    def stored(cls, key: ObjectKey, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> Self:
        """Return the draft that a stored change holds, from its plain forms."""
        return cls(key, Metadata.model_validate(metadata), parse_spec(key.kind, spec))

    @property
    def kind(self) -> Kind:
        """The kind's entry in the table of kinds."""
        return KINDS[self.key.kind]

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The spec in its JSON form, with defaults."""
        return self.spec.plain()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the object should be; the digest that is approved and built (R3)."""
        return digest_of(self.key.kind, self.metadata.plain(), self.plain)

    def fault(self, key: str, field: str, /, **params: object) -> Diagnostic:
        """Return a fault of a field of this object, with its place in the file."""
        if self.source is None:
            return Diagnostic(key, params, field=f"{self.key} {field}")
        line, column = self.source.position(field)
        return Diagnostic(key, params, file=self.source.file, line=line, column=column, field=field)
