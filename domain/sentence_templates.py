"""Every sentence that programs say of devices, by reason code: one template per language, with named parameters.

What a placeholder may ask for besides its parameter is told in `domain.counting`; `domain.sentences` fills them.
"""

SENTENCES: dict[str, dict[str, str]] = {
    "limit_high": {
        "en": "{label} of {serial} rose to {peak}, above its limit of {limit}, for {duration}.",
        "zh": "{serial} 的{label}升至 {peak}，高于上限 {limit}，持续 {duration}。",
    },
    "limit_low": {
        "en": "{label} of {serial} fell to {peak}, below its limit of {limit}, for {duration}.",
        "zh": "{serial} 的{label}降至 {peak}，低于下限 {limit}，持续 {duration}。",
    },
    "rate_of_change": {
        "en": "{label} of {serial} changed by {rate} per second to {value}; its limit is {limit} per second.",
        "zh": "{serial} 的{label}以每秒 {rate} 的速度变化到 {value}；限值为每秒 {limit}。",
    },
    "flat_line": {
        "en": "{label} of {serial} has not moved from {value} for {duration}; the sensor may be stuck.",
        "zh": "{serial} 的{label}在 {duration} 内一直停留在 {value}；传感器可能卡滞。",
    },
    "flat_line_beyond": {
        "en": "{label} of {serial} has not moved from {value}, beyond its limit of {limit}, for {duration}; the sensor "
        "may be stuck.",
        "zh": "{serial} 的{label}在 {duration} 内一直停留在 {value}，超出限值 {limit}；传感器可能卡滞。",
    },
    "adaptive_high": {
        "en": "{label} of {serial} rose to {value}, {score} robust deviations above its own recent level of "
        "{expected}, for {duration}.",
        "zh": "{serial} 的{label}升至 {value}，比其自身近期水平 {expected} 高出 {score} 个稳健偏差，持续 {duration}。",
    },
    "adaptive_low": {
        "en": "{label} of {serial} fell to {value}, {score} robust deviations below its own recent level of "
        "{expected}, for {duration}.",
        "zh": "{serial} 的{label}降至 {value}，比其自身近期水平 {expected} 低 {score} 个稳健偏差，持续 {duration}。",
    },
    "multivariate": {
        "en": "The sensors of {serial} together are {score} times as far from normal as ever in healthy operation, for "
        "{duration}; most of it is {label} at {value}, usually {expected}.",
        "zh": "{serial} 的各传感器整体偏离正常状态，达到健康运行时最大值的 {score} 倍，持续 {duration}；"
        "其中{label}的影响最大，为 {value}，通常为 {expected}。",
    },
    "novelty": {
        "en": "{label} of {serial}, now at {value}, has been unlike anything in its own past for {duration}: "
        "{pattern}.",
        "zh": "{serial} 的{label}（当前 {value}）在 {duration} 内与其自身历史均不相同：{pattern}。",
    },
    "forecast_high": {
        "en": "{label} of {serial} has risen steadily to {level} and reaches its limit of {limit} in about {left} "
        "({interval}, 80 %).",
        "zh": "{serial} 的{label}持续上升至 {level}，预计约 {left} 后达到上限 {limit}（{interval}，80%）。",
    },
    "forecast_low": {
        "en": "{label} of {serial} has fallen steadily to {level} and reaches its limit of {limit} in about {left} "
        "({interval}, 80 %).",
        "zh": "{serial} 的{label}持续下降至 {level}，预计约 {left} 后达到下限 {limit}（{interval}，80%）。",
    },
    "forecast_critical": {
        "en": "{label} of {serial} is on its way to its critical limit of {limit} within the lead time.",
        "zh": "{serial} 的{label}将在提前期内达到临界限值 {limit}。",
    },
    "forecast_over": {
        "en": "{label} of {serial} is at {value} and no longer on its way to its limit of {limit}.",
        "zh": "{serial} 的{label}为 {value}，已不再趋向限值 {limit}。",
    },
    "unit_changed": {
        "en": "{label} of {serial} jumped from {before} to {value} in one reading, just what it would be in {other} "
        "instead of {unit}: the unit seems to have changed, and not the device.",
        "zh": "{serial} 的{label}在一次读数中从 {before} 跳变为 {value}，恰为以 {other} 而非 {unit} 表示的数值："
        "似乎是单位改变，而非设备异常。",
    },
    "staleness": {
        "en": "{serial} has sent no reading of {label} for {duration}.",
        "zh": "{serial} 已有 {duration} 没有上报{label}。",
    },
    "offline": {
        "en": "{serial} has been offline for {duration}.",
        "zh": "{serial} 已离线 {duration}。",
    },
    "device_code": {
        "en": "{serial} reported its own alarm {code}: {message}",
        "zh": "{serial} 上报了设备自身的报警 {code}：{message}",
    },
    "critical_reached": {
        "en": "{label} of {serial} reached {value}, beyond its critical limit of {limit}.",
        "zh": "{serial} 的{label}达到 {value}，超出临界限值 {limit}。",
    },
    "severity_rose": {
        "en": "{serial} reported its own alarm {code} again, now more severe: {message}",
        "zh": "{serial} 再次上报了设备自身的报警 {code}，且更为严重：{message}",
    },
    "anomaly_critical": {
        "en": "The deviation of {label} of {serial} grew to {score}, beyond the critical {critical}.",
        "zh": "{serial} 的{label}偏差增大到 {score}，超出临界值 {critical}。",
    },
    "back_to_normal": {
        "en": "{label} of {serial} is back to normal at {value}, after {duration}.",
        "zh": "{serial} 的{label}在 {duration} 后恢复正常，为 {value}。",
    },
    "reporting_again": {
        "en": "{serial} reports {label} again, after {duration}.",
        "zh": "{serial} 在 {duration} 后恢复上报{label}。",
    },
    "online_again": {
        "en": "{serial} is online again, after {duration}.",
        "zh": "{serial} 在 {duration} 后重新上线。",
    },
    "code_quiet": {
        "en": "{serial} has not repeated its alarm {code} for {duration}.",
        "zh": "{serial} 已有 {duration} 没有再次上报报警 {code}。",
    },
    "manual_order": {
        "en": "Service was asked for {serial}: {fault_name}.",
        "zh": "{serial} 申请了服务：{fault_name}。",
    },
    "field_action_visit": {
        "en": "{serial} needs a visit for {action}: {title}.",
        "zh": "{serial} 需要为 {action} 安排上门：{title}。",
    },
    "planned_work": {
        "en": "{serial} is due for {plan} on {due_on}.",
        "zh": "{serial} 应于 {due_on} 进行“{plan}”。",
    },
    "gateway_offline": {
        "en": "Gateway {gateway} is silent: {devices:device|devices} behind it went offline.",
        "zh": "网关 {gateway} 无响应：其下 {devices} 台设备离线。",
    },
    "site_storm": {
        "en": "{devices:device|devices} at {site} went wrong within minutes; look for a common cause first.",
        "zh": "{site} 有 {devices} 台设备在几分钟内相继异常；请先查找共同原因。",
    },
    "baseline_restarted": {
        "en": "{serial} runs other firmware now ({firmware}), so what is normal is learnt anew: the open breach of "
        "“{monitor_name}” can no longer be judged and was closed after {duration}. That does not say that its cause is "
        "gone.",
        "zh": "{serial} 的固件已更换为 {firmware}，正常状态需重新学习：未结束的“{monitor_name}”异常无法继续判断，"
        "已在 {duration} 后关闭。这不表示其原因已消除。",
    },
    "baseline_relearned": {
        "en": "Work was done on {serial} ({work_order}), so what is normal is learnt anew: the open breach of "
        "“{monitor_name}” can no longer be judged and was closed after {duration}. That does not say that its cause is "
        "gone.",
        "zh": "{serial} 已进行维修（{work_order}），正常状态需重新学习：未结束的“{monitor_name}”异常无法继续判断，"
        "已在 {duration} 后关闭。这不表示其原因已消除。",
    },
    "detector_failed": {
        "en": "The detector of “{monitor_name}” failed on {serial}, so its open breach can no longer be judged and was "
        "closed after {duration}. That does not say that its cause is gone.",
        "zh": "“{monitor_name}”的检测程序在 {serial} 上出错，未结束的异常无法继续判断，已在 {duration} 后关闭。"
        "这不表示其原因已消除。",
    },
    "device_decommissioned": {
        "en": "{serial} was decommissioned; its open breach of “{monitor_name}” was closed.",
        "zh": "{serial} 已退役；其未结束的“{monitor_name}”异常已关闭。",
    },
    "monitor_retired": {
        "en": "The monitor “{monitor_name}” of {serial} no longer exists; its open breach was closed.",
        "zh": "{serial} 的监测规则“{monitor_name}”已不存在；其未结束的异常已关闭。",
    },
}

# Of a breach that stands exactly at its limit.
AT_LIMIT: dict[str, dict[str, str]] = {
    "limit_high": {
        "en": "{label} of {serial} rose to its limit of {limit}, for {duration}.",
        "zh": "{serial} 的{label}升至上限 {limit}，持续 {duration}。",
    },
    "limit_low": {
        "en": "{label} of {serial} fell to its limit of {limit}, for {duration}.",
        "zh": "{serial} 的{label}降至下限 {limit}，持续 {duration}。",
    },
    "flat_line_beyond": {
        "en": "{label} of {serial} has not moved from its limit of {limit} for {duration}; the sensor may be stuck.",
        "zh": "{serial} 的{label}在 {duration} 内一直停留在限值 {limit}；传感器可能卡滞。",
    },
    "critical_reached": {
        "en": "{label} of {serial} reached its critical limit of {limit}.",
        "zh": "{serial} 的{label}达到临界限值 {limit}。",
    },
}
