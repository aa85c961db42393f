"""The lead authority's records: survey, targets, exemptions, waivers, migration."""

from collections.abc import Mapping, Sequence

from generator.systems import Hosted
from generator.tables import SOURCE_STILL_RUNS, Row, Units, day, table
from generator.text import Doc, file_text

ENDS = {"w1": "2026-03-31", "w2": "2026-12-31", "w3": "2027-06-30"}
"""The last day of each wave."""


def survey_file(units: Units, survey: Mapping[str, Row]) -> str:
    """Return the survey, with the figures as the plan states them."""
    names = {unit["surveyed_as"]: unit["unit"] for unit in units.values() if unit["surveyed_as"]}
    fields = [name for name in next(iter(survey.values())) if name != "unit"]
    listed = [
        {"department": names[title], **{camel(f): row[f] == "yes" for f in fields if yes(f, row)}}
        for title, row in survey.items()
    ]
    stated = [
        {"figure": row["figure"], "value": float(row["value"]), "meaning": row["meaning"]}
        for row in table("headline")
    ]
    spec = {
        "title": "政务信息化调研（自建机房、互联网出口、专网）",
        "source": "常熟市“十四五”数字政府建设发展规划，专栏1",
        "takenOn": "2021-11-01",
        "sampleSize": 23,
        "units": listed,
        "stated": stated,
    }
    note = (
        "规划成文于2021年11月，未注明调研日期。样本23个单位，列名22个；\n"
        "陈述的数与名单不一致时两者都保留，互不推导。"
    )
    return file_text([Doc("Survey", {"name": "rooms-2021"}, spec, note)])


def yes(name: str, row: Row) -> bool:
    """Whether a surveyed fact is worth a word: the two that must be said, and what is true."""
    return row[name] == "yes" or name in {"uses_government_cloud", "keeps_self_built_room"}


def camel(name: str) -> str:
    """Return `ownInternetExit` for `own_internet_exit`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def targets_file() -> str:
    """Return the plan's 20 targets."""
    metrics = {"1": "MET-1", "2": "MET-4", "3": "MET-5"}
    docs = [
        Doc(
            "Target",
            {"name": f"t{int(row['number']):02}-2025", "displayName": row["indicator"]},
            {
                "number": int(row["number"]),
                "category": row["category"],
                "indicator": row["indicator"],
                "metric": metrics.get(row["number"]),
                "unit": row["unit"],
                "year": 2025,
                "value": int(row["target_2025"]),
                "property": "约束性" if row["property"] == "binding" else "预期性",
            },
        )
        for row in table("targets")
    ]
    return file_text(docs, "常熟市数字政府建设“十四五”任务指标。")


def exemptions_file(legacy: Sequence[Row]) -> str:
    """Return the exemptions; the one without approval has no effect."""
    docs = []
    for row in legacy:
        word, _, reason = row["fate"].partition(":")
        if word != "exempt":
            continue
        pending = reason == "pending"
        spec = {
            "department": row["unit"],
            "system": row["system"],
            "reason": "latency" if pending else reason,
            "approvedBy": None if pending else "市政务云主管部门",
            "approvedOn": None if pending else "2025-12-22",
            "validFrom": "2026-01-01",
            "validUntil": "2028-12-31",
        }
        metadata = {"name": f"{row['unit']}-{row['system']}", "displayName": f"{row['title']}免迁"}
        docs.append(
            Doc("Exemption", metadata, spec, "尚未批准：不影响应上云统计。" if pending else "")
        )
    return file_text(docs, "免迁：经批准才不计入应上云系统。")


def waivers_file(systems: Sequence[Hosted]) -> str:
    """Return the waivers of NET-03."""
    docs = [
        Doc(
            "Waiver",
            {"name": f"net-03-{system.row['unit']}"},
            {
                "rule": "NET-03",
                "department": system.row["unit"],
                "system": system.name,
                "approvedBy": "市政务云主管部门",
                "approvedOn": "2025-12-22",
                "validUntil": "2030-12-31",
                "reason": "仅供本单位内部使用，不含敏感数据，经专家评审定为二级。",
            },
        )
        for system in systems
        if "l2" in system.flags
    ]
    return file_text(docs, "豁免：政务外网系统应定为三级（NET-03）的例外。")


def migration_file(systems: Sequence[Hosted], legacy: Sequence[Row]) -> str:
    """Return waves and migration plans."""
    starts = {"w1": "2025-09-01", "w2": "2026-04-01", "w3": "2027-01-01"}
    docs = [
        Doc(
            "Wave",
            {"name": name, "displayName": f"第{index}批"},
            {"start": start, "end": ENDS[name]},
        )
        for index, (name, start) in enumerate(starts.items(), 1)
    ]
    for system in systems:
        if system.state is None:
            continue
        running = system.state in SOURCE_STILL_RUNS
        accepted = None if running else day("2025-09-20", system.index, 150)
        spec = plan(system.row, system.state, "w2" if running else "w1", accepted)
        docs.append(spec)
    states = {"planned": "w3", "surveyed": "w3", "assessed": "w3", "plan-approved": "w2"}
    docs += [
        plan(row, row["fate"], states[row["fate"]], None) for row in legacy if row["fate"] in states
    ]
    return file_text(docs, "迁移上云：批次和各存量系统的进展。")


def plan(row: Row, state: str, wave: str, accepted: str | None) -> Doc:
    """Return one migration plan."""
    spec = {
        "department": row["unit"],
        "system": row["system"],
        "state": state,
        "wave": wave,
        "plannedDate": ENDS[wave],
        "acceptedOn": accepted,
    }
    metadata = {"name": f"{row['unit']}-{row['system']}", "displayName": f"{row['title']}迁移"}
    return Doc("MigrationPlan", metadata, spec)
