"""What is done about drift; apart from the kinds, which take long to load and also name it."""

from govcloud.domain.base import LabelledEnum


class DriftMode(LabelledEnum):
    """What to do where the cloud differs from what was approved."""

    HEAL = "heal", "自愈"
    REPORT = "report", "仅报告"
    IGNORE = "ignore", "忽略"
