"""When a firmware campaign stops by itself: the breach rate of upgraded devices rose, and that is hardly chance. Pure.

The campaign asks one question, again and again: do upgraded devices breach more often than before? A look is due when
their hours on the version have doubled, whatever the breaches say. The k-th look may spend 6 / (pi^2 k^2) of the
allowed error, and these shares add up to one over however many looks there will be: the chance that a campaign whose
firmware changes nothing is ever halted by this is at most `p`.

Source: Bonferroni over looks with the weights of Euler's sum 1 + 1/4 + 1/9 + ... = pi^2 / 6; for spending see Lan and
DeMets 1983. The test of each look is that of two Poisson rates (Przyborowski and Wilenski 1940).
"""

from dataclasses import dataclass
from enum import StrEnum
from math import pi

DEFAULT_P = 0.05  # a halt for nothing costs a look, a rise that nobody stops costs more
MIN_DEVICES = 3  # that were upgraded; fewer say nothing of a version


class HaltReason(StrEnum):
    """Why a campaign stands still. Values stand in the database and never change."""

    BREACH_RATE = "breach_rate"  # of its own upgraded devices
    RELEASE_REGRESSION = "release_regression"  # the comparison of the release found something worse for certain
    FIRMWARE_WITHDRAWN = "firmware_withdrawn"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class CampaignLook:
    """What one look saw: first breaches of devices and device-days up to them, before and on the new version."""

    look: int
    devices: int
    controls: int
    events_before: int
    days_before: float
    events_after: int
    days_after: float
    ratio: float | None
    low: float | None
    high: float | None
    control_ratio: float
    p: float  # of this look alone, one-sided: that it rose so far by chance
    is_worse: bool  # in size: it rose, and more than among devices that were not upgraded


def find_spent_p(p: float, look: int) -> float:
    """The p-value of the look over its share of the error: it halts when this is below the allowed error.

    Raises
    ------
    ValueError
        Looks count from 1.
    """
    if look < 1:
        raise ValueError("looks count from 1")
    return min(1.0, p * pi * pi / 6.0 * look * look)


def is_to_halt(look: CampaignLook, allowed_p: float) -> bool:
    """Whether the campaign must stop."""
    return look.devices >= MIN_DEVICES and look.is_worse and find_spent_p(look.p, look.look) < allowed_p
