"""What the database refuses for what it is does not stop a shard: the rest is recorded, the refused part counted."""

from datetime import UTC, datetime
from typing import Any

import psycopg

from anomaly.owned_shard import OwnedShard
from anomaly.shard_output import ShardOutput
from domain.breach import BreachKind, BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import to_micros
from store.pool import open_connection
from store.registry import load_registry
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def test_one_refused_breach_leaves_the_others(database: Database) -> None:
    register(database.url, PROFILE, make_devices(1))
    with open_connection(database.url, application="test", autocommit=True) as conn:
        registry = load_registry(conn)
        device = next(iter(registry.devices.values()))

        def raised(monitor: str, params: dict[str, Any]) -> BreachTransition:
            return BreachTransition(
                breach_id=breach_id_of(device.id, monitor, None, to_micros(AT)),
                kind=TransitionKind.RAISED,
                device_id=device.id,
                series_id=None,
                monitor=monitor,
                profile_version=1,
                breach_kind=BreachKind.DEVICE_CODE,
                severity=Severity.MAJOR,
                fault_group="other",
                first_seen=AT,
                at=AT,
                received_at=AT,
                count=1,
                peak=1.0,
                score=1.0,
                reason_code="device_code",
                params=params,
            )

        owned = OwnedShard(device.shard, registry)
        # PostgreSQL has no place for a NUL in text.
        transitions = [raised("one", {}), raised("two", {"message": "\0"}), raised("three", {})]
        owned.record_what_can_be(conn, [ShardOutput(transitions=transitions)])
    with psycopg.connect(database.url) as other:
        recorded = other.execute("SELECT monitor FROM breach ORDER BY monitor").fetchall()
    assert recorded == [("one",), ("three",)]
    assert owned.unstorable == 1
