"""Work that was done begins a new baseline, at one reading however often scoring was killed."""

import random
from datetime import timedelta

import psycopg
import pytest

from domain.audit import Actor
from domain.roles import Permission
from domain.tickets import Priority
from domain.work_order import ResetReason, WorkOrder, WorkOrderType
from store.baseline_resets import load_history_begin, record_baseline_reset
from store.manual_orders import open_manual_order
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.scoring import START, Sample, load_test_registry, scoring, select, wait_until_scored, write_blocks

MENDED, LEFT = "T-0000", "T-0001"
SECONDS = 260
WORK_AT = 160.5
TRANSITIONS = """
    SELECT d.serial, b.monitor, t.kind, t.reason_code
    FROM breach_transition t JOIN breach b ON b.id = t.breach_id JOIN device d ON d.id = b.device_id
    ORDER BY t.at, d.serial, b.monitor, t.kind
"""


def _make_blocks() -> list[list[Sample]]:
    """The flow of both devices shifts at second 120; from second 200 on that of the mended one is again what it was."""
    chance = random.Random(5)
    rows = []
    for k in range(SECONDS):
        for serial in (MENDED, LEFT):
            is_off = k >= 120 and not (serial == MENDED and k >= 200)
            rows += [
                Sample(serial, "level", k, 50 + chance.gauss(0, 1)),
                Sample(serial, "flow", k, (260 if is_off else 200) + chance.gauss(0, 1)),
            ]
    return [rows[first : first + 40] for first in range(0, len(rows), 40)]


def _do_work(url: str) -> WorkOrder:
    at = START + timedelta(seconds=WORK_AT)
    mia = Actor(name="mia", role="tester", permission=Permission.WORK_ORDER_CREATE, user_id=None, request_id="test")
    with psycopg.connect(url) as conn:
        order = open_manual_order(
            conn,
            mia,
            MENDED,
            type_=WorkOrderType.CORRECTIVE,
            priority=Priority.P3,
            fault_group="line",
            description="noise",
            now=at,
        )
        record_baseline_reset(conn, order, ResetReason.FAULT_MENDED, at)
    return order


@pytest.mark.parametrize("kills", [False, True])
def test_what_is_open_is_closed_and_what_is_normal_is_learnt_anew(database: Database, kills: bool) -> None:
    url = database.url
    register(url, PROFILE, make_devices(2))
    blocks = list(enumerate(_make_blocks()))
    chance = random.Random(2)
    order: WorkOrder | None = None
    while blocks:
        some, blocks = blocks[:7], blocks[7:]
        with scoring(url, checkpoint_s=chance.choice([0.0, 1000.0])):
            for number, block in some:
                if number == 16:
                    order = _do_work(url)
                write_blocks(url, block)
                if kills and chance.random() < 0.4:
                    select(
                        url,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                        "AND application_name LIKE 'forewarn anomaly%%'",
                    )
            wait_until_scored(url)
    found = [tuple(row.values()) for row in select(url, TRANSITIONS)]
    assert found == [
        (MENDED, "flow_unusual", "RAISED", "adaptive_high"),
        (LEFT, "flow_unusual", "RAISED", "adaptive_high"),
        (MENDED, "flow_unusual", "CLEARED", "baseline_relearned"),
    ], "the level of before the work is no news after it, since what was learnt until then is forgotten"
    assert order is not None
    (closed,) = select(url, "SELECT params FROM breach_transition WHERE kind = 'CLEARED'")
    assert closed["params"]["work_order"] == order.code
    (kept,) = select(url, "SELECT device_id, work_order_id, reason, shard, position, at FROM baseline_reset")
    device = load_test_registry(url).devices[MENDED]
    assert (kept["device_id"], kept["work_order_id"], kept["shard"]) == (device.id, order.id, device.shard)
    # Its block came between those of the readings, and nothing else is at its position.
    assert 1 < kept["position"] <= select(url, "SELECT head FROM shard WHERE shard = %s", device.shard)[0]["head"]
    with psycopg.connect(url) as conn:
        assert load_history_begin(conn, device.id) == START + timedelta(seconds=WORK_AT)
