"""What `explain` says, the JSON Schema that editors get, and that no field is undocumented."""

import re
from collections.abc import Iterator

import pytest

from govcloud import messages
from govcloud.domain import schema
from govcloud.domain.base import Document, LabelledEnum, Metadata, Model
from govcloud.domain.explain import explain
from govcloud.domain.kinds.registry import KINDS
from govcloud.errors import NotFoundError
from migration.papers import PAPERS, named


def models(found: type[Model] = Model) -> Iterator[type[Model]]:
    files = {model.__module__ for _, model in filter(None, map(named, PAPERS))}
    for below in found.__subclasses__():
        if below.__module__.startswith("govcloud.domain") or below.__module__ in files:
            yield below
            yield from models(below)


def test_every_field_is_documented_in_both_languages() -> None:
    chinese = messages.catalogue("zh", "fields")
    wanted = {f"{model.__name__}.{name}" for model in models() for name in model.model_fields}
    wanted |= {f"{model.__name__}._" for model in models()}
    assert wanted - set(chinese) == set(), "missing in messages/zh/fields.toml"
    assert set(chinese) - wanted == set(), "no such field any more"
    undescribed = {
        f"{model.__name__}.{name}"
        for model in models()
        for name, info in model.model_fields.items()
        if not info.description
    }
    assert undescribed == set()


def test_explains_a_kind_a_field_and_a_list() -> None:
    kind = explain("vm", "en")
    assert (kind.path, [field.path for field in kind.fields][-1]) == (
        "VirtualMachine", "VirtualMachine.spec",
    )  # fmt: skip
    allow = explain("VirtualMachine.spec.network.allow", "zh")
    assert (allow.type, allow.description) == ("映射的列表", "放行规则。")
    assert [(field.path, field.required) for field in allow.fields] == [
        ("VirtualMachine.spec.network.allow.ports", True),
        ("VirtualMachine.spec.network.allow.source", False),
    ]
    assert explain("云主机.network.allow[0].ports", "en").type == "list of integer"


def test_explains_choices_defaults_and_quantities() -> None:
    backup = explain("vm.spec.backup", "en")
    assert backup.default == "daily"
    assert (backup.enum[0].value, backup.enum[0].label) == ("none", "none")
    size = explain("vm.spec.systemDisk.size", "en")
    assert (size.type, size.required, size.example) == ("quantity", True, "100Gi")
    assert explain("ns.spec.storage", "en").type == "mapping to quantity"
    assert explain("vm.spec.systemDisk", "en").default == {"size": "50Gi", "type": "hdd"}
    chinese = explain("vm.spec.backup", "zh")
    assert chinese.plain()["enum"][1] == {"value": "daily", "label": "每日"}


@pytest.mark.parametrize(
    ("path", "meant"),
    [("vmm", "VirtualMachine"), ("vm.spec.netwrk", "network"), ("vm.metadata.lable", "labels"),
     ("vm.spec.count.x", None), ("vm.spec.nothing", None)],
)  # fmt: skip
def test_unknown_paths_say_what_was_meant(path: str, meant: str | None) -> None:
    with pytest.raises(NotFoundError) as caught:
        explain(path, "en")
    assert caught.value.params["meant"] == meant


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_path_can_be_explained(language: str) -> None:
    def walk(path: str) -> Iterator[str]:
        explanation = explain(path, language, named)
        assert explanation.description, path
        yield path
        for field in explanation.fields:
            yield from walk(field.path)

    assert sum(1 for name in (*KINDS, *PAPERS) for _ in walk(name)) > 400


def test_a_file_is_explained_as_a_kind_is() -> None:
    window = explain("waveplan.waves.window", "en", named)
    assert (window.path, window.type) == ("WavePlan.spec.waves.window", "date")
    assert window.required
    assert explain("Questionnaire", "zh", named).description.startswith("整份调研问卷")
    with pytest.raises(NotFoundError, match="unknown_path_meant"):
        explain("WavePlan.setings", "en", named)


def test_the_schema_of_a_file_holds_together() -> None:
    for name in PAPERS:
        made = schema.paper_schema(*(named(name) or ("", Model)), "zh")
        assert made["properties"]["kind"] == {"const": name, "description": "对象的种类。"}
        assert made["required"] == ["apiVersion", "kind", "spec"]
        assert "$ref" not in str(made)
        assert "x-doc" not in str(made)


def test_what_the_program_writes_itself_is_told_so() -> None:
    with pytest.raises(NotFoundError, match="no_status_path"):
        explain("vm.status.phase", "en")


def test_the_schema_of_a_kind_holds_together() -> None:
    for name, kind in KINDS.items():
        made = schema.kind_schema(name, "zh")
        references = set(re.findall(r"'#/\$defs/(\w+)'", str(made)))
        assert references == set(made["$defs"])
        assert "x-doc" not in str(made)
        assert ("allOf" in made["properties"]["metadata"]) == kind.owned


def test_labels_are_allowed_and_quantities_are_patterns() -> None:
    made = schema.kind_schema("VirtualMachine")["$defs"]
    assert {"db", "数据库"} <= set(made["Tier"]["enum"])
    pattern = made["Disk"]["properties"]["size"]["pattern"]
    assert re.search(pattern, "100Gi")
    assert not re.search(pattern, "100")
    for enum in LabelledEnum.__subclasses__():
        if enum.__name__ in made:
            words = [word for member in enum for word in (member.value, *member.labels)]
            assert sorted(words) == sorted(made[enum.__name__]["enum"])


def test_the_combined_schema_has_a_branch_for_each_kind() -> None:
    made = schema.combined_schema()
    assert [branch["properties"]["kind"]["const"] for branch in made["oneOf"]] == list(KINDS)
    assert "VirtualMachineSpec" in made["$defs"]


def test_the_envelope_is_documented() -> None:
    fields = explain("Zone", "zh").fields
    assert fields[0].description == "固定为 `govcloud.io/v1`。"
    assert len(Document.model_fields) == len(fields)
    assert len(Metadata.model_fields) == len(explain("Zone.metadata", "zh").fields)
