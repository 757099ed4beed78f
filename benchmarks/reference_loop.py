"""The bare loop that ingest is measured against: paho -> pydantic -> numpy -> binary COPY -> commit -> PUBACK.

    python -m benchmarks.reference_loop --mqtt-url … --database-url …

It does nothing else: no check of ranges or times, no duplicates, no rejections, no blocks, no scoring. What it does, it
does as well as ingest: received messages are read in bulk and acknowledged in bulk, decoding has the network thread
beside it, batches are as large. Standard output: one JSON object a line, how many values are committed.
"""

import argparse
import json
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ingest.mqtt_source import Chunk, MqttSource
from ingest.settings import IngestSettings, MqttSettings
from store.pool import Connection, open_connection
from store.readings import ReadingColumns, ensure_partitions, record_new_readings
from store.registry import load_registry


class Reading(TypedDict):
    """What a device sends."""

    ts: int
    values: dict[str, float]


_SINGLE = TypeAdapter(Reading)
_GATEWAY = TypeAdapter(dict[str, list[Reading]])


def main() -> None:
    """Runs until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mqtt-url", required=True)
    parser.add_argument("--database-url", required=True)
    arguments = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = IngestSettings(arguments.database_url, MqttSettings(arguments.mqtt_url, "forewarn-reference"))
    source = MqttSource(settings.mqtt, lambda: time.time_ns() // 1000, settings.max_payload)
    with open_connection(arguments.database_url, application="reference loop", autocommit=True) as conn:
        _run(conn, source, settings, stop)


def _run(conn: Connection, source: MqttSource, settings: IngestSettings, stop: threading.Event) -> None:
    series = {serial: device.series for serial, device in load_registry(conn).devices.items()}
    by_topic = {f"forewarn/v1/{serial}/telemetry".encode(): ids for serial, ids in series.items()}
    today = datetime.now(UTC).date()
    with conn.transaction():
        ensure_partitions(conn, [today, today + timedelta(days=1)])
    committed = 0
    source.start()
    while not stop.is_set():
        chunks = source.take(
            max_messages=settings.batch_messages,
            max_bytes=settings.batch_bytes,
            timeout_s=0.1,
            linger_s=settings.linger_s,
        )
        if not chunks:
            continue
        columns = _decode(chunks, series, by_topic)
        with conn.transaction():
            record_new_readings(conn, columns)
        source.acknowledge(chunks)
        committed += len(columns)
        print(json.dumps({"values": committed}), flush=True)
    source.close()


def _decode(
    chunks: Sequence[Chunk], series: Mapping[str, Mapping[str, int]], by_topic: Mapping[bytes, Mapping[str, int]]
) -> ReadingColumns:
    series_ids: list[int] = []
    times: list[int] = []
    counts: list[int] = []
    values: list[float] = []
    for chunk in chunks:
        for message in chunk.messages:
            ids = by_topic.get(message.topic)
            if ids is not None:
                items = [(ids, _SINGLE.validate_json(message.payload))]
            else:
                document = _GATEWAY.validate_json(message.payload)
                items = [(series[serial], reading) for serial, readings in document.items() for reading in readings]
            for ids, reading in items:
                named = reading["values"]
                series_ids += [ids[sensor] for sensor in named]
                values += named.values()
                times.append(reading["ts"])
                counts.append(len(named))
    return ReadingColumns(
        np.array(series_ids, dtype=np.int32),
        np.repeat(np.array(times, dtype=np.int64) * 1000, counts),
        np.array(values, dtype=np.float64),
        np.zeros(len(values), dtype=np.int16),
    )


if __name__ == "__main__":
    main()
