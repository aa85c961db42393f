"""Who refused a login: what OpenSSH 9.2, sudo 1.9 and Ansible say, and what is made of it."""

from dataclasses import replace

import pytest

from govcloud.domain.kinds.moving import Login
from migration.running.login import from_target, host_keys, variables
from migration.running.port import Endpoint
from migration.running.refusals import explained, with_complaints

LOST = (
    "Failed to connect to the host via ssh: kex_exchange_identification: Connection closed by"
    " remote host Connection closed by UNKNOWN port 65535"
)
ENDED = f"stdio forwarding failed\r\n{LOST}"
SILENT = "Connection timed out during banner exchange\r\n"


@pytest.mark.parametrize(
    ("text", "complaints", "name", "detail"),
    [
        (LOST, "Only for\nthe authorised\nops@gate: Permission denied (publickey).\r\n",
         "bastion", "the authorised ops@gate: Permission denied (publickey)."),
        (f"ssh: connect to host 10.0.0.9 port 22: No route to host\n{LOST}", "",
         "bastion", "ssh: connect to host 10.0.0.9 port 22: No route to host"),
        (LOST, "", "bastion_mute", ""),
        (f"channel 0: open failed: administratively prohibited: open failed\r\n{ENDED}", "",
         "bastion_forbids", "channel 0: open failed: administratively prohibited: open failed"),
        (LOST, "channel 0: open failed: connect failed: No route to host\r\n",
         "bastion_astray", "channel 0: open failed: connect failed: No route to host"),
        (f"{SILENT}Connection to UNKNOWN port 65535 timed out", "", "bastion_silent", ""),
        ("Missing sudo password", "", "sudo_password", "Missing sudo password"),
        ("sudo: a password is required\nrsync: connection unexpectedly closed", "",
         "sudo_password", "sudo: a password is required rsync: connection unexpectedly closed"),
        ("Incorrect sudo password", "", "sudo_wrong", "Incorrect sudo password"),
        ("ops is not in the sudoers file.", "", "sudo_denied", "ops is not in the sudoers file."),
    ],
)  # fmt: skip
def test_who_refuses_is_told(text, complaints, name, detail):
    found = explained(with_complaints(text, complaints))
    assert found is not None
    assert (found.key, found.params["detail"]) == (f"migrate.refused_{name}", detail)


def test_what_says_it_itself_is_left_alone():
    said = "Failed to connect to the host via ssh: root@10.0.0.1: Permission denied (publickey)."
    assert with_complaints(said, "Only for the authorised") == said
    assert explained(said) is None


@pytest.mark.parametrize(
    ("bastion", "port", "name"),
    [
        ("gate", "22", "gate"),
        ("ops@10.0.0.9:2222", "2222", "ops@10.0.0.9"),
        ("ops@fd00::1", "22", "ops@fd00::1"),
        ("ops@[fd00::1]:2222", "2222", "ops@fd00::1"),
    ],
)
def test_the_way_through_a_bastion(tmp_path, bastion, port, name):
    assert Login(bastion=bastion).bastion == bastion
    (tmp_path / "known hosts").write_text("10.0.0.1 ssh-ed25519 S\n[10.0.0.9]:2222 ssh-ed25519 G\n")
    end = Endpoint("a", "10.0.0.1", known_hosts=str(tmp_path / "known hosts"), bastion=bastion)
    way = f"-p {port} -W '[%h]:%p' {name}"
    assert way in variables(end, forward=False)["ansible_ssh_common_args"]
    through = replace(end, bastion="", fetch_through=bastion)
    assert f'{way}"' in from_target(through, "/run/m")
    keys = "10.0.0.1 ssh-ed25519 S\n" + "[10.0.0.9]:2222 ssh-ed25519 G\n" * ("10.0.0.9" in bastion)
    assert host_keys(through) == keys


@pytest.mark.parametrize(
    "bastion", ["-oProxyCommand=id", "gate;id", "a@gate b", "$(id)@gate", "gate:22,b", "a@-b"]
)
def test_a_bastion_is_no_more_than_one(bastion):
    with pytest.raises(ValueError, match="bad_bastion"):
        Login(bastion=bastion)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("user", "-oProxyCommand=id", "bad_user"),
        ("user", "ops -v", "bad_user"),
        ("user", "{{ x }}", "bad_user"),
        ("key_file", "-s/tmp/x.so", "bad_kept_file"),
        ("known_hosts", "/etc/known\n-oX=y", "bad_kept_file"),
    ],
)
def test_a_login_holds_no_option_of_ssh(field, value, code):
    with pytest.raises(ValueError, match=code):
        Login.model_validate({field: value})
    assert Login(user="govcloud.ops@hr", key_file="keys/room key").user == "govcloud.ops@hr"
