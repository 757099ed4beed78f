"""A simulated fleet hears over a real broker what it is to install, directly and through a gateway."""

import json
import threading
from pathlib import Path

import paho.mqtt.publish as publish

from simulators.fleet import run_fleet
from simulators.fleet_plan import installed_base
from simulators.settings import FleetSettings
from tests.integration.simulators.test_publishing import Listener, listening
from tests.support.brokers import Broker
from tests.support.waiting import wait_until

VERSION = "9.9.9"


def find_states(listener: Listener, serial: str) -> set[str]:
    """The states of the wanted version that the device reported, itself or through its gateway."""
    bodies = [body.get(serial, body) for body in listener.bodies("/firmware") if body]
    return {b["state"] for b in bodies if b.get("version") == VERSION and "state" in b}


def test_a_device_and_one_behind_a_gateway_begin_to_install_what_they_are_told(broker: Broker, tmp_path: Path) -> None:
    settings = FleetSettings(broker.url, tmp_path, devices=10, history_s=0.0, interval_s=0.2, install_after_s=0.5)
    devices = installed_base(settings).devices
    behind = next(d for d in devices if d.gateway)
    alone = next(d for d in devices if not d.gateway)
    payload = json.dumps({"action": "FA-2026-0001", "component": "main", "version": VERSION})
    topics = (
        f"forewarn/v1/gateway/{behind.gateway}/down/firmware/{behind.serial}",
        f"forewarn/v1/{alone.serial}/down/firmware",
    )
    publish.multiple(
        [{"topic": topic, "payload": payload, "qos": 1, "retain": True} for topic in topics],
        hostname="127.0.0.1",
        port=broker.port,
    )
    stop = threading.Event()
    with listening(broker.url) as listener:
        thread = threading.Thread(target=run_fleet, args=(settings, stop))
        thread.start()
        try:
            for device in (behind, alone):
                wait_until(
                    lambda serial=device.serial: "DOWNLOADING" in find_states(listener, serial),  # type: ignore[misc]
                    what=f"{device.serial} to begin",
                )
        finally:
            stop.set()
            thread.join(timeout=60)
        assert not thread.is_alive()
