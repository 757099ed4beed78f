"""The result of a run as JSON: shares and rates with their intervals, warning times, monitors, single faults."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import Any

from scipy.special import gammaincinv

from domain.clock import from_micros
from domain.lab import Verdict
from lab.findings import Finding, TicketCounts, count_raised

LISTED = 200  # faults that are listed one by one: those that were missed first
MOST_BINS = 12
# Widths of bins that people read at a glance, in seconds.
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200)
DAYS = (1, 2, 5, 10, 20)
NORMAL_95 = 1.959964


def find_figures(findings: Sequence[Finding], counts: Mapping[str, TicketCounts], device_days: float) -> dict[str, Any]:
    """The figures of one set of rules."""
    verdicts = Counter(finding.verdict for finding in findings)
    caught, planted = verdicts[Verdict.CAUGHT], len(findings)
    low, high = find_share_interval(caught, planted)
    right = sum(count.right for count in counts.values())
    wrong = sum(count.wrong_group for count in counts.values())
    false = sum(count.false for count in counts.values())
    rate_low, rate_high = find_rate_interval(false, device_days)
    return {
        "planted": planted,
        "caught": caught,
        "late": verdicts[Verdict.LATE],
        "missed": verdicts[Verdict.MISSED],
        "share": {"mean": _share(caught, planted), "low": low, "high": high},
        "warning_s": _describe_warnings([f.warning_s for f in findings if f.warning_s is not None]),
        "tickets": sum(count.total for count in counts.values()),
        "right": right,
        "wrong_group": wrong,
        "right_group": _share(right, right + wrong),
        "outage": sum(count.outage for count in counts.values()),
        "false": false,
        "false_per_1000": {"mean": _rate(false, device_days), "low": rate_low, "high": rate_high},
    }


def find_share_interval(count: int, whole: int) -> tuple[float | None, float | None]:
    """95 % of what the share may be (Wilson's score interval, which keeps its promise near 0 and 1); None of nothing.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    if whole == 0:
        return None, None
    share, z2 = count / whole, NORMAL_95**2
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = NORMAL_95 / (1 + z2 / whole) * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole**2))
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == whole else middle + half
    return round(low, 4), round(high, 4)


def find_rate_interval(count: int, device_days: float) -> tuple[float | None, float | None]:
    """95 % of what the rate of 1,000 device-days may be, were the count one of Poisson's; None of no time.

    Source: Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936.
    """
    if device_days <= 0:
        return None, None
    low = 0.0 if count == 0 else float(gammaincinv(count, 0.025))
    high = float(gammaincinv(count + 1, 0.975))
    return round(1000 * low / device_days, 3), round(1000 * high / device_days, 3)


def describe_monitors(findings: Sequence[Finding], counts: Mapping[str, TicketCounts]) -> list[dict[str, Any]]:
    """What each monitor did that did anything: those that caught most first."""
    first = Counter(f.monitor for f in findings if f.verdict is Verdict.CAUGHT)
    raised = count_raised(findings)
    rows = []
    for monitor in sorted({*counts, *raised}):
        count = counts.get(monitor, TicketCounts())
        rows.append(
            {
                "monitor": monitor,
                "caught_first": first[monitor],
                "raised": raised[monitor],
                "right": count.right,
                "wrong_group": count.wrong_group,
                "outage": count.outage,
                "false": count.false,
            }
        )
    return sorted(rows, key=lambda row: (-row["caught_first"], -row["raised"], -row["false"], row["monitor"]))


def list_findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """At most LISTED faults: missed, late, then caught with the least warning first."""
    order = (Verdict.MISSED, Verdict.LATE, Verdict.CAUGHT)
    ranked = sorted(findings, key=lambda f: (order.index(f.verdict), f.warning_s or 0.0, f.seed, f.device))
    return [describe_finding(finding) for finding in ranked[:LISTED]]


def describe_finding(finding: Finding) -> dict[str, Any]:
    """One fault as JSON; times are simulated ones, in UTC."""
    return {
        "seed": finding.seed,
        "serial": finding.serial,
        "sensor": finding.sensor,
        "verdict": finding.verdict.value,
        "onset": _instant(finding.onset_us),
        "failure": _instant(finding.failure_us),
        "end": _instant(finding.end_us),
        "ticket": _instant(finding.ticket_us),
        "monitor": finding.monitor,
        "warning_s": None if finding.warning_s is None else round(finding.warning_s, 1),
        "raised": {name: _instant(at_us) for name, at_us in sorted(finding.raised.items(), key=lambda x: (x[1], x[0]))},
    }


def choose_examples(findings: Sequence[Finding]) -> dict[str, Finding]:
    """One that was caught, with the warning in the middle, and one that was not: missed if any was, else late."""
    caught = sorted(
        (f for f in findings if f.verdict is Verdict.CAUGHT), key=lambda f: (f.warning_s or 0.0, f.seed, f.device)
    )
    missed = sorted(
        (f for f in findings if f.verdict is not Verdict.CAUGHT),
        key=lambda f: (f.verdict is not Verdict.MISSED, f.seed, f.device),
    )
    examples = {}
    if caught:
        examples["caught"] = caught[len(caught) // 2]
    if missed:
        examples["missed"] = missed[0]
    return examples


def _describe_warnings(values: Sequence[float]) -> dict[str, Any] | None:
    """Quantiles, and how many lie in each of equally wide bins from nothing to the longest; None of none."""
    if not values:
        return None
    tenths = quantiles(values, n=10, method="inclusive") if len(values) > 1 else [values[0]] * 9
    longest = max(values)
    width = _find_width(longest)
    counts = Counter(int(value // width) for value in values)
    return {
        "low": round(tenths[0], 1),
        "median": round(tenths[4], 1),
        "high": round(tenths[8], 1),
        "least": round(min(values), 1),
        "most": round(longest, 1),
        "bin_s": width,
        "bins": [counts[place] for place in range(int(longest // width) + 1)],
    }


def _find_width(longest_s: float) -> int:
    """The narrowest of the readable widths that gives few enough bins; beyond four days whole days."""
    widths: list[int] = [*(WIDTHS_S if longest_s <= 4 * 86_400 else ()), *(days * 86_400 for days in DAYS)]
    return next((width for width in widths if longest_s // width < MOST_BINS), widths[-1])


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else from_micros(at_us).isoformat(timespec="seconds")


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _rate(count: int, device_days: float) -> float | None:
    return round(1000 * count / device_days, 3) if device_days > 0 else None
