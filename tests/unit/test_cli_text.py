"""Words, widths, tables and references of the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import globals as options
from cli import output, refs, render, speech
from cli.columns import (
    age,
    change_counts,
    differing,
    drift_field,
    request_state,
    status,
    worst_quota,
)
from cli.commands.quota import _numbers, ordered, subtree
from cli.commands.wait import judge, seconds
from cli.options import Output
from cli.render import Column
from govcloud.errors import NotFoundError, UsageError


@pytest.fixture(autouse=True)
def _in_english() -> None:
    """Whatever language another test has spoken last."""
    speech.speak("en")


TEXT = st.text(alphabet=st.sampled_from("ab cd上云率，。(é)-"), max_size=60)


def test_global_options_are_taken_from_anywhere():
    """Before or behind the command, with a blank or an equals sign; not behind `--`."""
    chosen, rest = options.split(["--lang=zh", "get", "--as", "hrss", "vm", "-q", "--", "--lang"])
    assert (chosen.language, chosen.credential, chosen.quiet) == ("zh", "hrss", True)
    assert rest == ["get", "vm", "--", "--lang"]
    assert options.split(["report", "--as-of", "2026-01-01"])[0].credential is None


@pytest.mark.parametrize("words", [["--lang"], ["get", "--as"], ["--lang", "fr"]])
def test_global_options_that_make_no_sense(words):
    """A value that is missing or unknown is a fault of the line."""
    with pytest.raises(UsageError):
        options.split(words)


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("上云率", 6), ("a云", 3), ("e\u0301", 1)])
def test_chinese_takes_two_cells(text, cells):
    """As terminals show it."""
    assert output.width(text) == cells


@given(TEXT, st.integers(4, 40))
def test_wrapped_text_fits_and_loses_nothing(text, cells):
    """No line is wider than asked, unless one word alone is; only blanks go."""
    lines = output.wrap(text, cells)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert output.width(line) <= cells or " " not in line.strip()


@given(TEXT, st.integers(0, 60))
def test_padded_text_has_the_width(text, cells):
    """On either side."""
    for right in (False, True):
        assert output.width(output.pad(text, cells, right=right)) == max(cells, output.width(text))


@pytest.mark.guarantee("P4")
def test_tables_are_aligned_with_wide_characters(capsys):
    """Each column begins at the same cell in each row."""
    columns = [Column("name", lambda item: item["a"]), Column("kind", lambda item: item["b"])]
    items = [{"a": "上云率统计", "b": "x"}, {"a": "ab", "b": "y"}]
    render.show(items, columns, Output.TABLE, name=str)
    lines = capsys.readouterr().out.splitlines()
    starts = {
        output.width(line[: line.rindex(mark)]) for line, mark in zip(lines[1:], "xy", strict=True)
    }
    assert starts == {13}


def test_csv_defuses_formulas(capsys):
    """A name that a department chose does not run in the administrator's spreadsheet."""
    columns = [Column("name", lambda item: item["a"])]
    render.show([{"a": '=HYPERLINK("x")'}, {"a": "-5"}], columns, Output.CSV, name=str)
    assert capsys.readouterr().out.splitlines()[1:] == ['"\'=HYPERLINK(""x"")"', "-5"]


def test_control_characters_do_not_reach_the_terminal():
    """A title cannot move the cursor or change colours of whoever lists it."""
    assert render.text_of("a\x1b[2Jb\nc\x07") == "a[2Jb c"


def test_references():
    """kubectl's two ways, and the department in front."""
    assert [r.shown for r in refs.parse(["vm", "a", "b"])] == ["vm/a", "vm/b"]
    assert [r.shown for r in refs.parse(["vm/a", "hrss/ns/b"], "x")] == ["x/vm/a", "hrss/ns/b"]
    assert "department" not in refs.parse(["vm/a"])[0].plain()
    for words in ([], ["vm"], ["vm/"], ["a/b/c/d"], ["vm", "vm/a"], ["vm/a", "b"]):
        with pytest.raises(UsageError):
            refs.parse(words)


@pytest.mark.parametrize(
    ("text", "value"), [("30s", 30), ("10m", 600), ("1h", 3600), ("5", 5), ("0", 0)]
)
def test_durations(text, value):
    """With a unit, or plain seconds."""
    assert seconds(text) == value


def test_durations_that_are_none():
    """Said with a remedy."""
    for text in ("", "soon", "-5", "5 parsecs"):
        with pytest.raises(UsageError):
            seconds(text)


def item(**status_: object) -> dict[str, object]:
    """An object in the form of the API."""
    return {"metadata": {"generation": 2}, "status": {"observedGeneration": 2} | status_}


def test_ready_needs_the_current_generation():
    """What was ready before the change is not what is waited for."""
    look = judge("ready")
    assert look(item(ready=True, cloud="c")).done
    assert not look(item(ready=True, cloud="c", observedGeneration=1)).done
    assert not look(None).done


def test_waiting_ends_when_nothing_more_will_happen():
    """Progressing false, not ready, with a reason: hopeless; before it was seen, not yet."""
    look = judge("ready")
    stuck = {"ready": False, "progressing": False, "reason": "Failed", "cloud": "c"}
    assert look(item(**stuck)).hopeless
    assert not look(item(**{**stuck, "observedGeneration": 1})).hopeless
    assert judge("deleted")(None).done
    assert judge("create")(item()).done
    with pytest.raises(UsageError):
        judge("readyish")


def test_the_tree_is_drawn_depth_first_whatever_order_it_came_in():
    """And a part of it by its top."""
    nodes = [
        {"department": "c", "parent": "b", "lines": []},
        {"department": "a", "parent": None, "lines": []},
        {"department": "d", "parent": "a", "lines": []},
        {"department": "b", "parent": "a", "lines": []},
    ]
    drawn = ordered(nodes)
    assert [(n["department"], n["depth"]) for n in drawn] == [
        ("a", 0),
        ("d", 1),
        ("b", 1),
        ("c", 2),
    ]
    assert [n["department"] for n in subtree(drawn, "b")] == ["b", "c"]
    with pytest.raises(NotFoundError):
        subtree(drawn, "z")


def test_words_of_states():
    """One word for each, the reason where it is not well."""
    assert status({"metadata": {}, "status": {"ready": True, "phase": "active"}}) == "Ready"
    assert (
        status({"metadata": {}, "status": {"phase": "pending", "reason": "OverQuota"}})
        == "OverQuota"
    )
    assert status({"metadata": {"releasingSince": "x"}, "status": {"ready": True}}) == "Releasing"
    steps = [{"name": "admin-review"}]
    waiting = {"state": "review", "steps": steps, "step": 0}
    assert request_state(waiting) == "Review: Administrative review"
    assert request_state({**waiting, "blocked": {"message": "x"}}).endswith("!")
    assert change_counts({"summary": {"create": 3, "change": 0, "release": 1}}) == "+3 -1"
    assert age("not an instant") == "not an instant"


def test_use_is_shown_in_the_unit_of_its_limit():
    """549.8Ti/768Ti can be compared at sight; 563028Gi/768Ti cannot."""
    line = {"class": "disk.ssd", "limit": 768 * 1024, "allocated": 563028, "reserved": 0}
    assert _numbers(line) == "549.8Ti/768Ti"
    assert _numbers({**line, "reserved": 1024, "allocated": 0}) == "0+1Ti/768Ti"
    assert _numbers({**line, "limit": 5 * 1024, "allocated": 40}) == "40Gi/5Ti"
    assert _numbers({**line, "limit": None}) == "563028Gi/as above"
    assert _numbers({**line, "limit": None, "limited": False}) == "563028Gi/no quota"
    full = {"class": "vms", "limit": 2, "allocated": 2, "reserved": 1}
    assert _numbers({**full, "over": 1}) == "2+1/2 !"
    assert _numbers({**full, "borrowed": 1, "over": 0}) == "2+1/2 (1 borrowed)"
    assert _numbers({"class": "k8s-cpu", "limit": 4000, "allocated": 500, "reserved": 0}) == "0.5/4"


def test_the_fullest_quota_is_without_what_is_given_back():
    """Of 10 machines in use 8 go and 1 comes."""
    line = {"department": "hrss", "class": "vms", "limit": 10, "allocated": 10, "reserved": 0}
    assert "110%" in worst_quota({"quota": [line | {"requested": 1, "freed": 0}]})
    assert " 30%" in worst_quota({"quota": [line | {"requested": 1, "freed": 8}]})


@pytest.mark.guarantee("P4")
def test_differences_are_told_in_the_readers_words_and_with_units() -> None:
    names = ("power", "tag:zone", "missing")
    assert [drift_field(name) for name in names] == ["power", "tag:zone", "missing"]
    assert differing("memory", "4096") == "4Gi"
    assert differing("size", "20") == "20Gi"
    assert differing("vcpu", "2") == "2"
    assert differing("extra", None) is None
    speech.speak("zh")
    assert [drift_field(name) for name in names] == ["开关机", "标签:zone", "缺失"]
    assert differing("power", "off") == "关机"
