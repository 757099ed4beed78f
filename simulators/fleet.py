"""A simulated fleet of two device kinds at six customers, with faults that are labelled with their true start.

python -m simulators.fleet --mqtt-url mqtt://127.0.0.1:1883 --state-dir var/fleet
"""

import argparse
import json
import logging
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from signal import SIGINT, SIGTERM, signal

from domain.broker_address import parse_broker_address
from simulators.faults import Fault, append_truth, describe_truth
from simulators.fleet_clock import KINDS, FleetClock, Step
from simulators.fleet_plan import (
    InstalledBase,
    installed_base,
    plan_later_fault,
    plan_opening_faults,
    plan_rollout,
    write_installed_base_csv,
)
from simulators.fleet_senders import DeviceSender, GatewaySender, Sender, describe_instant, wait_until_connected
from simulators.fleet_state import load_state, save_state
from simulators.gateway import GatewaySettings
from simulators.notices import Notice, follow_notice, parse_notice
from simulators.settings import FleetSettings

log = logging.getLogger(__name__)

STATE_FILE = "fleet.json"
TRUTH_FILE = "ground_truth.jsonl"
BASE_FILE = "installed_base.csv"
SAVE_EVERY_S = 5.0
CATCH_UP_S = 120.0  # after a pause of at most this long, every second is simulated; after a longer one, there is a gap
HISTORY_MESSAGE_VALUES = 800
GAP_STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What a run of the fleet has done."""

    devices: int
    readings: int
    values: int
    events: int
    published: int
    acknowledged: int
    repeated: int
    reordered: int
    lost: int


def run_fleet(settings: FleetSettings, stop: threading.Event) -> FleetReport:
    """Runs the fleet until `stop`; a later run with the same state folder goes on where this one ended."""
    return _Fleet(settings, stop).run()


class _Fleet:
    def __init__(self, settings: FleetSettings, stop: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        self._state_path = settings.state_dir / STATE_FILE
        self._truth_path = settings.state_dir / TRUTH_FILE
        self._base: InstalledBase = installed_base(settings)
        write_installed_base_csv(self._base, settings.state_dir / BASE_FILE)
        self._state = load_state(self._state_path, settings.seed, settings.devices)
        self._clock = FleetClock(self._base, self._state)
        self._sender_of: dict[str, Sender] = {}
        self._told: SimpleQueue[Notice] = SimpleQueue()
        self._senders = self._make_senders()
        self._offline: set[str] = set()
        self._readings = self._values = self._events = self._sends = 0

    def _note_told(self, topic: str, payload: bytes) -> None:
        notice = parse_notice(topic, payload)
        if notice is not None and notice.serial in self._sender_of:
            self._told.put(notice)

    def _follow_notices(self) -> None:
        """What devices were told since the last step becomes updates that they will install."""
        after_s = self._settings.install_after_s
        while after_s is not None and not self._told.empty():
            notice = self._told.get()
            running = self._state.firmware[notice.serial]
            before = self._state.rollouts
            self._state.rollouts = follow_notice(before, notice, running, self._state.t_us, round(after_s * 1e6))
            if self._state.rollouts != before:
                log.info("%s was told to install %s", notice.serial, notice.version or "nothing")

    def _make_senders(self) -> list[Sender]:
        settings = self._settings
        address = parse_broker_address(settings.mqtt_url)
        gateway_settings = GatewaySettings(
            max_values=HISTORY_MESSAGE_VALUES, repeat_share=settings.repeat_share, reorder_share=settings.reorder_share
        )
        on_notice = self._note_told if settings.install_after_s is not None else None
        senders: list[Sender] = []
        for name in self._base.gateways:
            serials = [device.serial for device in self._base.devices if device.gateway == name]
            senders.append(
                GatewaySender(address, name, serials, settings.seed, gateway_settings, settings.window, on_notice)
            )
        for device in self._base.devices:
            if not device.gateway:
                senders.append(
                    DeviceSender(address, device.serial, settings.seed, gateway_settings, settings.window, on_notice)
                )
        for sender in senders:
            for serial in sender.serials:
                self._sender_of[serial] = sender
        return senders

    def run(self) -> FleetReport:
        for sender in self._senders:
            sender.connection.start()
        try:
            if wait_until_connected(self._senders, self._stop, log.info):
                self._announce()
                if self._state.live_us == 0:
                    self._go_live()
                else:
                    self._bridge_gap()
                self._live()
        finally:
            self._close()
        return self._report()

    def _announce(self) -> None:
        now_ms = _now_us() // 1000
        for serial, sender in self._sender_of.items():
            version = self._state.firmware[serial]
            sender.report(
                serial, "firmware", {"ts": now_ms, "component": "main", "version": version, "state": "UPDATED"}
            )
        self._send()

    def _go_live(self) -> None:
        """Sends the healthy history up to now, then plans the faults: none of them lies in the history."""
        settings, state = self._settings, self._state
        begin = time.monotonic()
        end_us = _now_us()
        step_us = round(settings.history_interval_s * 1e6)
        steps = int(settings.history_s * 1e6) // step_us
        self._clock.start(end_us - steps * step_us)
        for number in range(1, steps + 1):
            if self._stop.is_set():
                return
            self._publish(self._clock.advance(end_us - (steps - number) * step_us))
            if number % 20 == 0 or number == steps:
                self._send(flush=number == steps, timeout_s=30.0)
        if steps:
            log.info("sent %d s of history in %.1f s", settings.history_s, time.monotonic() - begin)
        state.live_us = _now_us()
        state.faults = plan_opening_faults(self._base, state.live_us)
        state.rollouts = plan_rollout(self._base, state.live_us)
        state.next_fault_us = state.live_us + round(settings.fault_every_s * 1e6)
        self._tell_truth(state.faults)
        self._save(clean=False)

    def _bridge_gap(self) -> None:
        """After a pause the units go on to age unseen: nothing is sent for a time in which nobody ran."""
        now_us = _now_us()
        while now_us - self._state.t_us > CATCH_UP_S * 1e6 and not self._stop.is_set():
            step_us = min(round(GAP_STEP_S * 1e6), now_us - self._state.t_us)
            if now_us - self._state.t_us > 86_400 * 1e6:
                step_us = 3_600 * 1_000_000
            sequences = dict(self._state.seq)
            step = self._clock.advance(self._state.t_us + step_us)
            self._state.seq = sequences
            self._tell_truth(step.new_faults)
            for serial, body in step.firmware:
                self._sender_of[serial].report(serial, "firmware", body)
        log.info("the fleet goes on; its last reading was of %s", describe_instant(self._state.t_us))

    def _live(self) -> None:
        interval_us = round(self._settings.interval_s * 1e6)
        saved_at = time.monotonic()
        while not self._stop.is_set():
            due_us = self._state.t_us + interval_us
            behind_us = _now_us() - due_us
            if behind_us < 0:
                self._stop.wait(-behind_us / 1e6)
                continue
            if behind_us > CATCH_UP_S * 1e6:  # the machine slept
                self._bridge_gap()
                continue
            self._plan_more(due_us)
            self._follow_notices()
            step = self._clock.advance(due_us)
            self._tell_truth(step.new_faults)
            self._switch_connections(step)
            self._publish(step)
            if behind_us < interval_us:
                self._send()
            if time.monotonic() - saved_at >= SAVE_EVERY_S:
                saved_at = time.monotonic()
                self._save(clean=False)

    def _plan_more(self, t_us: int) -> None:
        state = self._state
        state.faults = [f for f in state.faults if f.end_us is None or f.end_us > t_us - 60_000_000]
        if t_us < state.next_fault_us:
            return
        state.next_fault_us = t_us + round(self._settings.fault_every_s * 1e6)
        state.later_faults += 1
        fault = plan_later_fault(self._base, state.faults, state.seed, state.later_faults, t_us)
        if fault is not None:
            state.faults.append(fault)
            self._tell_truth([fault])

    def _switch_connections(self, step: Step) -> None:
        """A device that goes offline loses its own connection without a farewell, or is reported by its gateway."""
        for serial in step.offline - self._offline:
            self._sender_of[serial].set_state(serial, False)
        for serial in self._offline - step.offline:
            self._sender_of[serial].set_state(serial, True)
        self._offline = set(step.offline)

    def _publish(self, step: Step) -> None:
        for serial, entry in step.entries.items():
            self._sender_of[serial].add_reading(serial, entry)
            self._readings += 1
            self._values += len(entry["values"])
        for serial, body in step.firmware:
            self._sender_of[serial].report(serial, "firmware", body)
        for serial, body in step.events:
            self._sender_of[serial].report(serial, "event", body)
            self._events += 1

    def _send(self, flush: bool = True, timeout_s: float = 2.0) -> None:
        self._sends += 1
        first = self._sends % len(self._senders)  # a slow connection does not always delay the same others
        for sender in self._senders[first:] + self._senders[:first]:
            sender.send(flush, timeout_s)

    def _tell_truth(self, faults: list[Fault]) -> None:
        device_of = {device.serial: device for device in self._base.devices}
        kinds = {kind.model: kind for kind in KINDS}
        lines = []
        for fault in faults:
            device = device_of[fault.serial]
            lines.append(
                describe_truth(
                    fault,
                    device.model,
                    kinds[device.model].faults[fault.kind],
                    customer_ref=device.customer_ref,
                    lot=device.lot,
                    firmware=self._state.firmware[fault.serial],
                )
            )
            log.info("%s: %s from %s", fault.serial, fault.kind, describe_instant(fault.onset_us))
        if lines:
            append_truth(self._truth_path, lines)

    def _save(self, clean: bool) -> None:
        self._state.clean = clean
        save_state(self._state_path, self._state)

    def _close(self) -> None:
        for sender in self._senders:
            sender.close()
        if self._state.live_us:
            self._save(clean=True)

    def _report(self) -> FleetReport:
        gateways = [sender.gateway for sender in self._senders if isinstance(sender, GatewaySender)]
        return FleetReport(
            devices=len(self._base.devices),
            readings=self._readings,
            values=self._values,
            events=self._events,
            published=sum(sender.connection.published for sender in self._senders),
            acknowledged=sum(sender.connection.acknowledged for sender in self._senders),
            repeated=sum(gateway.repeated for gateway in gateways),
            reordered=sum(gateway.reordered for gateway in gateways),
            lost=sum(gateway.lost for gateway in gateways),
        )


def _now_us() -> int:
    return time.time_ns() // 1000


def main(arguments: list[str] | None = None) -> int:
    """Runs a fleet until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m simulators.fleet", description="Simulate a fleet of devices.")
    parser.add_argument("--mqtt-url", default="mqtt://127.0.0.1:1883")
    parser.add_argument("--state-dir", type=Path, default=Path("var/fleet"))
    parser.add_argument("--devices", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--history", type=float, default=5400.0, help="seconds of healthy history at the first start")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stop = threading.Event()
    for number in (SIGINT, SIGTERM):
        signal(number, lambda *_: stop.set())
    if given.seconds is not None:
        timer = threading.Timer(given.seconds, stop.set)
        timer.daemon = True
        timer.start()
    report = run_fleet(
        FleetSettings(
            mqtt_url=given.mqtt_url,
            state_dir=given.state_dir,
            devices=given.devices,
            seed=given.seed,
            history_s=given.history,
        ),
        stop,
    )
    sys.stdout.write(json.dumps({name: getattr(report, name) for name in FleetReport.__dataclass_fields__}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
