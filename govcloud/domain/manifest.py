"""From files of YAML to typed objects: all faults of all files at once, each with its place."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from govcloud.domain.base import API_VERSION, Metadata, Model
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.registry import KINDS, Kind, find_kind
from govcloud.domain.suggest import nearest
from govcloud.domain.yamltext import Node, Place, Reader, SourceFile, field_path
from govcloud.errors import Diagnostic

__all__ = ["Loaded", "Manifest", "ObjectKey", "SourceFile", "digest_of", "load", "parse_spec"]

MAX_DIAGNOSTICS: Final = 500
_ENVELOPE: Final = ("apiVersion", "kind", "metadata", "spec")
_STEPS: Final = re.compile(r"[^.\[\]]+|\[(\d+)\]")


@dataclass(frozen=True)
class Manifest:
    """One document that is valid in itself, and where it stands."""

    kind: Kind
    metadata: Metadata
    spec: Model
    file: str
    line: int
    _root: Node = field(repr=False, compare=False)

    @property
    def key(self) -> ObjectKey:
        """What the object is called; platform objects have no department."""
        department = self.metadata.department if self.kind.owned else None
        return ObjectKey(self.kind.name, department or "", self.metadata.name)

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The spec in its JSON form, as users write it, with defaults."""
        return self.spec.plain()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the document says, whatever its order, comments and layout."""
        return digest_of(self.kind.name, self.metadata.plain(), self.plain)

    def position(self, field_path: str = "") -> Place:
        """Return line and column of `spec.dataDisks[0].size`, or of the nearest thing above it."""
        return self._root.place(_steps(field_path))


@dataclass(frozen=True, slots=True)
class Loaded:
    """The documents that are valid, and what is wrong with the others."""

    manifests: tuple[Manifest, ...]
    diagnostics: tuple[Diagnostic, ...]


@lru_cache(maxsize=64)
def _validator(kind_name: str) -> TypeAdapter[Model]:
    return TypeAdapter(KINDS[kind_name].spec)


def parse_spec(kind_name: str, plain: Mapping[str, object]) -> Model:
    """Return the model of a stored spec; KeyError for an unknown kind, ValidationError if wrong."""
    return _validator(kind_name).validate_python(plain)


def digest_of(kind_name: str, metadata: Mapping[str, object], spec: Mapping[str, object]) -> str:
    """Return the SHA-256 of an object's canonical JSON; both parts in their plain form."""
    document = {"kind": kind_name, "metadata": metadata, "spec": spec}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def load(files: Sequence[SourceFile], department: str = "") -> Loaded:
    """Read files of one or more documents each; never raises for what stands in them.

    What departments own and names none is of `department`, if one is given. Reading
    ends where more faults have been found than anybody will read.
    """
    reader = Reader()
    manifests: dict[ObjectKey, Manifest] = {}
    for source in files:
        first = len(reader.diagnostics)
        _read(source, reader, manifests, department)
        reader.diagnostics[first:] = sorted(reader.diagnostics[first:], key=_place)
        if len(reader.diagnostics) > MAX_DIAGNOSTICS:
            break
    return Loaded(tuple(manifests.values()), _capped(reader.diagnostics))


def _read(
    source: SourceFile, reader: Reader, manifests: dict[ObjectKey, Manifest], department: str
) -> None:
    for root, faulty in reader.documents(source):
        first = len(reader.diagnostics)
        manifest = _Document(source.name, root, reader.diagnostics, department).manifest()
        # What could not be read is told once, not again as a value of the wrong type.
        reader.diagnostics[first:] = [
            fault for fault in reader.diagnostics[first:] if _place(fault) not in faulty
        ]
        if len(reader.diagnostics) > MAX_DIAGNOSTICS:
            return
        if manifest is None or faulty:
            continue
        earlier = manifests.setdefault(manifest.key, manifest)
        if earlier is not manifest:
            reader.diagnostics.append(_twice(earlier, manifest))


def _twice(first: Manifest, second: Manifest) -> Diagnostic:
    line, column = second.position("metadata.name")
    params = {
        "object": str(second.key),
        "file": first.file,
        "line": first.position("metadata.name")[0],
    }
    return Diagnostic(
        "input.duplicate_object", params, file=second.file, line=line, column=column,
        field="metadata.name",
    )  # fmt: skip


def _place(diagnostic: Diagnostic) -> Place:
    return diagnostic.line or 0, diagnostic.column or 0


def _capped(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    if len(diagnostics) <= MAX_DIAGNOSTICS:
        return tuple(diagnostics)
    more = Diagnostic("input.more_faults", {"limit": MAX_DIAGNOSTICS})
    return (*diagnostics[:MAX_DIAGNOSTICS], more)


def _steps(field_path: str) -> tuple[str | int, ...]:
    return tuple(int(match[1]) if match[1] else match[0] for match in _STEPS.finditer(field_path))


@dataclass(slots=True)
class _Document:
    """The checks of one document; each goes on where the others have failed, if it can."""

    file: str
    root: Node
    diagnostics: list[Diagnostic]
    department: str = ""

    def manifest(self) -> Manifest | None:
        """Return the typed document, or None after noting every fault."""
        before = len(self.diagnostics)
        if not isinstance(self.root.items, dict):
            self._note("input.wide_colon" if "：" in self.root.raw else "input.not_a_document", ())
            return None
        if not self.root.keys.keys() & {"apiVersion", "kind"}:
            self._note("input.not_a_document", ())
            return None
        self._envelope()
        kind = self._kind()
        metadata = self._metadata(kind)
        spec = self._spec(kind) if kind else None
        if kind is None or metadata is None or spec is None or len(self.diagnostics) > before:
            return None
        return Manifest(kind, metadata, spec, self.file, self.root.line, self.root)

    def _note(
        self, key: str, path: tuple[str | int, ...], *, at_key: bool = False, **params: object
    ) -> None:
        line, column = self.root.place(path, key=at_key)
        self.diagnostics.append(
            Diagnostic(
                key,
                params,
                file=self.file,
                line=line,
                column=column,
                field=field_path(path),
            )
        )

    def _envelope(self) -> None:
        for name in self.root.keys:
            if name == "status":
                self._note("input.status", (name,), at_key=True)
            elif name not in _ENVELOPE:
                meant = nearest(name, _ENVELOPE)
                key = "input.unknown_field_meant" if meant else "input.unknown_field"
                self._note(key, (name,), at_key=True, name=name, meant=meant, known=list(_ENVELOPE))
        version = self.root.value.get("apiVersion")
        if version is None:
            self._note("input.no_api_version", (), expected=API_VERSION)
        elif version != API_VERSION:
            self._note("input.api_version", ("apiVersion",), found=version, expected=API_VERSION)

    def _kind(self) -> Kind | None:
        word = self.root.value.get("kind")
        if word is None:
            self._note("input.no_kind", (), known=list(KINDS))
            return None
        kind = KINDS.get(word) if isinstance(word, str) else None
        if kind is None:
            found = find_kind(str(word))
            meant = found.name if found else nearest(str(word), KINDS)
            key = "input.unknown_kind_meant" if meant else "input.unknown_kind"
            self._note(key, ("kind",), kind=word, meant=meant, known=list(KINDS))
            # What is most likely meant is checked on, so that its other faults are seen as well.
            kind = KINDS[meant] if meant else None
        return kind

    def _metadata(self, kind: Kind | None) -> Metadata | None:
        metadata = self._validated(Metadata, "metadata")
        if metadata is None or kind is None:
            return None
        assert isinstance(metadata, Metadata)
        if kind.owned and metadata.department is None and self.department:
            metadata = metadata.model_copy(update={"department": self.department})
        self._check_department(kind, metadata)
        self._check_name(kind, metadata)
        return metadata

    def _check_name(self, kind: Kind, metadata: Metadata) -> None:
        # A cluster knows the object with its department before its name.
        names = (metadata.name, f"{metadata.department}-{metadata.name}")
        for name in names:
            if kind.reserved is not None and kind.reserved.fullmatch(name):
                self._note("input.reserved_name", ("metadata", "name"), value=name)
                return

    def _check_department(self, kind: Kind, metadata: Metadata) -> None:
        path = ("metadata", "department")
        department = metadata.department
        if kind.owned:
            if department is None:
                self._note("input.no_department", ("metadata",), kind=kind.name)
        elif department is not None:
            spec = self.root.value.get("spec")
            inside = spec.get("department") if isinstance(spec, dict) else None
            if "department" not in kind.spec.model_fields:
                self._note("input.platform_department", path, at_key=True, kind=kind.name)
            elif inside != department:
                self._note("input.other_department", path, department=department, spec=inside)

    def _spec(self, kind: Kind) -> Model | None:
        return self._validated(kind.spec, "spec")

    def _validated(self, model: type[Model], part: str) -> Model | None:
        value = self.root.value.get(part)
        if value is None:
            self._note("input.missing", (), name=part)
            return None
        try:
            return model.model_validate(value)
        except ValidationError as error:
            # Loaded only where something is wrong: it builds the JSON Schema of every kind.
            from govcloud.domain.faults import faults_of

            self.diagnostics += faults_of(error, model, part, self.root, self.file)
            return None
