"""How long commands take to start, as ratios to `openstack --version` in the same run.

    python -m benchmarks.startup [--quick]

Each command runs as its own process, round robin, so that a busy moment strikes all alike; the
best of the runs counts, since whatever else the machine does only ever adds. CPU time (user and
system) stands beside the wall clock: on a busy machine it is the steadier of the two. Prints a
Markdown table; the aims are for the wall clock. Lists are of the demonstration's workspace, as
`make demo` left it; where there is none, the demonstration is played first.
"""

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
DEMONSTRATION: Final = ROOT / "examples" / "changshu" / "demo.py"
WORKSPACE: Final = ROOT / "demo-workspace" / ".govcloud"
RUNS: Final = 9
QUICK_RUNS: Final = 3
AIMS: Final[Mapping[str, float]] = {
    "govcloud --help": 0.2,
    "govcloud get vm (workspace)": 1.2,
    "govcloud get vm (server)": 0.5,
}


class Taken(NamedTuple):
    """How long a run took, seconds."""

    wall_s: float
    cpu_s: float


Command = tuple[Sequence[str], Mapping[str, str]]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where an aim is missed, 0 otherwise."""
    quick = "--quick" in (sys.argv[1:] if argv is None else argv)
    if not WORKSPACE.exists():
        _run(([sys.executable, str(DEMONSTRATION)], {}))
    workspace = {"GOVCLOUD_WORKSPACE": str(WORKSPACE), "GOVCLOUD_LANG": "en"}
    with server(workspace) as url:
        remote = {**workspace, "GOVCLOUD_SERVER": url}
        return report(measure(commands(workspace, remote), QUICK_RUNS if quick else RUNS))


def commands(workspace: Mapping[str, str], remote: Mapping[str, str]) -> dict[str, Command]:
    """Return what is measured, by name; the first is what the others are compared with."""
    return {
        "openstack --version": ([beside("openstack"), "--version"], {}),
        "python -c pass": ([sys.executable, "-c", "pass"], {}),
        "govcloud --help": (govcloud("--help"), workspace),
        "govcloud get vm (workspace)": (govcloud("get", "vm"), workspace),
        "govcloud get vm (server)": (govcloud("get", "vm"), remote),
    }


def govcloud(*words: str) -> list[str]:
    """Return the command line of the program: the installed script where there is one."""
    script = beside("govcloud")
    return [script, *words] if Path(script).exists() else [sys.executable, "-m", "cli.main", *words]


def beside(name: str) -> str:
    """Return the path of a program in this environment."""
    return str(Path(sys.executable).parent / name)


def measure(measured: Mapping[str, Command], runs: int) -> dict[str, Taken]:
    """Return the best wall and CPU times of each command."""
    best = dict.fromkeys(measured, Taken(float("inf"), float("inf")))
    for turn in range(runs + 1):
        for name, command in measured.items():
            taken = _run(command)
            if turn:  # The first turn fills the page cache and writes bytecode.
                best[name] = Taken(*map(min, best[name], taken))
    return best


def report(best: Mapping[str, Taken]) -> int:
    """Print the table; return 1 where an aim is missed."""
    base, missed = best["openstack --version"], 0
    print("| command | wall, ms | CPU, ms | ratio, wall | ratio, CPU | aim |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, taken in best.items():
        ratio, aim = taken.wall_s / base.wall_s, AIMS.get(name)
        missed += aim is not None and ratio > aim
        shown = f"{taken.wall_s * 1000:.0f} | {taken.cpu_s * 1000:.0f} | {ratio:.2f}"
        cpu = f"{taken.cpu_s / base.cpu_s:.2f}"
        print(f"| `{name}` | {shown} | {cpu} | {f'≤ {aim}' if aim else ''} |")
    return int(missed > 0)


@contextmanager
def server(workspace: Mapping[str, str]) -> Iterator[str]:
    """Serve the workspace on a free port; yield the URL."""
    environment = {**os.environ, **workspace}
    words = govcloud("serve", "--port", "0")
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"https?://\S+", process.stderr.readline())
            assert found, "the server did not say where it listens"
            yield found[0]
        finally:
            process.terminate()


def _run(command: Command) -> Taken:
    words, variables = command
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, env={**os.environ, **variables}, check=True, capture_output=True)
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall_s, cpu_s)


if __name__ == "__main__":
    sys.exit(main())
