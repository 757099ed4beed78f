"""What each running program says of itself; `/health` and `forewarn doctor` read it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life of one program. `at` is the database's time."""

    program: str
    instance: str
    at: datetime
    started_at: datetime
    details: dict[str, Any]
    age_s: float


RECORD_HEARTBEAT = """
    INSERT INTO heartbeat (program, instance, at, started_at, details) VALUES (%s, %s, now(), %s, %s)
    ON CONFLICT (program, instance)
    DO UPDATE SET at = now(), started_at = excluded.started_at, details = excluded.details
"""


def record_heartbeat(
    conn: Connection, program: str, instance: str, started_at: datetime, details: dict[str, Any]
) -> None:
    """Says that `program` is alive now, with what it wants people to know of it (no secrets)."""
    conn.execute(RECORD_HEARTBEAT, (program, instance, started_at, Jsonb(details)))


REMOVE_HEARTBEAT = "DELETE FROM heartbeat WHERE program = %s AND instance = %s"


def remove_heartbeat(conn: Connection, program: str, instance: str) -> None:
    """Says that the program stopped as it should: its silence is then no alarm."""
    conn.execute(REMOVE_HEARTBEAT, (program, instance))


# A program that was killed comes back with another process id, and so another row: the old one is no news for long.
LOAD_HEARTBEATS = """
    SELECT program, instance, at, started_at, details, extract(epoch FROM now() - at)::float8 AS age_s
    FROM heartbeat h
    WHERE at > now() - interval '10 minutes' OR NOT EXISTS (
        SELECT FROM heartbeat other WHERE other.program = h.program AND other.at > now() - interval '10 minutes'
    )
    ORDER BY program, instance
"""


def load_heartbeats(conn: Connection) -> list[Heartbeat]:
    """Every program that said it lives and did not say that it stopped, the silent ones with their age.

    One that has been silent for ten minutes is left out when another instance of the program lives.
    """
    with conn.cursor(row_factory=class_row(Heartbeat)) as cursor:
        return cursor.execute(LOAD_HEARTBEATS).fetchall()


def find_standstills(heartbeats: Iterable[Heartbeat]) -> list[tuple[Heartbeat, Mapping[str, str]]]:
    """What running programs say does not get done, with who says it: `what`, `since` (ISO 8601) and `problem`."""
    return [(beat, stands) for beat in heartbeats for stands in beat.details.get("standstills", ())]
