"""Properties of the loader: nothing raises, what is written is read, positions are true."""

import json

from hypothesis import given
from hypothesis import strategies as st

from govcloud.domain.manifest import MAX_DIAGNOSTICS, SourceFile, load, parse_spec
from govcloud.domain.yamltext import Reader, plain_scalar

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
SIZES = st.integers(1, 5000).map(lambda size: f"{size}Gi")
DISKS = st.fixed_dictionaries({"size": SIZES}, optional={"type": NAMES})
MACHINES = st.fixed_dictionaries(
    {"system": NAMES, "zone": NAMES, "image": NAMES, "flavor": NAMES},
    optional={
        "count": st.integers(1, 500),
        "systemDisk": DISKS,
        "dataDisks": st.lists(DISKS, max_size=3),
        "tier": st.sampled_from(["web", "app", "db", "other", "数据库", "接入层"]),
        "power": st.sampled_from(["on", "off", "开机"]),
        "lease": st.fixed_dictionaries({"end": st.dates().map(str)}),
        "justification": TEXTS,
        "antiAffinity": st.booleans(),
    },
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**15), 10**15), TEXTS,
    st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=30,
)


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    load([SourceFile("a", data)])


@given(st.text(alphabet="ab:-?[]{}#&*!|>'\"%@`,~ \n\t\r：\ufeff\x85", max_size=120))
def test_no_yaml_like_text_raises(text: str) -> None:
    loaded = load([SourceFile("a", text)])
    assert len(loaded.diagnostics) <= MAX_DIAGNOSTICS + 1
    for diagnostic in loaded.diagnostics:
        assert (diagnostic.line or 0) >= 1
        assert (diagnostic.column or 0) >= 1


@given(VALUES, st.sampled_from(["metadata", "spec", "kind", "apiVersion", "extra"]))
def test_no_value_anywhere_in_a_document_raises(value: object, key: str) -> None:
    document: dict[str, object] = {
        "apiVersion": "govcloud.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "a", "department": "b"},
        "spec": {"system": "a", "zone": "b", "image": "c", "flavor": "d"},
    }
    document[key] = value
    load([SourceFile("a", json.dumps(document))])


@given(MACHINES)
def test_what_is_written_is_read_and_stored_and_read_again(spec: dict[str, object]) -> None:
    text = json.dumps(
        {
            "apiVersion": "govcloud.io/v1",
            "kind": "VirtualMachine",
            "metadata": {"name": "app", "department": "hrss"},
            "spec": spec,
        },
        indent=1,
        ensure_ascii=False,
    )
    loaded = load([SourceFile("a", text)])
    assert not loaded.diagnostics
    (manifest,) = loaded.manifests
    again = parse_spec("VirtualMachine", json.loads(json.dumps(manifest.plain)))
    assert again == manifest.spec
    assert again.plain() == manifest.plain
    for name in spec:
        line, _ = manifest.position(f"spec.{name}")
        assert f'"{name}"' in text.split("\n")[line - 1]


@given(VALUES)
def test_json_is_read_as_what_it_says(value: object) -> None:
    reader = Reader()
    (root, faulty), *rest = list(reader.documents(SourceFile("a", json.dumps({"a": value}))))
    assert not rest
    assert not faulty
    assert root.value == {"a": value}


@given(st.integers(-(10**17), 10**17))
def test_whole_numbers_are_decimal(number: int) -> None:
    assert plain_scalar(str(number)) == number
    assert plain_scalar(f"00{abs(number)}" if abs(number) < 10**15 else "7") in {abs(number), 7}
