"""The lines of a comparison from what was loaded: exposures up to the first breach, all lines always there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from domain.firmware_release import Measure, Verdict
from service_link.release_comparison import MIN_HOURS, Side, compare_release
from store.releases import FirstBreaches, SignalChange, Windows
from tests.support.releases import PROFILE

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def make_windows(devices: int, first: int = 0) -> list[Windows]:
    return [Windows(first + n, AT, AT - 10 * DAY, AT, AT, AT + 5 * DAY) for n in range(devices)]


def make_change(device: int, level: float, hours: int = 24, spread: float | None = 0.0) -> SignalChange:
    return SignalChange(device, "current", hours, 0.5, level, None if spread is None else 0.1, spread)


def test_every_line_is_there_whatever_was_found() -> None:
    lines = compare_release(PROFILE, Side(), Side())
    assert [(x.measure.value, x.subject) for x in lines] == [
        ("rate", "motor"),
        ("rate", "heat"),
        ("rate", "data_quality"),
        ("level", "current"),
        ("spread", "current"),
        ("level", "temperature"),
        ("spread", "temperature"),
    ]
    assert {x.verdict for x in lines} == {Verdict.TOO_FEW}
    assert {x.p for x in lines} == {1.0}


def test_a_rate_counts_each_device_up_to_its_first_breach() -> None:
    windows = make_windows(10)
    # Device 0 breached after 4 days of 10, devices 0 and 1 one day after the update, device 2 two days after it.
    breaches = [
        FirstBreaches(0, "motor", AT - 6 * DAY, AT + DAY),
        FirstBreaches(1, "motor", None, AT + DAY),
        FirstBreaches(2, "motor", None, AT + 2 * DAY),
    ]
    (line,) = [x for x in compare_release(PROFILE, Side(windows, (), breaches), Side()) if x.subject == "motor"]
    assert line.before == pytest.approx(1_000 * 1 / (9 * 10 + 4))
    assert line.after == pytest.approx(1_000 * 3 / (7 * 5 + 1 + 1 + 2))
    assert line.effect == pytest.approx((3 / 39) / (1 / 94))
    assert (line.devices, line.controls, line.fault_group) == (10, 0, "motor")
    # The controls went the same way: then it is no more than a change.
    others = [replace(b, device_id=b.device_id + 100) for b in breaches]
    controls = Side(make_windows(10, 100), (), others)
    (beside,) = [x for x in compare_release(PROFILE, Side(windows, (), breaches), controls) if x.subject == "motor"]
    assert (line.verdict, beside.verdict) == (Verdict.WORSE, Verdict.CHANGED)


def test_devices_with_too_few_hours_and_other_paces_take_no_part() -> None:
    signals = [make_change(n, 0.2, hours=MIN_HOURS - (n == 0), spread=None if n < 2 else 0.02) for n in range(12)]
    lines = {x.measure: x for x in compare_release(PROFILE, Side((), signals), Side()) if x.subject == "current"}
    assert lines[Measure.LEVEL].devices == 11
    assert lines[Measure.SPREAD].devices == 10
    assert lines[Measure.LEVEL].verdict is Verdict.WORSE
    assert lines[Measure.LEVEL].share == pytest.approx(0.4)
    assert lines[Measure.SPREAD].verdict is Verdict.CHANGED
    assert lines[Measure.SPREAD].share == pytest.approx(0.02)
    narrower = [make_change(n, 0.0, spread=-0.4) for n in range(12)]
    lines = {x.measure: x for x in compare_release(PROFILE, Side((), narrower), Side()) if x.subject == "current"}
    assert lines[Measure.SPREAD].verdict is Verdict.CHANGED
    assert lines[Measure.SPREAD].share is None
    assert lines[Measure.LEVEL].verdict is Verdict.NONE


def test_devices_that_breach_again_and_again_make_no_release_look_bad() -> None:
    """300 releases that change nothing, on fleets where a tenth of the devices breaches twenty times as often."""
    chance = np.random.default_rng(8)
    windows, wrong = make_windows(40), 0
    for _ in range(300):
        rates = 0.05 * np.where(chance.random(40) < 0.1, 20.0, 1.0)
        breaches = []
        for n in range(40):
            before, after = chance.exponential(1 / rates[n], 2)
            breaches.append(
                FirstBreaches(
                    n,
                    "motor",
                    AT - 10 * DAY + before * DAY if before < 10 else None,
                    AT + after * DAY if after < 5 else None,
                )
            )
        (line,) = [x for x in compare_release(PROFILE, Side(windows, (), breaches), Side()) if x.subject == "motor"]
        wrong += line.p < 0.05 and line.effect is not None and line.effect > 1.0
    assert wrong <= 0.05 * 300
