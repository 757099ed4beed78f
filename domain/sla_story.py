"""How an SLA clock comes to stand where it does, in sentences that can be checked by hand; local times of the site."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from domain.sla_clock import Clock, ClockState, Limit
from domain.working_time import WorkingSchedule

_TEXTS = {
    "en": {
        "limit": "{hours} allowed from {since} ({zone}).",
        "escalated": "Escalated: {hours} allowed from {since} ({zone}).",
        "counted": "{since} to {until}: {worked} of working time counted.",
        "paused": "{since} to {until}: paused ({reason}), nothing counted.",
        "paused_now": "Paused ({reason}) since {since}; {left} are left when it goes on.",
        "running": "{left} are left: due {due}.",
        "met": "Met {at}, with {left} left.",
        "breached": "The time was used up {due}.",
        "breached_met": "The time was used up {due}; met {at}.",
        "stopped": "Stopped {at}, with {left} left.",
        "waived": "Waived {at}: it does not count in the figures.",
    },
    "zh": {
        "limit": "自 {since}（{zone}）起，限时 {hours}。",
        "escalated": "升级：自 {since}（{zone}）起，限时 {hours}。",
        "counted": "{since} 至 {until}：计入工作时间 {worked}。",
        "paused": "{since} 至 {until}：暂停（{reason}），不计时。",
        "paused_now": "自 {since} 起暂停（{reason}）；恢复后还剩 {left}。",
        "running": "还剩 {left}：{due} 到期。",
        "met": "{at} 完成，还剩 {left}。",
        "breached": "时限已于 {due} 用尽。",
        "breached_met": "时限已于 {due} 用尽；{at} 完成。",
        "stopped": "{at} 停止，还剩 {left}。",
        "waived": "{at} 豁免：不计入统计。",
    },
}
# Where a language has words of its own; English says the codes.
_REASONS = {"zh": {"PARTS": "备件", "CUSTOMER": "客户", "ACCESS": "现场准入", "VENDOR": "供应商"}}
_UNITS = {"en": ("h", "min", "s"), "zh": ("小时", "分", "秒")}
LANGUAGES = tuple(_TEXTS)


def explain_clock(clock: Clock, language: str) -> list[str]:
    """The sentences in that language, in the order in which one would count: limits, stretches, where it stands."""
    return list(_explain(clock, language))


def _explain(clock: Clock, language: str) -> Iterator[str]:
    texts, reasons = _TEXTS[language], _REASONS.get(language, {})
    schedule = clock.limit.terms.schedule
    for place, limit in enumerate(clock.limits):
        yield texts["escalated" if place else "limit"].format(
            hours=_format_span(limit.terms.allowed, language),
            since=_format_time(limit.terms.schedule, limit.since),
            zone=limit.terms.schedule.zone_name,
        )
    for stretch in clock.stretches:
        yield texts["counted" if stretch.is_counted else "paused"].format(
            since=_format_time(schedule, stretch.since),
            until=_format_time(schedule, stretch.until),
            worked=_format_span(stretch.worked, language),
            reason=reasons.get(stretch.reason, stretch.reason),
        )
    yield _explain_state(clock, clock.limit, language)
    if clock.waived_at is not None:
        yield texts["waived"].format(at=_format_time(schedule, clock.waived_at))


def _explain_state(clock: Clock, limit: Limit, language: str) -> str:
    texts, schedule = _TEXTS[language], clock.limit.terms.schedule
    left = _format_span(limit.left, language)
    if clock.breached_at is not None:
        due = _format_time(schedule, clock.breached_at)
        if clock.met_at is None:
            return texts["breached"].format(due=due)
        return texts["breached_met"].format(due=due, at=_format_time(schedule, clock.met_at))
    if clock.state is ClockState.PAUSED and clock.paused_since is not None:
        since = _format_time(schedule, clock.paused_since)
        reason = _REASONS.get(language, {}).get(clock.pause_reason, clock.pause_reason)
        return texts["paused_now"].format(reason=reason, since=since, left=left)
    if clock.met_at is not None:
        return texts["met"].format(at=_format_time(schedule, clock.met_at), left=left)
    if clock.stopped_at is not None or clock.due_at is None:
        return texts["stopped"].format(at=_format_time(schedule, clock.stopped_at or clock.started_at), left=left)
    return texts["running"].format(left=left, due=_format_time(schedule, clock.due_at))


def _format_time(schedule: WorkingSchedule, at: datetime) -> str:
    """Local time with its offset: an hour that the clocks repeat is two."""
    local = at.astimezone(schedule.zone)
    return f"{local:%Y-%m-%d %H:%M:%S%z}" if local.second else f"{local:%Y-%m-%d %H:%M%z}"


def _format_span(span: timedelta, language: str) -> str:
    """`3 h 05 min`, to the second where there are any; below nothing with a minus."""
    hour, minute, second = _UNITS[language]
    seconds = round(abs(span).total_seconds())
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{hours} {hour} {minutes:02} {minute}" + (f" {seconds:02} {second}" if seconds else "")
    return f"-{text}" if span < timedelta() else text
