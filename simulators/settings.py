"""Settings of the simulators; the command line of `forewarn simulate` fills them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """A simulated fleet. `state_dir` holds its own state and the ground truth, so that a second run goes on."""

    mqtt_url: str
    state_dir: Path
    seed: int = 1
    devices: int = 40  # three of five are infusion pumps, the rest ventilators
    interval_s: float = 1.0
    history_s: float = 5400.0  # healthy history that the first start sends; 0: none
    history_interval_s: float = 5.0
    repeat_share: float = 0.01
    reorder_share: float = 0.01
    fault_every_s: float = 900.0  # after the opening faults, one new fault in so long
    window: int = 50  # unacknowledged messages per connection
    install_after_s: float | None = 20.0  # a device installs what it is told to after so long; None: it does not listen


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """A recording that is published as one device."""

    mqtt_url: str
    file: Path
    serial: str = "REPLAY-0001"
    time: str | None = None  # the time column; None: found by its content
    columns: tuple[tuple[str, str], ...] | None = None  # (column, sensor key); None: every column that has numbers
    ignore: tuple[str, ...] = ("anomaly", "changepoint")  # labels of a benchmark are no sensors
    speed: float | None = 1.0  # times faster than recorded; None: as fast as it is acknowledged
    start: str = "now"  # "now": the last reading is of the end of the replay; "original"; or RFC 3339 for the first
    delimiter: str | None = None
    window: int = 50


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """A load of numbered QoS 1 messages, bounded in count and in time."""

    mqtt_url: str
    rate: float | None = None  # messages a second; None: as fast as they are acknowledged
    messages: int | None = None
    seconds: float | None = 10.0
    devices: int = 2000
    serial_format: str = "LOAD-{:05d}"  # of 1 .. devices
    sensors: tuple[str, ...] = ("flow", "pressure", "motor_current", "battery_voltage", "temperature")
    centre: tuple[float, ...] = (80.0, 8.0, 0.15, 12.3, 35.0)
    spread: tuple[float, ...] = (0.5, 0.3, 0.006, 0.01, 0.05)
    gateways: bool = False  # gateway messages of `devices_per_message` devices instead of single-device messages
    devices_per_message: int = 20
    gateway_format: str = "LOAD-GW-{:03d}"
    window: int = 1000  # unacknowledged messages
    client_id: str = "forewarn-load"
    seed: int = 1
    acknowledged_file: Path | None = None  # CSV: seq, serial or gateway, ts of every acknowledged message
    drain_s: float = 30.0  # how long to wait for the last acknowledgements


@dataclass(frozen=True, slots=True)
class SparkplugSettings:
    """An edge node with infusion pumps and ventilators, in turn, behind it."""

    mqtt_url: str
    group: str = "forewarn"
    edge: str = "EDGE-01"  # the gateway's name
    devices: int = 4  # EDGE-01-INF-01, EDGE-01-VEN-02, ...
    interval_s: float = 1.0
    seed: int = 1
