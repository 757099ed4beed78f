"""From a reading on the wire to the work order: what opens one, what joins it, and what changes nothing."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from store.audit import verify_chain
from tests.support.fleet import SCENARIO_DEVICES, SCENARIO_GATEWAY
from tests.support.pipeline import Pipeline, make_reading, telemetry_topic
from tests.support.publisher import connect

CALM = [50.0] * 10
FAULT = [90.0] * 5


@pytest.fixture(scope="module")
def numbers(pipeline: Pipeline) -> Iterator[int]:
    """Counts the devices of one pipeline."""
    return iter(range(SCENARIO_DEVICES))


@pytest.fixture
def serial(numbers: Iterator[int]) -> str:
    """A device that no other test has used."""
    return f"T-{next(numbers):04d}"


def _send(
    pipeline: Pipeline,
    serial: str,
    values: Sequence[float],
    *,
    start: datetime,
    sensor: str = "level",
    step_s: float = 1.0,
) -> datetime:
    """Publishes one message a value and returns the instant after the last; all is scored and decided on return."""
    before = _count(pipeline, serial)
    instants = [start + timedelta(seconds=step_s * k) for k in range(len(values))]
    pipeline.publish(
        [
            (telemetry_topic(serial), make_reading(at, {sensor: value}))
            for at, value in zip(instants, values, strict=True)
        ]
    )
    pipeline.wait_for(
        "SELECT count(*) >= %s FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id"
        " WHERE d.serial = %s",
        before + len(values),
        serial,
        what=f"the readings of {serial}",
    )
    pipeline.wait_until_scored()
    pipeline.wait_until_decided()
    return start + timedelta(seconds=step_s * len(values))


def _count(pipeline: Pipeline, serial: str) -> int:
    return int(
        pipeline.value(
            "SELECT count(*) FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id"
            " WHERE d.serial = %s",
            serial,
        )
    )


def _seconds_ago(seconds: float) -> datetime:
    now = datetime.now(UTC)
    return now.replace(microsecond=0) - timedelta(seconds=seconds)


def _decisions(pipeline: Pipeline, serial: str) -> list[tuple[str, str, str]]:
    rows = pipeline.query(
        """
        SELECT t.kind, x.decision, x.reason FROM ticket_decision x JOIN breach_transition t ON t.id = x.transition_id
        JOIN breach b ON b.id = t.breach_id JOIN device d ON d.id = b.device_id WHERE d.serial = %s ORDER BY t.id
        """,
        serial,
    )
    return [(row["kind"], row["decision"], row["reason"]) for row in rows]


def test_a_fault_is_one_order_with_its_device_customer_and_evidence(pipeline: Pipeline, serial: str) -> None:
    _send(pipeline, serial, CALM + FAULT, start=_seconds_ago(60))
    (order,) = pipeline.orders_of(serial)
    assert (order["source"], order["type"], order["fault_group"]) == ("AUTOMATIC", "CORRECTIVE", "tank")
    (owner,) = pipeline.query(
        """
        SELECT c.code AS customer, s.code AS site FROM work_order w JOIN customer c ON c.id = w.customer_id
        JOIN site s ON s.id = w.site_id WHERE w.id = %s
        """,
        order["id"],
    )
    number = int(serial[-4:]) % 4
    assert owner == {"customer": f"T-C{number}", "site": f"T-S{number}"}
    (breach,) = pipeline.breaches_of(serial)
    assert breach["firmware"] == "1.0.0"
    assert (
        pipeline.value("SELECT breach_id FROM work_order_breach WHERE work_order_id = %s", order["id"]) == breach["id"]
    )
    (evidence,) = pipeline.query("SELECT body, sha256 FROM evidence WHERE breach_id = %s", breach["id"])
    window = json.dumps(evidence["body"])
    assert "90" in window
    assert "50" in window, "the window shows what was before the fault"
    assert [d[:2] for d in _decisions(pipeline, serial)] == [("RAISED", "OPENED")]


def test_an_order_leaves_its_trace_in_audit_and_outbox(pipeline: Pipeline, serial: str) -> None:
    _send(pipeline, serial, CALM + FAULT, start=_seconds_ago(60))
    (order,) = pipeline.orders_of(serial)
    (event,) = pipeline.query(
        "SELECT type, subject FROM outbox WHERE entity = 'work_order' AND entity_id IN (%s, %s)",
        order["code"],
        str(order["id"]),
    )
    assert event["type"].endswith("workorder.opened")
    assert event["subject"] == serial
    audited = pipeline.value(
        "SELECT count(*) FROM audit_event WHERE entity = 'work_order' AND entity_id IN (%s, %s)",
        order["code"],
        str(order["id"]),
    )
    assert audited == 1


def test_a_burst_of_breaching_readings_is_one_order(pipeline: Pipeline, serial: str) -> None:
    _send(pipeline, serial, [50.0] * 10 + [90.0] * 500, start=_seconds_ago(60), step_s=0.002)
    assert len(pipeline.orders_of(serial)) == 1
    assert len(pipeline.breaches_of(serial)) == 1


def test_a_breach_that_clears_does_not_close_its_order(pipeline: Pipeline, serial: str) -> None:
    _send(pipeline, serial, CALM + FAULT + [50.0] * 20, start=_seconds_ago(60))
    (breach,) = pipeline.breaches_of(serial)
    assert breach["state"] == "CLEARED"
    (order,) = pipeline.orders_of(serial)
    assert order["state"] not in ("WORK_DONE", "VERIFIED", "CLOSED", "CANCELLED")
    assert order["closed_at"] is None
    assert [d[:2] for d in _decisions(pipeline, serial)] == [("RAISED", "OPENED"), ("CLEARED", "QUIET")]


def test_a_fault_that_comes_and_goes_joins_its_order(pipeline: Pipeline, serial: str) -> None:
    _send(pipeline, serial, (FAULT + [50.0] * 15) * 5, start=_seconds_ago(150))
    assert len(pipeline.breaches_of(serial)) == 5
    (order,) = pipeline.orders_of(serial)
    assert order["breach_count"] == 5
    linked = pipeline.value("SELECT count(*) FROM work_order_breach WHERE work_order_id = %s", order["id"])
    assert linked == 5


def test_a_worse_breach_raises_the_priority_of_its_order(pipeline: Pipeline, serial: str) -> None:
    at = _send(pipeline, serial, CALM + FAULT, start=_seconds_ago(60))
    (before,) = pipeline.orders_of(serial)
    _send(pipeline, serial, [98.0] * 5, start=at)
    (after,) = pipeline.orders_of(serial)
    assert after["priority"] < before["priority"], "P1 is the most urgent"
    assert after["id"] == before["id"]


def test_the_third_minor_episode_opens_an_order(pipeline: Pipeline, serial: str) -> None:
    episode = [5.0, 100.0, 100.0]
    at = _send(pipeline, serial, episode * 2, start=_seconds_ago(60), sensor="flow")
    assert pipeline.orders_of(serial) == []
    _send(pipeline, serial, episode, start=at, sensor="flow")
    (order,) = pipeline.orders_of(serial)
    assert order["fault_group"] == "line"


def test_a_fault_that_is_over_long_ago_opens_nothing(pipeline: Pipeline, serial: str) -> None:
    _send(pipeline, serial, CALM + FAULT + [50.0] * 20, start=_seconds_ago(45 * 60))
    assert [b["state"] for b in pipeline.breaches_of(serial)] == ["CLEARED"], "it is stored and scored"
    assert pipeline.orders_of(serial) == []
    assert _decisions(pipeline, serial)[0][1] == "NOTHING"


def test_an_old_fault_that_is_still_true_opens_an_order(pipeline: Pipeline, serial: str) -> None:
    # A gateway that was cut off delivers half an hour at once; the fault in it goes on to this minute.
    _send(pipeline, serial, CALM + [90.0] * 170, start=_seconds_ago(1_800), step_s=10.0)
    assert len(pipeline.orders_of(serial)) == 1


def test_a_shelved_device_opens_nothing_but_critical(pipeline: Pipeline, serial: str) -> None:
    with psycopg.connect(pipeline.database_url) as conn:
        conn.execute(
            """
            INSERT INTO shelving (device_id, reason, shelved_by, shelved_until)
            SELECT id, 'waiting for a part', 'test', now() + interval '1 hour' FROM device WHERE serial = %s
            """,
            (serial,),
        )
    at = _send(pipeline, serial, CALM + FAULT, start=_seconds_ago(60))
    assert pipeline.orders_of(serial) == []
    assert len(pipeline.breaches_of(serial)) == 1
    _send(pipeline, serial, [98.0] * 5, start=at)
    assert len(pipeline.orders_of(serial)) == 1


def test_the_devices_own_alarm_opens_an_order(pipeline: Pipeline, serial: str) -> None:
    event = {
        "ts": round(datetime.now(UTC).timestamp() * 1000),
        "code": "E1042",
        "severity": "MAJOR",
        "message": "occlusion downstream",
    }
    pipeline.publish([(f"forewarn/v1/{serial}/event", json.dumps(event).encode())] * 3)
    pipeline.wait_for(
        "SELECT count(*) > 0 FROM work_order w JOIN device d ON d.id = w.device_id WHERE d.serial = %s",
        serial,
        what="an order for the device's alarm",
    )
    (order,) = pipeline.orders_of(serial)
    assert order["fault_group"] == "device_alarm"
    stored = pipeline.value(
        "SELECT count(*) FROM device_event e JOIN device d ON d.id = e.device_id WHERE d.serial = %s", serial
    )
    assert stored == 1, "the same event three times is one event"


def test_a_device_that_falls_silent_is_found_by_its_will(pipeline: Pipeline, serial: str) -> None:
    will = (f"forewarn/v1/{serial}/status", json.dumps({"state": "offline"}).encode())
    with connect(pipeline.mqtt_port, serial, will=will):
        pass  # closed without DISCONNECT: the broker speaks for the device
    pipeline.wait_for(
        "SELECT count(*) > 0 FROM work_order w JOIN device d ON d.id = w.device_id WHERE d.serial = %s",
        serial,
        what="an order for the device that is offline",
    )
    (order,) = pipeline.orders_of(serial)
    assert order["fault_group"] == "connectivity"
    assert [b["kind"] for b in pipeline.breaches_of(serial)] == ["OFFLINE"]
    assert pipeline.value("SELECT connectivity FROM device WHERE serial = %s", serial) == "OFFLINE"
    back = json.dumps({"ts": round(datetime.now(UTC).timestamp() * 1000), "state": "online"}).encode()
    pipeline.publish([(f"forewarn/v1/{serial}/status", back)])
    pipeline.wait_for(
        "SELECT b.state = 'CLEARED' FROM breach b JOIN device d ON d.id = b.device_id WHERE d.serial = %s",
        serial,
        what="the breach to clear when the device is back",
    )


def test_devices_that_go_offline_behind_one_gateway_are_one_order(pipeline: Pipeline) -> None:
    offline = json.dumps(
        {f"G-{i:04d}": {"ts": round(datetime.now(UTC).timestamp() * 1000), "state": "offline"} for i in range(3)}
    ).encode()
    pipeline.publish([(f"forewarn/v1/gateway/{SCENARIO_GATEWAY}/status", offline)])
    pipeline.wait_for(
        "SELECT count(*) = 3 FROM breach b JOIN device d ON d.id = b.device_id WHERE d.serial LIKE 'G-%%'",
        what="three offline breaches",
    )
    pipeline.wait_until_decided()
    orders = pipeline.query(
        """
        SELECT w.device_id, w.gateway_id FROM work_order w
        LEFT JOIN device d ON d.id = w.device_id LEFT JOIN gateway g ON g.id = w.gateway_id
        WHERE w.state NOT IN ('CLOSED', 'CANCELLED') AND w.parent_id IS NULL AND (g.name = %s OR d.serial LIKE 'G-%%')
        """,
        SCENARIO_GATEWAY,
    )
    assert len(orders) == 1
    assert orders[0]["gateway_id"] is not None


def test_the_audit_chain_holds_after_all_of_this(pipeline: Pipeline) -> None:
    with psycopg.connect(pipeline.database_url) as conn:
        report = verify_chain(conn)
    assert report.holds, report.problems
    assert report.checked > 0
