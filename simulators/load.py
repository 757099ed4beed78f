"""A load of numbered QoS 1 messages whose acknowledgements are recorded one by one.

    python -m simulators.load --mqtt-url mqtt://127.0.0.1:1883 --rate 2000 --seconds 30 --acknowledged acked.csv

It prints one JSON object as its last line. After a lost connection, what was not acknowledged is sent again.
"""

import argparse
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM, signal

import numpy as np

from domain.broker_address import parse_broker_address
from domain.errors import ConfigurationError, ForewarnError
from simulators.load_messages import LoadMessages
from simulators.puback_socket import MAX_WINDOW, PubackSocket
from simulators.settings import LoadSettings

BATCH = 256
RETRY_S = 0.2
UNBOUNDED_MESSAGES = 20_000_000


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What was sent and acknowledged, and how fast."""

    messages: int  # distinct messages sent
    acknowledged: int  # distinct messages whose PUBACK arrived
    repeats: int  # sent again after a lost connection
    connections: int
    values_per_message: int
    seconds: float  # from the first message to the last acknowledgement
    msg_s: float  # acknowledged messages a second
    values_s: float
    puback_ms: dict[str, float]  # p50, p95, p99 from sending to the acknowledgement


def run_load(settings: LoadSettings, stop: threading.Event) -> LoadReport:
    """Publishes until the count, the time or `stop` is reached, then waits for the last acknowledgements.

    Raises
    ------
    ConfigurationError
        The load has no bound, its settings do not fit together, or no broker answered in all its time.
    """
    return _Load(settings, stop).run()


class _Load:
    def __init__(self, settings: LoadSettings, stop: threading.Event) -> None:
        if settings.messages is None and settings.seconds is None:
            raise ConfigurationError("A load needs a bound: messages, seconds, or both.")
        if not 1 <= settings.window <= MAX_WINDOW:
            raise ConfigurationError(f"The window must be 1 to {MAX_WINDOW}.")
        if not len(settings.sensors) == len(settings.centre) == len(settings.spread):
            raise ConfigurationError("Every sensor needs a centre and a spread.")
        if settings.gateways and settings.devices % settings.devices_per_message:
            raise ConfigurationError("The devices must be a multiple of the devices per message.")
        self._settings = settings
        self._stop = stop
        self._address = parse_broker_address(settings.mqtt_url)
        if self._address.tls:
            raise ConfigurationError("The load generator speaks plain TCP; use a listener without TLS.")
        self._messages = LoadMessages(settings)
        limit = settings.messages if settings.messages is not None else UNBOUNDED_MESSAGES
        if settings.messages is None and settings.rate is not None and settings.seconds is not None:
            limit = int(settings.rate * settings.seconds)
        self._limit = limit
        size = limit if settings.messages is not None or settings.rate is not None else 1 << 16
        self._sent_at = np.zeros(size)  # monotonic seconds, of the last sending
        self._acknowledged_at = np.zeros(size)  # 0: not acknowledged
        self._time_ms = np.zeros(size, dtype=np.int64)
        self._last_ms = np.zeros(len(self._messages.senders), dtype=np.int64)
        self._number_of = np.full(MAX_WINDOW + 1, -1, dtype=np.int64)  # packet identifier -> message in flight
        self._free_ids = list(range(settings.window, 0, -1))
        self._again: list[int] = []  # in flight when a connection was lost
        self._next = 0
        self._acknowledged = self._repeats = self._connections = 0

    def run(self) -> LoadReport:
        socket: PubackSocket | None = None
        drained_by = 0.0
        begin = time.monotonic()
        deadline = begin + self._settings.seconds if self._settings.seconds is not None else float("inf")
        while not self._stop.is_set():
            now = time.monotonic()
            sending = now < deadline and self._next < self._limit
            if not sending:
                drained_by = drained_by or now + self._settings.drain_s
                if self._acknowledged == self._next or now > drained_by:
                    break
            try:
                if socket is None:
                    socket = PubackSocket(self._address, self._settings.client_id)
                    self._connections += 1
                    self._take_back()
                self._step(socket, begin, sending)
            except OSError:
                if socket is not None:
                    socket.close(farewell=False)
                    socket = None
                self._stop.wait(RETRY_S)
        if socket is not None:
            socket.close()
        if self._connections == 0 and not self._stop.is_set():
            raise ConfigurationError(f"No broker answers at {self._address.host}:{self._address.port}.")
        report = self._report(begin)
        if self._settings.acknowledged_file is not None:
            self._write_acknowledged(self._settings.acknowledged_file)
        return report

    def _step(self, socket: PubackSocket, begin: float, sending: bool) -> None:
        """Sends what is due, then reads acknowledgements; waits only where there is nothing to do."""
        now = time.monotonic()
        wait_s = 0.05
        if self._again and not socket.has_unsent:
            count = min(len(self._again), len(self._free_ids), BATCH)
            batch, self._again = self._again[:count], self._again[count:]
            if batch:
                self._repeats += count
                self._send(socket, batch, now)
        elif sending and not socket.has_unsent:
            due = self._limit
            if self._settings.rate is not None:
                due = min(due, int((now - begin) * self._settings.rate) + 1)
                wait_s = min(wait_s, max((self._next + 1) / self._settings.rate - (now - begin), 0.0005))
            count = min(due - self._next, len(self._free_ids), BATCH)
            if count > 0:
                # Counted before it is sent: a connection that breaks in between leaves them in flight, to be repeated.
                self._next += count
                self._send(socket, list(range(self._next - count, self._next)), now)
                wait_s = 0.0 if self._free_ids and due > self._next else wait_s
        self._acknowledge(socket.read_acknowledged(wait_s))

    def _send(self, socket: PubackSocket, numbers: list[int], now: float) -> None:
        self._grow(numbers[-1] + 1)
        packet_ids = self._free_ids[-len(numbers) :]
        del self._free_ids[-len(numbers) :]
        self._number_of[packet_ids] = numbers
        senders = len(self._messages.senders)
        now_ms = time.time_ns() // 1_000_000
        times_ms = []
        for number in numbers:  # a series has one reading per instant: the same sender waits a millisecond
            time_ms = int(self._time_ms[number]) or max(now_ms, int(self._last_ms[number % senders]) + 1)
            self._last_ms[number % senders] = max(time_ms, int(self._last_ms[number % senders]))
            times_ms.append(time_ms)
        self._time_ms[numbers] = times_ms
        self._sent_at[numbers] = now
        socket.send(self._messages.encode(numbers, packet_ids, times_ms))

    def _take_back(self) -> None:
        """On a new connection: everything that was in flight on the last one has to be sent again, unchanged."""
        in_flight = self._number_of[self._number_of >= 0].tolist()
        self._again = sorted({*self._again, *in_flight})
        self._number_of[:] = -1
        self._free_ids = list(range(self._settings.window, 0, -1))

    def _acknowledge(self, packet_ids: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> None:
        numbers = self._number_of[packet_ids]
        known = numbers >= 0
        if not known.any():
            return
        packet_ids, numbers = packet_ids[known], numbers[known]
        self._number_of[packet_ids] = -1
        self._acknowledged_at[numbers] = time.monotonic()
        self._acknowledged += len(numbers)
        self._free_ids.extend(packet_ids.tolist())

    def _grow(self, size: int) -> None:
        if size > len(self._sent_at):
            more = max(size, 2 * len(self._sent_at))
            added = more - len(self._sent_at)
            self._sent_at = np.concatenate([self._sent_at, np.zeros(added)])
            self._acknowledged_at = np.concatenate([self._acknowledged_at, np.zeros(added)])
            self._time_ms = np.concatenate([self._time_ms, np.zeros(added, dtype=np.int64)])

    def _report(self, begin: float) -> LoadReport:
        acknowledged_at = self._acknowledged_at[: self._next]
        done = acknowledged_at > 0
        seconds = float(acknowledged_at[done].max() - begin) if done.any() else 0.0
        waits_ms = (acknowledged_at[done] - self._sent_at[: self._next][done]) * 1000.0
        p50, p95, p99 = np.percentile(waits_ms, [50, 95, 99]).tolist() if done.any() else (0.0, 0.0, 0.0)
        msg_s = self._acknowledged / seconds if seconds > 0 else 0.0
        return LoadReport(
            messages=self._next,
            acknowledged=self._acknowledged,
            repeats=self._repeats,
            connections=self._connections,
            values_per_message=self._messages.values_per_message,
            seconds=round(seconds, 3),
            msg_s=round(msg_s, 1),
            values_s=round(msg_s * self._messages.values_per_message, 1),
            puback_ms={"p50": round(p50, 2), "p95": round(p95, 2), "p99": round(p99, 2)},
        )

    def _write_acknowledged(self, path: Path) -> None:
        """CSV: number, sender (serial or gateway), seq and ts (ms) of every acknowledged message."""
        senders = self._messages.senders
        with path.open("w", encoding="utf-8") as file:
            file.write("number,sender,seq,ts\n")
            for number in np.flatnonzero(self._acknowledged_at[: self._next]).tolist():
                round_number, sender = divmod(number, len(senders))
                file.write(f"{number},{senders[sender]},{round_number + 1},{self._time_ms[number]}\n")


def main(arguments: list[str] | None = None) -> int:
    """Runs one load; its report is the last line of the output."""
    defaults = LoadSettings(mqtt_url="")
    parser = argparse.ArgumentParser(prog="python -m simulators.load", description="Publish numbered QoS 1 messages.")
    parser.add_argument("--mqtt-url", default="mqtt://127.0.0.1:1883")
    parser.add_argument("--rate", type=float, help="messages a second; default: as fast as they are acknowledged")
    parser.add_argument("--messages", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--devices", type=int, default=defaults.devices)
    parser.add_argument("--serial-format", default=defaults.serial_format)
    parser.add_argument("--gateways", action="store_true", help="messages of 20 devices instead of one")
    parser.add_argument("--devices-per-message", type=int, default=defaults.devices_per_message)
    parser.add_argument("--window", type=int, default=defaults.window)
    parser.add_argument("--client-id", default=defaults.client_id)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--sensors", default=",".join(defaults.sensors), help="keys, with commas between")
    parser.add_argument("--centre", default=",".join(map(str, defaults.centre)), help="mean of each sensor")
    parser.add_argument("--spread", default=",".join(map(str, defaults.spread)), help="deviation of each sensor")
    parser.add_argument("--acknowledged", type=Path, help="CSV of every acknowledged message")
    parser.add_argument("--drain", type=float, default=defaults.drain_s, help="seconds to wait for the last ones")
    given = parser.parse_args(arguments)
    seconds = given.seconds if given.seconds is not None or given.messages is not None else defaults.seconds
    stop = threading.Event()
    for number in (SIGINT, SIGTERM):
        signal(number, lambda *_: stop.set())
    settings = LoadSettings(
        mqtt_url=given.mqtt_url,
        rate=given.rate,
        messages=given.messages,
        seconds=seconds,
        devices=given.devices,
        serial_format=given.serial_format,
        sensors=tuple(given.sensors.split(",")),
        centre=tuple(float(text) for text in given.centre.split(",")),
        spread=tuple(float(text) for text in given.spread.split(",")),
        gateways=given.gateways,
        devices_per_message=given.devices_per_message,
        window=given.window,
        client_id=given.client_id,
        seed=given.seed,
        acknowledged_file=given.acknowledged,
        drain_s=given.drain,
    )
    try:
        report = run_load(settings, stop)
    except ForewarnError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 0 if report.acknowledged == report.messages else 1


if __name__ == "__main__":
    sys.exit(main())
