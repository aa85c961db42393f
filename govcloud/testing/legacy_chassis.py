"""What a host of a legacy room stands in: run as a program of its own, by `legacy.Room`.

It is started inside new network, mount, host name and IPC namespaces and makes a file system there:
the machine's, with everything written kept apart in memory, and without the folders in which the
machine keeps data of its own. Told `on` it boots a real systemd as process 1 of a new process
namespace; told `off` it kills that, as a power cut would; what was written stays. When its input
ends, be it because whoever started it was killed, everything ends with it: namespaces and mounts
belong to these processes and to nobody else.

Only the standard library is used: it runs without the virtual environment's packages.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HIDDEN = """
    root home tmp var/tmp run proc sys dev mnt media srv var/log etc/systemd/system
    var/lib/mysql var/lib/postgresql var/lib/govcloud-lab etc/postgresql var/www
    etc/nginx/sites-enabled etc/nginx/conf.d var/spool/cron etc/ssh
""".split()
"""Folders of the machine that a host does not see: it starts with empty ones."""

SHOWN = ("bin", "boot", "etc", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr", "var")
"""What it sees of the machine's root; anything else there is hidden as well."""

MASKED = """
    systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket
    systemd-udevd-kernel.socket systemd-random-seed.service systemd-update-utmp.service
    systemd-timesyncd.service systemd-binfmt.service systemd-modules-load.service
    systemd-logind.service systemd-sysctl.service systemd-remount-fs.service
    systemd-ask-password-wall.path systemd-ask-password-console.path
    systemd-firstboot.service systemd-sysusers.service systemd-machine-id-commit.service
    systemd-pstore.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount
    sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount
    proc-sys-fs-binfmt_misc.automount getty.target timers.target lvm2-monitor.service
    networking.service
""".split()
"""Units that have nothing to do on a host without devices."""

BOOT = """
set -e
mount --make-rprivate /
mount --rbind . .
cd "$PWD"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs run
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for n in null zero full random urandom tty; do touch dev/$n; mount --bind /dev/$n dev/$n; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr
mkdir -p .old; pivot_root . .old; umount -l /.old; mount --make-rshared /
export container=govcloud PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec /lib/systemd/systemd --system --log-target=null --show-status=no
"""


def unified() -> Path:
    """Return where the machine has control groups of the second version."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise SystemExit("no cgroup2")


def build(folder: Path, size: str) -> Path:
    """Mount the host's file system below `folder`, and return its root."""
    run("mount", "-t", "tmpfs", "-o", f"size={size}", "room", str(folder))
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for path in (upper, work, root):
        path.mkdir()
    others = (path.name for path in Path("/").iterdir() if path.is_dir() and not path.is_symlink())
    for name in {*HIDDEN, *others}.difference(SHOWN):
        path = upper / name
        path.mkdir(parents=True, exist_ok=True)
        os.setxattr(path, "trusted.overlay.opaque", b"y")
        if name.endswith("tmp"):
            path.chmod(0o1777)
    for place in Path("/var/log").glob("*/"):
        copy = upper / place.relative_to("/")
        copy.mkdir()
        copy.chmod(place.stat().st_mode & 0o7777)
        os.chown(copy, place.stat().st_uid, place.stat().st_gid)
    options = f"lowerdir=/,upperdir={upper},workdir={work}"
    run("mount", "-t", "overlay", "overlay", "-o", options, str(root))
    return root


def furnish(root: Path) -> None:
    """Write what systemd needs to come up with nothing but an SSH server."""
    units = root / "etc/systemd/system"
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    wanted = "[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=ssh.service\n"
    (units / "multi-user.target").write_text(wanted)
    (units / "default.target").symlink_to("multi-user.target")
    machine = root / "etc/machine-id"
    machine.unlink(missing_ok=True)
    machine.write_text(os.urandom(16).hex() + "\n")


def boot(root: Path, group: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start systemd; return the process that holds it, and its id."""
    group.mkdir(exist_ok=True)
    inner = ["unshare", "--cgroup", "--pid", "--mount", "--fork", "--kill-child=KILL"]
    command = f'echo $$ > {group}/cgroup.procs; exec "$@"'
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "sh", "-c", command, "sh", *inner] + ["sh", "-c", BOOT],
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        first = children.read_text().split()
        if first and Path(f"/proc/{first[0]}/comm").read_text().strip() == "systemd":
            return process, int(first[0])
        time.sleep(0.005)
    raise SystemExit("systemd did not start")


def cut(process: subprocess.Popen[bytes] | None, group: Path) -> None:
    """Take the power away: nothing of the host runs afterwards."""
    if process is not None:
        process.send_signal(signal.SIGKILL)
        process.wait()
    for path, _, _ in os.walk(group, topdown=False):
        remove(Path(path))


def remove(group: Path) -> None:
    """Remove a control group as soon as the kernel has seen its last process off."""
    for _ in range(1000):
        try:
            return group.rmdir()
        except FileNotFoundError:
            return None
        except OSError:
            time.sleep(0.005)
    return None


def run(*command: str) -> None:
    """Run a program that must succeed."""
    subprocess.run(command, check=True)


def main(name: str, folder: str, size: str, data: str = "") -> None:
    """Serve `on` and `off` until the input ends; `data` is a folder that the host has as /srv."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is meant for whoever started this
    group = unified() / f"govcloud-room-{os.getpid()}"
    run("hostname", name)
    root = build(Path(folder), size)
    furnish(root)
    if data:
        run("mount", "--bind", data, str(root / "srv"))
    process = None
    print(root, flush=True)
    for line in sys.stdin:
        cut(process, group)
        process = None
        number = 0
        if line.strip() == "on":
            process, number = boot(root, group)
        print(number, flush=True)
    cut(process, group)


if __name__ == "__main__":
    main(*sys.argv[1:])
