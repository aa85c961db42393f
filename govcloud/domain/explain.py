"""What a kind or a field means: the answer of `govcloud explain vm.spec.network.allow`."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from govcloud import messages
from govcloud.domain import schema
from govcloud.domain.base import Model
from govcloud.domain.kinds.registry import KINDS, Kind, find_kind
from govcloud.domain.schema import Schema
from govcloud.domain.suggest import nearest
from govcloud.errors import NotFoundError

_ENVELOPE: Final = ("apiVersion", "kind", "metadata", "spec")
_QUANTITY: Final = re.compile(r"[KMGTP]\]|\}m\|")
_PLAIN: Final = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "flag",
    "array": "list",
    "object": "mapping",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of an enumeration, and what the reader's language calls it."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What stands at a path; `fields` are those one level below, without theirs.

    `default` is in the plain form of YAML, None where there is none; `limits` are what a value
    must keep (`minimum`, `maximum`, `pattern`, `maxLength`, `maxItems`).
    """

    path: str
    type: str
    description: str
    required: bool
    default: Any = None
    enum: tuple[Choice, ...] = ()
    example: Any = None
    limits: tuple[tuple[str, Any], ...] = ()
    fields: "tuple[Explanation, ...]" = ()

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        return {
            **asdict(self),
            "enum": [asdict(choice) for choice in self.enum],
            "limits": dict(self.limits),
            "fields": [below.plain() for below in self.fields],
        }


Papers = Callable[[str], tuple[str, type[Model]] | None]
"""What a word means that is no kind of object: a kind of file, and the model of its `spec`."""


def explain(path: str, language: str, papers: Papers = lambda _word: None) -> Explanation:
    """Explain `VirtualMachine`, `vm.spec.network.allow` or, shorter, `vm.network.allow`.

    Raises NotFoundError, naming what was probably meant, for a kind or field that is not there.
    """
    word, *steps = [re.sub(r"\[\d*\]", "", step) for step in path.strip(". ").split(".")]
    name, root = _root(word, papers)
    if steps and steps[0] == "status":
        raise NotFoundError("input.no_status_path", kind=name)
    if steps and steps[0] not in _ENVELOPE:
        steps.insert(0, "spec")
    found, required = schema.resolve(root), True
    for step in steps:
        inside = _inside(found)
        required = step in inside.get("required", ())
        below = schema.below(inside, step)
        if below is None:
            raise _unknown(step, inside, name)
        found, name = below, f"{name}.{step}"
    return _explanation(name, found, language, required=required, deep=True)


def _root(word: str, papers: Papers) -> tuple[str, Schema]:
    """Return what a word names, and the schema of its documents."""
    if find_kind(word) is None and (paper := papers(word)) is not None:
        return paper[0], schema.paper_root(*paper)
    name = _kind(word).name
    return name, schema.document_root(name)


def _kind(word: str) -> Kind:
    kind = find_kind(word)
    if kind is None:
        words = [*KINDS, *(word for kind in KINDS.values() for word in kind.words)]
        near = nearest(word, words)
        meant = find_kind(near) if near else None
        key = "input.unknown_kind_meant" if meant else "input.unknown_kind"
        raise NotFoundError(key, kind=word, meant=meant and meant.name, known=list(KINDS))
    return kind


def _unknown(step: str, inside: Schema, parent: str) -> NotFoundError:
    known = list(inside.get("properties", {}))
    meant = nearest(step, known)
    key = "input.unknown_path_meant" if meant else "input.unknown_path"
    return NotFoundError(key, name=step, parent=parent, meant=meant, known=known)


def _inside(found: Schema) -> Schema:
    """Return what has the fields: for a list, its entries."""
    while found.get("type") == "array" and isinstance(found.get("items"), dict):
        found = schema.resolve(found["items"])
    return found


def _explanation(
    path: str, found: Schema, language: str, *, required: bool, deep: bool = False
) -> Explanation:
    inside = _inside(found)
    fields: tuple[Explanation, ...] = ()
    if deep:
        fields = tuple(
            _explanation(
                f"{path}.{name}",
                schema.resolve(below),
                language,
                required=name in inside.get("required", ()),
            )
            for name, below in inside.get("properties", {}).items()
        )
    return Explanation(
        path,
        _type(found, language),
        _description(found, language),
        required,
        _default(found),
        _choices(inside, language),
        next(iter(inside.get("examples", ())), None),
        tuple((name, inside[name]) for name in _LIMITS if name in inside),
        fields,
    )


_LIMITS: Final = ("minimum", "exclusiveMinimum", "maximum", "pattern", "maxLength", "maxItems")


def _choices(found: Schema, language: str) -> tuple[Choice, ...]:
    """Return the canonical words in their order, each with its label in the reader's language."""
    words, labels = found.get("enum", ()), found.get("x-labels", {})
    return tuple(
        Choice(w, labels.get(w, w) if language == "zh" else w)
        for w in words
        if not labels or w in labels
    )


def _description(found: Schema, language: str) -> str:
    entry = found.get("x-doc")
    described = schema.documentation(entry, language) if isinstance(entry, str) else None
    return described or str(found.get("description", ""))


def _default(found: Schema) -> Any:
    if (constant := found.get("const")) is not None:
        return constant
    default = found.get("default")
    if isinstance(default, dict):
        return {name: value for name, value in default.items() if value is not None}
    return default


def _type(found: Schema, language: str) -> str:
    def word(name: str, **params: object) -> str:
        return messages.render(f"input.shape_{name}", language, params)

    if found.get("type") == "array" and isinstance(found.get("items"), dict):
        return word("list_of", item=_type(schema.resolve(found["items"]), language))
    if found.get("type") == "object" and "properties" not in found:
        values = schema.below(found, "*")
        if values is not None:
            return word("map_of", item=_type(values, language))
    return word(_type_word(found))


def _type_word(found: Schema) -> str:
    pattern = str(found.get("pattern", ""))
    if "enum" in found:
        return "choice"
    if found.get("format") == "date":
        return "date"
    if isinstance(found.get("type"), list) or _QUANTITY.search(pattern):
        return "quantity"
    if pattern.startswith("^[a-z0-9]("):
        return "name"
    return _PLAIN.get(str(found.get("type")), "text")
