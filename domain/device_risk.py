"""How pressing one device is, and why: the points of a device. Pure.

The table below is docs/reference/service/customer-view.md (tested). Its kinds of trouble are those of `domain.risk`;
that a contract ends is the customer's.
"""

from collections.abc import Mapping

from domain.risk import Found, Risk, RiskRule, Trouble, find_risk

_T = Trouble
# In the order in which reasons of as many points are named.
DEVICE_RULES: dict[Trouble, RiskRule] = {
    _T.CRITICAL_BREACH: RiskRule(100, 0, 100, "Has a critical breach.", "存在严重异常。"),
    _T.CRITICAL_COMPLAINT: RiskRule(
        80, 20, 120, "Open critical complaints: {count}, first {example}.", "未结严重投诉：{count} 件，首件 {example}。"
    ),
    _T.SLA_BREACHED: RiskRule(
        60,
        15,
        90,
        "Orders still to be done whose promised time is over: {count}, first {example}.",
        "已超出承诺时限且未完成的工单：{count} 张，首张 {example}。",
    ),
    _T.RECALL_UNREACHABLE: RiskRule(
        60,
        10,
        80,
        "Is in a recall or correction, and nobody could be reached.",
        "属于召回或纠正措施，且无法联系到负责人。",
    ),
    _T.RECALL_OPEN: RiskRule(
        50, 5, 70, "Is in a recall or correction and not put right.", "属于召回或纠正措施，尚未处理。"
    ),
    _T.URGENT_ORDER: RiskRule(
        40,
        10,
        60,
        "P1 orders still to be done: {count}, first {example}.",
        "未完成的 P1 工单：{count} 张，首张 {example}。",
    ),
    _T.SAFETY_CRITICAL_FAULT: RiskRule(
        30,
        0,
        30,
        "Is of a safety-critical model and has a major or critical breach.",
        "属于安全关键型号，且存在重大或严重异常。",
    ),
    _T.MAJOR_BREACH: RiskRule(30, 0, 30, "Has a major or critical breach.", "存在重大或严重异常。"),
    _T.MAJOR_COMPLAINT: RiskRule(
        30,
        10,
        60,
        "Open major or critical complaints: {count}, first {example}.",
        "未结重大或严重投诉：{count} 件，首件 {example}。",
    ),
    _T.SLA_AT_RISK: RiskRule(
        25,
        5,
        40,
        "Orders with little or none of their promised time left: {count}, first {example}.",
        "承诺时限所剩不多或已超出的工单：{count} 张，首张 {example}。",
    ),
    _T.CALIBRATION_OVERDUE: RiskRule(25, 0, 25, "Its calibration is overdue.", "校准已逾期。"),
    _T.FAILURE_FORECAST: RiskRule(20, 0, 20, "Is on its way to a limit.", "正趋向限值。"),
    _T.CAME_BACK: RiskRule(
        20,
        5,
        40,
        "Orders of trouble that came back: {count}, first {example}.",
        "故障重现的工单：{count} 张，首张 {example}。",
    ),
    _T.FIRMWARE_WITHDRAWN: RiskRule(20, 0, 20, "Runs withdrawn firmware.", "运行已撤回的固件。"),
    _T.WAITS_FOR_CUSTOMER: RiskRule(
        15,
        5,
        30,
        "Orders on hold for the customer or for access: {count}, first {example}.",
        "等待客户或进场许可的工单：{count} 张，首张 {example}。",
    ),
    _T.HIGH_ORDER: RiskRule(
        15,
        3,
        30,
        "P1 and P2 orders still to be done: {count}, first {example}.",
        "未完成的 P1 和 P2 工单：{count} 张，首张 {example}。",
    ),
    _T.MAINTENANCE_OVERDUE: RiskRule(
        15, 3, 30, "Overdue maintenance: {count}, first {example}.", "逾期的计划维护：{count} 项，首项 {example}。"
    ),
    _T.DEVICE_QUARANTINED: RiskRule(15, 0, 15, "Is in quarantine.", "处于隔离状态。"),
    _T.CONTRACT_MISSING: RiskRule(10, 0, 10, "No running contract covers it.", "没有有效合同覆盖。"),
    _T.OPEN_COMPLAINT: RiskRule(
        10, 5, 30, "Open complaints: {count}, first {example}.", "未结投诉：{count} 件，首件 {example}。"
    ),
    _T.CAPA_OPEN: RiskRule(
        10,
        5,
        20,
        "Open CAPAs that its orders belong to: {count}, first {example}.",
        "涉及其工单的未结 CAPA：{count} 个，首个 {example}。",
    ),
    _T.DEVICE_SILENT: RiskRule(8, 0, 8, "Is stale or offline.", "数据陈旧或离线。"),
    _T.DATA_UNKNOWN: RiskRule(5, 0, 5, "Whether it is healthy is not known.", "健康状态未知。"),
    _T.FIRMWARE_PENDING: RiskRule(5, 0, 5, "Has yet to take a firmware update.", "尚未完成固件更新。"),
    _T.SLA_MISSED: RiskRule(
        5,
        2,
        15,
        "Promised times missed in the last 90 days: {count}, first {example}.",
        "近 90 天内未达到承诺时限：{count} 次，首张工单 {example}。",
    ),
    _T.OPEN_BREACH: RiskRule(3, 0, 3, "Has an open breach.", "存在未结束的异常。"),
    _T.WARRANTY_ENDING: RiskRule(3, 0, 3, "Its warranty ends within 60 days.", "保修将在 60 天内到期。"),
    _T.OPEN_REPAIR: RiskRule(
        2, 1, 5, "Repairs still to be done: {count}, first {example}.", "未完成的维修工单：{count} 张，首张 {example}。"
    ),
    _T.CALIBRATION_DUE: RiskRule(
        2, 0, 2, "Its calibration is due within 30 days or overdue.", "校准将在 30 天内到期或已逾期。"
    ),
    _T.CALIBRATION_UNKNOWN: RiskRule(1, 0, 1, "Nobody knows when it is to be calibrated.", "校准日期未知。"),
}


def find_device_risk(found: Mapping[Trouble, Found]) -> Risk:
    """The points of a device and their reasons."""
    return find_risk(DEVICE_RULES, found)
