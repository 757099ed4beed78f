"""Key figures of quality: what can be found and mended in the field, how good alarms and warnings are, and CAPAs."""

from domain.kpi import Better, Kpi, KpiSource
from domain.profile import Text
from domain.roles import Permission

_S = KpiSource
_HIGHER, _LOWER = Better.HIGHER, Better.LOWER
QUALITY_KPIS: tuple[Kpi, ...] = (
    Kpi(
        "firmware_coverage",
        Text("Firmware coverage", "固件覆盖率"),
        Text(
            "Of the devices in the field at the end of the period whose model has released firmware, the share "
            "that had reported the newest released version of the main component. What master data say of firmware "
            "does not count.",
            "期末在用且其型号有已发布固件的设备中，已上报运行主组件最新发布版本的比例。主数据中的固件版本不作数。",
        ),
        Text("devices with the newest released version", "运行最新发布版本的设备数"),
        Text("devices whose model has released firmware", "型号有已发布固件的设备数"),
        "1",
        _HIGHER,
        (_S.FIRMWARE_COVERAGE,),
    ),
    Kpi(
        "recall_response",
        Text("Recall response", "召回响应率"),
        Text(
            "Of the devices in recalls and corrections whose customers were notified in the period, the share "
            "answered for by now: acknowledged, scheduled, remedied or scrapped. Cancelled actions are left out.",
            "期内已通知的召回与纠正涉及的设备中，至今已得到答复（确认、排期、处置或报废）的比例。已取消的行动不计。",
        ),
        Text("devices answered for", "已答复的设备数"),
        Text("devices notified in the period", "期内通知的设备数"),
        "1",
        _HIGHER,
        (_S.RECALL_RESPONSE,),
    ),
    Kpi(
        "recall_response_time",
        Text("Recall response time", "召回响应时间"),
        Text(
            "Mean time from notification to acknowledgement, for devices in recalls and corrections acknowledged "
            "in the period.",
            "期内确认的召回与纠正涉及的设备，从通知到确认的平均时间。",
        ),
        Text("hours from notification to acknowledgement", "从通知到确认的小时数"),
        Text("devices acknowledged in the period", "期内确认的设备数"),
        "h",
        _LOWER,
        (_S.RECALL_RESPONSE_TIME,),
    ),
    Kpi(
        "trace_coverage",
        Text("Trace coverage", "追溯覆盖率"),
        Text(
            "Of the devices in the field at the end of the period, the share of which all is known that a recall "
            "needs: lot, UDI, day of manufacture, day of installation, firmware and customer. By the master data "
            "of today.",
            "期末在用设备中，召回所需信息（批号、UDI、生产日期、安装日期、固件、客户）齐全的比例；以当前主数据为准。",
        ),
        Text("devices that can be traced", "可追溯的设备数"),
        Text("devices in the field", "在用设备数"),
        "1",
        _HIGHER,
        (_S.TRACE_COVERAGE,),
    ),
    Kpi(
        "part_trace_coverage",
        Text("Part trace coverage", "备件追溯覆盖率"),
        Text(
            "Of the parts used in the period, the share with a lot or a serial.",
            "期内使用的备件中有批号或序列号的比例。",
        ),
        Text("parts used with lot or serial", "有批号或序列号的备件数"),
        Text("parts used in the period", "期内使用的备件数"),
        "1",
        _HIGHER,
        (_S.PART_TRACE_COVERAGE,),
    ),
    Kpi(
        "tickets_per_1000_device_days",
        Text("Tickets per 1,000 device-days", "每千设备日工单数"),
        Text(
            "Orders that the machine opened for devices in the period, per 1,000 days of devices in the field.",
            "期内系统为设备自动开立的工单数，按每 1,000 个在用设备日计。",
        ),
        Text("1,000 times the automatic orders", "自动工单数 × 1000"),
        Text("device-days in the field", "在用设备日"),
        "{ticket}/(1000.d)",
        _LOWER,
        (_S.TICKET, _S.OPERATION),
    ),
    Kpi(
        "alarm_confirmed",
        Text("Alarms confirmed", "告警确认率"),
        Text(
            "Of the orders that the machine opened and that were closed in the period, the share with outcome "
            "CONFIRMED.",
            "系统自动开立并在期内关闭的工单中，结果为“已确认”的比例。",
        ),
        Text("orders with outcome CONFIRMED", "结果为已确认的工单数"),
        Text("automatic orders closed with an outcome", "有结果并关闭的自动工单数"),
        "1",
        _HIGHER,
        (_S.ALARM_CONFIRMED,),
    ),
    Kpi(
        "alarm_flood",
        Text("Time in alarm flood", "告警泛滥时间占比"),
        Text(
            "Share of the period in which the alarms of the group were a flood (ISA-18.2): it begins with ten "
            "minutes of more than ten alarms, and ends with ten minutes of fewer than five. An alarm is an episode "
            "of a breach above INFO.",
            "期内该组告警处于泛滥状态（ISA-18.2）的时间比例：十分钟内超过十个告警时开始，十分钟内少于五个时结束。告"
            "警指高于 INFO 级的异常事件。",
        ),
        Text("seconds in flood", "泛滥秒数"),
        Text("seconds of the period", "期内秒数"),
        "1",
        _LOWER,
        (_S.ALARM_FLOOD,),
    ),
    Kpi(
        "alarm_top_ten",
        Text("Share of the ten bad actors", "十大告警源占比"),
        Text(
            "Share of the alarms of the period that came from the ten origins (a monitor on a device) that alarmed "
            "most; they are listed with it.",
            "期内告警中来自告警最多的十个来源（设备上的监测规则）的比例；同时列出这些来源。",
        ),
        Text("alarms of the ten origins", "十个来源的告警数"),
        Text("alarms in the period", "期内告警数"),
        "1",
        _LOWER,
        (_S.ALARM_ORIGIN,),
    ),
    Kpi(
        "alarm_chattering",
        Text("Chattering alarms", "抖动告警"),
        Text(
            "Of the origins (a monitor on a device) that alarmed in the period, the share that chattered: three "
            "alarms or more within one minute. The numerator is the number that ISA-18.2 wants to be zero.",
            "期内有告警的来源（设备上的监测规则）中发生抖动（一分钟内三次及以上）的比例。分子即 ISA-18.2 要求为零的数"
            "目。",
        ),
        Text("origins that chattered", "抖动的来源数"),
        Text("origins that alarmed", "有告警的来源数"),
        "1",
        _LOWER,
        (_S.ALARM_CHATTERING,),
    ),
    Kpi(
        "alarm_stale",
        Text("Stale alarms", "陈旧告警"),
        Text(
            "Of the alarms that stood at the end of the period, the share that had stood for more than 24 hours. "
            "The numerator is the number of which ISA-18.2 wants fewer than five on any day.",
            "期末仍存在的告警中，持续超过 24 小时的比例。分子即 ISA-18.2 要求任何一天少于五个的数目。",
        ),
        Text("alarms that had stood for more than 24 h", "持续超过 24 小时的告警数"),
        Text("alarms that stood", "仍存在的告警数"),
        "1",
        _LOWER,
        (_S.ALARM_STALE,),
    ),
    Kpi(
        "warning_lead_time",
        Text("Warning lead time", "预警提前量"),
        Text(
            "Mean time from the first breach (limit, anomaly or forecast) to the failure, over the failures that "
            "had a warning, of orders opened in the period with outcome CONFIRMED. The failure began when a breach "
            "of the order was critical, when the device raised an alarm of its own, or when a person reported it, "
            "whichever was first.",
            "期内开立且结果为“已确认”的工单中，有预警的故障从首次异常（限值、异常检测或预测）到故障的平均时间。故障起点"
            "取异常达到严重级、设备自身报警、人员报告三者中最早者。",
        ),
        Text("hours from the first breach to the failure", "从首次异常到故障的小时数"),
        Text("failures with a warning", "有预警的故障数"),
        "h",
        _HIGHER,
        (_S.WARNING,),
    ),
    Kpi(
        "failures_warned",
        Text("Failures with a warning", "故障预警率"),
        Text(
            "Share of the same failures that had a breach before they began.",
            "同一批故障中，在故障开始前已有异常的比例。",
        ),
        Text("failures with a warning", "有预警的故障数"),
        Text("confirmed failures", "已确认的故障数"),
        "1",
        _HIGHER,
        (_S.WARNING,),
    ),
    Kpi(
        "capa_age",
        Text("Age of open CAPAs", "未关闭 CAPA 的时长"),
        Text(
            "Mean age at the end of the period of the CAPAs that people had opened and not closed then. Proposals "
            "do not count.",
            "期末已由人员开启而尚未关闭的 CAPA 的平均时长；建议状态不计。",
        ),
        Text("days since they were opened", "开启以来的天数"),
        Text("open CAPAs", "未关闭的 CAPA 数"),
        "d",
        _LOWER,
        (_S.CAPA_AGE,),
        has_customer=False,
        permission=Permission.CAPA_READ,
    ),
    Kpi(
        "capa_effectiveness",
        Text("CAPA effectiveness", "CAPA 有效率"),
        Text(
            "Of the final checks of effectiveness computed in the period, the share that was met and after which "
            "no CAPA of the same scope had to be proposed again within 180 days. Inconclusive checks are left out.",
            "期内得出的最终有效性检查中，判定达成且 180 天内未再提出同一范围 CAPA 的比例；无结论的不计。",
        ),
        Text("checks met that lasted", "达成且持续有效的检查数"),
        Text("final checks met or failed", "达成或未达成的最终检查数"),
        "1",
        _HIGHER,
        (_S.CAPA_EFFECTIVENESS,),
        has_customer=False,
        permission=Permission.CAPA_READ,
    ),
)
