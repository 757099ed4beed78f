"""The API as a program: one uvicorn worker that drains when it is told to stop."""

import asyncio
import gc
import logging
import os
import socket
import threading
import time
from contextlib import ExitStack

import uvicorn

from api.app import create_app
from api.edge import RequestIdFilter
from api.housekeeping import keep_house
from api.seals import load_seal
from api.settings import ApiSettings
from api.state import now
from api.stream_hub import StreamHub
from domain.errors import ConfigurationError
from store.heartbeats import record_heartbeat, remove_heartbeat
from store.migrate import verify_migrated
from store.pool import DATABASE_GONE, Pool, abandon_pool, open_connection, open_pool

log = logging.getLogger("forewarn.api")
HEARTBEAT_S = 2.0
DRAIN_S = 10
LAST_WORDS_S = 2.0  # for the heartbeat to be taken back; a database that is gone is not waited for


def run(settings: ApiSettings, stop: threading.Event) -> None:
    """Serves until `stop`, then lets requests finish and ends event streams, within ten seconds; a few more where the
    database does not answer.

    Raises
    ------
    ConfigurationError
        The port is taken or cannot be bound, or the settings of the sign-in do not go together.
    DatabaseNotMigratedError
        The database has no schema of this version.
    """
    settings.verify()
    if settings.sign_in_key_file.exists():
        load_seal(settings.sign_in_key_file)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())
    with open_connection(settings.database_url, application="api start") as conn:
        verify_migrated(conn)
    with ExitStack() as stack:
        listener = stack.enter_context(_bind(settings))
        pool = open_pool(settings.database_url, application="api background", size=2, patience_s=LAST_WORDS_S)
        stack.callback(abandon_pool, pool)
        app = create_app(settings)
        # What is there now stays to the end: looked through at each collection it stops every request for 200 ms.
        gc.collect()
        gc.freeze()
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                workers=1,
                # Whoever connects is the caller, and only a proxy that is named talks for another address: behind one
                # that is not, all people share an address, and thirty wrong passwords would keep all of them out.
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies,
                server_header=False,
                access_log=False,  # api.edge writes the line, with the caller and the request's id
                log_config=None,
                timeout_graceful_shutdown=DRAIN_S,
                timeout_keep_alive=15,
                ws="none",
            )
        )
        ended = threading.Event()
        threads = [
            threading.Thread(target=_beat, args=(pool, settings, ended), name="api heartbeat"),
            threading.Thread(target=keep_house, args=(pool, settings, ended), name="api housekeeping"),
        ]
        for thread in threads:
            thread.start()
        try:
            asyncio.run(_serve(server, listener, app.state.hub, stop))
        finally:
            ended.set()
            deadline = time.monotonic() + LAST_WORDS_S
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            abandon_pool(pool)
            for thread in threads:
                thread.join()


async def _serve(server: uvicorn.Server, listener: socket.socket, hub: StreamHub, stop: threading.Event) -> None:
    # `_serve` and not `serve`: signals belong to the command, which sets `stop`.
    serving = asyncio.create_task(server._serve([listener]))
    while not stop.is_set() and not serving.done():
        await asyncio.wait([serving], timeout=0.1)
    hub.close()
    server.should_exit = True
    await serving


def _bind(settings: ApiSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is; without, every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"{settings.host}:{settings.port} cannot be used ({error.strerror}); choose another FOREWARN_HTTP_PORT"
        ) from error
    return listener


def _beat(pool: Pool, settings: ApiSettings, ended: threading.Event) -> None:
    started_at = now()
    instance = settings.instance or f"{socket.gethostname()}:{os.getpid()}"
    while True:
        try:
            with pool.connection() as conn:
                record_heartbeat(conn, "api", instance, started_at, {"host": settings.host, "port": settings.port})
        except DATABASE_GONE as error:
            log.warning("the heartbeat could not be written: %s", error)
        if ended.wait(HEARTBEAT_S):
            break
    try:
        with pool.connection() as conn:
            remove_heartbeat(conn, "api", instance)
    except DATABASE_GONE as error:
        log.warning("the heartbeat could not be removed: %s", error)
