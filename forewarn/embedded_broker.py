"""An embedded MQTT 3.1.1 broker for an installation without one of its own: rumqttd, from the wheel `iotcore`.

It runs as a child process, listens on 127.0.0.1 alone and knows no accounts. With a gate, the same process also listens
where devices of other machines are, and lets in those with an account (`forewarn.broker_gate`). Production uses
Mosquitto. What it promises, each held by a test in tests/integration/forewarn/test_embedded_broker.py: persistent
sessions, redelivery of what a subscriber had not acknowledged, retained messages, wills, payloads up to MAX_PAYLOAD.

What it does not promise:

- All of it is in memory. A restart of the broker loses sessions, retained messages and whatever was published but not
  yet taken by `ingest`.
- While `ingest` is stopped, each subscription keeps the last `buffer_mib` of messages; what is older is overwritten.
  With the default of 256 MiB that is 9 hours of a fleet sending 8 KB/s, or 2 minutes of 2 MB/s.
- A subscriber has at most 100 unacknowledged messages in flight. That is rumqttd's own limit; no setting widens it.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from iotcore import IotCoreBroker

from forewarn.broker_gate import Gate, GateSettings
from forewarn.child_process import spawn

HOST = "127.0.0.1"
MAX_PAYLOAD = 1_200_000  # bytes; a message of ours is at most 1 MiB, and what is too large must reach the rejections
DEFAULT_BUFFER_MIB = 256
SEGMENT_MIB = 8
CONFIGURATION = """\
id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 1000
max_segment_size = {segment_bytes}
max_segment_count = {segments}

[v4.forewarn]
name = "forewarn"
listen = "{host}:{port}"
next_connection_delay_ms = 0

[v4.forewarn.connections]
connection_timeout_ms = 60000
max_payload_size = {max_payload}
max_inflight_count = 1000
dynamic_filters = true
"""


def write_configuration(path: Path, *, port: int, buffer_mib: int = DEFAULT_BUFFER_MIB) -> None:
    """The file makes a broker on 127.0.0.1:`port` that keeps at least `buffer_mib` per subscription."""
    segments = max(2, -(-buffer_mib // SEGMENT_MIB) + 1)  # the oldest is dropped whole, so one more than the bound
    text = CONFIGURATION.format(
        host=HOST, port=port, segment_bytes=SEGMENT_MIB << 20, segments=segments, max_payload=MAX_PAYLOAD
    )
    path.write_text(text, encoding="utf-8")


def write_gate(path: Path, gate: GateSettings) -> None:
    """The file makes the child of `spawn_broker` open that gate as well; it holds no secret."""
    path.write_text(json.dumps(asdict(gate), default=str, indent=1), encoding="utf-8")


def spawn_broker(configuration: Path, log: Path, gate: Path | None = None) -> subprocess.Popen[bytes]:
    """The broker as a child that ends with us: it watches its standard input, and the kernel watches over both."""
    command = [sys.executable, "-m", "forewarn.embedded_broker", str(configuration.resolve())]
    if gate is not None:
        command.append(str(gate.resolve()))
    return spawn(command, log=log, hold_stdin=True)


def main() -> None:
    """Serves until standard input closes or a signal comes; the child's side of `spawn_broker`."""
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # rumqttd marks its per-packet spans as errors; its own messages would fill the disk.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    broker = IotCoreBroker(config_path=sys.argv[1])
    if len(sys.argv) < 3:
        broker.run_forever()
        return
    threading.Thread(target=_run_broker, args=(broker,), daemon=True).start()
    asyncio.run(Gate(load_gate(Path(sys.argv[2]))).serve())


def load_gate(path: Path) -> GateSettings:
    """What `write_gate` wrote."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return GateSettings(**values | {"accounts": Path(values["accounts"])})


def _run_broker(broker: IotCoreBroker) -> None:
    broker.run_forever()
    os._exit(1)  # a gate with nothing behind it lets nobody through


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
