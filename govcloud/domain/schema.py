"""JSON Schema of the kinds, for editors, `explain`, and the words that fault messages name.

Made from the models, so nothing about a field is written down twice. Chinese labels stand beside
the canonical words of enumerations, as they may in YAML; `x-labels` pairs them, `x-doc` names a
field's entry in `messages/zh/fields.toml`.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

from govcloud import messages
from govcloud.domain.base import API_VERSION, Document, LabelledEnum, Metadata, Model
from govcloud.domain.kinds.registry import KINDS

Schema = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MODE: Final[JsonSchemaMode] = "validation"


class _Generator(GenerateJsonSchema):
    """Adds what pydantic does not say: labels, and which model a definition comes from."""

    def enum_schema(self, schema: core_schema.EnumSchema) -> Schema:
        """Allow labels beside the canonical words."""
        made = super().enum_schema(schema)
        members = schema["members"]
        if members and isinstance(members[0], LabelledEnum):
            made["enum"] = [m.value for m in members] + [word for m in members for word in m.labels]
            made.pop("description", None)
            made["x-labels"] = {member.value: member.label for member in members}
        return made

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        """Name the entries of the fields' documentation."""
        made = super().model_schema(schema)
        made.pop("title", None)
        model: type[Model] = schema["cls"]
        made["x-doc"] = model.__name__
        for name, info in model.model_fields.items():
            prop = made["properties"].get(info.alias or name)
            if prop is not None:
                prop.pop("title", None)
                prop["x-doc"] = f"{model.__name__}.{name}"
        return made


@lru_cache(maxsize=1)
def _definitions() -> tuple[Mapping[type[Model], Schema], Mapping[str, Schema]]:
    """Return where each model's definition is, and all definitions by name."""
    wanted: dict[type[Model], None] = {Metadata: None} | {k.spec: None for k in KINDS.values()}
    places, document = models_json_schema(
        [(model, _MODE) for model in wanted], schema_generator=_Generator
    )
    return {model: places[model, _MODE] for model in wanted}, document["$defs"]


def kind_schema(kind_name: str, language: str = "en") -> Schema:
    """Return the JSON Schema of documents of one kind; KeyError for an unknown kind."""
    document = _document(kind_name)
    return _finish({"$schema": DIALECT, **document}, language)


def combined_schema(language: str = "en") -> Schema:
    """Return one JSON Schema for documents of any kind, as editors want it."""
    branches = [_document(name) for name in KINDS]
    return _finish({"$schema": DIALECT, "title": "govcloud", "oneOf": branches}, language)


def _document(kind_name: str) -> Schema:
    """Return the schema of a document, its parts by reference."""
    kind, (places, _) = KINDS[kind_name], _definitions()
    properties: Schema = {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": kind_name},
        "metadata": {**places[Metadata]},
        "spec": {**places[kind.spec]},
    }
    if kind.owned:
        properties["metadata"] = {"allOf": [places[Metadata], {"required": ["department"]}]}
    return _enveloped(kind_name, kind.spec, properties)


def _enveloped(kind_name: str, spec: type[Model], properties: Schema) -> Schema:
    """Return the schema of a document that has these properties, the envelope's documented."""
    for name, info in Document.model_fields.items():
        if (found := properties.get(info.alias or name)) is not None:
            found |= {"description": info.description, "x-doc": f"Document.{name}"}
    return {
        "title": kind_name,
        "description": spec.__doc__ or "",
        "x-doc": spec.__name__,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def paper_root(kind_name: str, spec: type[Model]) -> Schema:
    """Return the schema of a file that is of no kind of object, to walk with `below`."""
    properties: Schema = {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": kind_name},
        "spec": {**model_root(spec)},
    }
    return _enveloped(kind_name, spec, properties)


def paper_schema(kind_name: str, spec: type[Model], language: str = "en") -> Schema:
    """Return the JSON Schema of such files."""
    described = _described({"$schema": DIALECT, **paper_root(kind_name, spec)}, language)
    assert isinstance(described, dict)
    return described


def _finish(document: Schema, language: str) -> Schema:
    """Return the schema with the definitions that it reaches, described in `language`."""
    _, definitions = _definitions()
    needed: dict[str, Schema] = {}
    waiting = [*_references(document)]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = definitions[name]
            waiting += _references(definitions[name])
    whole = {**document, "$defs": {name: needed[name] for name in sorted(needed)}}
    described = _described(whole, language)
    assert isinstance(described, dict)
    return described


def _references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            yield reference.rsplit("/", 1)[-1]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _described(part: object, language: str) -> object:
    """Return a copy in which `x-doc` has become a description in `language`."""
    if isinstance(part, list):
        return [_described(value, language) for value in part]
    if not isinstance(part, dict):
        return part
    made = {name: _described(value, language) for name, value in part.items() if name != "x-doc"}
    if isinstance(entry := part.get("x-doc"), str):
        made["description"] = documentation(entry, language) or part.get("description", "")
    return made


def documentation(entry: str, language: str) -> str | None:
    """Return what the catalogue says of `VirtualMachineSpec.zone`, or of a model; None in English.

    A model's own entry is `<Model>._`: TOML wants a name for it.
    """
    name = entry if "." in entry else f"{entry}._"
    return messages.catalogue(language, "fields").get(name)


# --- Walking --------------------------------------------------------------------------------------


def resolve(part: Schema) -> Schema:
    """Return a schema with its reference followed and the alternative `null` left out.

    What stands beside the reference (description, default, `x-doc`) wins.
    """
    _, definitions = _definitions()
    beside = dict(part)
    if "anyOf" in beside:
        options = [option for option in beside.pop("anyOf") if option.get("type") != "null"]
        beside = {**(options[0] if len(options) == 1 else {"anyOf": options}), **beside}
    if "allOf" in beside:
        beside = {**beside.pop("allOf")[0], **beside}
    if reference := beside.pop("$ref", None):
        return {**resolve(definitions[reference.rsplit("/", 1)[-1]]), **beside}
    return beside


def below(part: Schema, step: str | int) -> Schema | None:
    """Return the resolved schema of one key or index, or None where there is none."""
    if isinstance(step, int):
        found = part.get("items")
    else:
        free = [*part.get("patternProperties", {}).values(), part.get("additionalProperties")]
        found = part.get("properties", {}).get(step) or next(filter(None, free), None)
    return resolve(found) if isinstance(found, dict) else None


def document_root(kind_name: str) -> Schema:
    """Return the schema of a kind's documents, to walk with `below`."""
    return _document(kind_name)


def model_root(model: type[Model]) -> Schema:
    """Return the schema of a model, to walk with `below`."""
    places, _ = _definitions()
    return resolve(places[model]) if model in places else _whole(model)


@lru_cache(maxsize=16)
def _whole(model: type[Model]) -> Schema:
    """Return the schema of a model that is of no kind, with every reference written out."""
    document = model.model_json_schema(schema_generator=_Generator)
    whole = _written_out(document, document.pop("$defs", {}))
    assert isinstance(whole, dict)
    return whole


def _written_out(part: object, definitions: Mapping[str, Schema]) -> object:
    if isinstance(part, list):
        return [_written_out(value, definitions) for value in part]
    if not isinstance(part, dict):
        return part
    made = {n: _written_out(value, definitions) for n, value in part.items() if n != "$ref"}
    if isinstance(reference := part.get("$ref"), str):
        found = _written_out(definitions[reference.rsplit("/", 1)[-1]], definitions)
        assert isinstance(found, dict)
        return {**found, **made}
    return made
