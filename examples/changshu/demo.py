"""Play a city: Changshu on the simulated cloud, with the commands that people would type.

Every step is a real command, shown before it runs, in a workspace (`demo-workspace/`) that stays.
Run by `make demo`; GOVCLOUD_LANG chooses the language.
"""

import os
import sys
from pathlib import Path
from typing import Final

from examples.changshu import wave
from examples.stage import Stage, console, relative
from govcloud.errors import Exit
from govcloud.messages import preferred, render

CITY: Final = Path(__file__).parent
WORKSPACE: Final = CITY.parents[1] / "demo-workspace"
SHOWN: Final = "hrss"
"""The unit whose request is shown, and one of whose machines vanishes: 人社局."""
VICTIM: Final = "arbitration-app"
CLOUD: Final = "changshu-vm"


class Demo(Stage):
    """The play: each method is one act."""

    def prepare(self) -> None:
        """Put the platform in place in a new workspace."""
        self.say("prepare")
        self.begin()
        platform = relative(CITY / "platform")
        self.type("apply", "-f", platform, "-o", "name", shown=False)
        console.print(f"[bold]$ govcloud apply -f {platform}[/]")
        self.type("get", "clouds")
        self.people()

    def plan(self) -> None:
        """Show what one unit's YAML would change, and a request that is refused."""
        self.say("plan")
        shown = CITY / "departments" / SHOWN / "arbitration.yaml"
        self.type("--as", SHOWN, "plan", "-f", relative(shown))
        self.refused()

    def build(self) -> None:
        """Run the controller until everything is ready."""
        self.say("build")
        self.type("controller", "run", "--once")
        self.type("get", "vm", "--department", SHOWN)
        self.say("quota")
        self.type("quota", "tree")

    def heal(self) -> None:
        """Delete a machine behind the controller's back and see it come back."""
        self.say("tamper", name=VICTIM)
        self.type("simulate", "remove", f"{SHOWN}-{VICTIM}-0", "--cloud", CLOUD)
        self.say("healing")
        self.type("controller", "run", "--once")
        self.type("events", f"vm/{VICTIM}", "--department", SHOWN)


def play(workspace: Path) -> None:
    """Play all acts in order."""
    demo = Demo(CITY, workspace, preferred())
    demo.prepare()
    demo.plan()
    demo.approve(demo.submit())
    demo.build()
    demo.heal()
    demo.report()
    further = "next_wave" if wave.play(demo) else "next_no_wave"
    demo.end("next", wave=render(f"demo.{further}", demo.language))


def main() -> int:
    """Play it; Ctrl-C ends it as it ends a command."""
    os.environ.setdefault("GOVCLOUD_LANG", preferred())
    try:
        play(WORKSPACE)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
