"""The small example of the README: valid where it should be, and wrong in many ways where not."""

from pathlib import Path

import pytest

from govcloud.domain.manifest import Loaded, SourceFile, load

SMALL = Path(__file__).parents[2] / "examples" / "small"


def read(*names: str) -> Loaded:
    return load([SourceFile(name, (SMALL / name).read_bytes()) for name in names])


def test_platform_and_department_are_valid_and_refer_to_each_other() -> None:
    loaded = read("platform.yaml", "department.yaml")
    assert not loaded.diagnostics
    names = {(m.kind.name, m.metadata.name) for m in loaded.manifests}
    (machine,) = [m.plain for m in loaded.manifests if m.kind.name == "VirtualMachine"]
    for kind, field in (("Zone", "zone"), ("Flavor", "flavor"), ("Image", "image")):
        assert (kind, machine[field]) in names


@pytest.mark.guarantee("P2")
def test_the_broken_one_names_every_mistake_with_its_place() -> None:
    diagnostics = read("broken.yaml").diagnostics
    assert [(d.line, d.key.removeprefix("input.")) for d in diagnostics] == [
        (4, "unknown_kind_meant"),
        (5, "bad_name"),
        (9, "number_in_quotes"),
        (10, "unknown_field_meant"),
        (12, "quantity_without_unit"),
        (13, "unknown_value_meant"),
        (14, "not_a_date"),
        (17, "missing"),
        (17, "unknown_field_meant"),
    ]
