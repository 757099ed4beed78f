"""Notices reach devices over real brokers, retained, and go when they are done with."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
import paho.mqtt.publish as publish
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from domain.broker_account import AccountKind, BrokerAccount
from domain.broker_address import BrokerAddress, parse_broker_address
from domain.errors import ConfigurationError
from service_link.device_notices import NoticeStatus, publish_notices
from service_link.program import run
from service_link.settings import ServiceLinkSettings
from store.device_notices import count_notices
from store.heartbeats import load_heartbeats
from store.installation_health import load_flow
from tests.support.brokers import Broker, MosquittoProcess
from tests.support.databases import Database
from tests.support.field_actions import NEW, SHA256, Campaigns, open_campaigns
from tests.support.mqtt_client import connected, forget, try_publish
from tests.support.secured_mosquitto import SecuredMosquitto, secured_mosquitto
from tests.support.waiting import wait_until


@pytest.fixture
def campaigns(database: Database) -> Iterator[Campaigns]:
    with open_campaigns(database.url) as found:
        yield found


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredMosquitto]:
    with secured_mosquitto() as broker:
        yield broker


@contextmanager
def publishing(url: str, mqtt_url: str) -> Iterator[NoticeStatus]:
    """The publisher at work on that database and broker."""
    status, stop = NoticeStatus(), threading.Event()
    settings = ServiceLinkSettings(
        database_url=url, mqtt_url=mqtt_url, notice_s=0.2, max_backoff_s=0.5, instance="test"
    )
    thread = threading.Thread(target=publish_notices, args=(settings, status, stop), name="device-notices")
    thread.start()
    try:
        yield status
    finally:
        stop.set()
        thread.join()


class Device:
    """A device, or a gateway, that listens to what it is told: the newest message by topic, retained or not."""

    def __init__(self, address: BrokerAddress, topic_filter: str) -> None:
        self.told: dict[str, tuple[bytes, bool]] = {}
        self.is_ready = False
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(address.username, address.password)
        client.on_connect = lambda c, *_: c.subscribe(topic_filter, qos=1)
        client.on_subscribe = lambda *_: setattr(self, "is_ready", True)
        client.on_message = self._on_message
        client.connect(address.host, address.port)
        client.loop_start()
        self._client = client

    def _on_message(self, client: Any, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self.told[message.topic] = (bytes(message.payload), message.retain)

    def hear(self, topic_filter: str) -> None:
        self._client.subscribe(topic_filter, qos=1)

    def close(self) -> None:
        forget(self._client)


@contextmanager
def listening(address: BrokerAddress, topic_filter: str) -> Iterator[Device]:
    device = Device(address, topic_filter)
    try:
        wait_until(lambda: device.is_ready, what="the subscription")
        yield device
    finally:
        device.close()


def is_settled(campaigns: Campaigns) -> bool:
    return count_notices(campaigns.world.conn).waiting == 0


def test_a_device_reads_its_notice_whenever_it_comes_and_none_once_it_is_done(
    campaigns: Campaigns, database: Database, broker: Broker
) -> None:
    campaigns.release(url="https://updates.example/2.4.0.bin")
    campaigns.world.add_gateway("GW-1", campaigns.world.add_site("S9"))
    campaigns.world.conn.execute("UPDATE device SET gateway_id = (SELECT id FROM gateway) WHERE serial = 'SN-2'")
    campaigns.start(campaigns.draft(not_before=campaigns.world.now))
    address = parse_broker_address(broker.url)
    own, behind = "forewarn/v1/SN-1/down/firmware", "forewarn/v1/gateway/GW-1/down/firmware/SN-2"
    with publishing(database.url, broker.url) as status:
        wait_until(lambda: is_settled(campaigns), what="every notice to be published")
        with listening(address, "forewarn/v1/SN-1/down/#") as device, listening(address, behind) as gateway:
            wait_until(lambda: own in device.told and behind in gateway.told, what="both notices")
            payload, is_retained = device.told[own]
            assert json.loads(payload) == {
                "action": "FA-2026-0001",
                "component": "main",
                "version": NEW,
                "sha256": SHA256,
                "url": "https://updates.example/2.4.0.bin",
                "not_before": campaigns.world.now.isoformat(),
            }
            assert is_retained
            for serial in ("SN-1", "SN-2"):
                campaigns.report(serial)
            campaigns.follow()
            wait_until(lambda: device.told[own][0] == gateway.told[behind][0] == b"", what="both to be cleared")
        with listening(address, "forewarn/v1/#") as late:
            wait_until(lambda: "forewarn/v1/SN-4/down/firmware" in late.told, what="what is still retained")
            assert own not in late.told
            assert behind not in late.told
        wait_until(lambda: status.kept == 2, what="the count of what is kept")
        assert status.describe() == {"broker": "connected", "waiting": 0, "kept": 2, "error": ""}


def test_a_device_behind_another_gateway_or_of_another_serial_is_told_there_alone(
    campaigns: Campaigns, database: Database, broker: Broker
) -> None:
    site = campaigns.world.add_site("S9")
    for name in ("GW-1", "GW-2"):
        campaigns.world.add_gateway(name, site)
    move = "UPDATE device SET gateway_id = (SELECT id FROM gateway WHERE name = %s) WHERE serial = 'SN-2'"
    campaigns.world.conn.execute(move, ("GW-1",))
    campaigns.release()
    campaigns.start(campaigns.draft())
    address = parse_broker_address(broker.url)
    before, after = (f"forewarn/v1/gateway/GW-{n}/down/firmware/SN-2" for n in (1, 2))
    with publishing(database.url, broker.url), listening(address, "forewarn/v1/gateway/#") as gateway:
        wait_until(lambda: before in gateway.told, what="the notice below the first gateway")
        campaigns.world.conn.execute(move, ("GW-2",))
        wait_until(lambda: after in gateway.told and gateway.told[before][0] == b"", what="the notice to move")
        assert json.loads(gateway.told[after][0])["version"] == NEW
        campaigns.world.conn.execute("UPDATE device SET serial = 'SN-2B' WHERE serial = 'SN-2'")
        wait_until(
            lambda: gateway.told.get(f"{after}B") and gateway.told[after][0] == b"", what="the notice to be renamed"
        )


def test_notices_wait_for_a_broker_that_is_away_and_are_given_again_to_one_that_forgot(
    campaigns: Campaigns, database: Database, mosquitto: MosquittoProcess
) -> None:
    campaigns.release()
    mosquitto.kill()
    campaigns.start(campaigns.draft())
    topic = "forewarn/v1/SN-3/down/firmware"
    with publishing(database.url, mosquitto.broker.url) as status:
        wait_until(lambda: status.broker == "away" and status.waiting == 4, what="the publisher to say so")
        mosquitto.start()
        wait_until(lambda: is_settled(campaigns), what="every notice to be published")
        mosquitto.kill()
        mosquitto.forget()
        mosquitto.start()
        with listening(parse_broker_address(mosquitto.broker.url), topic) as device:
            wait_until(lambda: topic in device.told, what="what the broker had forgotten")


def test_a_broker_that_comes_back_with_what_was_withdrawn_is_corrected(
    campaigns: Campaigns, database: Database, mosquitto: MosquittoProcess
) -> None:
    campaigns.release()
    campaigns.start(campaigns.draft())
    topic = "forewarn/v1/SN-1/down/firmware"
    # The database's clock says how long ago it was emptied.
    campaigns.world.now = datetime.now(UTC)
    with publishing(database.url, mosquitto.broker.url):
        wait_until(lambda: is_settled(campaigns), what="every notice to be published")
        campaigns.report("SN-1")
        campaigns.follow()
        wait_until(lambda: is_settled(campaigns), what="the notice to be emptied")
        # As if the broker's save had been made before the notice was emptied.
        publish.single(topic, b'{"version": "withdrawn"}', 1, retain=True, hostname="127.0.0.1", port=mosquitto.port)
        assert is_retained(mosquitto.broker, topic)
        mosquitto.stop()
        mosquitto.start()
        wait_until(lambda: not is_retained(mosquitto.broker, topic), what="the old notice to be emptied again")


def is_retained(broker: Broker, topic: str) -> bool:
    """Whether the broker keeps something there. It answers one subscription after the other, so what it has for the
    first is here when that for the second is."""
    last = "forewarn/v1/SN-4/down/firmware"
    with listening(parse_broker_address(broker.url), topic) as device:
        device.hear(last)
        wait_until(lambda: last in device.told, what="what is retained")
        return topic in device.told


def test_devices_read_their_own_notice_alone_and_only_service_link_may_write_one(
    campaigns: Campaigns, database: Database, secured: SecuredMosquitto
) -> None:
    campaigns.release()
    campaigns.start(campaigns.draft())
    for serial in ("SN-1", "SN-2"):
        secured.accounts.set_account(BrokerAccount(AccountKind.DEVICE, serial), "secret")
    with publishing(database.url, secured.service_url.replace("forewarn-service", "SN-1", 1)) as status:
        wait_until(lambda: status.broker == "away", what="an account with another password to be refused")
    ingest_url = secured.service_url.replace(secured.service.password or "", secured.ingest.password or "").replace(
        "forewarn-service", "forewarn-ingest"
    )
    with publishing(database.url, ingest_url):
        wait_until(
            lambda: "Not authorized" in find_errors(campaigns), what="an account without the right to be refused"
        )
    assert count_notices(campaigns.world.conn).waiting == load_flow(campaigns.world.conn).notices_waiting > 0
    with publishing(database.url, secured.service_url):
        wait_until(lambda: is_settled(campaigns), what="every notice to be published")
    address = BrokerAddress("127.0.0.1", secured.devices_port, username="SN-1", password="secret")
    with connected(address) as device:
        assert device.subscribe("forewarn/v1/SN-1/down/#")
        wait_until(lambda: device.received == ["forewarn/v1/SN-1/down/firmware"], what="the device's own notice")
        assert not device.subscribe("forewarn/v1/SN-2/down/#")
        assert not device.subscribe("forewarn/v1/+/down/firmware")
    assert try_publish(address, "forewarn/v1/SN-2/down/firmware") == "Not authorized"
    assert try_publish(address, "forewarn/v1/SN-1/down/firmware") == "Not authorized"


def find_errors(campaigns: Campaigns) -> str:
    return " ".join(r["last_error"] for r in campaigns.world.rows("SELECT last_error FROM device_notice"))


def test_without_a_broker_they_wait_and_the_program_says_so(campaigns: Campaigns, database: Database) -> None:
    campaigns.release()
    campaigns.start(campaigns.draft())
    stop = threading.Event()
    settings = ServiceLinkSettings(database_url=database.url, heartbeat_s=0.1, poll_s=0.1)
    thread = threading.Thread(target=run, args=(settings, stop), name="service-link")
    thread.start()
    try:
        wait_until(lambda: find_said(campaigns) == {"broker": "not set", "waiting": 4, "kept": 4, "error": ""},
                   what="the heartbeat to say how many wait")  # fmt: skip
    finally:
        stop.set()
        thread.join()
    with pytest.raises(ConfigurationError, match="mqtt"):
        run(replace(settings, mqtt_url="http://broker"), threading.Event())


def find_said(campaigns: Campaigns) -> dict[str, Any] | None:
    beats = [b for b in load_heartbeats(campaigns.world.conn) if b.program == "service-link"]
    return beats[0].details.get("device_notices") if beats else None
