"""A look into the tables, and batches without a broker."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ingest.batch import Batch, read_batch
from ingest.device_table import DeviceTable
from ingest.message import Message
from ingest.mqtt_source import Chunk
from ingest.recorder import Recorder
from ingest.registry_table import build_table
from ingest.settings import IngestSettings
from ingest.sightings import Sightings
from store.pool import Connection, open_connection
from store.registry import load_registry


@dataclass(frozen=True, slots=True)
class Lab:
    """One database with registered devices."""

    url: str

    def query(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        with psycopg.connect(self.url, row_factory=dict_row) as conn:
            return conn.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """The first column of the first row."""
        return next(iter(self.query(query, *parameters)[0].values()))

    def count_readings(self) -> int:
        """Rows of `reading`."""
        return int(self.value("SELECT count(*) FROM reading"))

    def load_ledger(self) -> dict[str, int]:
        """The sums of all days and writers; they are checked to add up."""
        columns = ("messages", "values_received", "stored", "duplicates", "conflicts", "late", "rejected")
        sums = ", ".join(f"coalesce(sum({column}), 0)::bigint AS {column}" for column in columns)
        ledger = self.query(f"SELECT {sums} FROM ingest_ledger")[0]
        parts = ledger["stored"] + ledger["duplicates"] + ledger["conflicts"] + ledger["rejected"]
        assert ledger["values_received"] == parts
        return ledger

    def count_in_blocks(self) -> int:
        """Readings in all blocks; the positions of each shard are checked to have no gaps."""
        for row in self.query("""
            SELECT s.shard, s.head, count(b.position) AS blocks, coalesce(max(b.position), 0) AS last
            FROM shard s LEFT JOIN reading_block b USING (shard) GROUP BY s.shard, s.head
        """):
            assert row["head"] == row["blocks"] == row["last"]
        return int(self.value("SELECT coalesce(sum(reading_count), 0) FROM reading_block"))


class Bench:
    """A recorder with a connection of its own, as one ingest process has it."""

    def __init__(self, lab: Lab, writer: str = "bench") -> None:
        self.conn: Connection = open_connection(lab.url, application="ingest", autocommit=True)
        registry = load_registry(self.conn)
        self.table: DeviceTable = build_table(registry)
        self.sightings = Sightings()
        self.sightings.adopt(registry, self.table)
        self.recorder = Recorder(writer, self.sightings)
        self.recorder.resume(self.conn)
        self.settings = IngestSettings(lab.url)

    def read(self, messages: list[Message], received_us: int) -> Batch:
        """A batch of one chunk."""
        chunk = Chunk(1, received_us, messages, 0)
        return read_batch([chunk], self.table, self.settings, Counter())

    def take(self, messages: list[Message], received_us: int) -> None:
        """Stored and committed."""
        self.recorder.record(self.conn, self.read(messages, received_us), self.table)

    def close(self) -> None:
        """Gives the connection back."""
        self.conn.close()


def telemetry(serial: str, time_ms: int, *, header: int = 0x32, **values: float) -> Message:
    """One reading of each named sensor."""
    payload = json.dumps({"ts": time_ms, "values": values}).encode()
    return Message(f"forewarn/v1/{serial}/telemetry".encode(), payload, 1, header, len(payload))


def undated_reading(serial: str, level: float) -> Message:
    """One reading that has no time but that of its receipt."""
    payload = json.dumps({"values": {"level": level / 1000}}).encode()
    return Message(f"forewarn/v1/{serial}/telemetry".encode(), payload, 1, 0x32, len(payload))


def report(serial: str, kind: str, *, header: int = 0x32, **body: object) -> Message:
    """A firmware report, an event or a status."""
    payload = json.dumps(body).encode()
    return Message(f"forewarn/v1/{serial}/{kind}".encode(), payload, 1, header, len(payload))
