"""Which customers need a call first, and why: the points of a customer, and the order that they give. Pure.

The table below is docs/reference/service/customer-view.md (tested).
"""

from collections.abc import Iterable, Mapping

from domain.risk import Found, Risk, RiskRule, Trouble, find_risk

_T = Trouble
# In the order in which reasons of as many points are named.
CUSTOMER_RULES: dict[Trouble, RiskRule] = {
    _T.CRITICAL_BREACH: RiskRule(
        100,
        20,
        200,
        "Devices with a critical breach: {count}, first {example}.",
        "存在严重异常的设备：{count} 台，首台 {example}。",
    ),
    _T.CRITICAL_COMPLAINT: RiskRule(
        80, 20, 160, "Open critical complaints: {count}, first {example}.", "未结严重投诉：{count} 件，首件 {example}。"
    ),
    _T.SLA_BREACHED: RiskRule(
        60,
        15,
        150,
        "Orders still to be done whose promised time is over: {count}, first {example}.",
        "已超出承诺时限且未完成的工单：{count} 张，首张 {example}。",
    ),
    _T.RECALL_UNREACHABLE: RiskRule(
        60,
        10,
        120,
        "Devices in a recall or correction that nobody could be reached for: {count}, first {example}.",
        "召回或纠正措施中无法联系到的设备：{count} 台，首台 {example}。",
    ),
    _T.RECALL_OPEN: RiskRule(
        50,
        5,
        100,
        "Devices in a recall or correction that are not put right: {count}, first {example}.",
        "召回或纠正措施中尚未处理的设备：{count} 台，首台 {example}。",
    ),
    _T.URGENT_ORDER: RiskRule(
        40,
        10,
        100,
        "P1 orders still to be done: {count}, first {example}.",
        "未完成的 P1 工单：{count} 张，首张 {example}。",
    ),
    _T.SAFETY_CRITICAL_FAULT: RiskRule(
        30,
        10,
        90,
        "Safety-critical devices with a major or critical breach: {count}, first {example}.",
        "存在重大或严重异常的安全关键设备：{count} 台，首台 {example}。",
    ),
    _T.MAJOR_BREACH: RiskRule(
        30,
        5,
        90,
        "Devices with a major or critical breach: {count}, first {example}.",
        "存在重大或严重异常的设备：{count} 台，首台 {example}。",
    ),
    _T.MAJOR_COMPLAINT: RiskRule(
        30,
        10,
        90,
        "Open major or critical complaints: {count}, first {example}.",
        "未结重大或严重投诉：{count} 件，首件 {example}。",
    ),
    _T.SLA_AT_RISK: RiskRule(
        25,
        5,
        60,
        "Orders with little or none of their promised time left: {count}, first {example}.",
        "承诺时限所剩不多或已超出的工单：{count} 张，首张 {example}。",
    ),
    _T.CALIBRATION_OVERDUE: RiskRule(
        25,
        5,
        75,
        "Devices whose calibration is overdue: {count}, first {example}.",
        "校准已逾期的设备：{count} 台，首台 {example}。",
    ),
    _T.CONTRACT_MISSING: RiskRule(
        25,
        1,
        40,
        "Devices in use that no running contract covers: {count}, first {example}.",
        "无有效合同覆盖的在用设备：{count} 台，首台 {example}。",
    ),
    _T.FAILURE_FORECAST: RiskRule(
        20,
        5,
        60,
        "Devices on their way to a limit: {count}, first {example}.",
        "正趋向限值的设备：{count} 台，首台 {example}。",
    ),
    _T.CAME_BACK: RiskRule(
        20,
        5,
        60,
        "Orders of trouble that came back: {count}, first {example}.",
        "故障重现的工单：{count} 张，首张 {example}。",
    ),
    _T.FIRMWARE_WITHDRAWN: RiskRule(
        20,
        2,
        60,
        "Devices that run withdrawn firmware: {count}, first {example}.",
        "运行已撤回固件的设备：{count} 台，首台 {example}。",
    ),
    _T.CONTRACT_ENDING: RiskRule(
        20,
        0,
        20,
        "Contracts that end soon and none follows: {count}, first {example}.",
        "即将到期且无后续的合同：{count} 份，首份 {example}。",
    ),
    _T.WAITS_FOR_CUSTOMER: RiskRule(
        15,
        5,
        45,
        "Orders on hold for the customer or for access: {count}, first {example}.",
        "等待客户或进场许可的工单：{count} 张，首张 {example}。",
    ),
    _T.HIGH_ORDER: RiskRule(
        15,
        3,
        45,
        "P1 and P2 orders still to be done: {count}, first {example}.",
        "未完成的 P1 和 P2 工单：{count} 张，首张 {example}。",
    ),
    _T.MAINTENANCE_OVERDUE: RiskRule(
        15, 3, 45, "Overdue maintenance: {count}, first {example}.", "逾期的计划维护：{count} 项，首项 {example}。"
    ),
    _T.DEVICE_QUARANTINED: RiskRule(
        15, 3, 45, "Devices in quarantine: {count}, first {example}.", "隔离中的设备：{count} 台，首台 {example}。"
    ),
    _T.OPEN_COMPLAINT: RiskRule(
        10, 5, 50, "Open complaints: {count}, first {example}.", "未结投诉：{count} 件，首件 {example}。"
    ),
    _T.CAPA_OPEN: RiskRule(
        10,
        5,
        30,
        "Open CAPAs that orders of this customer belong to: {count}, first {example}.",
        "涉及该客户工单的未结 CAPA：{count} 个，首个 {example}。",
    ),
    _T.DEVICE_SILENT: RiskRule(
        8,
        2,
        60,
        "Devices that are stale or offline: {count}, first {example}.",
        "数据陈旧或离线的设备：{count} 台，首台 {example}。",
    ),
    _T.DATA_UNKNOWN: RiskRule(
        5,
        1,
        40,
        "Devices in service whose health is not known: {count}, first {example}.",
        "健康状态未知的在用设备：{count} 台，首台 {example}。",
    ),
    _T.FIRMWARE_PENDING: RiskRule(
        5,
        1,
        20,
        "Devices that have yet to take a firmware update: {count}, first {example}.",
        "尚未完成固件更新的设备：{count} 台，首台 {example}。",
    ),
    _T.SLA_MISSED: RiskRule(
        5,
        2,
        30,
        "Promised times missed in the last 90 days: {count}, first {example}.",
        "近 90 天内未达到承诺时限：{count} 次，首张工单 {example}。",
    ),
    _T.OPEN_BREACH: RiskRule(
        3,
        1,
        15,
        "Devices with any open breach: {count}, first {example}.",
        "存在未结束异常的设备：{count} 台，首台 {example}。",
    ),
    _T.WARRANTY_ENDING: RiskRule(
        3,
        1,
        15,
        "Devices whose warranty ends within 60 days: {count}, first {example}.",
        "保修将在 60 天内到期的设备：{count} 台，首台 {example}。",
    ),
    _T.OPEN_REPAIR: RiskRule(
        2,
        1,
        15,
        "Repairs still to be done: {count}, first {example}.",
        "未完成的维修工单：{count} 张，首张 {example}。",
    ),
    _T.CALIBRATION_DUE: RiskRule(
        2,
        1,
        10,
        "Devices whose calibration is due within 30 days or overdue: {count}, first {example}.",
        "校准将在 30 天内到期或已逾期的设备：{count} 台，首台 {example}。",
    ),
    _T.CALIBRATION_UNKNOWN: RiskRule(
        1,
        1,
        5,
        "Devices in use of which nobody knows when they are to be calibrated: {count}, first {example}.",
        "校准日期未知的在用设备：{count} 台，首台 {example}。",
    ),
}


def find_customer_risk(found: Mapping[Trouble, Found]) -> Risk:
    """The points of a customer and their reasons."""
    return find_risk(CUSTOMER_RULES, found)


# What customers are ordered by: the most points, then the worst single reason, then the code.
AttentionKey = tuple[int, int, str]


def rank_points(customers: Iterable[tuple[str, int, int]], *, least: int = 0) -> list[AttentionKey]:
    """The customers (code, score, points of the worst reason) with at least so many points in the order in which they
    need a call; the same whatever order they come in."""
    return sorted((-score, -worst, code) for code, score, worst in customers if score >= least)
