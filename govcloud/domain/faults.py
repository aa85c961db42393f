"""What pydantic found wrong, as diagnostics: place, field path, sentence, remedy.

Codes that the models raise as ValueError (`flavor_or_sizes`, `unknown_class:ssd`) are keys of the
catalogue `input`; a colon separates the code from its one parameter, `value`.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from govcloud.domain import schema
from govcloud.domain.base import Model
from govcloud.domain.classes import CLASSES
from govcloud.domain.quantity import is_wide, narrow
from govcloud.domain.suggest import nearest
from govcloud.domain.yamltext import Node, field_path
from govcloud.errors import Diagnostic, Text

Path = tuple[str | int, ...]
Found = tuple[str, dict[str, object], Path]
"""Key, parameters, and the path below the model, of one fault."""

MOST: Final = 501
"""Faults of one part that are worked out: one more than are listed, which says that there are."""
_SHOWN: Final = 80
_KEYS: Final[Mapping[str, str]] = {
    "missing": "input.missing",
    "greater_than_equal": "input.too_small",
    "greater_than": "input.too_small",
    "less_than_equal": "input.too_big",
    "less_than": "input.too_big",
    "string_too_short": "input.empty_text",
    "string_too_long": "input.text_too_long",
    "too_long": "input.too_many_items",
    "too_short": "input.too_few_items",
    "string_pattern_mismatch": "input.bad_name",
    "date_parsing": "input.not_a_date",
    "date_from_datetime_parsing": "input.not_a_date",
    "date_from_datetime_inexact": "input.not_a_date",
    "finite_number": "input.too_big",
}
_WANTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "integer",
    "int_from_float": "integer",
    "float_type": "number",
    "bool_type": "flag",
    "list_type": "list",
    "dict_type": "mapping",
    "model_type": "mapping",
    "model_attributes_type": "mapping",
}


def faults_of(
    error: ValidationError, model: type[Model], part: str, root: Node, file: str | None
) -> list[Diagnostic]:
    """Return a diagnostic for each fault of the model that stands under key `part` of a document.

    `root` is the document's node; positions are of the key where the key is wrong.
    """
    made = []
    found = (
        fault for details in error.errors(include_url=False) for fault in _faults(details, model)
    )
    for key, params, below in islice(found, MOST):
        path = (part, *below)
        at_key = key.startswith(("input.unknown_field", "input.bad_key", "input.unknown_class"))
        line, column = root.place(path, key=at_key)
        params.setdefault("name", _last_name(path))
        made.append(
            Diagnostic(key, params, file=file, line=line, column=column, field=field_path(path))
        )
    return made


def _last_name(path: Path) -> str:
    """Return `size`, or `dataDisks[0]` for an entry of a list."""
    named = max(index for index, step in enumerate(path) if isinstance(step, str))
    return field_path(path[named:])


def _faults(details: ErrorDetails, model: type[Model]) -> Iterator[Found]:
    type_, path, value = details["type"], details["loc"], details["input"]
    context: Mapping[str, Any] = details.get("ctx", {})
    if path and path[-1] == "[key]":
        yield "input.bad_key", {"name": str(path[-2])}, path[:-1]
    elif type_ == "extra_forbidden":
        yield _unknown(model, path)
    elif type_ == "enum":
        yield _choice(model, path, value)
    elif type_ == "value_error":
        yield coded(str(context.get("error", "")), path, value)
    elif type_ in _WANTED:
        yield _mistyped(_WANTED[type_], path, value)
    else:
        limit = next((f"{context[name]:g}" for name in _LIMITS if name in context), "")
        yield _KEYS.get(type_, "input.wrong"), {"value": _short(value), "limit": limit}, path


_LIMITS: Final = ("ge", "gt", "le", "lt", "max_length", "min_length")


def coded(error: str, path: Path, value: object) -> Found:
    """Return the fault that a validator of ours raised by its code."""
    code, _, detail = error.partition(":")
    meant = _class_meant(detail) if code == "unknown_class" else {}
    if code == "wide":
        return "input.wide", _narrowed(detail or value), path
    key = f"input.{code}_meant" if meant.get("meant") else f"input.{code}"
    return key, {"value": _short(detail or value), **meant}, path


def _narrowed(value: object) -> dict[str, object]:
    return {"value": _short(value), "meant": _short(narrow(str(value)))}


def _class_meant(word: str) -> dict[str, object]:
    base, _, storage_class = word.partition(".")
    by_label = {entry.label: name for name, entry in CLASSES.items()}
    meant = by_label.get(base) or nearest(base, CLASSES)
    if meant and CLASSES[meant].split:
        meant = f"{meant}.{storage_class or 'ssd'}"
    known = [f"{name}.<type>" if entry.split else name for name, entry in CLASSES.items()]
    return {"meant": meant, "known": known}


def _unknown(model: type[Model], path: Path) -> Found:
    """Return the fault of a key that no field has."""
    name, parent = str(path[-1]), _schema_at(model, path[:-1])
    known = list(parent.get("properties", {}))
    meant = nearest(name, known)
    if meant:
        return "input.unknown_field_meant", {"name": name, "meant": meant, "known": known}, path
    places = [place for place in _places(schema.model_root(model)) if place[-1] == name]
    if len(places) == 1:
        placed = field_path(("spec", *places[0]))
        return "input.unknown_field_placed", {"name": name, "meant": placed}, path
    return "input.unknown_field", {"name": name, "known": known}, path


def _places(part: schema.Schema, above: Path = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every field of a model, however deep."""
    if len(above) > 8:
        return
    for name in part.get("properties", {}):
        yield (*above, name)
        found = schema.below(part, name)
        if found is not None:
            yield from _places(found, (*above, name))


def _choice(model: type[Model], path: Path, value: object) -> Found:
    """Return the fault of a word that an enumeration does not have."""
    at = _schema_at(model, path)
    labels: Mapping[str, str] = at.get("x-labels", {})
    words = list(at.get("enum", ()))
    known = [f"{word} ({labels[word]})" if word in labels else word for word in words]
    allowed = known[: len(labels)] if labels else known
    meant = nearest(str(value), words)
    key = "input.unknown_value_meant" if meant else "input.unknown_value"
    return key, {"value": _short(value), "meant": meant, "known": allowed}, path


def _schema_at(model: type[Model], path: Path) -> schema.Schema:
    found = schema.model_root(model)
    for step in path:
        below = schema.below(found, step)
        if below is None:
            return {}
        found = below
    return found


def _mistyped(wanted: str, path: Path, value: object) -> Found:
    """Return the fault of a value of the wrong type, with what to write where that is clear."""
    params: dict[str, object] = {"value": _short(value), "wanted": Text(f"input.type_{wanted}")}
    if value is None:
        return "input.empty", params, path
    if wanted == "text" and isinstance(value, int | float):
        return "input.text_wanted", params, path
    if wanted in {"integer", "number"} and isinstance(value, str):
        if is_wide(value) and _is_number(narrow(value)):
            return "input.wide", _narrowed(value), path
        if _is_number(value):
            return "input.number_in_quotes", params, path
    if wanted == "flag":
        return "input.flag_wanted", params, path
    found = Text(f"input.type_{_type_name(value)}")
    return "input.wrong_type", {**params, "found": found}, path


def _is_number(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").replace(".", "", 1).isdecimal()


def _type_name(value: object) -> str:
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "flag"),
        (int, "integer"),
        (float, "number"),
        (str, "text"),
        (list, "list"),
    )
    return next((name for type_, name in names if isinstance(value, type_)), "mapping")


def _short(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
