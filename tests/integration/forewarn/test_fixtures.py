"""The fixtures themselves: flavours, isolation, least privilege."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from store.migrate import load_flavour
from tests.support.brokers import Broker, MosquittoProcess
from tests.support.databases import Database, DatabaseServer
from tests.support.held_folders import hold, remove_abandoned
from tests.support.services import is_listening

HOLD = """
import sys
from pathlib import Path
from tests.support.held_folders import hold
folder = Path(sys.argv[1])
folder.mkdir()
(folder / "data").mkdir()
(folder / "data" / "file").write_text("x" * 100)
hold(folder)
print("held", flush=True)
sys.stdin.read()
"""


def test_any_database_is_migrated_and_of_its_flavour(any_database: Database) -> None:
    with psycopg.connect(any_database.url) as conn:
        assert any_database.flavour in load_flavour(conn)


def test_databases_are_apart(postgres_server: DatabaseServer) -> None:
    with postgres_server.fresh_database() as one, postgres_server.fresh_database() as other:
        with psycopg.connect(one.url) as conn:
            conn.execute("INSERT INTO customer (code, name, type) VALUES ('C-1', 'One', 'HOSPITAL')")
        with psycopg.connect(other.url) as conn:
            assert conn.execute("SELECT count(*) FROM customer").fetchone() == (0,)


def test_programs_cannot_change_the_schema(any_database: Database) -> None:
    with psycopg.connect(any_database.url) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("DROP TABLE audit_event")


def test_brokers_listen(broker: Broker, mosquitto: MosquittoProcess) -> None:
    assert is_listening(broker.port)
    assert is_listening(mosquitto.port)


def test_what_a_killed_run_left_behind_is_removed_and_nothing_else(tmp_path: Path) -> None:
    theirs, ours, never_held, strange = (tmp_path / f"forewarn-test-{n}" for n in range(4))
    for folder in (ours, never_held, strange):
        folder.mkdir()
    held = hold(ours)
    os.close(hold(strange))
    if os.geteuid() == 0:
        os.chown(strange, 65534, 65534)
    else:
        strange.rename(tmp_path / "something-else")
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", HOLD, str(theirs)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        everything = sorted(tmp_path.iterdir())
        assert remove_abandoned(tmp_path) == []
        assert sorted(tmp_path.iterdir()) == everything
        process.kill()
        process.wait()
        working = subprocess.Popen(["sleep", "60"], cwd=theirs / "data")
        try:
            assert remove_abandoned(tmp_path) == []
        finally:
            working.kill()
            working.wait()
        assert remove_abandoned(tmp_path) == [theirs]
    assert sorted(tmp_path.iterdir()) == [folder for folder in everything if folder != theirs]
    os.close(held)
    assert remove_abandoned(tmp_path) == [ours]
