"""Whole sentences from reason codes and parameters, in English and Chinese; what is stored is the code, not the text.

A sentence is one template per language with named parameters. Parameters that are quantities carry their own unit and
decimals, names carry both languages, so that a sentence can be rendered long after the profile moved on. How many
decimals are shown is decided here, see `domain.sentence_figures`: those of the signal, and more where a limit has more
or a value would be said as if it were at its limit.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from string import Formatter
from typing import Any

from domain.counting import fill_counts
from domain.figures import say_figure
from domain.sentence_figures import align_figures, is_at_limit

LANGUAGES = ("en", "zh")

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
        "en": "Service was asked for {serial}: {fault_group}.",
        "zh": "{serial} 申请了服务：{fault_group}。",
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
        "{monitor} can no longer be judged and was closed after {duration}. That does not say that its cause is gone.",
        "zh": "{serial} 的固件已更换为 {firmware}，正常状态需重新学习：未结束的 {monitor} 异常无法继续判断，"
        "已在 {duration} 后关闭。这不表示其原因已消除。",
    },
    "baseline_relearned": {
        "en": "Work was done on {serial} ({work_order}), so what is normal is learnt anew: the open breach of "
        "{monitor} can no longer be judged and was closed after {duration}. That does not say that its cause is gone.",
        "zh": "{serial} 已进行维修（{work_order}），正常状态需重新学习：未结束的 {monitor} 异常无法继续判断，"
        "已在 {duration} 后关闭。这不表示其原因已消除。",
    },
    "detector_failed": {
        "en": "The detector of {monitor} failed on {serial}, so its open breach can no longer be judged and was closed "
        "after {duration}. That does not say that its cause is gone.",
        "zh": "{monitor} 的检测程序在 {serial} 上出错，未结束的异常无法继续判断，已在 {duration} 后关闭。"
        "这不表示其原因已消除。",
    },
    "device_decommissioned": {
        "en": "{serial} was decommissioned; its open breach of {monitor} was closed.",
        "zh": "{serial} 已退役；其未结束的 {monitor} 异常已关闭。",
    },
    "monitor_retired": {
        "en": "The monitor {monitor} of {serial} no longer exists; its open breach was closed.",
        "zh": "{serial} 的监测规则 {monitor} 已不存在；其未结束的异常已关闭。",
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


def describe_forecast(hours: float, low: float, high: float | None) -> dict[str, Any]:
    """The parameters of a time to a limit: `left` and `interval` for the sentence, hours for programs."""
    return {
        "hours_to_limit": round(hours, 3),
        "hours_low": round(low, 3),
        "hours_high": None if high is None else round(high, 3),
        "left": duration(hours * 3600.0),
        "interval": {"low_s": low * 3600.0, "high_s": None if high is None else high * 3600.0},
    }


def instant(at: datetime) -> dict[str, str]:
    """A parameter that is said as a date and time of day."""
    return {"at": at.isoformat()}


def render(reason_code: str, params: Mapping[str, Any], lang: str) -> str:
    """The sentence of `reason_code` in `lang` (English where the language is none of ours), never an exception.

    An unknown code or a missing parameter, as of a record older than this program, leaves what is known readable.

    Parameters
    ----------
    params
        Text as it is; names as {"en": ..., "zh": ...}; quantities as {"value": 1.9, "unit": "A", "decimals": 1};
        durations as {"seconds": 180}; intervals of time as {"low_s": 60, "high_s": 180 or None}; instants as
        {"at": "2026-03-02T08:13:00+00:00"}.
    """
    language = lang if lang in LANGUAGES else "en"
    templates = SENTENCES.get(reason_code)
    if templates is None:
        return f"{reason_code}: {params.get('serial', '')}".rstrip(": ")
    if reason_code in AT_LIMIT and is_at_limit(params):
        templates = AT_LIMIT[reason_code]
    return fill(templates[language], params, language)


def fill(template: str, params: Mapping[str, Any], lang: str, zone: tzinfo = UTC) -> str:
    """The template with its parameters said in `lang`, instants in `zone`; one that is missing becomes "?"."""
    language = lang if lang in LANGUAGES else "en"
    fields = _find_fields(template)
    known = align_figures({field: params[field] for field in fields if field in params})
    named = {field: _say(known[field], language, zone) if field in known else "?" for field in fields}
    return fill_counts(template, named)


@lru_cache(maxsize=1_000)
def _find_fields(template: str) -> tuple[str, ...]:
    return tuple(field for _, field, _, _ in Formatter().parse(template) if field)


def quantity(value: float, unit: str, decimals: int) -> dict[str, Any]:
    """A parameter that is said with its unit and a fixed number of decimals."""
    return {"value": value, "unit": unit, "decimals": decimals}


def duration(seconds: float) -> dict[str, Any]:
    """A parameter that is said as a time span, in the largest unit that fits."""
    return {"seconds": seconds}


_UNIT_SIGNS = {"Cel": "°C", "[degF]": "°F", "1": "", "{1}": ""}
# What UCUM spells in plain letters; the order matters only for the brackets, which come last.
_SIGN_PARTS = (("H2O", "H₂O"), ("Ohm", "Ω"), ("m3", "m³"), ("s2", "s²"), (".", "·"), ("[", ""), ("]", ""))
_MICRO = re.compile(r"(?<![A-Za-z])u(?=[A-Za-z])")
_SPANS = ((86_400.0, "day", "天"), (3_600.0, "hour", "小时"), (60.0, "minute", "分钟"), (1.0, "second", "秒"))


def find_unit_sign(unit: str) -> str:
    """How a UCUM unit is written for people: "Cel" as "°C", "m/s2" as "m/s²"; one that needs no other sign as it is."""
    if unit in _UNIT_SIGNS:
        return _UNIT_SIGNS[unit]
    sign = _MICRO.sub("µ", unit)
    for spelt, meant in _SIGN_PARTS:
        sign = sign.replace(spelt, meant)
    return sign


def set_unit(figure: str, sign: str) -> str:
    """The figure with the sign of its unit behind it: "9.4 kPa", "61%", "0.5" of a number without one."""
    return f"{figure}%" if sign == "%" else f"{figure} {sign}".strip()


def _say(param: Any, language: str, zone: tzinfo) -> str:
    try:
        return _say_known(param, language, zone)
    except (KeyError, TypeError, ValueError, OverflowError):
        return "?"  # a record that another program wrote; the rest of the sentence is still worth reading


def _say_known(param: Any, language: str, zone: tzinfo) -> str:
    if isinstance(param, Mapping):
        if "seconds" in param:
            return _say_span(float(param["seconds"]), language)
        if "low_s" in param:
            return _say_interval(float(param["low_s"]), param["high_s"], language)
        if "at" in param:
            return _say_instant(datetime.fromisoformat(param["at"]), zone)
        if "unit" in param:
            return _say_quantity(float(param["value"]), str(param["unit"]), int(param["decimals"]))
        return str(param.get(language, param.get("en", "?")))
    if isinstance(param, float):
        return say_figure(param, 1)
    return str(param)


def _say_instant(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    # The offset and not the zone's letters, as everywhere on the page: CST is Shanghai's and Chicago's.
    minutes = round((local.utcoffset() or timedelta()).total_seconds() / 60.0)
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}" if minutes else ""
    return f"{local:%Y-%m-%d %H:%M} UTC{offset}"


def _say_interval(low_s: float, high_s: float | None, language: str) -> str:
    low = _say_span(low_s, language)
    if high_s is None:
        return f"最早 {low}" if language == "zh" else f"{low} at the earliest"
    high = _say_span(float(high_s), language)
    return f"{low}至 {high}" if language == "zh" else f"{low} to {high}"


def _say_quantity(value: float, unit: str, decimals: int) -> str:
    return set_unit(say_figure(value, decimals), find_unit_sign(unit))


def _say_span(seconds: float, language: str) -> str:
    seconds = max(seconds, 0.0)
    # "90 minutes" says more than "2 hours": a unit is used from two of it on, except the last.
    size, en, zh = next((s for s in _SPANS if seconds >= 2.0 * s[0]), _SPANS[-1])
    count = round(seconds / size)
    if language == "zh":
        return f"{count} {zh}"
    return f"{count} {en}" if count == 1 else f"{count} {en}s"
