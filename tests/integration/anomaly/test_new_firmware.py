"""A change of firmware through scoring, killed or not: new baseline, closed breach, evidence of its time."""

import random
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from domain.clock import to_micros
from domain.report import FirmwareReport, FirmwareState
from store.reports import record_firmware_report
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.scoring import START, Sample, load_test_registry, scoring, select, wait_until_scored, write_blocks

UPDATED_FIRST, UPDATED_LATER = "T-0000", "T-0001"
SECONDS = 260
CHANGES = {UPDATED_FIRST: 119.5, UPDATED_LATER: 200.0}
TRANSITIONS = """
    SELECT d.serial, b.monitor, t.kind, t.reason_code, b.firmware, b.state
    FROM breach_transition t JOIN breach b ON b.id = t.breach_id JOIN device d ON d.id = b.device_id
    ORDER BY t.at, d.serial, b.monitor, t.kind
"""


@pytest.fixture
def url(database: Database) -> str:
    """A database with two registered devices."""
    register(database.url, PROFILE, make_devices(2))
    return database.url


def _make_blocks() -> list[list[Sample]]:
    """Both devices work at another flow from second 120 on; later the level of the first is too high for seconds."""
    chance = random.Random(5)
    rows = []
    for k in range(SECONDS):
        for serial in CHANGES:
            level = 90.0 if serial == UPDATED_FIRST and 150 <= k < 160 else 50 + chance.gauss(0, 1)
            rows += [
                Sample(serial, "level", k, level),
                Sample(serial, "flow", k, (200 if k < 120 else 260) + chance.gauss(0, 1)),
            ]
    return [rows[first : first + 40] for first in range(0, len(rows), 40)]


def _report(url: str, serial: str) -> FirmwareReport:
    """Stored as ingest does it, in the transaction of the block that will carry it."""
    at_us = to_micros(START + timedelta(seconds=CHANGES[serial]))
    report = FirmwareReport(
        load_test_registry(url).devices[serial].id, at_us, at_us + 1, "main", "2.0", FirmwareState.UPDATED, "1.0.0"
    )
    with psycopg.connect(url) as conn:
        assert record_firmware_report(conn, report)
    return report


def _feed(url: str, number: int, block: list[Sample]) -> None:
    # Each second has four readings, each block ten seconds. The report of the first device comes four blocks early.
    reports = [_report(url, s) for s, at in ((UPDATED_FIRST, 8), (UPDATED_LATER, 20)) if at == number]
    write_blocks(url, block, reports)


@pytest.mark.parametrize("kills", [False, True])
def test_new_firmware_is_a_new_baseline_and_no_breach_vanishes_silently(url: str, kills: bool) -> None:
    blocks = list(enumerate(_make_blocks()))
    chance = random.Random(1)
    while blocks:
        some, blocks = blocks[:7], blocks[7:]
        with scoring(url, checkpoint_s=chance.choice([0.0, 1000.0])):
            for number, block in some:
                _feed(url, number, block)
                if kills and chance.random() < 0.4:
                    select(
                        url,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                        "AND application_name LIKE 'forewarn anomaly%%'",
                    )
            wait_until_scored(url)
    found = [tuple(row.values()) for row in select(url, TRANSITIONS)]
    assert found == [
        (UPDATED_LATER, "flow_unusual", "RAISED", "adaptive_high", "1.0.0", "CLEARED"),
        (UPDATED_FIRST, "level_high", "RAISED", "limit_high", "2.0", "CLEARED"),
        (UPDATED_FIRST, "level_high", "CLEARED", "back_to_normal", "2.0", "CLEARED"),
        (UPDATED_LATER, "flow_unusual", "CLEARED", "baseline_restarted", "1.0.0", "CLEARED"),
    ]
    bodies = [row["body"] for row in select(url, "SELECT e.body FROM evidence e ORDER BY e.body ->> 'serial'")]
    assert [(body["serial"], body["firmware"]) for body in bodies] == [(UPDATED_FIRST, "2.0"), (UPDATED_LATER, "1.0.0")]
    assert [_find_marks(body) for body in bodies] == [[("1.0.0", "2.0")], []]


def _find_marks(body: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["before"], change["after"]) for change in body["firmware_changes"]]
