"""A server whose machine vanished is noticed within half a minute: what the sockets of connections are told."""

import socket
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import psycopg
import pytest

from store.change_log import follow_changes
from store.pool import abandon_pool, open_connection, open_pool
from tests.support.databases import Database, DatabaseServer
from tests.support.installation import find_upstream, with_place
from tests.support.proxy import cutting_proxy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems name these options otherwise")
OPTIONS = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 25_000,
}


@pytest.fixture(scope="module")
def database(postgres_server: DatabaseServer) -> Iterator[Database]:
    with postgres_server.fresh_database() as found:
        yield found


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    """The database by way of a port: the tests' server has a Unix socket."""
    with cutting_proxy(find_upstream(database.url)) as proxy:
        yield with_place(database.url, proxy.port)


def read_options(fileno: int) -> dict[str, int]:
    with socket.socket(fileno=fileno) as connected:
        try:
            assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            return {name: connected.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in OPTIONS}
        finally:
            connected.detach()  # it is libpq's


def test_every_connection_looks_whether_the_server_is_there(url: str) -> None:
    with open_connection(url, application="test", autocommit=True) as conn:
        assert read_options(conn.fileno()) == OPTIONS
    pool = open_pool(url, application="test", size=1)
    try:
        with pool.connection() as conn:
            assert read_options(conn.fileno()) == OPTIONS
    finally:
        abandon_pool(pool)


@pytest.mark.asyncio
async def test_who_only_listens_looks_as_well(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[psycopg.AsyncConnection[Any]] = []
    connect = psycopg.AsyncConnection.connect

    async def watch(*arguments: Any, **more: Any) -> psycopg.AsyncConnection[Any]:
        opened.append(await connect(*arguments, **more))
        return opened[-1]

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", watch)
    async with aclosing(follow_changes(url, application="test", idle_s=60.0)) as followed:
        await anext(followed)
        assert [read_options(conn.fileno()) for conn in opened] == [OPTIONS]


def test_what_the_url_says_goes_before(url: str) -> None:
    own = f"{url}&tcp_user_timeout=4000&keepalives_idle=7&connect_timeout=9"
    with open_connection(own, application="test", autocommit=True) as conn:
        assert read_options(conn.fileno()) == OPTIONS | {"TCP_KEEPIDLE": 7, "TCP_USER_TIMEOUT": 4000}
        assert conn.info.get_parameters()["connect_timeout"] == "9"


def test_a_unix_socket_is_reached_as_ever(database: Database) -> None:
    with open_connection(database.url, application="test", autocommit=True) as conn:
        assert conn.info.get_parameters()["tcp_user_timeout"] == "25000"
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_an_address_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(psycopg.ProgrammingError):
        open_pool("postgresql://host/name?tcp_user_timeuot=1", application="test")
