"""What people call a monitor: what it watches and how, in both languages; its key is for profiles and programs."""

from collections.abc import Mapping

from domain.profile import Direction, Monitor, MonitorRule, Profile, Text

RULES: Mapping[str, Text] = {
    MonitorRule.LIMIT: Text("limit", "限值"),
    MonitorRule.RATE_OF_CHANGE: Text("rate of change", "变化率"),
    MonitorRule.FLAT_LINE: Text("flat line", "平直线"),
    MonitorRule.STALENESS: Text("staleness", "数据中断"),
    MonitorRule.ADAPTIVE: Text("adaptive", "自适应"),
    MonitorRule.MULTIVARIATE: Text("multivariate", "多变量"),
    MonitorRule.NOVELTY: Text("novelty", "新异"),
    MonitorRule.FORECAST: Text("forecast", "预测"),
    MonitorRule.DEVICE_CODE: Text("device alarm", "设备报警"),
    MonitorRule.OFFLINE: Text("offline", "离线"),
}
DIRECTIONS: Mapping[str, Text] = {
    Direction.HIGH: Text("high", "上限"),
    Direction.LOW: Text("low", "下限"),
    Direction.BOTH: Text("both ways", "双向"),
}
# Of these a profile may have one monitor for each side of a signal.
_SIDED = frozenset({MonitorRule.LIMIT, MonitorRule.FORECAST, MonitorRule.RATE_OF_CHANGE})


def name_monitor(profile: Profile, monitor: Monitor) -> Text:
    """The monitor by its sensors' labels and its rule, one of the device's own alarms by their codes; a sensor that the
    profile does not have by its key."""
    rule = RULES[monitor.rule]
    if not monitor.sensors:
        name = Text(rule.en[:1].upper() + rule.en[1:], rule.zh)
        if not monitor.codes:
            return name
        return Text(f"{name.en} {', '.join(monitor.codes)}", f"{name.zh} {'、'.join(monitor.codes)}")
    if monitor.rule in _SIDED:
        side = DIRECTIONS[monitor.direction]
        rule = Text(f"{rule.en}, {side.en}", f"{rule.zh}（{side.zh}）")
    labels = [name_sensor(profile, key) for key in monitor.sensors]
    return Text(
        f"{', '.join(label.en for label in labels)}: {rule.en}",
        f"{'、'.join(label.zh for label in labels)}：{rule.zh}",
    )


def name_sensor(profile: Profile, key: str) -> Text:
    """The sensor's label; its key where the profile does not have it."""
    sensor = profile.find_sensor(key)
    return Text(key, key) if sensor is None else sensor.label


def name_rule(code: str) -> Text:
    """The rule by its code; one that this version does not know by the code itself."""
    return RULES.get(code, Text(code, code))
