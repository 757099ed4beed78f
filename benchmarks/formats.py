"""What a message costs in each wire format, from its bytes to judged readings: CPU time, one core, no I/O.

    python -m benchmarks.formats [--json]

Every message holds a hundred readings, each with a time of its own. `quick` is the way of Forewarn's own JSON and of
ThingsBoard's telemetry when nothing is out of the ordinary; all else is read by the careful way.
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import cbor2

from ingest.careful import read_carefully
from ingest.columns import Limits, decode_messages
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.validate import find_window

RECORDS = 100
ROUNDS, REPEATS = 7, 100
NOW_US = 1_795_305_600_000_000
FIRST_S = NOW_US // 1_000_000 - RECORDS
LIMITS = Limits(max_payload=1 << 20, max_values=10_000)
LABELS = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "t": 6}


def main(arguments: list[str] | None = None) -> int:
    """Prints the figures, as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON line")
    is_quiet = parser.parse_args(arguments).json
    figures: dict[str, float] = {}
    for name, read in make_readers().items():
        figures[name] = round(measure(read) * 1e6, 1)
        if not is_quiet:
            print(f"{name:24} {figures[name]:8.1f} µs a message of {RECORDS}")
    print(json.dumps({"records": RECORDS, "us_per_message": figures}))
    return 0


def make_readers() -> dict[str, Callable[[], int]]:
    """What to measure, by name; each gives the number of readings that it found."""
    table = DeviceTable(
        [DeviceEntry(1, "SN-1", 0, {"pressure": SensorEntry(1, -1e6, 1e6, "kPa")}, "GW-1")], version=1, shard_count=1
    )
    window = find_window(NOW_US, retention_days=400, max_future_s=300)

    def careful(message: Message) -> Callable[[], int]:
        return lambda: len(
            read_carefully(message, table, window, LIMITS.max_payload, LIMITS.max_values).judged.series_id
        )

    def quick(message: Message) -> Callable[[], int]:
        return lambda: len(decode_messages([message], table, window, LIMITS).series_id)

    own: list[dict[str, Any]] = [{"ts": (FIRST_S + i) * 1000, "values": {"pressure": 5.25 + i}} for i in range(RECORDS)]
    pack: list[dict[str, Any]] = [{"n": "pressure", "t": i, "v": 5.25 + i} for i in range(RECORDS)]
    pack[0] |= {"bn": "urn:dev:ow:SN-1:", "bt": FIRST_S}
    in_pascal = [record | {"u": "Pa"} for record in pack]
    in_cbor = cbor2.dumps([{LABELS[label]: value for label, value in record.items()} for record in pack])
    senml = "forewarn/v1/SN-1/senml"
    return {
        "json quick": quick(_message("forewarn/v1/SN-1/telemetry", own)),
        "json careful": careful(_message("forewarn/v1/SN-1/telemetry", own)),
        "json with units": careful(
            _message("forewarn/v1/SN-1/telemetry", [part | {"units": {"pressure": "Pa"}} for part in own])
        ),
        "json gzip": careful(_message("forewarn/v1/SN-1/telemetry", gzip.compress(json.dumps(own).encode()))),
        "senml json": careful(_message(senml, pack)),
        "senml json with units": careful(_message(senml, in_pascal)),
        "senml cbor": careful(_message("forewarn/v1/SN-1/senml-cbor", in_cbor)),
        "thingsboard careful": careful(_message("v1/gateway/telemetry", {"SN-1": own})),
    }


def _message(topic: str, content: Any) -> Message:
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Message(topic.encode(), payload, 1, 0x32, len(payload))


def measure(read: Callable[[], int]) -> float:
    """Seconds of CPU time that one call takes, the best of some rounds."""
    if read() != RECORDS:
        raise AssertionError("a reading was lost")
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(REPEATS):
            read()
        best = min(best, (time.process_time() - began) / REPEATS)
    return best


if __name__ == "__main__":
    sys.exit(main())
