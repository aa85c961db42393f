"""The entry: all that may be interrupted before the program can say so itself.

It imports nothing on its own: Ctrl-C while the rest is being loaded ends the program as Ctrl-C
does at any other time, without a traceback.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: "Sequence[str] | None" = None) -> None:
    """Run the program and leave the process with its exit code."""
    try:
        from cli import program

        code = program.process(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def run(argv: "Sequence[str]") -> int:
    """Run the program inside another one and return its exit code; never raises."""
    from cli import program

    return program.run(argv)


if __name__ == "__main__":
    main()
