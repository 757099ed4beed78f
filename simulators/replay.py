"""Publishes a recording as a device, at the pace it was recorded, faster, or as fast as it is acknowledged.

python -m simulators.replay recording.csv --serial SKAB-0001 --speed 60
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM, signal
from typing import Any

import orjson

from domain.broker_address import parse_broker_address
from domain.errors import ConfigurationError, ForewarnError
from simulators.connection import Connection
from simulators.recording import Recording, RowProblem, find_sensor_key, load_recording, parse_instant_us
from simulators.settings import ReplaySettings

ROWS_PER_MESSAGE = 100
CONNECT_TIMEOUT_S = 15.0
DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What became of a recording."""

    rows: int  # rows that were read
    skipped: int  # rows that could not be read
    published: int  # rows sent
    acknowledged: int  # rows whose message was acknowledged by the broker
    messages: int
    values: int
    sensors: tuple[str, ...]
    first_us: int  # device time of the first and the last reading, as published
    last_us: int
    seconds: float
    problems: tuple[RowProblem, ...]

    def to_json(self) -> dict[str, Any]:
        """For the command line and for benchmarks."""
        document = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**document, "sensors": list(self.sensors), "problems": [str(problem) for problem in self.problems]}


def run_replay(
    settings: ReplaySettings, stop: threading.Event, on_progress: Callable[[int, int], None] | None = None
) -> ReplayReport:
    """Publishes every readable row once, in the order of the file, and waits for the acknowledgements.

    Parameters
    ----------
    on_progress
        Called with rows published and rows in all, after every message.

    Raises
    ------
    ConfigurationError
        The file, a setting or the broker's address cannot be used, or the broker cannot be reached.
    """
    if settings.speed is not None and not settings.speed > 0:
        raise ConfigurationError("The speed must be above 0.")
    recording = load_recording(settings)
    address = parse_broker_address(settings.mqtt_url)
    connection = Connection(address, f"forewarn-replay-{settings.serial}", window=settings.window)
    connection.start()
    try:
        if not connection.wait_connected(stop, CONNECT_TIMEOUT_S) and not stop.is_set():
            if connection.refusal is not None:
                raise ConfigurationError(f"The broker at {address.host}:{address.port} refuses: {connection.refusal}.")
            raise ConfigurationError(f"No broker answers at {address.host}:{address.port}.")
        return _publish(settings, recording, connection, stop, on_progress)
    finally:
        connection.close(timeout_s=0.0)


def find_shift_us(settings: ReplaySettings, recording: Recording, now_us: int) -> int:
    """What to add to the recorded times.

    `now`: the last reading carries the instant at which it will be published, whatever the speed, so that no reading is
    of the future. `original`: nothing. An RFC 3339 instant: the first reading carries it.
    """
    if not recording.times_us or settings.start == "original":
        return 0
    if settings.start == "now":
        length_us = recording.times_us[-1] - recording.times_us[0]
        lasts_us = round(length_us / settings.speed) if settings.speed is not None else 0
        return now_us + lasts_us - recording.times_us[-1]
    start_us = parse_instant_us(settings.start)
    if start_us is None:
        raise ConfigurationError(f"The start is now, original or an RFC 3339 instant, not {settings.start!r}.")
    return start_us - recording.times_us[0]


def _publish(
    settings: ReplaySettings,
    recording: Recording,
    connection: Connection,
    stop: threading.Event,
    on_progress: Callable[[int, int], None] | None,
) -> ReplayReport:
    shift_us = find_shift_us(settings, recording, time.time_ns() // 1000)
    topic = f"forewarn/v1/{settings.serial}/telemetry"
    begin = time.monotonic()
    total = len(recording.times_us)
    sent = values = 0
    while sent < total and not stop.is_set():
        due = _count_due(settings, recording, sent, time.monotonic() - begin)
        if due == 0:
            stop.wait(_find_wait_s(settings, recording, sent, time.monotonic() - begin))
            continue
        entries = [
            {"ts": (recording.times_us[i] + shift_us) // 1000, "values": recording.values[i]}
            for i in range(sent, sent + due)
        ]
        payload = orjson.dumps(entries if due > 1 else entries[0])
        while not connection.publish(topic, payload, timeout_s=1.0, weight=due):
            if stop.is_set():
                break
        else:
            sent += due
            values += sum(len(recording.values[i]) for i in range(sent - due, sent))
            if on_progress is not None:
                on_progress(sent, total)
    connection.wait_acknowledged(DRAIN_S if not stop.is_set() else 1.0)
    return ReplayReport(
        rows=total,
        skipped=recording.skipped,
        published=sent,
        acknowledged=connection.acknowledged_weight,
        messages=connection.published,
        values=values,
        sensors=recording.sensors,
        first_us=recording.times_us[0] + shift_us if total else 0,
        last_us=recording.times_us[-1] + shift_us if total else 0,
        seconds=round(time.monotonic() - begin, 3),
        problems=tuple(recording.problems),
    )


def _count_due(settings: ReplaySettings, recording: Recording, sent: int, elapsed_s: float) -> int:
    last = min(sent + ROWS_PER_MESSAGE, len(recording.times_us))
    if settings.speed is None:
        return last - sent
    horizon_us = recording.times_us[0] + elapsed_s * settings.speed * 1e6
    due = sent
    while due < last and recording.times_us[due] <= horizon_us:
        due += 1
    return due - sent


def _find_wait_s(settings: ReplaySettings, recording: Recording, sent: int, elapsed_s: float) -> float:
    speed = settings.speed or 1.0
    return max((recording.times_us[sent] - recording.times_us[0]) / 1e6 / speed - elapsed_s, 0.0)


def parse_columns(text: str) -> tuple[tuple[str, str], ...]:
    """`Pressure=pressure,Current` as pairs of column and sensor key; without `=`, the key follows from the name."""
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        column, separator, key = part.partition("=")
        pairs.append((column.strip(), key.strip() if separator else find_sensor_key(column)))
    return tuple(pairs)


def main(arguments: list[str] | None = None) -> int:
    """Replays one file; its report is the last line of the output."""
    parser = argparse.ArgumentParser(prog="python -m simulators.replay", description="Publish a CSV file as a device.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--mqtt-url", default="mqtt://127.0.0.1:1883")
    parser.add_argument("--serial", default="REPLAY-0001")
    parser.add_argument(
        "--time", "--time-column", dest="time", help="the time column; default: found by name and content"
    )
    parser.add_argument("--columns", type=parse_columns, help="column=sensor,column=sensor")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=float, default=1.0, help="times faster than recorded")
    pace.add_argument("--no-wait", action="store_true", help="as fast as it is acknowledged")
    parser.add_argument("--start", default="now", help="now, original or an RFC 3339 instant")
    parser.add_argument("--delimiter")
    given = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (SIGINT, SIGTERM):
        signal(number, lambda *_: stop.set())
    settings = ReplaySettings(
        mqtt_url=given.mqtt_url,
        file=given.file,
        serial=given.serial,
        time=given.time,
        columns=given.columns,
        speed=None if given.no_wait else given.speed,
        start=given.start,
        delimiter=given.delimiter,
    )
    try:
        report = run_replay(settings, stop)
    except ForewarnError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(report.to_json()) + "\n")
    return 0 if report.acknowledged == report.rows else 1


if __name__ == "__main__":
    sys.exit(main())
