"""Lists: names that can be fed back, several kinds at once, cells that are no formulas."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from govcloud.errors import Exit

EXAMPLES = Path(__file__).parents[2] / "examples" / "small"


def test_what_a_list_names_can_be_fed_back(city, govcloud):
    """Whoever asks: an administrator has no department of their own."""
    for kind in ("vm", "systems", "zones"):
        names = govcloud("get", kind, "-o", "name").lines
        assert names
        assert govcloud("get", *names, "-o", "name").lines == names


def test_several_kinds_are_listed_at_once(city, govcloud):
    """As kubectl does: a table each, or one list of documents."""
    names = govcloud("get", "system,vm", "-o", "name").lines
    assert [name.split("/")[1] for name in names] == ["system", "virtualmachine"]
    items = json.loads(govcloud("get", "system,vm", "-o", "json").out)["items"]
    assert [item["kind"] for item in items] == ["System", "VirtualMachine"]
    govcloud("get", "system,vmm", code=Exit.NOT_FOUND)
    assert govcloud("get", "all", "-o", "name").lines == govcloud("get", "vm", "-o", "name").lines
    assert {
        one["kind"] for one in json.loads(govcloud("get", "all", "-o", "json").out)["items"]
    } == {"VirtualMachine"}


def test_the_queue_as_csv_has_numbers_and_no_formulas(city, govcloud):
    """A spreadsheet takes `+1` for a formula."""
    text = govcloud("requests", "--state", "all", "-o", "csv").out
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert rows[0]["TO CREATE"] == "2"
    assert not [
        cell for row in rows for cell in row.values() if cell[:1] in "=+-@'" and cell != "-"
    ]


def test_handing_in_what_stands_already_ends_well(city, govcloud):
    """Like `unchanged` of kubectl: a sentence, no number, exit code 0."""
    ended = govcloud("--as", "hrss", "submit", "-f", str(EXAMPLES / "department.yaml"))
    assert ended.out == ""
    assert "Unchanged" in ended.err


def test_empty_files_are_the_same_error_for_apply_plan_and_submit(city, govcloud, tmp_path):
    """An empty file is a slip, whoever it is handed to."""
    file = tmp_path / "empty.yaml"
    file.write_text("# nothing\n")
    for command in ("apply", "plan", "submit"):
        assert govcloud(command, "-f", str(file), code=Exit.USAGE).err


def test_platform_objects_are_deleted_and_not_given_back(city, govcloud, tmp_path):
    """What is done is told as done, and what is only tried as a plan."""
    file = tmp_path / "flavor.yaml"
    file.write_text(
        "apiVersion: govcloud.io/v1\nkind: Flavor\nmetadata: {name: spare}\n"
        "spec: {vcpu: 2, memory: 4Gi, price: 100}\n"
    )
    made = govcloud("apply", "-f", str(file))
    assert made.lines[-1] == "Done: 1 created, 0 changed, 0 deleted, 0 unchanged."
    tried = govcloud("delete", "flavor/spare", "--dry-run")
    assert tried.lines[-1] == "Plan: 0 to create, 0 to change, 1 to delete, 0 unchanged."
    gone = govcloud("delete", "flavor/spare", "--yes")
    assert gone.lines[-1] == "Done: 0 created, 0 changed, 1 deleted, 0 unchanged."


def test_describe_names_and_lists_as_get_does(city, govcloud):
    """Whoever reads what a program printed gets what was asked for, and not a page for people."""
    named = ("vm/social-insurance-app", "system/social-insurance")
    for form in ("name", "json", "yaml"):
        assert (
            govcloud("describe", *named, "-o", form).out == govcloud("get", *named, "-o", form).out
        )
    assert govcloud("describe", *named, "-o", "csv").out.startswith("NAME,DEPARTMENT,STATUS,")


def test_requests_are_got_by_number(city, govcloud):
    """Like an object of any kind, in each form of a list."""
    (name,) = govcloud("requests", "--state", "all", "-o", "name").lines
    assert govcloud("get", "requests", name, "-o", "name").lines == [name]
    assert json.loads(govcloud("get", "req", name, "-o", "json").out)["id"] == name


@pytest.mark.guarantee("P4")
def test_who_one_is_and_what_is_well_is_said_in_the_readers_words(city, govcloud):
    """Also in a file for a spreadsheet."""
    told = govcloud("--lang", "zh", "whoami", "-o", "csv").out
    assert "全部" in told
    assert "审批" in told
    assert "full" not in told
    told = govcloud("--lang", "zh", "doctor", "-o", "csv", code=None).out
    assert "程序,正常" in told
    assert "控制器/" in told


@pytest.mark.guarantee("P4")
def test_what_a_value_must_keep_is_explained_in_the_readers_words(govcloud):
    """The limits of a field, too."""
    assert "最小：1" in govcloud("--lang", "zh", "explain", "vm.spec.count").out
    assert "at least: 1" in govcloud("explain", "vm.spec.count").out
    assert "minimum" not in govcloud("explain", "vm.spec.count").out


@pytest.mark.guarantee("P4")
def test_states_are_asked_for_in_the_words_that_lists_show(city, govcloud):
    """In either language, whatever the reader's is."""
    made = govcloud("requests", "--state", "all", "-o", "name").lines
    for word in ("fulfilled", "已开通"):
        listed = govcloud("requests", "--state", word, "-o", "name").lines
        assert listed == made
        assert govcloud("wait", *listed, "--for", word, "--timeout", "5s").lines
    for word in ("ready", "就绪", "phase=使用中"):
        assert govcloud("wait", "vm/social-insurance-app", "--for", word, "--timeout", "5s").lines


def test_what_a_figure_is_made_of_comes_in_every_form(city, govcloud, monkeypatch):
    """Also by the word that reports have for it, and for the department of the environment."""
    words = ("report", "explain", "on-cloud-rate", "--as-of", datetime.now(UTC).isoformat())
    for form in ("table", "wide", "json", "yaml", "csv", "name"):
        shown = govcloud(*words, "--format", form).out
        assert "social-insurance" in shown
        assert govcloud(*words, "-o", form).out == shown
    monkeypatch.setenv("GOVCLOUD_DEPARTMENT", "city")
    (row,) = json.loads(govcloud("report", "on-cloud-rate", "--format", "json").out)["rows"]
    assert row["department"] == "hrss"
    monkeypatch.setenv("GOVCLOUD_DEPARTMENT", "nowhere")
    govcloud(*words, code=Exit.NOT_FOUND)


@pytest.mark.guarantee("P4")
def test_a_machines_page_names_its_volumes_and_what_stands_still(city, govcloud, tmp_path):
    """Volumes are objects of their own, and a stop is no difference: both are said all the same."""
    file = tmp_path / "files.yaml"
    file.write_text(
        "apiVersion: govcloud.io/v1\n"
        "kind: Volume\n"
        "metadata: {name: files, department: hrss}\n"
        "spec: {system: social-insurance, zone: extranet, size: 10Gi, type: hdd,"
        " attachTo: social-insurance-app}\n"
    )
    machine = "vm/social-insurance-app"
    before = govcloud("--as", "hrss", "describe", machine).out
    assert "Attached volumes" not in before
    assert "STOPPED" not in before
    number = govcloud("--as", "hrss", "submit", "-f", str(file)).lines[0]
    govcloud("approve", number, "--yes")
    govcloud("--as", "hrss", "stop", machine, "--machine", "1", "--yes")
    page = govcloud("--as", "hrss", "describe", machine)
    assert "files" in page.out.partition("Attached volumes")[2].partition("Events")[0]
    assert [line for line in page.lines if line.startswith("STOPPED") and "machine(s) 1" in line]
    govcloud("--as", "hrss", "stop", machine, "--yes")
    page = govcloud("--as", "hrss", "--lang", "zh", "describe", machine)
    assert [line for line in page.lines if line.startswith("停机") and "全部云主机" in line]
