"""A tree of small files on one of two real hosts, and how the other fetches it by bare rsync."""

from dataclasses import dataclass
from typing import Final

from govcloud.testing.legacy import Host, Room

TREE: Final = "/srv/tree"
"""Where the tree stands, and what our role brings to the same place."""
BARE: Final = "/srv/bare"
"""Where the bare copy of it stands."""
KEY: Final = "/etc/bench-key"
SSH: Final = f"ssh -q -i {KEY} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
FILL: Final = f"""
import os, sys
count, size, first, each = map(int, sys.argv[1:])
for number in range(first, count, each):
    folder = f"{TREE}/{{number // 1000:05d}}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{{folder}}/{{number:07d}}", "wb") as file:
        file.write(os.urandom(size))
"""


@dataclass(frozen=True, slots=True)
class Tree:
    """So many files of so many KiB at a source, for a target."""

    source: Host
    target: Host
    files: int
    kib: int

    def write(self, first: int = 0, each: int = 1) -> None:
        """Write every so manieth file of the tree, from one on."""
        words = f"{self.files} {self.kib * 1024} {first} {each}"
        self.source.run(f"python3 -I - {words}", stdin=FILL)

    def fetch(self) -> str:
        """Bring the bare copy up to date."""
        rsync = f"rsync -aHAXS --delete -e '{SSH}' root@{self.source.address}:{TREE}/ {BARE}/"
        return self.target.run(rsync)


def lend_key(room: Room, target: Host) -> None:
    """Let a host log in to all others."""
    target.write(KEY, room.key.read_text("ascii"), mode=0o600)
