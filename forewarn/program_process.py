"""One program as a process: logging to standard error in UTC, and signals that become the event `stop`."""

import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def configure_logging(level: str) -> None:
    """Lines with instant (UTC), level and logger on standard error, which a supervisor or a container collects."""
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it repeats each failed attempt as a warning


@contextmanager
def making_to_stay() -> Iterator[None]:
    """What the block makes is taken to stay as long as the process, as modules do: garbage is looked for neither while
    it is made, which takes a fifth of a program's start, nor among it later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def listen_for_stop() -> threading.Event:
    """An event that the first Ctrl-C, SIGTERM or SIGHUP sets; the second one ends the process at once.

    `Event.set` takes a lock, and a signal handler that interrupts `Event.wait` in the main thread could wait for it
    forever. So the handler does nothing: the interpreter writes the signal's number to a socket, and a thread reads it.
    """
    stop = threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in STOP_SIGNALS:
        signal.signal(number, _do_nothing)

    def watch() -> None:
        with reader, writer:
            while received := reader.recv(1):
                if received[0] not in STOP_SIGNALS:
                    continue
                if stop.is_set():
                    os._exit(128 + received[0])
                stop.set()

    threading.Thread(target=watch, name="signals", daemon=True).start()
    return stop


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Its presence is what counts: without a handler the signal would end the process."""
