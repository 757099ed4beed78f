"""Rates from little exposure: below one device-day none is said, for it would be a number without a meaning. Pure.

Six tickets in the first ten minutes of ten devices are 86,400 in 1,000 device-days on paper; nobody will ever see them.
Counts are said as they are, and tests that weigh counts with their exposure need no rate.
"""

LEAST_DEVICE_DAYS = 1.0
PER = 1000.0  # rates are per so many device-days


def bears_rate(device_days: float | None) -> bool:
    """Whether the exposure is enough to say a rate of it: one device-day."""
    return device_days is not None and device_days >= LEAST_DEVICE_DAYS


def find_rate(events: float, device_days: float) -> float | None:
    """Events per 1,000 device-days; None below one device-day."""
    return PER * events / device_days if bears_rate(device_days) else None


def say_device_days(device_days: float) -> str:
    """Whole device-days; "< 1" for less than one that is not nothing."""
    return "< 1" if 0.0 < device_days < LEAST_DEVICE_DAYS else f"{device_days:,.0f}"
