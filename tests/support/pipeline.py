"""A whole installation of one test: database, broker, programs; and what people would find in its tables."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.support.fleet import PROBE
from tests.support.programs import Programs
from tests.support.publisher import publish_all
from tests.support.waiting import wait_until

# Python, numpy and the registry on a busy two-core machine.
STARTUP_S = 120.0
DRAIN_S = 120.0

COUNT_UNSCORED = "SELECT coalesce(sum(head - consumed), 0) FROM shard"
COUNT_UNDECIDED = """
    SELECT count(*) FROM breach_transition t
    WHERE NOT EXISTS (SELECT FROM ticket_decision d WHERE d.transition_id = t.id)
"""
COUNT_READINGS = """
    SELECT count(*) FROM reading
    WHERE series_id <> (SELECT s.id FROM series s JOIN device d ON d.id = s.device_id WHERE d.serial = %s)
"""
COUNT_PROBES = """
    SELECT count(*) FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
    WHERE d.serial = %s
"""
ALIVE = "SELECT program FROM heartbeat WHERE at > now() - interval '10 seconds'"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Where the pipeline of a test is reached."""

    database_url: str
    mqtt_port: int  # of the broker itself, whatever stands before the programs
    programs: Programs

    def wait_until_ready(self) -> None:
        """Every program lives, and a reading of the probe went all the way.

        Only then is the subscription there, from which on nothing that the broker acknowledges may be lost.
        """
        names = {name.replace("-", "_") for name in self.programs.by_name}
        probes_before = int(self.value(COUNT_PROBES, PROBE))

        def all_alive() -> bool:
            self.programs.assert_running()
            return names <= {row["program"].replace("-", "_") for row in self.query(ALIVE)}

        def probe_arrived() -> bool:
            self.programs.assert_running()
            with suppress(OSError):
                payload = make_reading(datetime.now(UTC), {"number": 1.0})
                publish_all(self.mqtt_port, [(telemetry_topic(PROBE), payload)], client_id="probe", timeout_s=5)
            return int(self.value(COUNT_PROBES, PROBE)) > probes_before

        wait_until(all_alive, what="every program's sign of life", timeout_s=STARTUP_S, every_s=0.1)
        wait_until(probe_arrived, what="a probe to be stored", timeout_s=STARTUP_S, every_s=0.2)
        if "anomaly" in names:
            self.wait_until_scored()

    def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Every message is acknowledged by the broker."""
        publish_all(self.mqtt_port, messages)

    def wait_until_drained(self, *, readings: int, timeout_s: float = DRAIN_S) -> None:
        """At least that many readings are stored, and all are scored and triaged."""
        wait_until(
            lambda: self.count_readings() >= readings,
            what=f"{readings} stored readings",
            timeout_s=timeout_s,
            every_s=0.3,
        )
        self.wait_until_scored(timeout_s=timeout_s)
        self.wait_until_decided(timeout_s=timeout_s)

    def wait_until_scored(self, *, timeout_s: float = DRAIN_S) -> None:
        """Scoring has taken every block."""
        wait_until(
            lambda: self.value(COUNT_UNSCORED) == 0, what="all blocks to be scored", timeout_s=timeout_s, every_s=0.1
        )

    def wait_until_decided(self, *, timeout_s: float = DRAIN_S) -> None:
        """Every breach transition has its decision."""
        wait_until(
            lambda: self.value(COUNT_UNDECIDED) == 0, what="all transitions decided", timeout_s=timeout_s, every_s=0.1
        )

    def wait_for(self, query: str, *parameters: Any, what: str, timeout_s: float = DRAIN_S) -> None:
        """The query gives a true value."""
        wait_until(lambda: self.value(query, *parameters), what=what, timeout_s=timeout_s, every_s=0.1)

    def count_readings(self) -> int:
        """Rows of `reading`, the probe's left out."""
        return int(self.value(COUNT_READINGS, PROBE))

    def query(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        with psycopg.connect(self.database_url, row_factory=dict_row) as conn:
            return conn.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """The first column of the first row, or None."""
        with psycopg.connect(self.database_url) as conn:
            row = conn.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def orders_of(self, serial: str) -> list[dict[str, Any]]:
        """The work orders of one device, oldest first."""
        return self.query(
            "SELECT w.* FROM work_order w JOIN device d ON d.id = w.device_id WHERE d.serial = %s ORDER BY w.id", serial
        )

    def breaches_of(self, serial: str) -> list[dict[str, Any]]:
        """The breaches of one device in event time."""
        return self.query(
            "SELECT b.* FROM breach b JOIN device d ON d.id = b.device_id WHERE d.serial = %s ORDER BY b.first_seen",
            serial,
        )


def telemetry_topic(serial: str) -> str:
    """Where a device publishes its readings."""
    return f"forewarn/v1/{serial}/telemetry"


def make_reading(at: datetime, values: Mapping[str, float]) -> bytes:
    """A telemetry payload of one instant."""
    return json.dumps({"ts": round(at.timestamp() * 1000), "values": values}).encode()
