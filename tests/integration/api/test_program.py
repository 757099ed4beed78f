"""The API as a program: it starts, beats, says what is wrong with its port, and stops while streams are open."""

import os
import socket
import threading
from contextlib import suppress
from functools import partial

import httpx
import psutil
import pytest

from api.program import run
from api.settings import ApiSettings
from domain.errors import ConfigurationError
from domain.roles import Role
from store.heartbeats import load_heartbeats
from store.pool import open_connection
from tests.support.databases import Database
from tests.support.frail_database import frail_database
from tests.support.http_api import running_api
from tests.support.services import find_free_port, is_listening
from tests.support.waiting import wait_until


def test_it_runs_beats_and_stops_with_a_stream_open(database: Database) -> None:
    with running_api(database.url) as api:
        headers = api.token(Role.ENGINEER)
    settings = ApiSettings(database_url=database.url, port=find_free_port(), instance="api-1")
    stop = threading.Event()
    program = threading.Thread(target=run, args=(settings, stop))
    program.start()
    try:
        wait_until(lambda: is_listening(settings.port), what="the port")
        base = f"http://127.0.0.1:{settings.port}/api/v1"

        def find_status() -> str:
            programs = httpx.get(f"{base}/health").json()["programs"]
            return str({p["program"]: p["status"] for p in programs}["api"])

        wait_until(lambda: find_status() == "alive", what="the heartbeat")
        with httpx.Client() as client:
            client.get(f"{base}/health/live")
            assert find_delays(settings.port) == [False], "answers wait for nobody's acknowledgement"
        with httpx.stream("GET", f"{base}/events/stream", headers=headers, timeout=60) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("id: ")
            stop.set()
            list(lines)
        program.join(timeout=60)
        assert not program.is_alive()
    finally:
        stop.set()
        program.join(timeout=60)
    with open_connection(database.url, application="test") as conn:
        assert load_heartbeats(conn) == []


def test_it_stops_while_its_database_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.program.DRAIN_S", 1)
    with frail_database() as frail:
        url = frail.database.url
        with running_api(url) as api:
            headers = api.token(Role.ENGINEER)
        for breaks, mends in ((frail.freeze, frail.thaw), (frail.kill, frail.start)):
            settings, stop = ApiSettings(database_url=url, port=find_free_port()), threading.Event()
            program = threading.Thread(target=run, args=(settings, stop))
            program.start()
            wait_until(partial(is_listening, settings.port), what="the port")
            base = f"http://127.0.0.1:{settings.port}/api/v1"
            with httpx.stream("GET", f"{base}/events/stream", headers=headers, timeout=60) as stream:
                assert next(stream.iter_lines()).startswith("id: ")
                breaks()
                asker = threading.Thread(target=ask_in_vain, args=(f"{base}/devices", headers))
                asker.start()
                try:
                    stop.set()
                    program.join(timeout=60)
                    assert not program.is_alive(), "it waits for its database"
                finally:
                    mends()
                    program.join(timeout=60)
            asker.join()


def ask_in_vain(url: str, headers: dict[str, str]) -> None:
    with suppress(httpx.TransportError):  # it may be cut
        assert httpx.get(url, headers=headers, timeout=60).status_code >= 500


@pytest.mark.parametrize(("trusted", "kept_out"), [("127.0.0.0/8", False), ("", True), ("192.0.2.7", True)])
def test_a_named_proxy_says_for_whom_it_asks_and_nobody_else_does(
    database: Database, monkeypatch: pytest.MonkeyPatch, trusted: str, kept_out: bool
) -> None:
    monkeypatch.setattr("api.attempts.ADDRESS_FAILURES", 3)
    settings = ApiSettings(database_url=database.url, port=find_free_port(), trusted_proxies=trusted)
    stop = threading.Event()
    program = threading.Thread(target=run, args=(settings, stop))
    program.start()
    try:
        wait_until(lambda: is_listening(settings.port), what="the port")

        def sign_in(name: str, address: str) -> int:
            return httpx.post(
                f"http://127.0.0.1:{settings.port}/sign-in",
                data={"name": name, "password": "wrong"},
                headers={"X-Forwarded-For": address},
                timeout=60,
            ).status_code

        assert [sign_in(f"guess-{n}", "198.51.100.1") for n in range(4)] == [401, 401, 401, 429]
        assert sign_in("somebody", "198.51.100.2") == (429 if kept_out else 401)
    finally:
        stop.set()
        program.join(timeout=60)


def find_delays(port: int) -> list[bool]:
    """Of each connection that this process serves at that port, whether what is small waits there (no TCP_NODELAY)."""
    served = [
        it.fd
        for it in psutil.Process().net_connections("tcp")
        if it.status == psutil.CONN_ESTABLISHED and it.laddr[1] == port
    ]
    found = []
    for fd in served:
        with socket.socket(fileno=os.dup(fd)) as conn:
            found.append(not conn.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    return found


def test_a_taken_port_names_the_setting(database: Database) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = ApiSettings(database_url=database.url, port=taken.getsockname()[1])
        with pytest.raises(ConfigurationError, match="FOREWARN_HTTP_PORT"):
            run(settings, threading.Event())
