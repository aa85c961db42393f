"""Making a workspace and opening it: init, again, after a loss; the OpenAPI document."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.local import InProcess
from govcloud import bootstrap
from govcloud.api.app import routes
from govcloud.api.security import NEEDS
from govcloud.errors import TerminalCloudError, UnavailableError
from govcloud.settings import Settings, load, read_credentials
from govcloud.workspace import forget_credential, save_credential


def ask(settings: Settings, path: str) -> httpx.Response:
    wired = bootstrap.services(settings)
    headers = {"Authorization": f"Bearer {settings.token()}"}
    transport = InProcess(bootstrap.app(wired), wired.close)
    with httpx.Client(base_url="http://localhost", transport=transport, headers=headers) as http:
        return http.get(path)


def test_init_makes_all_that_is_needed(tmp_path: Path) -> None:
    made = bootstrap.init(tmp_path, {})
    assert (made.created, made.token_made) == (True, True)
    settings = load({}, tmp_path)
    found = ask(settings, "/v1/whoami").json()
    assert (found["name"], found["role"]) == ("admin", "administrator")
    for name in ("config.toml", "credentials.json", "govcloud.db"):
        assert (made.workspace / name).stat().st_mode & 0o077 == 0, name
    assert (made.workspace / "clouds").is_dir()
    assert ask(settings, "/v1/doctor").json()["ok"]


def test_init_again_keeps_what_is_there_and_mends_what_is_lost(tmp_path: Path) -> None:
    made = bootstrap.init(tmp_path, {})
    token = read_credentials(made.workspace)["admin"]
    again = bootstrap.init(tmp_path, {})
    assert (again.created, again.token_made) == (False, False)
    assert read_credentials(made.workspace)["admin"] == token

    forget_credential(made.workspace, "admin")
    assert bootstrap.init(tmp_path, {}).token_made
    save_credential(made.workspace, "admin", "gvc_of_somewhere_else")
    assert bootstrap.init(tmp_path, {}).token_made
    assert ask(load({}, tmp_path), "/v1/whoami").status_code == 200
    users = ask(load({}, tmp_path), "/v1/users").json()["items"]
    assert [user["name"] for user in users] == ["admin"]


def test_init_on_another_database(tmp_path: Path, database_url: str) -> None:
    environment = {"GOVCLOUD_DATABASE_URL": database_url}
    made = bootstrap.init(tmp_path / "there", environment)
    assert made.token_made
    assert not (made.workspace / "govcloud.db").exists()
    settings = load(environment, tmp_path / "there")
    assert ask(settings, "/v1/version").json()["database"] in database_url


def test_init_does_not_talk_to_a_server(tmp_path: Path) -> None:
    made = bootstrap.init(tmp_path, {"GOVCLOUD_SERVER": "https://cloud.example"})
    assert (made.workspace / "govcloud.db").exists()


def test_a_database_without_schema_says_what_to_do(tmp_path: Path) -> None:
    wired = bootstrap.services(Settings(None, None, f"sqlite:///{tmp_path / 'empty.db'}"))
    with pytest.raises(UnavailableError) as caught:
        _ = wired.store
    assert caught.value.key == "errors.no_schema"


def test_an_unknown_driver_is_a_clear_error(tmp_path: Path) -> None:
    from govcloud.domain.kinds.platform import CloudSpec
    from govcloud.errors import GovcloudError

    bootstrap.init(tmp_path, {})
    wired = bootstrap.services(load({}, tmp_path))
    spec = CloudSpec.model_validate({"provider": "no-such-driver"})
    with pytest.raises((GovcloudError, TerminalCloudError)):
        wired.provisioner("x", spec)


def test_a_controller_that_is_started_again_has_another_name(tmp_path: Path) -> None:
    bootstrap.init(tmp_path, {})
    owners = set()
    for _ in range(2):
        controller = bootstrap.controller(load({}, tmp_path), "host-1")
        owners.add(controller._owner)
        controller.close()
        controller._store.database.close()
    assert len(owners) == 2
    assert all(owner.startswith("host-1-") and len(owner) <= 64 for owner in owners)


def test_nothing_secret_is_logged_or_represented(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = bootstrap.init(tmp_path, {})
    settings = load({}, tmp_path)
    with caplog.at_level(logging.DEBUG):
        ask(settings, "/v1/whoami")
        ask(Settings(None, None, settings.database_url, given_token="gvc_wrong"), "/v1/whoami")
    secrets = [*read_credentials(made.workspace).values(), "gvc_wrong"]
    assert not [secret for secret in secrets if secret in caplog.text + repr(settings)]


def test_the_openapi_document_tells_tokens_permissions_and_errors(tmp_path: Path) -> None:
    bootstrap.init(tmp_path, {})
    settings = load({}, tmp_path)
    found: dict[str, Any] = ask(settings, "/openapi.json").json()
    assert found == json.loads(json.dumps(routes(bootstrap.services(settings)).openapi()))
    assert found["security"] == [{"token": []}]
    operations = {
        (method.upper(), path): operation
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    }
    assert operations.keys() - NEEDS.keys() == {("GET", "/healthz")}
    assert operations["GET", "/healthz"]["security"] == []
    for key, needs in NEEDS.items():
        assert operations[key]["summary"], key
        assert operations[key]["x-permissions"] == sorted(need.name.lower() for need in needs)
        assert "default" in operations[key]["responses"]
    unresolved = {
        reference.split('"')[0]
        for reference in json.dumps(found).split('"#/components/schemas/')[1:]
    } - found["components"]["schemas"].keys()
    assert not unresolved


@pytest.mark.guarantee("R2")
def test_workspaces_on_one_database_are_one_installation(tmp_path: Path, database_url: str) -> None:
    """What one machine built is not nobody's to the next; another database is another city's."""
    names = []
    for name in ("one", "two"):
        environment = {"GOVCLOUD_DATABASE_URL": database_url}
        bootstrap.init(tmp_path / name, environment)
        wired = bootstrap.services(load(environment, tmp_path / name))
        names.append(wired.installation)
        wired.close()
    bootstrap.init(tmp_path / "three", {})
    wired = bootstrap.services(load({}, tmp_path / "three"))
    names.append(wired.installation)
    wired.close()
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("gc-") for name in names)


@pytest.mark.guarantee("P2")
def test_a_workspace_that_has_worked_takes_no_empty_database_for_its_own(
    tmp_path: Path, database_url: str
) -> None:
    """Whether the file was deleted or the address leads to an empty server: the data are missed."""
    bootstrap.init(tmp_path, {})
    empty = {"GOVCLOUD_DATABASE_URL": database_url}
    wired = bootstrap.services(load(empty, tmp_path))
    for attempt in (lambda: wired.store, lambda: bootstrap.init(tmp_path, empty)):
        with pytest.raises(UnavailableError) as caught:
            attempt()
        assert caught.value.key == "errors.database_lost"
        assert "@" not in str(caught.value.params["place"])
    assert bootstrap.init(tmp_path, empty, new_database=True).token_made
    assert ask(load(empty, tmp_path), "/v1/whoami").status_code == 200
