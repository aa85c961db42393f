"""YAML to manifests: what is accepted, and which sentence each fault gets, with its place."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from govcloud import messages
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.manifest import Loaded, SourceFile, load, parse_spec
from govcloud.errors import Diagnostic

VM = """\
apiVersion: govcloud.io/v1
kind: VirtualMachine
metadata: {name: app, department: hrss}
spec:
  system: social-insurance
  zone: extranet-l3
  image: kylin-v10
"""
QUOTA = """\
apiVersion: govcloud.io/v1
kind: Quota
metadata: {name: hrss}
spec:
  department: hrss
"""


def read(*texts: str | bytes) -> Loaded:
    return load([SourceFile(f"{index}.yaml", text) for index, text in enumerate(texts)])


def vm(*lines: str) -> Loaded:
    return read(VM + "".join(f"  {line}\n" for line in lines))


def only(loaded: Loaded) -> Diagnostic:
    assert len(loaded.diagnostics) == 1, loaded.diagnostics
    return loaded.diagnostics[0]


def keys(diagnostics: Sequence[Diagnostic]) -> list[str]:
    return [diagnostic.key.removeprefix("input.") for diagnostic in diagnostics]


def test_a_valid_document_becomes_a_typed_manifest() -> None:
    loaded = vm("flavor: 4c8g", "count: 2", "tier: 数据库", "systemDisk: {size: 100Gi, type: ssd}")
    (manifest,) = loaded.manifests
    assert not loaded.diagnostics
    assert manifest.key == ObjectKey("VirtualMachine", "hrss", "app")
    assert manifest.spec.base()["systemDisk"] == {"size": 100, "type": "ssd"}
    assert manifest.plain["tier"] == "db", "labels are stored as the canonical word"
    assert (manifest.file, manifest.line) == ("0.yaml", 1)
    assert manifest.position("spec.systemDisk.size") == (11, 22)
    assert manifest.position("spec.systemDisk.absent") == (11, 15), "the nearest thing above"


def test_many_documents_and_empty_ones_and_comments() -> None:
    whole = VM + "  flavor: a\n"
    loaded = read(f"# note\n---\n{whole}...\n---\n# nothing\n---\n{whole.replace('app', 'b')}", "")
    assert [manifest.metadata.name for manifest in loaded.manifests] == ["app", "b"]
    assert [manifest.line for manifest in loaded.manifests] == [3, 15]


def test_a_byte_order_mark_windows_lines_and_a_directive_are_taken() -> None:
    text = ("\ufeff%YAML 1.2\n---\n" + VM + "  flavor: a\n").replace("\n", "\r\n")
    assert len(read(text.encode()).manifests) == 1


def test_words_of_yaml_1_1_stay_text() -> None:
    loaded = read(
        VM.replace(
            "metadata: {name: app",
            "metadata: {name: app, labels: {a: yes, b: no, on: off, d: 2026-01-01, e: 1_000}",
        )
        + "  flavor: a\n  power: on\n"
    )
    assert loaded.manifests[0].metadata.labels == {
        "a": "yes", "b": "no", "on": "off", "d": "2026-01-01", "e": "1_000",
    }  # fmt: skip


def test_all_faults_of_all_files_at_once_in_the_order_of_the_text() -> None:
    bad = VM.replace("app", "Bad Name") + "  flavor: a\n  flavour: b\n  count: '4'\n"
    loaded = read(bad + "---\na: [\n---\n" + bad, bad)
    found = ["bad_name", "unknown_field_meant", "number_in_quotes"]
    assert keys(loaded.diagnostics) == [*found, "syntax", *found, *found]
    assert {diagnostic.file for diagnostic in loaded.diagnostics} == {"0.yaml", "1.yaml"}
    lines = [diagnostic.line or 0 for diagnostic in loaded.diagnostics[:7]]
    assert all(left <= right for left, right in pairwise(lines))


@pytest.mark.parametrize(
    ("line", "key", "field", "column"),
    [
        ("flavour: a", "unknown_field_meant", "spec.flavour", 3),
        ("bandwidthMbps: 3", "unknown_field_placed", "spec.bandwidthMbps", 3),
        ("frobnicate: 3", "unknown_field", "spec.frobnicate", 3),
        ('count: "4"', "number_in_quotes", "spec.count", 10),
        ("count: ２", "wide", "spec.count", 10),
        ("count: '２'", "wide", "spec.count", 10),
        ("count: ٢", "wrong_type", "spec.count", 10),
        ("count: 4.5", "wrong_type", "spec.count", 10),
        ("count: 0", "too_small", "spec.count", 10),
        ("count: 501", "too_big", "spec.count", 10),
        ("count:", "empty", "spec.count", 9),
        ("key: 4711", "text_wanted", "spec.key", 8),
        ('key: ""', "empty_text", "spec.key", 8),
        ("antiAffinity: yes", "flag_wanted", "spec.antiAffinity", 17),
        ("tier: 应用", "unknown_value_meant", "spec.tier", 9),
        ("tier: 火星", "unknown_value", "spec.tier", 9),
        ("systemDisk: {size: 100}", "quantity_without_unit", "spec.systemDisk.size", 22),
        ("systemDisk: {size: 10X}", "not_a_quantity", "spec.systemDisk.size", 22),
        ("systemDisk: {size: ２００Gi}", "wide", "spec.systemDisk.size", 22),
        ("systemDisk: {size: ２００}", "wide", "spec.systemDisk.size", 22),
        ("systemDisk: {size: ٢٠Gi}", "not_a_quantity", "spec.systemDisk.size", 22),
        ("systemDisk: {size: 1.5Mi}", "quantity_not_whole", "spec.systemDisk.size", 22),
        ("systemDisk: {type: ssd}", "missing", "spec.systemDisk.size", 15),
        ("dataDisks: [{size: 1Gi}, 5]", "wrong_type", "spec.dataDisks[1]", 28),
        ("dataDisks: {size: 1Gi}", "wrong_type", "spec.dataDisks", 14),
        ("lease: {end: 2026-13-01}", "not_a_date", "spec.lease.end", 16),
        ("lease: {end: 20260101}", "not_a_date", "spec.lease.end", 16),
        ("lease: {end: '1700000000'}", "not_a_date", "spec.lease.end", 16),
        ("memory: 16Gi", "flavor_or_sizes", "spec", 3),
        ("flavor: b", "duplicate_key", None, 3),
        ("justification: &a x", None, None, 0),
        ("key: *a", "alias", None, 8),
        ("key: !!str x", "tag", None, 8),
        ("key: 9999999999999999999", "number_too_long", None, 8),
    ],
)
def test_each_fault_has_a_key_and_a_place(
    line: str, key: str | None, field: str | None, column: int
) -> None:
    loaded = vm("flavor: a", line)
    if key is None:
        assert not loaded.diagnostics
        return
    diagnostic = loaded.diagnostics[0]
    assert keys([diagnostic]) == [key]
    assert diagnostic.field == field
    expected = 5 if key == "flavor_or_sizes" else 9
    assert (diagnostic.line, diagnostic.column) == (expected, column)
    assert not loaded.manifests


@pytest.mark.parametrize(
    ("text", "key", "place"),
    [
        ("\tkind: x", "tab", (1, 1)),
        ("a:\n\t- b", "tab", (2, 1)),
        ("kind：VirtualMachine", "wide_colon", (1, 1)),
        ("spec:\n  count：4\n  zone: b", "wide_colon", (2, 8)),
        ("a: b: c", "syntax", (1, 5)),
        ("'a", "syntax", (1, 3)),
        ("a: \x00", "forbidden_character", (1, 4)),
        ("a: b\u202ec", "forbidden_character", (1, 5)),
        ("a: \ud800", "forbidden_character", (1, 4)),
        ("{a: " * 40, "too_deep", (1, 129)),
        ("[" * 100_000, "too_deep", (1, 33)),
        ("? [a]\n: b", "key_not_text", (1, 3)),
        ("- a", "not_a_document", (1, 1)),
        ("a: b", "not_a_document", (1, 1)),
        ("a" * 70_000, "scalar_too_long", (1, 1)),
        ("#" * (1024**2 + 1), "file_too_large", (1, 1)),
        (b"a: \xff\n", "not_utf8", (1, 1)),
        ("a: b\n".encode("utf-16"), "not_utf8", (1, 1)),
    ],
)
def test_hostile_and_unlucky_text(text: str | bytes, key: str, place: tuple[int, int]) -> None:
    diagnostic = only(read(text))
    assert (keys([diagnostic]), (diagnostic.line, diagnostic.column)) == ([key], place)


def test_more_documents_bytes_and_values_than_allowed() -> None:
    assert keys(read("--- a\n" * 5_002).diagnostics[-1:]) == ["more_faults"]
    big = "# " + "x" * 1_000_000
    assert "input_too_large" in keys(read(*[big] * 9).diagnostics)
    wide = "[" + "a," * 200_000 + "]"
    assert "too_many_nodes" in keys(read(wide, wide).diagnostics)


def test_what_has_endless_faults_is_not_read_to_the_end() -> None:
    keys_ = "".join(f"  key{index}: x\n" for index in range(40_000))
    loaded = read(VM + keys_, VM, QUOTA)
    assert len(loaded.diagnostics) == 501
    assert keys(loaded.diagnostics)[-1] == "more_faults"
    assert {diagnostic.file for diagnostic in loaded.diagnostics[:-1]} == {"0.yaml"}


def test_an_expansion_bomb_is_refused_at_its_first_alias() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 40)]
    loaded = read("kind: Bomb\n" + "\n".join(lines))
    assert "alias" in keys(loaded.diagnostics)


def test_the_envelope() -> None:
    text = "apiVersion: v1\nkind: 云主机\nmetdata: {}\nstatus: {}\nspec: {}\n"
    found = keys(read(text).diagnostics)
    assert found[:4] == ["missing", "api_version", "unknown_kind_meant", "unknown_field_meant"]
    assert "status" in found


@pytest.mark.parametrize(
    ("word", "meant"),
    [("VM", "VirtualMachine"), ("virtualMachine", "VirtualMachine"), ("云主机", "VirtualMachine"),
     ("Quote", "Quota"), ("Systm", "System"), ("Zebra", None)],
)  # fmt: skip
def test_did_you_mean_for_kinds(word: str, meant: str | None) -> None:
    diagnostic = read(VM.replace("VirtualMachine", word)).diagnostics[0]
    assert diagnostic.params["meant"] == meant
    assert diagnostic.key == ("input.unknown_kind_meant" if meant else "input.unknown_kind")


def test_owned_kinds_need_a_department_and_platform_kinds_have_none() -> None:
    assert keys(read(VM.replace(", department: hrss", "") + "  flavor: a\n").diagnostics) == [
        "no_department"
    ]
    flavor = "apiVersion: govcloud.io/v1\nkind: Flavor\nmetadata: {name: a, department: b}\n"
    flavor += "spec: {vcpu: 1, memory: 1Gi}\n"
    assert keys(read(flavor).diagnostics) == ["platform_department"]
    quota = QUOTA + "  limits: {vms: 1}\n"
    same = quota.replace("{name: hrss}", "{name: hrss, department: hrss}")
    assert read(same).manifests[0].key == ObjectKey("Quota", "", "hrss")
    other = quota.replace("{name: hrss}", "{name: hrss, department: city}")
    assert keys(read(other).diagnostics) == ["other_department"]


def test_every_class_of_a_quota_is_checked() -> None:
    loaded = read(QUOTA + '  limits: {vms: "4", memory: 16, 内存: 1Gi, disk: 1Ti, foo: 1}\n')
    assert keys(loaded.diagnostics) == [
        "not_a_count", "quantity_without_unit", "unknown_class_meant", "unknown_class_meant",
        "unknown_class",
    ]  # fmt: skip
    assert [diagnostic.field for diagnostic in loaded.diagnostics] == [
        f"spec.limits.{word}" for word in ("vms", "memory", "内存", "disk", "foo")
    ]
    assert [diagnostic.params.get("meant") for diagnostic in loaded.diagnostics[2:4]] == [
        "memory", "disk.ssd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("limits: {vms: 1}\n  zone: a", "zone_without_cloud"),
        ("limits: {vms: 1}\n  type: 临时增配", "grant_without_end"),
        (
            "limits: {vms: 1}\n  validFrom: 2026-02-01\n  validUntil: 2026-01-01",
            "ends_before_start",
        ),
        ("limits: []", "not_a_mapping"),
    ],
)
def test_rules_that_models_raise_by_code(lines: str, key: str) -> None:
    assert keys([only(read(f"{QUOTA}  {lines}\n"))]) == [key]


def test_the_same_object_twice_names_both_places() -> None:
    whole = VM + "  flavor: a\n"
    diagnostic = only(read(whole, "# other\n" + whole))
    assert diagnostic.key == "input.duplicate_object"
    assert (diagnostic.file, diagnostic.line) == ("1.yaml", 4)
    assert (diagnostic.params["file"], diagnostic.params["line"]) == ("0.yaml", 3)


def test_the_digest_covers_what_is_said_and_not_how() -> None:
    first = vm("flavor: a", "count: 2").manifests[0]
    second = read(
        "kind: VirtualMachine\nspec: {count: 2, image: kylin-v10, zone: extranet-l3, flavor: a,"
        " system: social-insurance, tier: 应用层}\n# note\napiVersion: govcloud.io/v1\n"
        "metadata: {department: hrss, name: app}\n"
    ).manifests[0]
    assert first.digest == second.digest
    assert vm("flavor: a", "count: 3").manifests[0].digest != first.digest


def test_a_stored_spec_becomes_the_model_again() -> None:
    manifest = vm("flavor: a", "lease: {end: 2027-01-01}").manifests[0]
    assert parse_spec("VirtualMachine", manifest.plain) == manifest.spec
    with pytest.raises(KeyError):
        parse_spec("Nothing", {})


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_sentence_has_its_parameters_and_a_remedy(language: str) -> None:
    bad = VM + "  flavor: a\n  count: '4'\n  tier: 火星\n  systemDisk: {size: 4}\n  zome: 3\n"
    for diagnostic in read(bad, "a: [", QUOTA + "  limits: {foo: 1}\n").diagnostics:
        sentence = messages.render(diagnostic.key, language, diagnostic.params)
        remedy = messages.remedy(diagnostic.key, language, diagnostic.params)
        assert remedy
        for text in (sentence, remedy):
            assert "{" not in text
            assert "input." not in text


def test_both_languages_have_the_same_keys_and_each_sentence_a_remedy() -> None:
    english, chinese = (set(messages.catalogue(code, "input")) for code in ("en", "zh"))
    assert english == chinese
    sentences = {
        key for key in english
        if not key.endswith("_remedy") and not key.startswith(("type_", "shape_", "problem_"))
    }  # fmt: skip
    assert {f"{key}_remedy" for key in sentences} <= english


def test_every_kind_has_a_validator() -> None:
    for name in KINDS:
        with pytest.raises(ValueError):
            parse_spec(name, {"nothing": 1})


@pytest.mark.parametrize(
    "field",
    ["count: 9999999999999999999", "flavor: 9999999999999999999", "image: *other",
     "vcpu: 9999999999999999999", "environment: 9999999999999999999", "environment: *other"],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_told_once(field: str) -> None:
    """Not again as an empty one, and not as what is missing because of it."""
    name = field.partition(":")[0]
    spec = {"system": "s", "zone": "z", "flavor": "f", "image": "i"} | {name: None}
    if name == "vcpu":
        del spec["flavor"]
    lines = [f"  {key}: {value}" for key, value in spec.items() if value is not None]
    text = "\n".join(
        [
            "apiVersion: govcloud.io/v1",
            "kind: VirtualMachine",
            "metadata: {name: web, department: d}",
            "spec:",
            *lines,
            f"  {field}",
        ]
    )
    loaded = load([SourceFile("a.yaml", text)])
    assert not loaded.manifests
    key = "input.alias" if "*" in field else "input.number_too_long"
    assert [fault.key for fault in loaded.diagnostics] == [key]


def test_a_kind_or_version_that_cannot_be_read_is_told_once() -> None:
    text = "apiVersion: *a\nkind: 9999999999999999999\nmetadata: *b\nspec: *c\n"
    loaded = load([SourceFile("a.yaml", text)])
    assert sorted(fault.key for fault in loaded.diagnostics) == [
        "input.alias", "input.alias", "input.alias", "input.number_too_long",
    ]  # fmt: skip
