"""The fixtures themselves: flavours, isolation, least privilege."""

import psycopg
import pytest

from store.migrate import load_flavour
from tests.support.brokers import Broker, MosquittoProcess
from tests.support.databases import Database, DatabaseServer
from tests.support.services import is_listening


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
