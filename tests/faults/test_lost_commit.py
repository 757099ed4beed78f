"""The server committed, but nobody heard of it: the hardest moment to repeat one. Nothing may happen twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.brokers import MosquittoProcess
from tests.support.databases import Database
from tests.support.fleet import make_devices
from tests.support.installation import breakable_pipeline
from tests.support.pipeline import make_reading, telemetry_topic
from tests.support.waiting import wait_until

ROUNDS = 12


@pytest.mark.faults
def test_answers_to_commit_are_lost(database: Database, mosquitto: MosquittoProcess, tmp_path: Path) -> None:
    devices = make_devices(2)
    serial = devices[0].serial
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=ROUNDS * 20 + 30)
    with breakable_pipeline(tmp_path, database, mosquitto.port, devices) as installation:
        pipeline, proxy = installation.pipeline, installation.database_proxy
        pipeline.wait_until_ready()
        for number in range(ROUNDS):
            # One episode a round: five readings beyond the limit, then fifteen far below.
            at = start + timedelta(seconds=20 * number)
            levels = [90.0] * 5 + [50.0] * 15
            lost = proxy.answers_lost
            proxy.lose_answer_to(b"COMMIT", 2)
            pipeline.publish(
                [
                    (telemetry_topic(serial), make_reading(at + timedelta(seconds=k), {"level": level}))
                    for k, level in enumerate(levels)
                ]
            )
            wait_until(lambda lost=lost: proxy.answers_lost >= lost + 2, what="two lost answers")  # type: ignore[misc]
            pipeline.wait_until_drained(readings=20 * (number + 1))
        pipeline.programs.assert_running()

        assert pipeline.count_readings() == 20 * ROUNDS
        breaches = pipeline.breaches_of(serial)
        assert [b["first_seen"] for b in breaches] == [start + timedelta(seconds=20 * n) for n in range(ROUNDS)]
        assert {b["state"] for b in breaches} == {"CLEARED"}
        assert {b["count"] for b in breaches} == {5}
        (order,) = pipeline.orders_of(serial)
        assert order["breach_count"] == ROUNDS
        per_transition = pipeline.query(
            """
            SELECT t.id, count(d.transition_id) AS decisions FROM breach_transition t
            LEFT JOIN ticket_decision d ON d.transition_id = t.id GROUP BY t.id
            """
        )
        assert [row["decisions"] for row in per_transition] == [1] * (2 * ROUNDS)
        opened = pipeline.value("SELECT count(*) FROM outbox WHERE type LIKE '%%workorder.opened'")
        assert opened == 1, "an order that was opened once was announced more than once"
