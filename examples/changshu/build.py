"""Write the YAML of the city of Changshu from the tables in `data/`.

    python examples/changshu/build.py            write platform/, departments/ and requests/
    python examples/changshu/build.py FOLDER     write them somewhere else

`survey.csv`, `headline.csv` and `targets.csv` are the plan's own facts. `units.csv`, `systems.csv`
and `legacy.csv` are made up so that the totals are the stated ones: 55 units, 162 systems, 796
machines; who uses the cloud, keeps a room or has a private network is as surveyed. Deterministic:
same tables, same bytes; a test compares them with what is committed.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generator.estate import estate, industry_file  # noqa: E402 (neighbours, not installed)
from generator.governance import (  # noqa: E402
    exemptions_file,
    migration_file,
    survey_file,
    targets_file,
    waivers_file,
)
from generator.platform import (  # noqa: E402
    catalogue_files,
    clouds_file,
    departments,
    policy_file,
    zones_file,
)
from generator.quotas import quotas_file  # noqa: E402
from generator.systems import OVER_QUOTA, Hosted, hosted, over_quota_file, system_file  # noqa: E402
from generator.tables import Row, table  # noqa: E402


def files() -> Iterator[tuple[str, str]]:
    """Yield path and text of each file of the example."""
    units = {row["unit"]: row for row in table("units")}
    survey = {row["unit"]: row for row in table("survey")}
    systems, legacy = hosted(units), table("legacy")
    for name, text in platform(units, survey, systems, legacy):
        yield f"platform/{name}", text
    for system in systems:
        yield f"departments/{system.row['unit']}/{system.name}.yaml", system_file(system)
    for unit in units.values():
        facts = survey.get(unit["surveyed_as"])
        if facts:
            for name, text in estate(unit, facts, systems, legacy):
                yield f"departments/{unit['unit']}/{name}", text
    yield "departments/police/systems.yaml", industry_file()
    yield "requests/over-quota/panorama.yaml", over_quota_file()
    yield "requests/over-quota/UNIT", f"{OVER_QUOTA}\n"


def platform(
    units: Mapping[str, Row],
    survey: Mapping[str, Row],
    systems: Sequence[Hosted],
    legacy: Sequence[Row],
) -> Iterator[tuple[str, str]]:
    """Yield the administrators' files."""
    yield "policy.yaml", policy_file()
    yield from departments(units, survey)
    yield "clouds.yaml", clouds_file()
    yield "zones.yaml", zones_file()
    yield from catalogue_files()
    yield "quotas.yaml", quotas_file(units, systems)
    yield "survey.yaml", survey_file(units, survey)
    yield "targets.yaml", targets_file()
    yield "exemptions.yaml", exemptions_file(legacy)
    yield "waivers.yaml", waivers_file(systems)
    yield "migration.yaml", migration_file(systems, legacy)


def main(folder: Path) -> None:
    """Write all files below `folder`, in place of those of an earlier run."""
    for part in ("platform", "departments", "requests"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for name, text in files():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
