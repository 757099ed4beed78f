"""The whole way, over TLS: a device fetches its account with its code, publishes, and its reading is stored."""

import json
import time
from pathlib import Path

import psycopg

from domain.broker_account import AccountKind, BrokerAccount
from domain.broker_address import BrokerAddress
from domain.roles import Role
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import running_api
from tests.support.mqtt_client import connected
from tests.support.programs import running_programs
from tests.support.secured_mosquitto import SecuredMosquitto
from tests.support.waiting import wait_until

VALUES = "SELECT value FROM reading r JOIN series s ON s.id = r.series_id WHERE s.sensor = 'level' ORDER BY value"
REASONS = "SELECT DISTINCT reason FROM rejection"


def test_a_claimed_account_brings_readings_of_its_device_and_of_no_other(
    secured: SecuredMosquitto, database: Database, tmp_path: Path
) -> None:
    register(database.url, PROFILE, make_devices(1, gateway="GW-A"))
    with running_api(database.url, broker_admin_url=secured.admin_url) as api:
        made = api.post("/devices/T-0000/claim-code", headers=api.token(Role.ENGINEER), json={}).json()
        account = api.post("/devices/claim", json={"serial": "T-0000", "code": made["code"]}).json()
    for gateway in ("GW-A", "GW-B"):
        secured.accounts.set_account(BrokerAccount(AccountKind.GATEWAY, gateway), "secret")
    ingest = secured.ingest
    mqtt_url = f"mqtts://{ingest.username}:{ingest.password}@127.0.0.1:{secured.tls_port}?ca_file={secured.ca_file}"
    at = int(time.time() * 1000)

    def find(query: str) -> list[object]:
        with psycopg.connect(database.url) as conn:
            return [row[0] for row in conn.execute(query)]

    def send(username: str, password: str, topic: str, body: object) -> None:
        address = BrokerAddress("127.0.0.1", secured.tls_port, True, username, password, ca_file=secured.ca_file)
        with connected(address) as client:
            client.publish(topic, json.dumps(body).encode())

    def is_stored() -> bool:
        # Again until ingest has subscribed; what comes twice is one reading.
        send(
            account["username"],
            account["password"],
            "forewarn/v1/T-0000/telemetry",
            {"ts": at, "values": {"level": 40}},
        )
        return bool(find(VALUES))

    with running_programs(tmp_path, database_url=database.url, mqtt_url=mqtt_url, names=("ingest",)):
        wait_until(is_stored, what="the device's reading", every_s=0.2)
        for gateway, value in (("GW-B", 50), ("GW-A", 60)):
            body = {"T-0000": [{"ts": at + value, "values": {"level": value}}]}
            send(f"gateway/{gateway}", "secret", f"forewarn/v1/gateway/{gateway}/telemetry", body)
        wait_until(lambda: 60.0 in find(VALUES), what="its own gateway's reading")
        wait_until(lambda: find(REASONS), what="the other gateway's rejection")
        assert find(VALUES) == [40.0, 60.0]
        assert find(REASONS) == ["not_its_gateway"]
