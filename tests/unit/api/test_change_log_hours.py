"""How long the log of changes is kept: as long as what rests on it, or the API does not start."""

from datetime import timedelta

import pytest

from api.settings import LEAST_CHANGE_LOG_HOURS, MOST_CHANGE_LOG_HOURS, ApiSettings
from domain.errors import ConfigurationError
from store import mended_orders

NAME = "FOREWARN_API_CHANGE_LOG_HOURS"


@pytest.mark.parametrize("hours", [LEAST_CHANGE_LOG_HOURS, 48.0, MOST_CHANGE_LOG_HOURS])
def test_what_suffices_is_taken(hours: float) -> None:
    ApiSettings("postgresql://", change_log_hours=hours).verify()


@pytest.mark.parametrize("hours", [-1.0, 0.0, 0.99, float("nan")])
def test_too_short_is_refused_with_what_would_break(hours: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{NAME}=.* is too short, 1 is the least: suggestions"):
        ApiSettings("postgresql://", change_log_hours=hours).verify()


@pytest.mark.parametrize("hours", [float("inf"), 10_000.0])
def test_what_would_never_be_removed_is_refused(hours: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{NAME}=.* is too long"):
        ApiSettings("postgresql://", change_log_hours=hours).verify()


def test_a_stream_ends_long_before_what_it_began_with_is_removed() -> None:
    ApiSettings("postgresql://", change_log_hours=4.0, stream_minutes=120.0).verify()
    with pytest.raises(ConfigurationError, match=f"{NAME}=3 .* FOREWARN_API_STREAM_MINUTES=120, 4 is the least"):
        ApiSettings("postgresql://", change_log_hours=3.0, stream_minutes=120.0).verify()


def test_the_least_is_far_more_than_counts_of_mended_orders_are_kept() -> None:
    assert timedelta(hours=LEAST_CHANGE_LOG_HOURS) >= 5 * mended_orders.KEPT
