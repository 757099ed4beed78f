"""A detector that raises on one series: all others are scored, and nobody takes the silence of that one for health."""

import random

import numpy as np
import psycopg
import pytest

from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.contract import Bools, Floats, Ints
from domain.health import HealthReason, HealthState
from domain.roles import Role
from store.devices import find_device_health, load_device
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import running_api
from tests.support.scoring import Sample, scoring, select, wait_until_scored, write_blocks

POISON = 222.25
SECONDS = 200
TRANSITIONS = """
    SELECT d.serial, b.monitor, t.kind, t.reason_code
    FROM breach_transition t JOIN breach b ON b.id = t.breach_id JOIN device d ON d.id = b.device_id
    ORDER BY t.at, d.serial, b.monitor, t.kind
"""


def _make_blocks() -> list[list[Sample]]:
    """The flow of the first device has one value that its detector raises on; later all three have something."""
    chance = random.Random(5)
    rows = []
    for k in range(SECONDS):
        for d in range(3):
            flow = (200 if k < 150 else 260) + chance.gauss(0, 1)
            level = 90.0 if d == 0 and 120 <= k < 130 else 50 + chance.gauss(0, 1)
            rows += [
                Sample(f"T-{d:04d}", "level", k, level),
                Sample(f"T-{d:04d}", "flow", k, POISON if d == 0 and k == 100 else flow),
            ]
    return [rows[first : first + 60] for first in range(0, len(rows), 60)]


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adaptive detector raises on one value, after all its state was written."""
    step = AdaptiveDetector.step

    def fail(
        self: AdaptiveDetector, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None
    ) -> Floats:
        score = step(self, slot, observed_us, value, frozen)
        if np.any(value == POISON):
            raise FloatingPointError("planted")
        return score

    monkeypatch.setattr(AdaptiveDetector, "step", fail)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_all_others_go_on_and_the_device_is_of_unknown_health(
    database: Database, poisoned: None, is_restarted: bool
) -> None:
    url = database.url
    register(url, PROFILE, make_devices(3, customers=1))
    blocks = _make_blocks()
    for part in (blocks[:12], blocks[12:]) if is_restarted else (blocks,):
        # No check-point by the clock: the failure goes back to the beginning, or to the restart.
        with scoring(url, checkpoint_s=1000.0):
            for block in part:
                write_blocks(url, block)
            wait_until_scored(url)
            (beat,) = select(url, "SELECT details FROM heartbeat WHERE program = 'anomaly'")
    found = [tuple(row.values()) for row in select(url, TRANSITIONS)]
    assert found == [
        ("T-0000", "level_high", "RAISED", "limit_high"),
        ("T-0000", "level_high", "CLEARED", "back_to_normal"),
        ("T-0001", "flow_unusual", "RAISED", "adaptive_high"),
        ("T-0002", "flow_unusual", "RAISED", "adaptive_high"),
    ]
    assert set(beat["details"]) >= {"unscored", "unscored_first"}
    unscored = select(
        url, "SELECT d.serial, u.monitor, u.reason FROM unscored_monitor u JOIN device d ON d.id = u.device_id"
    )
    expected = [{"serial": "T-0000", "monitor": "flow_unusual", "reason": "FloatingPointError: planted"}]
    assert unscored == expected
    with psycopg.connect(url) as conn:
        conn.execute("UPDATE device SET connectivity = 'ONLINE', last_seen_at = now()")
        conn.execute(
            "INSERT INTO data_quality_day (day, device_id, expected, present, completeness, received,"
            " least_completeness, judged_until, is_over, judged_at)"
            " SELECT (now() AT TIME ZONE 'UTC')::date, id, 10, 10, 1, 10, 0.8, now(), false, now() FROM device"
        )
        health = {}
        for serial in ("T-0000", "T-0001"):
            device = load_device(conn, serial, customer_id=None)
            assert device is not None
            health[serial] = find_device_health(device)
    assert (health["T-0000"].state, health["T-0000"].reason) == (HealthState.UNKNOWN, HealthReason.NOT_SCORED)
    assert health["T-0001"].state is HealthState.FAULT
    with running_api(url) as api:
        headers = api.token(Role.ENGINEER)
        assert api.get("/devices/T-0000", headers=headers).json()["health"] == {
            "state": "UNKNOWN",
            "reason": "not_scored",
        }
        said = api.get("/health").json()
        assert (said["flow"]["monitors_unscored"], said["status"]) == (1, "degraded")
        assert "forewarn_monitors_unscored 1.0" in api.get("/metrics").text
