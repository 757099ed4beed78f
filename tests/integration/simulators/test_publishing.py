"""Simulators against real brokers: what is acknowledged has arrived, cuts and wills included."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from domain.broker_address import parse_broker_address
from domain.errors import ConfigurationError
from simulators.connection import Connection, Will
from simulators.fleet import BASE_FILE, STATE_FILE, TRUTH_FILE, run_fleet
from simulators.fleet_senders import GatewaySender
from simulators.gateway import GatewaySettings
from simulators.load import run_load
from simulators.load_messages import LoadMessages
from simulators.replay import run_replay
from simulators.settings import FleetSettings, LoadSettings, ReplaySettings
from tests.support.brokers import Broker, MosquittoProcess
from tests.support.waiting import wait_until


class Listener:
    """All that a subscriber of everything gets."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []

    def bodies(self, ending: str) -> list[Any]:
        return [json.loads(payload) for topic, payload, _ in list(self.messages) if topic.endswith(ending)]


@contextmanager
def listening(url: str) -> Iterator[Listener]:
    address = parse_broker_address(url)
    listener = Listener()
    ready = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
    client.on_message = lambda _c, _u, m: listener.messages.append((m.topic, bytes(m.payload), m.retain))
    client.on_connect = lambda c, *_: c.subscribe("forewarn/#", qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.reconnect_delay_set(1, 1)
    client.connect_async(address.host, address.port)
    client.loop_start()
    try:
        assert ready.wait(60)
        yield listener
    finally:
        client.disconnect()
        client.loop_stop()


def write_recording(tmp_path: Path, rows: int = 250) -> Path:
    path = tmp_path / "recording.csv"
    lines = ["datetime;Pressure;Volume Flow RateRMS;anomaly"]
    lines += [f"2020-03-09 10:{i // 60:02d}:{i % 60:02d};{i / 10};{i};0" for i in range(rows)]
    lines.insert(5, "2020-03-09 10:00:99;1;1;0")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_replay_publishes_every_row_once_and_reports_it(broker: Broker, tmp_path: Path) -> None:
    settings = ReplaySettings(broker.url, write_recording(tmp_path), serial="SKAB-1", speed=None, start="original")
    progress: list[tuple[int, int]] = []
    with listening(broker.url) as listener:
        report = run_replay(settings, threading.Event(), lambda done, total: progress.append((done, total)))
        wait_until(lambda: len(listener.messages) >= report.messages, what="all messages")
    assert (report.rows, report.skipped, report.published, report.acknowledged) == (250, 1, 250, 250)
    assert (report.values, report.messages) == (500, 3)
    assert [str(problem) for problem in report.problems] == ["line 6, datetime: '2020-03-09 10:00:99' is no instant"]
    assert {topic for topic, _, _ in listener.messages} == {"forewarn/v1/SKAB-1/telemetry"}
    entries = [entry for body in listener.bodies("/telemetry") for entry in body]
    assert [entry["values"]["volume_flow_rate_rms"] for entry in entries] == list(range(250))
    assert (entries[0]["ts"] * 1000, entries[-1]["ts"] * 1000) == (report.first_us, report.last_us)
    assert progress[-1] == (250, 250)


def test_a_replay_in_scaled_time_keeps_the_pace_and_can_be_stopped(broker: Broker, tmp_path: Path) -> None:
    settings = ReplaySettings(broker.url, write_recording(tmp_path, 100), speed=50.0)
    report = run_replay(settings, threading.Event())
    assert report.acknowledged == 100
    assert report.seconds >= 99 / 50
    stop = threading.Event()
    report = run_replay(ReplaySettings(broker.url, settings.file, speed=1.0), stop, lambda done, total: stop.set())
    assert 0 < report.published == report.acknowledged < 50


def test_a_replay_says_where_no_broker_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.replay.CONNECT_TIMEOUT_S", 0.3)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"mqtt://user:secret@127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=r"No broker answers at 127\.0\.0\.1") as caught:
            run_replay(ReplaySettings(url, write_recording(tmp_path)), threading.Event())
    assert "secret" not in str(caught.value)


def test_a_load_records_every_acknowledgement(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "acknowledged.csv"
    with listening(broker.url) as listener:
        report = run_load(
            LoadSettings(broker.url, messages=3000, devices=50, window=80, acknowledged_file=path), threading.Event()
        )
        wait_until(lambda: len(listener.messages) >= 3000, what="all messages")
    assert (report.messages, report.acknowledged, report.repeats, report.connections) == (3000, 3000, 0, 1)
    arrived = {
        (topic.split("/")[2], body["seq"], body["ts"])
        for topic, body in ((t, json.loads(p)) for t, p, _ in listener.messages)
    }
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "number,sender,seq,ts"
    recorded = {(line.split(",")[1], int(line.split(",")[2]), int(line.split(",")[3])) for line in lines[1:]}
    assert len(recorded) == 3000
    assert recorded == arrived
    assert len({(serial, ts) for serial, _, ts in recorded}) == 3000, "one reading per series and instant"


def test_a_load_keeps_its_rate_and_its_time(broker: Broker) -> None:
    report = run_load(LoadSettings(broker.url, rate=400, seconds=2.0, devices=50), threading.Event())
    assert report.acknowledged == report.messages
    assert 0 < report.messages <= 800


def test_a_load_survives_its_broker_and_sends_again_what_was_not_acknowledged(
    mosquitto: MosquittoProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = []
    go_on = threading.Event()  # until then the load is not through, however long the broker takes to stop
    encode = LoadMessages.encode

    def encode_when_due(self: LoadMessages, numbers: list[int], *about: Any) -> bytes:
        assert numbers[-1] < 3_000 or go_on.wait(60)
        return encode(self, numbers, *about)

    monkeypatch.setattr(LoadMessages, "encode", encode_when_due)
    settings = LoadSettings(mosquitto.broker.url, rate=2000, messages=8_000, seconds=None, devices=50)
    thread = threading.Thread(target=lambda: reports.append(run_load(settings, threading.Event())))
    with listening(mosquitto.broker.url) as listener:
        thread.start()
        wait_until(lambda: len(listener.messages) > 1000, what="the load to run")
        mosquitto.stop()
        go_on.set()
        mosquitto.start()
        thread.join(timeout=120)
        (report,) = reports
        assert report.connections >= 2
        assert report.acknowledged == report.messages > 1000
        wait_until(
            lambda: len({(t, json.loads(p)["seq"]) for t, p, _ in list(listener.messages)}) == report.messages,
            what="every acknowledged message",
        )


def test_a_load_without_a_bound_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="bound"):
        run_load(LoadSettings("mqtt://127.0.0.1", seconds=None), threading.Event())


def test_a_gateway_forwards_what_it_stored_while_the_broker_was_away(mosquitto: MosquittoProcess) -> None:
    sender = GatewaySender(
        parse_broker_address(mosquitto.broker.url), "GW-1", ["A", "B"], 1, GatewaySettings(), window=20
    )
    stop = threading.Event()

    def report_step(step: int) -> None:
        for serial in ("A", "B"):
            sender.add_reading(serial, {"ts": 1_770_000_000_000 + step, "seq": step, "values": {"x": 1.0}})
        sender.send()

    with listening(mosquitto.broker.url) as listener:
        sender.connection.start()
        assert sender.connection.wait_connected(stop, 60)
        for step in range(20):
            report_step(step)
        assert sender.connection.wait_acknowledged(60)
        mosquitto.stop()
        wait_until(lambda: not sender.connection.is_connected, what="the connection to be lost")
        for step in range(20, 60):
            report_step(step)
        assert sender.gateway.waiting == 40
        mosquitto.start()
        assert sender.connection.wait_connected(stop, 60)
        sender.send(timeout_s=60)
        sender.close()
        wait_until(
            lambda: len({entry["seq"] for body in listener.bodies("GW-1/telemetry") for entry in body["A"]}) == 60,
            what="all stored readings",
        )
        # It has a time; the will, which the broker may publish when it goes, has none and is no farewell.
        wait_until(
            lambda: any(
                "ts" in body["A"] and body["A"]["state"] == "offline" for body in listener.bodies("GW-1/status")
            ),
            what="the farewell",
        )
        said = [body["A"] for body in listener.bodies("GW-1/status")]
    assert said[0]["state"] == "online"
    # By the time in them: a listener that comes back after the sender is given the retained one as well.
    online = {body["ts"] for body in said if body["state"] == "online"}
    assert len(online) == 2, f"said again after the broker came back: {said}"


def test_a_cut_connection_publishes_its_will_and_comes_back(broker: Broker) -> None:
    stop = threading.Event()
    will = Will("forewarn/v1/A/status", b'{"state":"offline"}')
    with listening(broker.url) as listener:
        connection = Connection(parse_broker_address(broker.url), "device-a", will)
        connection.start()
        assert connection.wait_connected(stop, 60)
        connection.cut()
        wait_until(lambda: listener.bodies("A/status") == [{"state": "offline"}], what="the will")
        connection.start()
        assert connection.wait_connected(stop, 60)
        assert connection.publish("forewarn/v1/A/telemetry", b'{"values":{}}')
        assert connection.wait_acknowledged(60)
        connection.close()
        wait_until(lambda: len(listener.bodies("A/telemetry")) == 1, what="the reading")
        assert len(listener.bodies("A/status")) == 1, "a farewell publishes no will"


def test_a_fleet_sends_its_history_goes_live_and_goes_on_in_a_second_run(broker: Broker, tmp_path: Path) -> None:
    settings = FleetSettings(broker.url, tmp_path, devices=10, history_s=600.0, history_interval_s=5.0)

    def run(listener: Listener, enough: int) -> None:
        stop = threading.Event()
        begin = len(listener.messages)
        thread = threading.Thread(target=run_fleet, args=(settings, stop))
        thread.start()
        try:
            wait_until(lambda: len(listener.messages) > begin + enough, what="the fleet to report")
        finally:
            stop.set()
            thread.join(timeout=60)
        assert not thread.is_alive()

    with listening(broker.url) as listener:
        run(listener, 40)
        state = json.loads((tmp_path / STATE_FILE).read_text(encoding="utf-8"))
        assert state["clean"]
        wait_until(lambda: count_readings(listener)["INF-0001"] >= state["seq"]["INF-0001"], what="all readings")
        first = collect_readings(listener, "INF-0001")
        assert len(first) >= 120
        assert sorted(first) == list(range(1, len(first) + 1)), "no gap in the sequence"
        run(listener, 40)
        second_state = json.loads((tmp_path / STATE_FILE).read_text(encoding="utf-8"))
        wait_until(
            lambda: len(collect_readings(listener, "INF-0001")) == second_state["seq"]["INF-0001"], what="the rest"
        )
        times = [ts for _, ts in sorted(collect_readings(listener, "INF-0001").items())]
        assert times == sorted(set(times)), "no history a second time"
        assert listener.bodies("INF-0001/status") == []
        assert any("INF-0001" in body for body in listener.bodies("/status"))
        assert {"INF-0001", "VEN-0001"} <= {serial for body in listener.bodies("/firmware") for serial in body}
    truth = [json.loads(line) for line in (tmp_path / TRUTH_FILE).read_text(encoding="utf-8").splitlines()]
    assert {"occlusion", "circuit_leak"} <= {line["kind"] for line in truth}
    assert len({(line["serial"], line["onset"]) for line in truth}) == len(truth), "told once"
    assert (tmp_path / BASE_FILE).read_text(encoding="utf-8").startswith("serial,model,lot,udi,")


def collect_readings(listener: Listener, serial: str) -> dict[int, int]:
    bodies = listener.bodies("/telemetry")
    return {entry["seq"]: entry["ts"] for body in bodies if serial in body for entry in body[serial]}


def count_readings(listener: Listener) -> Counter[str]:
    return Counter({"INF-0001": len(collect_readings(listener, "INF-0001"))})
