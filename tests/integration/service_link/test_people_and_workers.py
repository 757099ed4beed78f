"""The small form of `benchmarks.concurrency`: sixteen workers feed breaches of few keys while people move orders."""

import pytest

from benchmarks.concurrency import Run, run_once
from tests.support.databases import Database, DatabaseServer

SIZES = {"seed": 7, "breaches": 120, "keys": 6}


@pytest.fixture(scope="module")
def crowded(postgres_server: DatabaseServer) -> Run:
    with postgres_server.fresh_database() as database:
        return run_once(database.url, **SIZES, workers=16, people=6)


def test_no_rule_is_broken_whoever_comes_first(crowded: Run) -> None:
    assert crowded.broken == []


def test_people_and_machine_did_meet(crowded: Run) -> None:
    done = crowded.acts
    assert crowded.orders >= SIZES["keys"]
    assert done["report:JOINED"] + done["report:OPENED"] + done["report:REOPENED"] > 0
    assert sum(count for name, count in done.items() if name.startswith("step:")) > 10


def test_what_the_feed_decides_is_as_if_one_worker_had_fed_alone(crowded: Run, database: Database) -> None:
    serial = run_once(database.url, **SIZES, workers=1, people=0)
    assert (serial.broken, serial.state) == ([], crowded.state)
    assert (serial.orders, serial.acts.total()) == (SIZES["keys"], 0)
