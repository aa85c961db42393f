"""Run the benchmarks one after another: `python benchmarks/run.py [--quick] [NAME …]`.

Each prints Markdown tables; together they are what `docs/benchmarks.md` holds. These figures come
from whatever machine runs them, so what counts are the ratios within one run.
"""

import subprocess
import sys
from pathlib import Path

NAMES = ("startup", "ledger", "controller", "report", "waves")
NAMED = ("region", "clusters", "moving", "steps", "deltas")
"""Those that run only by name: they need a cloud or hosts, and take long (docs/labs.md)."""


def main(argv: list[str]) -> int:
    """Run the named benchmarks, or all; return the first failing one's exit code."""
    known = (*NAMES, *NAMED)
    chosen = [name for name in argv if name in known] or list(NAMES)
    options = [word for word in argv if word not in known]
    folder = Path(__file__).parent
    for name in chosen:
        print(f"\n## {name}\n", flush=True)
        command = [sys.executable, str(folder / f"{name}.py"), *options]
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
