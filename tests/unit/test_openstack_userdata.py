"""What a new machine is told for its first start."""

import email
from typing import Any

import pytest
import yaml

from provisioners.openstack.userdata import user_data

BASE = {
    "hostname": "web-0",
    "fqdn": "web-0.portal.hrss.internal",
    "department": "hrss",
    "system": "p",
}


def told(**build: Any) -> dict[str, Any]:
    text = user_data({**BASE, **build})
    assert text.startswith("#cloud-config\n")
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def test_host_time_and_account() -> None:
    found = told(key="ssh-ed25519 AAAA me", ntp_servers=("ntp1.gov", "fd00::1"))
    assert (found["hostname"], found["fqdn"]) == ("web-0", "web-0.portal.hrss.internal")
    assert found["timezone"] == "Asia/Shanghai"
    assert found["ntp"]["servers"] == ["ntp1.gov", "fd00::1"]
    (user,) = found["users"]
    assert user["ssh_authorized_keys"] == ["ssh-ed25519 AAAA me"]
    assert (user["lock_passwd"], found["ssh_pwauth"], found["disable_root"]) == (True, False, True)


def test_what_is_not_given_is_not_there() -> None:
    found = told()
    assert "ntp" not in found
    assert "ssh_authorized_keys" not in found["users"][0]


def test_hardening_can_be_switched_off() -> None:
    assert {f["path"] for f in told()["write_files"]} >= {"/etc/ssh/sshd_config.d/50-govcloud.conf"}
    plain = told(hardening=False)
    assert "write_files" not in plain
    assert "runcmd" not in plain


@pytest.mark.parametrize(
    "evil", ["a\nruncmd: [reboot]", 'x"\nbootcmd: [halt]', "# no", "{{ 7 * 7 }}", "信息中心: 'x'"]
)
def test_nothing_that_is_given_becomes_an_instruction(evil: str) -> None:
    found = told(hardening=False, key=evil, hostname=evil)
    assert found.keys() == told(hardening=False, key="k").keys()
    assert (found["hostname"], found["users"][0]["ssh_authorized_keys"]) == (evil, [evil])


def test_what_a_department_adds_is_merged() -> None:
    text = user_data({**BASE, "addition": "packages: [nginx]\n# 中文\n"})
    parts = email.message_from_string(text).get_payload()
    assert [part.get_content_type() for part in parts] == ["text/cloud-config"] * 2  # type: ignore[union-attr]
    ours, theirs = (part.get_payload(decode=True).decode() for part in parts)  # type: ignore[union-attr]
    assert yaml.safe_load(ours)["hostname"] == "web-0"
    assert yaml.safe_load(theirs) == {"packages": ["nginx"]}
    assert all("append" in part["Merge-Type"] for part in parts)  # type: ignore[index]
