"""The command line in Chinese: what Typer, pydantic and the operating system say, and questions."""

import io
import re
import sys
from pathlib import Path

import pytest

from cli import asking, speech
from cli.main import run

ENGLISH = re.compile(r"\b(must|should|Input|valid|requires|argument|Option|Missing|No such|Got)\b")


@pytest.fixture(autouse=True)
def chinese(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOVCLOUD_LANG", "zh")
    monkeypatch.delenv("GOVCLOUD_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOVCLOUD_SERVER", raising=False)


@pytest.mark.guarantee("P4")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("get", "缺少 KIND[/NAME]"),
        ("get vm --limit x", "--limit：应为整数"),
        ("get vm --limit 0", "--limit：应为 1 或更大"),
        ("serve --port 99999", "--port：应为 65535 或更小"),
        ("get vm --limit", "--limit：需要一个值"),
        ("get vm -o foo", "“foo”不在可选值之中"),
        ("get vm --watch=3", "--watch：不带值"),
        ("get vm --nope", "没有选项 --nope"),
        ("events a b c", "多余的参数：b c"),
        ("nothing", "没有命令 nothing"),
        ("apply -f /no/such/file", "没有这个文件或文件夹"),
        ("--server http://127.0.0.1:1 get vm", "连接被拒绝"),
    ],
)
def test_what_is_wrong_is_said_in_chinese(
    line: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOVCLOUD_TOKEN", "gct_" + "a" * 40)
    assert run(line.split()) != 0
    error = capsys.readouterr().err
    assert said in error
    assert not ENGLISH.search(re.sub(r"`[^`]*`", "", error)), error


@pytest.mark.parametrize(
    ("typed", "default", "agreed"),
    [("y\n", False, True), ("是\n", False, True), ("否\n", True, False), ("\n", False, False),
     ("\n", True, True), ("what\nyes\n", False, True)],
)  # fmt: skip
def test_questions_are_asked_and_answered_in_chinese(
    typed: str, default: bool, agreed: bool,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    speech.speak("zh")
    assert asking.agreed("批准？", default=default) is agreed
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "批准？" in captured.err
    assert "是" in captured.err
    assert "否" in captured.err


def test_a_question_that_nobody_answers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(EOFError):
        asking.agreed("?")
