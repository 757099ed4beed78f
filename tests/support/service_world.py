"""A small installed base and breaches as `anomaly` would record them, for tests of the service side."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from psycopg.rows import dict_row

from domain.audit import Actor
from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import to_micros
from domain.profile import FaultGroup, Monitor, MonitorRule, Profile, Sensor, Text, TicketPolicy
from domain.roles import Permission
from service_link.queue import TriageQueue
from store.breaches import record_transitions
from store.certificates import record_certificate
from store.decisions import RecordedDecision
from store.pool import Connection, open_connection
from store.profiles import record_profile
from store.readings import (
    ReadingColumns,
    ensure_partitions,
    find_days,
    record_last_observed,
    record_new_readings,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WORD = Text("motor", "电机")


def make_profile(model: str = "PUMP", *, safety_critical: bool = True, policy: TicketPolicy | None = None) -> Profile:
    """A profile with one sensor and two fault groups."""
    groups = tuple(FaultGroup(key, WORD, WORD, WORD, WORD) for key in ("motor_wear", "occlusion", "connectivity"))
    return Profile(
        model=model,
        version=1,
        manufacturer="Maker",
        name=Text(model, model),
        udi_di="04012345000016",
        safety_critical=safety_critical,
        sensors=(Sensor("current", WORD, "A", 2, 0.0, 10.0),),
        fault_groups=groups,
        monitors=(
            Monitor("current_high", MonitorRule.LIMIT, BreachKind.LIMIT, Severity.MAJOR, "motor_wear", ("current",)),
        ),
        tickets=policy or TicketPolicy(),
    )


@dataclass(frozen=True, slots=True)
class Episode:
    """One breach that a test raised."""

    raised: BreachTransition

    @property
    def id(self) -> str:
        return str(self.raised.breach_id)


@dataclass(slots=True)
class World:
    """Customers, sites, devices; `now` is the clock of everything that is decided."""

    conn: Connection
    now: datetime = NOW
    queue: TriageQueue = field(default_factory=lambda: TriageQueue(100, timedelta(seconds=20)))
    devices: dict[str, int] = field(default_factory=dict)

    def add_site(self, code: str, customer: str = "", *, contract: bool = False) -> int:
        row = self.conn.execute(
            "INSERT INTO customer (code, name, type) VALUES (%s, %s, 'HOSPITAL')"
            " ON CONFLICT (code) DO UPDATE SET name = excluded.name RETURNING id",
            (customer or f"C-{code}", f"Hospital of {code}"),
        ).fetchone()
        assert row is not None
        if contract:
            self.conn.execute(
                "INSERT INTO service_contract (code, customer_id, starts_on, ends_on) VALUES (%s, %s, %s, %s)",
                (f"K-{code}", row[0], date(2026, 1, 1), date(2027, 1, 1)),
            )
        site = self.conn.execute(
            "INSERT INTO site (customer_id, code, name) VALUES (%s, %s, %s) RETURNING id", (row[0], code, code)
        ).fetchone()
        assert site is not None
        return int(site[0])

    def add_gateway(self, name: str, site_id: int) -> int:
        row = self.conn.execute(
            "INSERT INTO gateway (name, site_id) VALUES (%s, %s) RETURNING id", (name, site_id)
        ).fetchone()
        assert row is not None
        return int(row[0])

    def add_device(
        self,
        serial: str,
        site_id: int | None = None,
        *,
        model: str = "PUMP",
        gateway_id: int | None = None,
        lot: str = "",
        firmware: str = "",
        known_for: timedelta = timedelta(days=1),
        is_simulated: bool = False,
    ) -> int:
        since = self.now - known_for  # in the world's time, or the default would be the hour at which the test runs
        row = self.conn.execute(
            "INSERT INTO device (device_model_id, serial, site_id, gateway_id, lot, firmware, shard, created_at,"
            " lifecycle_since, is_simulated) SELECT id, %s, %s, %s, %s, %s, 0, %s, %s, %s FROM device_model"
            " WHERE key = %s RETURNING id",
            (serial, site_id, gateway_id, lot, firmware, since, since, is_simulated, model),
        ).fetchone()
        assert row is not None
        self.devices[serial] = int(row[0])
        return int(row[0])

    def add_user(self, name: str, *roles: str) -> int:
        row = self.conn.execute(
            "INSERT INTO app_user (name, full_name, password_hash, roles) VALUES (%s, %s, 'x', %s) RETURNING id",
            (name, name.title(), list(roles)),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def certify(self, user: str, model: str = "PUMP", until: date = date(2030, 1, 1)) -> None:
        record_certificate(self.conn, actor("admin", Permission.USER_MANAGE), user, model, until)

    def hear(self, serial: str, *instants: datetime, flags: int = 0) -> None:
        """Readings of the device's sensor at these instants, as `ingest` stores them."""
        columns = ReadingColumns(
            np.full(len(instants), self._find_series(serial), dtype=np.int32),
            np.array([to_micros(at) for at in instants], dtype=np.int64),
            np.ones(len(instants)),
            np.full(len(instants), flags, dtype=np.int16),
        )
        ensure_partitions(self.conn, find_days(columns.observed_us))
        with self.conn.transaction():
            record_new_readings(self.conn, columns)
            record_last_observed(self.conn, columns.series_id[-1:].astype(np.int64), columns.observed_us[-1:])

    def _find_series(self, serial: str) -> int:
        row = self.conn.execute(
            "INSERT INTO series (device_id, sensor) VALUES (%s, 'current')"
            " ON CONFLICT (device_id, sensor) DO UPDATE SET sensor = excluded.sensor RETURNING id",
            (self.devices[serial],),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def raise_breach(
        self,
        serial: str,
        severity: Severity = Severity.MAJOR,
        fault_group: str = "motor_wear",
        *,
        kind: BreachKind = BreachKind.LIMIT,
        at: datetime | None = None,
        received_at: datetime | None = None,
        monitor: str = "current_high",
        firmware: str = "",
        params: dict[str, Any] | None = None,
    ) -> Episode:
        instant = at or self.now
        device_id = self.devices[serial]
        transition = BreachTransition(
            breach_id=breach_id_of(device_id, monitor + fault_group, None, to_micros(instant)),
            kind=TransitionKind.RAISED,
            device_id=device_id,
            series_id=None,
            monitor=monitor,
            profile_version=1,
            breach_kind=kind,
            severity=severity,
            fault_group=fault_group,
            first_seen=instant,
            at=instant,
            received_at=received_at or instant,
            count=1,
            peak=1.0,
            score=1.0,
            reason_code="limit_high",
            params={"serial": serial, **(params or {})},
        )
        self._record(transition, firmware)
        return Episode(transition)

    def escalate(self, episode: Episode, severity: Severity, at: datetime | None = None) -> None:
        instant = at or self.now
        self._record(
            replace(episode.raised, kind=TransitionKind.ESCALATED, severity=severity, at=instant, received_at=instant)
        )

    def clear(self, episode: Episode, at: datetime | None = None) -> None:
        instant = at or self.now
        self._record(replace(episode.raised, kind=TransitionKind.CLEARED, at=instant, received_at=instant))

    def _record(self, transition: BreachTransition, firmware: str = "") -> None:
        with self.conn.transaction():
            record_transitions(self.conn, [transition])
            if firmware:  # as if the device had reported it before
                self.conn.execute("UPDATE breach SET firmware = %s WHERE id = %s", (firmware, transition.breach_id))

    def triage(self) -> list[RecordedDecision]:
        """Decides all that is undecided, at the world's time."""
        return self.queue.drain(self.conn, lambda: self.now, lambda: True)

    def decide(self, serial: str, severity: Severity = Severity.MAJOR, **more: Any) -> RecordedDecision:
        """Raises a breach and decides it alone."""
        self.raise_breach(serial, severity, **more)
        (decision,) = self.triage()
        return decision

    def pass_time(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self.conn.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), values or None).fetchall()

    def orders(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM work_order ORDER BY id")


def actor(name: str, permission: Permission, user_id: int | None = None) -> Actor:
    """Who does something in a test, by that permission."""
    return Actor(name=name, role="tester", permission=permission, user_id=user_id, request_id="test")


@contextmanager
def open_world(url: str, *profiles: Profile) -> Iterator[World]:
    """A world on that database with these profiles (one safety-critical PUMP by default), in autocommit."""
    with open_connection(url, application="test", autocommit=True) as conn:
        for profile in profiles or (make_profile(),):
            with conn.transaction():
                record_profile(conn, profile, "test")
        yield World(conn)
