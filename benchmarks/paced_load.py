"""A load that goes no further than it is allowed to: the benchmark raises its limit as the service gets work done.

    python -m benchmarks.paced_load --mqtt-url mqtt://127.0.0.1:1883 [--gateways]

Standard input: one number a line, how many messages may have been sent in all. Standard output: one JSON object a line,
how many were sent and acknowledged by the broker. It ends with its input.
"""

import argparse
import json
import os
import sys
import time

from domain.broker_address import parse_broker_address
from simulators.load_messages import LoadMessages
from simulators.puback_socket import PubackSocket
from simulators.settings import LoadSettings

BURST = 256  # messages of one write, and as many unacknowledged at most as WINDOW
WINDOW = 2_000
REPORT_S = 0.05


def main() -> None:
    """Runs until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mqtt-url", required=True)
    parser.add_argument("--gateways", action="store_true")
    parser.add_argument("--devices", type=int, default=LoadSettings(mqtt_url="").devices)
    arguments = parser.parse_args()
    settings = LoadSettings(
        mqtt_url=arguments.mqtt_url, gateways=arguments.gateways, devices=arguments.devices, window=WINDOW
    )
    messages = LoadMessages(settings)
    socket = PubackSocket(parse_broker_address(settings.mqtt_url), "forewarn-bench-load")
    print(json.dumps({"sent": 0, "acknowledged": 0, "values_per_message": messages.values_per_message}), flush=True)
    _publish(messages, socket)
    socket.close()


def _publish(messages: LoadMessages, socket: PubackSocket) -> None:
    os.set_blocking(sys.stdin.fileno(), False)
    senders = len(messages.senders)
    last_ms = [0] * senders
    limit = sent = acknowledged = 0
    line = b""
    report_at = 0.0
    while True:
        now = time.monotonic()
        if now >= report_at:
            report_at = now + REPORT_S
            print(json.dumps({"sent": sent, "acknowledged": acknowledged}), flush=True)
            try:
                data = os.read(sys.stdin.fileno(), 65_536)
            except BlockingIOError:
                data = None
            if data == b"":
                return
            if data:
                *lines, line = (line + data).split(b"\n")
                limit = max([limit, *(int(text) for text in lines if text)])
        count = min(limit - sent, WINDOW - (sent - acknowledged), BURST)
        if count > 0 and not socket.has_unsent:
            now_ms = time.time_ns() // 1_000_000
            numbers = range(sent, sent + count)
            times_ms = []
            for number in numbers:  # a series has one reading per instant: the same sender waits a millisecond
                sender = number % senders
                last_ms[sender] = max(now_ms, last_ms[sender] + 1)
                times_ms.append(last_ms[sender])
            socket.send(messages.encode(numbers, [n % 60_000 + 1 for n in numbers], times_ms))
            sent += count
            wait_s = 0.0
        else:
            wait_s = max(0.0, report_at - now)
        acknowledged += len(socket.read_acknowledged(wait_s))


if __name__ == "__main__":
    main()
