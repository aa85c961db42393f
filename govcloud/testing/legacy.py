"""Legacy rooms for tests: real hosts with systemd and OpenSSH, in namespaces of this machine.

    with Room.open() as room:
        web = room.host("hr-web-01")
        web.run("systemctl start nginx")

A room is a switch (a bridge in a network namespace) and this machine's leg in it; each host is a
`legacy_chassis` with a cable to the switch. Everything belongs to processes whose input this
process holds: when it ends, even by SIGKILL, hosts, mounts, namespaces and cables are gone.

Hosts see the machine's programs (a Debian's), write into memory, and are reached by SSH with the
room's key; their host keys stand in the room's `known_hosts`.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from govcloud.testing import legacy_chassis
from migration.running.port import Endpoint

PROGRAMS: Final = ("ip", "tc", "nsenter", "unshare", "setpriv", "sshd", "ssh-keygen", "rsync")
SSHD: Final = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
MaxStartups 200
MaxSessions 200
"""
UP_WITHIN_S: Final = 60
APART: Final = ["unshare", "--net", "--mount", "--uts", "--ipc", "--propagation", "private"]


def impossible() -> str | None:
    """Return why there can be no rooms here, or None."""
    if os.geteuid() != 0:
        return "rooms of real hosts need root, for network namespaces and mounts"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"rooms of real hosts need the programs {', '.join(missing)} (make setup-dev)"
    if not Path("/lib/systemd/systemd").exists():
        return "rooms of real hosts need systemd's programs"
    try:
        groups = legacy_chassis.unified()
    except SystemExit as none:
        return f"rooms of real hosts need control groups: {none}"
    if not os.access(groups, os.W_OK):
        return f"rooms of real hosts need control groups: {groups} cannot be written"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "ip", "link", "add", "type", "veth"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else None


def _do(*command: str, check: bool = True) -> str:
    """Run a program and return its output; its complaint is raised."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


@dataclass
class Host:
    """A host of a room; `run` and `path` look at it from outside, whoever serves there."""

    room: "Room"
    name: str
    address: str
    _chassis: subprocess.Popen[str]
    _root: Path
    _cable: str = ""
    _init: int = 0

    @property
    def chassis(self) -> str:
        """The process whose namespaces the host has, also while it is off."""
        return str(self._chassis.pid)

    def on(self) -> None:
        """Boot it, and wait until its SSH server answers."""
        self._init = self._tell("on")
        deadline = time.monotonic() + UP_WITHIN_S
        while not self.answers():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} does not come up")
            time.sleep(0.02)

    def off(self) -> None:
        """Take the power away, as if the plug were pulled."""
        self._init = self._tell("off")

    def reboot(self) -> None:
        """Take the power away and give it back."""
        self.off()
        self.on()

    def run(self, script: str, *, check: bool = True, stdin: str = "") -> str:
        """Run a shell script on the host as root, and return what it printed."""
        inside = ["nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        where = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        done = subprocess.run(  # noqa: S603 (a host of the tests)
            [*inside, "bash", "-ec", script],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**where, "HOME": "/root", "LANG": "C.UTF-8"},
        )
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {script}: {done.stdout}{done.stderr}")
        return done.stdout

    def path(self, path: str) -> Path:
        """Return a file of the host as this machine sees it, while the host is on."""
        return Path(f"/proc/{self._init}/root") / path.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on the host."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def answers(self, port: int = 22) -> bool:
        """Whether somebody listens at a port (SSH: and says so)."""
        command = ["nsenter", "-t", self.chassis, "-n", sys.executable, "-Ic", _KNOCK]
        if not self._cable:  # Not on the switch: asked from inside.
            done = subprocess.run([*command, str(port)], check=False)  # noqa: S603
            return done.returncode == 0
        try:
            with socket.create_connection((self.address, port), timeout=2) as there:
                return port != 22 or there.recv(4) == b"SSH-"
        except OSError:
            return False

    def limit(self, rate: str | None) -> None:
        """Limit what it sends and what it is sent to a rate (`8mbit`); None: as fast as it goes."""
        for inside, device in ((self.chassis, "eth0"), (self.room.switch, self._cable)):
            entering = ("nsenter", "-t", inside, "-n", "tc", "qdisc")
            _do(*entering, "del", "dev", device, "root", check=False)
            if rate:
                shape = ("tbf", "rate", rate, "burst", "64k", "latency", "200ms")
                _do(*entering, "add", "dev", device, "root", *shape)

    def account(self, name: str, sudo: str = "") -> None:
        """Open an account to the room's key; its password is its name, `sudo` its rule."""
        self.run(
            f"id {name} 2> /dev/null || useradd -m -s /bin/sh {name};"
            f" echo {name}:{name} | chpasswd;"
            f" install -d -m 700 -o {name} ~{name}/.ssh;"
            f" install -m 600 -o {name} ~/.ssh/authorized_keys ~{name}/.ssh"
        )
        if sudo:
            self.write(f"/etc/sudoers.d/{name}", f"{name} {sudo}\n", 0o440)

    def unplug(self, *, forgotten: bool = False) -> None:
        """Pull the network cable; connections hang, as they do; new ones not, where forgotten."""
        self.room.ip(f"link set {self._cable} down")
        if forgotten:
            _do("ip", "neigh", "flush", "to", self.address)

    def plug(self) -> None:
        """Plug the network cable in again."""
        self.room.ip(f"link set {self._cable} up")

    def endpoint(self) -> Endpoint:
        """How to log in to it."""
        return Endpoint(
            name=self.name,
            address=self.address,
            key_file=str(self.room.key),
            known_hosts=str(self.room.known_hosts),
        )

    def _tell(self, what: str) -> int:
        assert self._chassis.stdin is not None
        assert self._chassis.stdout is not None
        self._chassis.stdin.write(f"{what}\n")
        self._chassis.stdin.flush()
        return int(self._chassis.stdout.readline() or 0)


_KNOCK: Final = "import socket,sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)"


@dataclass
class Room:
    """A room: its folder (key, known hosts), its network `10.213.<number>.0/24`, its hosts."""

    folder: Path
    number: int
    switch: str
    hosts: dict[str, Host] = field(default_factory=dict)
    _held: ExitStack = field(default_factory=ExitStack)

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Self]:
        """Set up a room; at the end it is gone with all its hosts."""
        with ExitStack() as held:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="govcloud-room-")))
            switch = held.enter_context(_held(["unshare", "--net", "sh", "-c", "echo; exec cat"]))
            assert switch.stdout is not None
            switch.stdout.readline()  # Until then it is in this machine's namespace still.
            room = cls(folder, _connect(switch.pid), str(switch.pid), _held=held)
            room.ip("link add switch type bridge", "link set switch up")
            room.ip("link set machine master switch", "link set machine up")
            _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "room", "-f", str(room.key))
            room.known_hosts.touch()
            yield room

    @property
    def key(self) -> Path:
        """The private key that opens all hosts."""
        return self.folder / "key"

    @property
    def known_hosts(self) -> Path:
        """The host keys of all hosts."""
        return self.folder / "known_hosts"

    def ip(self, *lines: str) -> None:
        """Run commands of `ip` at the switch."""
        for line in lines:
            _do("nsenter", "-t", self.switch, "-n", "ip", *line.split())

    def host(
        self, name: str, *, size: str = "1g", data: Path | None = None, on: bool = True
    ) -> Host:
        """Add a host and boot it; `size` limits what it may write, in memory.

        `data` is a folder of this machine that the host has as /srv.
        """
        place = Path(tempfile.mkdtemp(dir=self.folder))
        told = [name, str(place), size, *([str(data.absolute())] if data else [])]
        chassis = self._held.enter_context(
            _held([*APART, sys.executable, "-I", legacy_chassis.__file__, *told])
        )
        assert chassis.stdout is not None
        root = Path(chassis.stdout.readline().strip())
        place_in_line = len(self.hosts) + 1
        address = f"10.213.{self.number}.{place_in_line}"
        host = Host(self, name, address, chassis, root, f"port{place_in_line}")
        self.hosts[name] = host
        self._cable(host)
        self._open_door(host)
        if on:
            host.on()
        return host

    @contextmanager
    def apart(self, *hosts: Host) -> Iterator[None]:
        """Keep hosts from each other and from this machine; others of the room reach them still."""
        ports = ["machine", *(host._cable for host in hosts)]  # noqa: SLF001 (of the same module)
        self.ip(*(f"link set {port} type bridge_slave isolated on" for port in ports))
        try:
            yield
        finally:
            self.ip(*(f"link set {port} type bridge_slave isolated off" for port in ports))

    def _cable(self, host: Host) -> None:
        """Lay a cable from the switch to the host."""
        cable = host._cable  # noqa: SLF001 (of the same module)
        self.ip(f"link add {cable} type veth peer name eth0 netns {host.chassis}")
        self.ip(f"link set {cable} master switch", f"link set {cable} up")
        for line in ("link set lo up", f"addr add {host.address}/24 dev eth0", "link set eth0 up"):
            _do("nsenter", "-t", host.chassis, "-n", "ip", *line.split())

    def _open_door(self, host: Host) -> None:
        """Give the host its keys, and let the room's key in."""
        root = Path(f"/proc/{host.chassis}/root{host._root}")  # noqa: SLF001 (of the same module)
        own = root / "etc/ssh/ssh_host_ed25519_key"
        _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", str(own))
        (root / "etc/ssh/sshd_config").write_text(SSHD, encoding="utf-8")
        (root / "etc/hostname").write_text(f"{host.name}\n", encoding="utf-8")
        keys = root / "root/.ssh/authorized_keys"
        keys.parent.mkdir(mode=0o700)
        keys.write_text((self.folder / "key.pub").read_text(encoding="utf-8"), encoding="utf-8")
        (root / "root").chmod(0o700)
        public = own.with_suffix(".pub").read_text(encoding="utf-8").split()[:2]
        with self.known_hosts.open("a", encoding="utf-8") as file:
            file.write(f"{host.address} {' '.join(public)}\n")


def _connect(switch: int) -> int:
    """Lay a cable from this machine to the switch; return the number of the room.

    A device's name can be taken only once, which makes the number this room's own.
    """
    for number in range(256):
        name = f"govcloud{number}"
        peer = ("type", "veth", "peer", "name", "machine", "netns", str(switch))
        try:
            _do("ip", "link", "add", name, *peer)
        except RuntimeError as taken:
            if "exists" not in str(taken):
                raise
            continue
        _do("ip", "addr", "add", f"10.213.{number}.254/24", "dev", name)
        _do("ip", "link", "set", name, "up")
        return number
    raise RuntimeError("there are 256 rooms on this machine already")


@contextmanager
def _held(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a program that lives as long as its input is open, and wait for its end."""
    process = subprocess.Popen(  # noqa: S603 (programs of this module)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
