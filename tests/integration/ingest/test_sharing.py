"""Several ingest processes share the load of one broker, with the guarantees of one."""

import os
from pathlib import Path

import pytest

from tests.integration.ingest.lab import Lab
from tests.integration.ingest.test_program import DEVICES, number
from tests.support.brokers import MosquittoProcess
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.ledgers import check_ledger
from tests.support.programs import Program
from tests.support.publisher import Publisher, publish_all
from tests.support.waiting import wait_until

TOTAL = 6_000
LEFT = 300
NAMES = ("ingest-1", "ingest-2")


def make_program(database: Database, port: int, name: str, folder: Path, **settings: str) -> Program:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FOREWARN_")} | {
        "FOREWARN_VAR": str(folder),
        "FOREWARN_DATABASE_URL": database.url,
        "FOREWARN_MQTT_URL": f"mqtt://127.0.0.1:{port}",
        "FOREWARN_INGEST_MQTT_CLIENT_ID": name,
        "FOREWARN_INGEST_MQTT_SHARE_GROUP": "fleet",
        "FOREWARN_INGEST_SPARKPLUG_ENABLED": "false",
        "FOREWARN_INGEST_FOLD_S": "0.5",
        **settings,
    }
    return Program("ingest", environment, folder / f"{name}.log")


def count_by_writer(lab: Lab) -> dict[str, int]:
    rows = lab.query("SELECT writer, sum(messages)::bigint AS n FROM ingest_ledger GROUP BY writer")
    return {row["writer"]: row["n"] for row in rows}


@pytest.mark.faults
def test_two_processes_share_the_load_and_one_is_killed_comes_back_and_leaves(
    database: Database, mosquitto: MosquittoProcess, tmp_path: Path
) -> None:
    register(database.url, PROFILE, make_devices(DEVICES))
    lab = Lab(database.url)
    first, second = (make_program(database, mosquitto.port, name, tmp_path, **{}) for name in NAMES)
    try:
        first.start()
        second.start()

        def both_take_part() -> bool:
            publish_all(mosquitto.port, [number(i) for i in range(4)], client_id="first")
            return set(count_by_writer(lab)) == set(NAMES)

        wait_until(both_take_part, what="messages in both processes", timeout_s=60, every_s=0.3)
        publisher = Publisher(mosquitto.port, "numbers", [number(i) for i in range(4, TOTAL)])
        publishing = publisher.run_in_thread(rate=1_500)
        wait_until(lambda: lab.count_readings() > TOTAL // 4, what="a quarter", timeout_s=60)
        second.kill()
        wait_until(lambda: lab.count_readings() > TOTAL // 2, what="the first one's share", timeout_s=60)
        second.start()
        publishing.join(60)
        assert publisher.problem is None
        assert all(publisher.acknowledged)
        wait_until(lambda: lab.count_readings() >= TOTAL, what="all readings", timeout_s=60)
        taken = count_by_writer(lab)
        assert min(taken.values()) > TOTAL // 10, taken
        # It leaves for good: what the broker has for it is taken, and from then on all of it goes to the other one.
        second.stop()
        publish_all(mosquitto.port, [number(i) for i in range(TOTAL, TOTAL + LEFT)], client_id="meanwhile")
        leaving = make_program(database, mosquitto.port, NAMES[1], tmp_path, FOREWARN_INGEST_LEAVE="true")
        leaving.start()
        assert leaving.process is not None
        assert leaving.process.wait(60) == 0, leaving.read_log()
        publish_all(mosquitto.port, [number(i) for i in range(TOTAL + LEFT, TOTAL + 2 * LEFT)], client_id="afterwards")
        wait_until(lambda: lab.count_readings() >= TOTAL + 2 * LEFT, what="the rest", timeout_s=60)
        rows = lab.query("SELECT value FROM reading ORDER BY value")
        assert [int(row["value"]) for row in rows] == list(range(TOTAL + 2 * LEFT))
        assert lab.count_in_blocks() == TOTAL + 2 * LEFT
        total, stored = check_ledger(database.url)
        assert total.stored == TOTAL + 2 * LEFT
        assert {n for serial, n in stored.items() if serial} == {(TOTAL + 2 * LEFT) // DEVICES}
    finally:
        first.stop()
        second.stop()
