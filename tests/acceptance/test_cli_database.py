"""A database that is missing, somewhere else, another kind, or newer: told, and never replaced."""

import sqlite3

import pytest

from govcloud.errors import Exit

FILE = ".govcloud/govcloud.db"


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize("left", [None, b""], ids=["deleted", "emptied"])
def test_a_lost_database_is_told_and_not_replaced(city, govcloud, left):
    """No command makes an empty one in its place, not even init, unless it is told to."""
    (city / FILE).unlink()
    if left is not None:
        (city / FILE).write_bytes(left)
    for words in (("get", "vm"), ("init", str(city)), ("controller", "run", "--once")):
        ended = govcloud(*words, code=Exit.UNAVAILABLE)
        assert str(city / FILE) in ended.err
        assert "backup" in ended.err
        assert (city / FILE).exists() is (left is not None)
    assert str(city / FILE) in govcloud("doctor", code=Exit.UNAVAILABLE).out
    govcloud("init", str(city), "--new-database")
    assert govcloud("get", "departments", "-o", "name").out == ""


@pytest.mark.parametrize("named", ["city", "city/.govcloud"])
@pytest.mark.parametrize("by", ["variable", "option"])
def test_init_makes_the_workspace_that_is_named(govcloud, tmp_path, monkeypatch, by, named):
    """Remedies say `govcloud init`: it must reach the workspace that the commands work on."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    option = ["--workspace", str(tmp_path / named)] if by == "option" else []
    if by == "variable":
        monkeypatch.setenv("GOVCLOUD_WORKSPACE", str(tmp_path / named))
    made = govcloud("init", *option)
    assert made.lines == [str(tmp_path / "city" / ".govcloud")]
    assert list((tmp_path / "here").iterdir()) == []
    govcloud("get", "vm", *option)
    assert govcloud("init", str(tmp_path / "x"), *option).lines == [
        str(tmp_path / "x" / ".govcloud")
    ]


def test_an_interrupted_init_is_completed(city, govcloud):
    """A workspace that has never worked has lost nothing."""
    (city / FILE).unlink()
    (city / ".govcloud" / "credentials.json").unlink()
    assert "govcloud init" in govcloud("get", "vm", code=Exit.FORBIDDEN).err
    govcloud("init", str(city))
    govcloud("get", "vm")


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("nonsense", Exit.USAGE, "postgresql+psycopg://"),
        ("mysql://root:Geheim1@db/x", Exit.USAGE, "mysql"),
        ("postgresql://u:Geheim1@127.0.0.1:x/y", Exit.USAGE, "postgresql+psycopg://"),
        ("postgresql+psycopg://u:Geheim1@127.0.0.1:1/x", Exit.UNAVAILABLE, "127.0.0.1"),
        ("postgresql+psycopg2://u:Geheim1@host.invalid/x", Exit.UNAVAILABLE, "host.invalid"),
        ("sqlite:////nowhere/at/all.db", Exit.UNAVAILABLE, "/nowhere/at/all.db"),
        ("sqlite://", Exit.USAGE, "sqlite:///"),
    ],
)
def test_addresses_of_databases(city, govcloud, monkeypatch, url, code, said):
    """What is no address is a usage error; what does not answer is unavailable; no secret shows."""
    monkeypatch.setenv("GOVCLOUD_DATABASE_URL", url)
    for words in (("get", "vm"), ("init", str(city)), ("serve", "--port", "0")):
        ended = govcloud(*words, code=code)
        assert said in ended.err
        assert "Geheim1" not in ended.err + ended.out
        assert "incident" not in ended.err


def test_a_newer_database_asks_for_a_newer_program(city, govcloud):
    """Neither used nor changed by a program that does not know it."""
    database = sqlite3.connect(city / FILE)
    database.execute("UPDATE alembic_version SET version_num = '0099'")
    database.commit()
    database.close()
    for words in (("get", "vm"), ("init", str(city))):
        ended = govcloud(*words, code=Exit.UNAVAILABLE)
        assert "Upgrade govcloud" in ended.err
        assert "0099" in ended.err


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('sever = "https://cloud.example"', "did you mean server?"),
        ('[colour]\nborder = "x"', "there is no setting colour"),
        ("server = 3", "server must be"),
        ('language = "fr"', "language must be zh | en"),
        ("a b", "Expected"),
    ],
)
def test_mistakes_in_the_configuration(city, govcloud, line, said):
    """Named with file and line: with a mistyped server, commands would work on other data."""
    file = city / ".govcloud" / "config.toml"
    lines = file.read_text(encoding="utf-8").count("\n")
    with file.open("a", encoding="utf-8") as config:
        config.write(f"{line}\n")
    ended = govcloud("get", "vm", code=Exit.USAGE)
    assert said in ended.err
    assert str(file) in ended.err
    assert str(lines + 1) in ended.err


def test_as_goes_before_a_token_of_the_environment(city, govcloud, monkeypatch):
    """What is said on the line means this call; the environment means every call."""
    monkeypatch.setenv("GOVCLOUD_TOKEN", "gvc_of_nobody")
    govcloud("get", "vm", code=Exit.FORBIDDEN)
    assert "social-insurance-app" in govcloud("--as", "hrss", "get", "vm").out
