"""Asks for key figures as the API does, and writes rows of the past as the programs would have."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from domain.kpi import KpiDimension, KpiFigure, KpiGroup, KpiQuery, find_figures, find_groups
from domain.kpi_catalogue import KPI_BY_KEY
from domain.kpi_period import PeriodUnit, find_buckets
from store.kpis import load_counted
from tests.support.service_world import NOW, World, make_profile, open_world

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Filter = tuple[str, ...]


@dataclass(slots=True)
class KpiWorld:
    """A world whose clock stands at NOW; what it asks for is, unless said otherwise, of the 60 days before."""

    world: World
    since: datetime = NOW - 60 * DAY
    codes: list[str] = field(default_factory=list)

    def ask_all(
        self,
        *keys: str,
        since: datetime | None = None,
        until: datetime | None = None,
        unit: PeriodUnit | None = None,
        by: Filter = (),
        **more: Any,
    ) -> dict[str, list[KpiFigure]]:
        """Every figure of these keys, by key; of all when none is named."""
        buckets = find_buckets(since or self.since, until or self.world.now, unit)
        group_by = frozenset(KpiDimension(name) for name in by)
        query = KpiQuery(buckets, self.world.now, group_by, **more)
        kpis = [KPI_BY_KEY[key] for key in keys or KPI_BY_KEY]
        counted = load_counted(self.world.conn, {s for kpi in kpis for s in kpi.sources}, query)
        groups = find_groups(counted, query)
        return {kpi.key: find_figures(kpi, counted, query, groups, None) for kpi in kpis}

    def ask(self, key: str, **more: Any) -> KpiFigure:
        """The figure of all that is real."""
        (found,) = [f for f in self.ask_all(key, **more)[key] if f.group == KpiGroup()]
        return found

    def ask_by(self, key: str, dimension: str, **more: Any) -> dict[str, KpiFigure]:
        """The figures by that dimension, of what is real."""
        found = self.ask_all(key, by=(dimension,), **more)[key]
        return {getattr(f.group, dimension): f for f in found if not f.group.is_simulated}

    def add_order(self, serial: str, created_at: datetime, **columns: Any) -> int:
        """An order as it stands; a corrective one by the machine, NEW, unless said otherwise."""
        row: dict[str, Any] = {
            "code": f"WO-T-{uuid4().hex[:8]}",
            "type": "CORRECTIVE",
            "source": "AUTOMATIC",
            "priority": "P3",
            "state": "NEW",
            "fault_group": f"group-{uuid4().hex[:8]}",
            "title_code": "limit_high",
            "title_params": "{}",
            "device_id": self.world.devices[serial],
            "created_by": "test",
            "created_at": created_at,
            "updated_at": created_at,
            **columns,
        }
        self.codes.append(row["code"])
        owner = "(SELECT s.customer_id FROM device d JOIN site s ON s.id = d.site_id WHERE d.id = %(device_id)s)"
        names = ", ".join(row)
        values = ", ".join(f"%({name})s" for name in row)
        query = f"INSERT INTO work_order ({names}, customer_id) VALUES ({values}, {owner}) RETURNING id"
        found = self.world.conn.execute(query.encode(), row).fetchone()
        assert found is not None
        return int(found[0])

    def add_failure(self, serial: str, began_at: datetime, lasted: timedelta, **columns: Any) -> int:
        """A corrective order whose fault was confirmed and mended; closed an hour after."""
        restored_at = began_at + lasted
        more = {"state": "CLOSED", "outcome": "CONFIRMED", "resolved_at": restored_at, "closed_at": restored_at + HOUR}
        return self.add_order(serial, began_at, **more | columns)

    def add_visit(self, order_id: int, arrived_at: datetime, lasted: timedelta = HOUR, *, who: int) -> None:
        self.world.conn.execute(
            "INSERT INTO work_order_visit (work_order_id, order_version, technician_id, arrived_at, left_at, outcome)"
            " VALUES (%s, 1, %s, %s, %s, 'COMPLETED')",
            (order_id, who, arrived_at, arrived_at + lasted),
        )

    def add_clock(self, order_id: int, clock: str, state: str, **columns: Any) -> None:
        """A clock of the order's first version as its events left it."""
        row: dict[str, Any] = {
            "work_order_id": order_id,
            "version": 1,
            "clock": clock,
            "state": state,
            "started_at": NOW - 30 * DAY,
            "allowed_s": 3600.0,
            "used_s": 60.0,
            "met_at": NOW - 29 * DAY if state == "MET" else None,
            "breached_at": NOW - 29 * DAY if state == "BREACHED" else None,
            "stopped_at": NOW - 29 * DAY if state == "STOPPED" else None,
            **columns,
        }
        names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self.world.conn.execute(f"INSERT INTO sla_clock ({names}) VALUES ({values})".encode(), row)

    def add_signed_version(self, order_id: int, version: int, signed_at: datetime, **content: Any) -> None:
        """What was signed when that version of the order was closed."""
        text = json.dumps(content, default=str)
        self.world.conn.execute(
            "INSERT INTO signature (entity, entity_id, entity_version, content, content_sha256, signer_id,"
            " printed_name, meaning, signed_at)"
            " SELECT 'work_order', %s, %s, %s, %s, min(id), 'Mia', 'closed', %s FROM app_user",
            (order_id, version, text, sha256(text.encode()).hexdigest(), signed_at),
        )

    def add_breach(self, serial: str, raised_at: datetime, *, order_id: int | None = None, **columns: Any) -> str:
        """An episode that is over after an hour unless said otherwise, with its transition and linked to the order."""
        row: dict[str, Any] = {
            "id": str(uuid4()),
            "device_id": self.world.devices[serial],
            "monitor": "current_high",
            "profile_version": 1,
            "kind": "LIMIT",
            "severity": "MAJOR",
            "fault_group": "motor_wear",
            "state": "CLEARED",
            "first_seen": raised_at,
            "raised_at": raised_at,
            "last_seen": raised_at,
            "cleared_at": raised_at + HOUR,
            "count": 1,
            "peak": 1.0,
            "score": 1.0,
            "reason_code": "limit_high",
            "params": "{}",
            **columns,
        }
        names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self.world.conn.execute(f"INSERT INTO breach ({names}) VALUES ({values})".encode(), row)
        self.add_transition(row["id"], "RAISED", row["severity"], raised_at)
        if order_id is not None:
            self.world.conn.execute("INSERT INTO work_order_breach VALUES (%s, %s)", (order_id, row["id"]))
        return str(row["id"])

    def add_transition(self, breach_id: str, kind: str, severity: str, at: datetime) -> None:
        self.world.conn.execute(
            "INSERT INTO breach_transition (breach_id, kind, severity, at, received_at, score, reason_code, params)"
            " VALUES (%s, %s, %s, %s, %s, 1, 'limit_high', '{}')",
            (breach_id, kind, severity, at, at),
        )

    def change_device(self, serial: str, at: datetime, field_: str, before: str | None, after: str) -> None:
        """A change in the device's dated history; `firmware` is that of the main component."""
        name = "firmware:main" if field_ == "firmware" else field_
        self.world.conn.execute(
            "INSERT INTO device_history (device_id, at, field, before, after, source)"
            " VALUES (%s, %s, %s, %s, %s, 'test')",
            (self.world.devices[serial], at, name, before, after),
        )


@contextmanager
def open_kpi_world(url: str) -> Iterator[KpiWorld]:
    """PUMP devices SN-1 and SN-2 at customers C-S1 and C-S2, LAMP device SN-3 at C-S2; known for 100 days."""
    with open_world(url, make_profile(), make_profile("LAMP")) as world:
        one, two = world.add_site("S1"), world.add_site("S2")
        world.add_device("SN-1", one, known_for=100 * DAY, firmware="2.0", lot="L1")
        world.add_device("SN-2", two, known_for=100 * DAY, firmware="2.0", lot="L1")
        world.add_device("SN-3", two, model="LAMP", known_for=100 * DAY, firmware="1.0")
        world.add_user("mia", "service_manager")
        yield KpiWorld(world)
