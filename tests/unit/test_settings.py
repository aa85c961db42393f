"""Settings: which workspace, which server, whose token; and that they are cheap."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from govcloud import workspace
from govcloud.errors import NotFoundError, UnauthenticatedError, UsageError
from govcloud.settings import Settings, load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a workspace in it (files only)."""
    workspace.make_folder(tmp_path)
    return tmp_path


def test_a_workspace_is_found_from_any_folder_below_it(folder: Path) -> None:
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    found = load({}, below)
    assert found.workspace == folder / ".govcloud"
    assert found.database_url == f"sqlite:///{folder / '.govcloud' / 'govcloud.db'}"
    assert found.clouds_folder == folder / ".govcloud" / "clouds"
    assert found.server is None


@pytest.mark.parametrize("inner", ["", ".govcloud"])
def test_the_variable_names_the_workspace_or_the_folder_it_is_in(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, inner: str
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    found = load({"GOVCLOUD_WORKSPACE": str(folder / inner)}, elsewhere)
    assert found.workspace == folder / ".govcloud"


def test_without_workspace_and_server_the_error_says_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        load({}, tmp_path)
    assert caught.value.params["folder"] == str(tmp_path)
    assert load({}, tmp_path, needs_workspace=False).database_url == ""
    with pytest.raises(NotFoundError):
        load({"GOVCLOUD_WORKSPACE": str(tmp_path)}, tmp_path)


def test_a_server_or_a_database_needs_no_workspace(tmp_path: Path) -> None:
    server = load({"GOVCLOUD_SERVER": "https://cloud.example/"}, tmp_path)
    assert server.server == "https://cloud.example"
    database = load({"GOVCLOUD_DATABASE_URL": "postgresql+psycopg://db/g"}, tmp_path)
    assert database.database_url == "postgresql+psycopg://db/g"
    assert database.clouds_folder is None


def test_environment_goes_before_the_file(folder: Path) -> None:
    config = folder / ".govcloud" / "config.toml"
    config.write_text('server = "https://file.example"\nlanguage = "zh"\ncredential = "bob"\n')
    assert load({}, folder).server == "https://file.example"
    assert load({}, folder).language == "zh"
    assert load({}, folder).credential == "bob"
    found = load(
        {
            "GOVCLOUD_SERVER": "https://env.example",
            "GOVCLOUD_LANG": "en",
            "GOVCLOUD_CREDENTIAL": "alice",
        },
        folder,
    )
    assert (found.server, found.language, found.credential) == (
        "https://env.example",
        "en",
        "alice",
    )


@pytest.mark.parametrize("url", ["ftp://x", "cloud.example", "https://"])
def test_what_is_no_server_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        load({"GOVCLOUD_SERVER": url}, tmp_path)
    assert caught.value.key == "errors.server_url"


def test_a_token_does_not_go_over_the_network_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load({"GOVCLOUD_SERVER": "http://cloud.example"}, tmp_path)
    assert caught.value.key == "errors.server_plain"
    for url in ("http://localhost:8440", "http://127.0.0.1:8440", "http://[::1]:8440"):
        assert load({"GOVCLOUD_SERVER": url}, tmp_path).server == url
    trusted = {"GOVCLOUD_SERVER": "http://cloud.example", "GOVCLOUD_INSECURE": "1"}
    assert load(trusted, tmp_path).server == "http://cloud.example"


def test_tokens_come_from_the_environment_a_file_or_the_credentials(folder: Path) -> None:
    workspace.save_credential(folder / ".govcloud", "admin", "gvc_kept")
    workspace.save_credential(folder / ".govcloud", "hrss", "gvc_hrss")
    secret = folder / "secret"
    secret.write_text("gvc_file\n")
    assert load({}, folder).token() == "gvc_kept"
    assert load({"GOVCLOUD_CREDENTIAL": "hrss"}, folder).token() == "gvc_hrss"
    assert load({"GOVCLOUD_TOKEN_FILE": str(secret)}, folder).token() == "gvc_file"
    both = {"GOVCLOUD_TOKEN_FILE": str(secret), "GOVCLOUD_TOKEN": "gvc_env"}
    assert load(both, folder).token() == "gvc_env"
    workspace.forget_credential(folder / ".govcloud", "hrss")
    with pytest.raises(UnauthenticatedError):
        load({"GOVCLOUD_CREDENTIAL": "hrss"}, folder).token()
    with pytest.raises(UsageError):
        load({"GOVCLOUD_TOKEN_FILE": str(folder / "no-such-file")}, folder)


def test_a_token_never_shows_in_a_representation() -> None:
    assert "secret" not in repr(
        Settings(None, "https://x", "postgresql://u:secret@h", given_token="secret")
    )


def test_files_are_private_and_replaced_at_once(folder: Path) -> None:
    inside = folder / ".govcloud"
    workspace.save_credential(inside, "admin", "gvc_1")
    file = inside / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert inside.stat().st_mode & 0o777 == 0o700
    assert workspace.is_private(file)
    workspace.save_credential(inside, "admin", "gvc_2")
    assert json.loads(file.read_text())["tokens"] == {"admin": "gvc_2"}
    assert not [entry for entry in inside.iterdir() if entry.name.startswith(".credentials")]


def test_making_a_workspace_again_keeps_it(folder: Path) -> None:
    before = (folder / ".govcloud" / "config.toml").read_text()
    assert workspace.make_folder(folder) == (folder / ".govcloud", False)
    assert (folder / ".govcloud" / "config.toml").read_text() == before


@pytest.mark.parametrize("broken", ["not toml", "= 3", "\x00"])
@pytest.mark.guarantee("P2")
def test_a_broken_configuration_is_named(folder: Path, broken: str) -> None:
    (folder / ".govcloud" / "config.toml").write_text(broken)
    with pytest.raises(UsageError) as caught:
        load({}, folder)
    assert str(caught.value.params["file"]).endswith("config.toml")


@pytest.mark.parametrize("broken", ["{", "[]", '{"tokens": 3}', "{}"])
@pytest.mark.guarantee("P2")
def test_broken_credentials_are_named(folder: Path, broken: str) -> None:
    (folder / ".govcloud" / "credentials.json").write_text(broken)
    with pytest.raises(UsageError) as caught:
        load({}, folder).token()
    assert str(caught.value.params["file"]).endswith("credentials.json")


@pytest.mark.guarantee("P2")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        workspace.make_folder(tmp_path / "file")
    assert caught.value.key == "errors.unwritable"


def test_reading_settings_loads_nothing_heavy() -> None:
    script = (
        "import sys; import govcloud.settings, govcloud.workspace; "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('pydantic', 'sqlalchemy', 'sqlmodel', 'fastapi', 'httpx', 'yaml', 'asyncio')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_how_many_processes_count_a_report_is_a_whole_number(tmp_path: Path) -> None:
    given = {"GOVCLOUD_DATABASE_URL": "postgresql+psycopg://db/g"}
    assert load(given, tmp_path).report_processes is None
    assert load({**given, "GOVCLOUD_REPORT_PROCESSES": "1"}, tmp_path).report_processes == 1
    for value in ("0", "-1", "two"):
        with pytest.raises(UsageError):
            load({**given, "GOVCLOUD_REPORT_PROCESSES": value}, tmp_path)
