"""Key figures of service: how soon, how well, how often devices fail, and whether what was planned was done."""

from domain.kpi import Better, Kpi, KpiSource
from domain.profile import Text

_S = KpiSource
_HIGHER, _LOWER = Better.HIGHER, Better.LOWER
SERVICE_KPIS: tuple[Kpi, ...] = (
    Kpi(
        "response_time",
        Text("Response time", "响应时间"),
        Text(
            "Mean time from the beginning of an order about a fault (corrective or predictive) to its assignment, "
            "by the clock on the wall, for orders assigned in the period. A reopened order begins anew.",
            "期内被指派的故障类工单（纠正性或预测性）从开始到指派的平均日历时间；重新打开的工单重新起算。",
        ),
        Text("hours from beginning to assignment", "从开始到指派的小时数"),
        Text("assignments", "指派次数"),
        "h",
        _LOWER,
        (_S.RESPONSE_TIME,),
    ),
    Kpi(
        "time_to_restore",
        Text("Time to restore (MTTR)", "恢复时间（MTTR）"),
        Text(
            "Sum of restore time over failures restored in the period. Restore time: from the beginning of the "
            "order to the end of the work, by the clock on the wall; holds are not taken off. A failure is a "
            "corrective order of a device with outcome CONFIRMED; reopened and confirmed again it is another "
            "failure.",
            "期内恢复的故障的恢复时间之和除以故障数。恢复时间为工单开始到工作完成的日历时间，不扣除挂起时间。故障指"
            "结果为“已确认”的设备纠正性工单；重新打开并再次确认的计为另一次故障。",
        ),
        Text("hours from beginning to the end of the work", "从开始到工作完成的小时数"),
        Text("failures restored in the period", "期内恢复的故障数"),
        "h",
        _LOWER,
        (_S.TIME_TO_RESTORE,),
    ),
    Kpi(
        "mtbf",
        Text("Time between failures (MTBF)", "平均故障间隔（MTBF）"),
        Text(
            "Operating time of all devices in the period over the failures that began in it. Operating time: in "
            "the field, and neither under maintenance nor quarantined nor with a confirmed failure that is not "
            "restored. Orders without an outcome are left out until they have one.",
            "期内所有设备的运行时间除以期内开始的故障数。运行时间为在用时间，不含维护、隔离和已确认而未恢复的故障时"
            "间。尚无结果的工单暂不计入。",
        ),
        Text("hours in operation", "运行小时数"),
        Text("failures that began in the period", "期内开始的故障数"),
        "h",
        _HIGHER,
        (_S.FAILURE, _S.OPERATION),
    ),
    Kpi(
        "availability",
        Text("Availability", "可用率"),
        Text(
            "Operating time over time in the field, in the period. Down is a device under maintenance, "
            "quarantined, or with a confirmed failure until it is restored; what overlaps counts once.",
            "期内运行时间除以在用时间。维护中、隔离中或已确认故障未恢复的时间为停机，重叠只计一次。",
        ),
        Text("hours in operation", "运行小时数"),
        Text("hours in the field", "在用小时数"),
        "1",
        _HIGHER,
        (_S.OPERATION,),
    ),
    Kpi(
        "first_time_fix",
        Text("First-time fix", "一次修复率"),
        Text(
            "Of the corrective orders first closed in the period, the share that was done in one visit (or none), "
            "never reopened, and followed by no other order about the same fault of the device within 30 days. An "
            "order counts when these 30 days are over. False alarms are left out.",
            "期内首次关闭的纠正性工单中，一次上门（或无需上门）完成、从未重新打开、且 30 天内该设备同类故障无其他工"
            "单的比例。满 30 天后才计入；误报不计。",
        ),
        Text("orders fixed the first time", "一次修复的工单数"),
        Text("corrective orders first closed in the period", "期内首次关闭的纠正性工单数"),
        "1",
        _HIGHER,
        (_S.FIRST_TIME_FIX,),
    ),
    Kpi(
        "sla_met",
        Text("SLA met", "SLA 达成率"),
        Text(
            "Of the orders closed in the period, the share of which every SLA clock was met. Clocks count working "
            "time and stand still on hold as the policy says. Waived and stopped clocks are left out; each version "
            "of a reopened order counts.",
            "期内关闭的工单中所有 SLA 计时均达成的比例。计时按工作时间，挂起时按策略暂停。已豁免和已停止的计时不计"
            "；重新打开的工单每个版本各计一次。",
        ),
        Text("closed orders with every clock met", "全部计时达成的工单数"),
        Text("orders closed in the period that had a clock", "期内关闭且有计时的工单数"),
        "1",
        _HIGHER,
        (_S.SLA_MET,),
    ),
    Kpi(
        "sla_response_met",
        Text("Response SLA met", "响应 SLA 达成率"),
        Text("The same for the RESPONSE clock alone.", "同上，仅计响应时限。"),
        Text("closed orders with the response clock met", "响应达成的工单数"),
        Text("orders closed in the period that had a clock", "期内关闭且有计时的工单数"),
        "1",
        _HIGHER,
        (_S.SLA_RESPONSE_MET,),
    ),
    Kpi(
        "sla_resolution_met",
        Text("Resolution SLA met", "解决 SLA 达成率"),
        Text("The same for the RESOLUTION clock alone.", "同上，仅计解决时限。"),
        Text("closed orders with the resolution clock met", "解决达成的工单数"),
        Text("orders closed in the period that had a clock", "期内关闭且有计时的工单数"),
        "1",
        _HIGHER,
        (_S.SLA_RESOLUTION_MET,),
    ),
    Kpi(
        "planned_maintenance_on_time",
        Text("Planned maintenance on time", "计划维护按时完成率"),
        Text(
            "Of the planned maintenance and calibration due in the period, the share done on or before its day. "
            "What two people left out does not count, nor what is due on a day that is not over.",
            "期内到期的计划维护和校准中，在到期日当天或之前完成的比例。经两人批准跳过的不计，到期日未过的不计。",
        ),
        Text("done on or before the day it was due", "按时完成次数"),
        Text("occurrences due in the period", "期内到期次数"),
        "1",
        _HIGHER,
        (_S.PLANNED_MAINTENANCE,),
    ),
    Kpi(
        "first_maintenance_completion",
        Text("First maintenance completed", "首次保养完成率"),
        Text(
            "Of the first preventive maintenance of devices (the first occurrence of each plan) that was due in "
            "the period, the share that is done by now, late or not.",
            "期内到期的设备首次预防性保养（每个计划的第一次）中，至今已完成（无论是否按时）的比例。",
        ),
        Text("first occurrences done", "已完成的首次保养数"),
        Text("first occurrences due in the period", "期内到期的首次保养数"),
        "1",
        _HIGHER,
        (_S.FIRST_MAINTENANCE,),
    ),
)
