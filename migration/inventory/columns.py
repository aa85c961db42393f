"""The columns that departments' spreadsheets have, and what each becomes: one table."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from migration.inventory import cells


class Part(Enum):
    """What a column speaks of."""

    HOST = auto()
    FACTS = auto()
    SYSTEM = auto()
    NOTE = auto()
    """Of the system; the census asks for it, and it is kept as it stands."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the field it fills, its headings (the first is the one of the form)."""

    part: Part
    field: str
    headings: tuple[str, ...]
    parse: Callable[[str], Any] = cells.line


def _note(*headings: str) -> Column:
    return Column(Part.NOTE, headings[0], headings)


COLUMNS: Final = (
    Column(Part.HOST, "name", ("主机名", "主机名称", "服务器名称", "设备名称", "hostname", "host")),
    Column(Part.HOST, "address", ("IP地址", "IP", "内网IP", "管理IP", "主机IP", "address")),
    Column(Part.HOST, "asset", ("资产编号", "固定资产编号", "设备编号", "资产编码", "asset")),
    Column(Part.HOST, "room", ("所在机房", "机房", "机房名称", "系统部署位置", "部署位置", "room")),
    Column(Part.HOST, "os", ("操作系统", "操作系统及版本", "操作系统版本", "OS")),
    Column(Part.HOST, "vcpu", ("CPU核数", "CPU", "核数", "vCPU", "CPU数量", "处理器"), cells.count),
    Column(Part.HOST, "memory", ("内存", "内存容量", "内存大小", "memory"), cells.memory),
    Column(
        Part.HOST,
        "storage",
        ("存储", "磁盘", "硬盘", "磁盘容量", "存储容量", "disk"),
        cells.storage,
    ),
    Column(
        Part.HOST, "environment", ("环境", "用途", "使用环境", "environment"), cells.environment
    ),
    Column(Part.FACTS, "hardware", ("服务器型号", "型号", "设备型号", "品牌型号")),
    Column(Part.FACTS, "arch", ("CPU架构", "架构", "处理器架构")),
    Column(Part.FACTS, "osSupportUntil", ("操作系统停止支持日期", "系统维保到期"), cells.day),
    Column(Part.FACTS, "data", ("数据量", "业务数据量", "数据总量"), cells.storage),
    Column(Part.FACTS, "dailyChange", ("日增量", "日变化量", "每日增量"), cells.memory),
    Column(Part.FACTS, "cpuPeak", ("CPU峰值利用率", "CPU均峰值", "CPU利用率"), cells.percent),
    Column(Part.FACTS, "memoryPeak", ("内存峰值利用率", "内存均峰值", "内存利用率"), cells.percent),
    Column(Part.FACTS, "databases", ("数据库", "数据库及版本", "database"), cells.several),
    Column(Part.FACTS, "middleware", ("中间件", "中间件及版本")),
    Column(Part.FACTS, "connectsTo", ("连接的主机", "访问的主机", "对接主机"), cells.several),
    Column(
        Part.SYSTEM,
        "name",
        ("系统名称", "业务系统", "所属系统", "信息系统名称", "应用系统", "system"),
    ),
    Column(Part.SYSTEM, "code", ("系统编码", "系统编号", "系统代码", "code")),
    Column(Part.SYSTEM, "classified", ("涉密分类", "是否涉密"), cells.classified),
    Column(Part.SYSTEM, "mlpsLevel", ("等保级别", "等保等级", "等级保护级别"), cells.mlps_level),
    Column(Part.SYSTEM, "category", ("系统类别",), cells.category),
    Column(Part.SYSTEM, "users", ("使用对象",), cells.users),
    Column(Part.SYSTEM, "networks", ("已接入网络类型", "接入网络"), cells.networks),
    Column(Part.SYSTEM, "zombie", ("是否僵尸系统", "僵尸系统"), cells.flag),
    Column(Part.SYSTEM, "launchedOn", ("建成时间", "上线时间", "上线日期"), cells.day),
    Column(Part.SYSTEM, "operator", ("运维单位",)),
    Column(Part.SYSTEM, "contractor", ("承建单位",)),
    Column(Part.SYSTEM, "description", ("业务功能", "系统功能", "主要功能")),
    Column(Part.SYSTEM, "dependsOn", ("与其他系统对接", "对接系统", "关联系统"), cells.several),
    _note("建设单位"),
    _note("审批部门"),
    _note("审批时间", "审批部门/时间"),
    _note("资金与运维", "资金来源", "年运维费用"),
    _note("使用频度"),
    _note("虚拟化部署"),
    _note("数据备份"),
    _note("应用容灾"),
    _note("是否申请暂缓整合"),
    _note("暂缓整合原因", "暂缓原因"),
    _note("峰值用户数"),
    _note("业务窗口", "可停机时间"),
    _note("备注"),
)

_ORDINAL: Final = frozenset({"序号", "编号", "no", "no."})
_BRACKETS: Final = re.compile(r"\((.*?)\)")
_MARKS: Final = frozenset({"必填", "选填", "可选", "单位", "整数", "数字"})
"""What stands in brackets and says nothing of the unit."""
_SIZES: Final = {
    **{f"{letter}{rest}": letter.upper() for letter in "kmgtp" for rest in ("", "b", "ib")},
    **{f"{word}字节": letter for word, letter in zip("千兆吉太", "KMGT", strict=True)},
    "兆": "M",
}
_COUNTS: Final = dict.fromkeys(
    ("核", "核数", "核心", "核心数", "个", "线程", "c", "core", "cores", "vcpu"), ""
)
_PERCENTS: Final = {"%": "", "百分比": "", "百分数": ""}
_DAILY: Final = ("/天", "/日", "每天", "每日", "/d", "/day")


def heading(text: str) -> str:
    """Return a heading without marks, blanks and what stands in brackets."""
    return _BRACKETS.sub("", _plain(text)).lower()


def _plain(text: str) -> str:
    return re.sub(r"[\s*:]", "", cells.folded(text))


def unit(text: str, column: Column) -> str | None:
    """Return the letter of the size that a heading names, `M` of `内存(MB)`, or nothing.

    None where a quantity is in a unit that its column does not have, as `数据量(万条)`.
    """
    if column.parse in (cells.memory, cells.storage):
        known = _SIZES
    elif column.parse is cells.count:
        known = _COUNTS
    elif column.parse is cells.percent:
        known = _PERCENTS
    else:
        return ""
    found = ""
    for word in _BRACKETS.findall(_plain(text).lower()):
        named = word.removeprefix("单位")
        if column.field == "dailyChange":
            named = next((named.removesuffix(d) for d in _DAILY if named.endswith(d)), named)
        if named in known:
            found = known[named] or found
        elif word not in _MARKS:
            return None
    return found


def column_of(text: str) -> Column | None:
    """Return the column that a heading means; None where it, or its unit, is not known."""
    found = KNOWN.get(heading(text))
    return None if found is None or unit(text, found) is None else found


KNOWN: Final[Mapping[str, Column]] = {
    heading(word): column for column in COLUMNS for word in column.headings
}


def is_number(text: str) -> bool:
    """Whether a heading is that of the rows' numbers, which say nothing."""
    return heading(text) in _ORDINAL
