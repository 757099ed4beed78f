"""The one sentence of a ticket: what is wrong, how sure, since when, which part, and what comes of doing nothing.

Like every sentence it is made of codes and parameters when it is shown, in the language of whoever reads it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from typing import Any

from domain.sentences import LANGUAGES, fill, render

# What a ticket adds to what is wrong: how sure, since when, which part, and what comes of doing nothing.
CLAUSES: dict[str, dict[str, str]] = {
    "since": {"en": "since {since}", "zh": "始于 {since}"},
    "measured": {"en": "measured, not inferred", "zh": "实测，非推断"},
    "reported": {"en": "the device says so itself", "zh": "由设备自身上报"},
    "unseen": {"en": "beyond anything seen in healthy operation", "zh": "超出健康运行期间的任何记录"},
    "trend": {
        "en": "hardly chance (fewer than 1 in 1,000 signals without a trend look so)",
        "zh": "几乎不可能是偶然（无趋势的信号呈现如此形态的不到千分之一）",
    },
    "hardly_chance": {
        "en": "hardly chance (a healthy signal does so about once in {odds:reading|readings})",
        "zh": "几乎不可能是偶然（健康信号约每 {odds} 个读数出现一次）",
    },
    "maybe_chance": {
        "en": "may be chance (a healthy signal does so about once in {odds:reading|readings})",
        "zh": "可能是偶然（健康信号约每 {odds} 个读数出现一次）",
    },
    "very_likely": {
        "en": "very likely true ({share}: {useful} of {orders:earlier order|earlier orders} of this monitor found "
        "something to mend)",
        "zh": "极可能属实（{share}：该监测规则以往 {orders} 张工单中有 {useful} 张确有需维修之处）",
    },
    "likely": {
        "en": "likely true ({share}: {useful} of {orders:earlier order|earlier orders} of this monitor found "
        "something to mend)",
        "zh": "很可能属实（{share}：该监测规则以往 {orders} 张工单中有 {useful} 张确有需维修之处）",
    },
    "uncertain": {
        "en": "uncertain ({share}: {useful} of {orders:earlier order|earlier orders} of this monitor found "
        "something to mend)",
        "zh": "尚不确定（{share}：该监测规则以往 {orders} 张工单中有 {useful} 张确有需维修之处）",
    },
    "doubtful": {
        "en": "doubtful ({share}: {useful} of {orders:earlier order|earlier orders} of this monitor found "
        "something to mend)",
        "zh": "存疑（{share}：该监测规则以往 {orders} 张工单中有 {useful} 张确有需维修之处）",
    },
    "part": {"en": "suspected part: {part}", "zh": "疑似部件：{part}"},
    "forecast": {
        "en": "if nothing is done, it reaches {limit} in about {left} ({interval}, 80 %)",
        "zh": "若不处理，约 {left} 后达到 {limit}（{interval}，80%）",
    },
    "consequence": {"en": "if nothing is done: {consequence}", "zh": "若不处理：{consequence}"},
}
JOINTS = {"en": ("; ", "."), "zh": ("；", "。")}
LIKELIHOODS = ((0.9, "very_likely"), (0.7, "likely"), (0.4, "uncertain"), (0.0, "doubtful"))
HARDLY_CHANCE = 4.0  # -log10 of the probability
LEAST_ORDERS = 5  # from which on their outcomes say more than the monitor itself
MOST_ODDS = 9.0  # nothing is known of what happens once in more than a billion readings
LOG10_3 = 0.4771


def render_ticket(reason_code: str, params: Mapping[str, Any], lang: str, zone: tzinfo = UTC) -> str:
    """The one sentence of a ticket: what is wrong, how sure, since when, which part, what if nothing is done.

    What the parameters do not hold, as those of an older record, is left out. Never an exception.

    Parameters
    ----------
    params
        Beside those of the sentence, each optional: `since`, `part`, `consequence`, `forecast` (see
        `domain.sentences.describe_forecast`), `sure` and `precision` (see `find_sureness`).
    zone
        In which instants are said.
    """
    language = lang if lang in LANGUAGES else "en"
    joint, stop = JOINTS[language]
    parts = [render(reason_code, params, language).rstrip(" .。")]
    for code, more in _find_clauses(params):
        parts.append(fill(CLAUSES[code][language], more, language, zone).rstrip(" .。"))
    return joint.join(parts) + stop


def _find_clauses(params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    sureness = find_sureness(params)
    if sureness is not None:
        yield sureness
    if isinstance(params.get("since"), Mapping):
        yield "since", params
    if isinstance(params.get("part"), Mapping):
        yield "part", params
    forecast = params.get("forecast")
    if isinstance(forecast, Mapping):
        yield "forecast", forecast
    elif isinstance(params.get("consequence"), Mapping):
        yield "consequence", {"consequence": {lang: _continue(said) for lang, said in params["consequence"].items()}}


def _continue(said: Any) -> str:
    """The text as it goes on after a colon: without its capital, unless that belongs to the word ("PEEP", "O2")."""
    text = str(said)
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def find_sureness(params: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """How sure a ticket is: the clause that says so and its parameters; None where nothing is known.

    First what people found on earlier orders of the monitor: `precision` is {"useful": 11, "orders": 12}, and
    counts from five orders on. Else what the monitor knows: `sure` is {"kind": "measured" | "reported" | "unseen" |
    "trend"}, or {"kind": "odds", "log10": 5.2}: -log10 of the probability that a healthy signal goes so far, by what
    the series itself showed.
    """
    precision, sure = params.get("precision"), params.get("sure")
    if isinstance(precision, Mapping):
        orders, useful = precision.get("orders"), precision.get("useful")
        if isinstance(orders, int) and isinstance(useful, int) and orders >= LEAST_ORDERS and useful >= 0:
            share = min(useful / orders, 1.0)
            word = next(word for least, word in LIKELIHOODS if share >= least)
            return word, {"share": f"{100.0 * share:.0f} %", "useful": useful, "orders": orders}
    if not isinstance(sure, Mapping):
        return None
    if sure.get("kind") == "odds":
        log10 = sure.get("log10")
        if not isinstance(log10, int | float) or log10 != log10:
            return None
        power = min(max(log10, 0.0), MOST_ODDS)
        odds = 10.0 ** int(power) * (3 if power % 1.0 >= LOG10_3 else 1)
        return ("hardly_chance" if power >= HARDLY_CHANCE else "maybe_chance"), {"odds": f"{odds:,.0f}"}
    return (sure["kind"], {}) if sure.get("kind") in ("measured", "reported", "unseen", "trend") else None
