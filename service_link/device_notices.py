"""Publishes what devices are to be told, retained below their own topics, until the broker has it as it is wanted.

At least once: publishing a retained message twice does no harm. Without an address of a broker the notices wait.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from domain.broker_address import BrokerAddress, parse_broker_address
from domain.counting import say_count
from service_link.notice_broker import BrokerAwayError, NoticeBroker, RetainedMessage
from service_link.settings import ServiceLinkSettings
from store.device_notices import (
    DeviceNotice,
    count_notices,
    load_kept_notices,
    load_pending_notices,
    record_published,
    record_unpublished,
    try_lock_notices,
)
from store.listening import listen, wait_for_notice
from store.pool import DATABASE_GONE, Connection, open_connection

log = logging.getLogger("forewarn.service_link")
CHANNEL = "forewarn_device_notice"
ANSWER_S = 15.0


@dataclass(slots=True)
class NoticeStatus:
    """What the heartbeat says of the publisher; written by its thread, read by others."""

    broker: str = "not set"  # "not set", "away", "connected", "standby": another process publishes
    waiting: int = 0
    kept: int = 0
    error: str = ""

    def describe(self) -> dict[str, object]:
        """As it stands in the heartbeat."""
        return {"broker": self.broker, "waiting": self.waiting, "kept": self.kept, "error": self.error}


def find_messages(notice: DeviceNotice) -> list[RetainedMessage]:
    """The topics of the device, and of the gateway that it is behind; those that it had before are emptied."""
    payload = b"" if notice.wanted is None else orjson.dumps(notice.wanted, option=orjson.OPT_SORT_KEYS)
    now = find_topics(notice.serial, notice.gateway)
    before = find_topics(notice.published_serial, notice.published_gateway) if notice.published_serial else []
    gone = [RetainedMessage(topic, b"") for topic in before if topic not in now]
    return [*(RetainedMessage(topic, payload) for topic in now), *gone]


def find_topics(serial: str, gateway: str) -> list[str]:
    """Where a device of that serial is told, behind that gateway or none."""
    own = [f"forewarn/v1/{serial}/down/firmware"]
    return [*own, f"forewarn/v1/gateway/{gateway}/down/firmware/{serial}"] if gateway else own


def publish_notices(settings: ServiceLinkSettings, status: NoticeStatus, stop: threading.Event) -> None:
    """Publishes until `stop`; one process of an installation does it at a time.

    Raises
    ------
    ConfigurationError
        The broker's address cannot be used.
    """
    if not settings.mqtt_url:
        _count_only(settings, status, stop)
        return
    address = parse_broker_address(settings.mqtt_url)
    backoff, is_mqtt5 = 0.5, True
    while not stop.is_set():
        try:
            with open_connection(settings.database_url, application="device-notices", autocommit=True) as conn:
                listen(conn, CHANNEL)
                publisher = Publisher(conn, settings)
                while not stop.is_set():
                    if not publisher.take_turn():
                        status.broker = "standby"
                        stop.wait(settings.notice_s)
                        continue
                    try:
                        publisher.connect(address, _find_client_id(settings), is_mqtt5=is_mqtt5)
                        backoff = 0.5
                        publisher.serve(status, stop)
                    except BrokerAwayError as error:
                        if error.other_version and is_mqtt5:
                            is_mqtt5 = False
                            continue
                        is_mqtt5 = True
                        status.broker, status.error = "away", str(error)
                        counts = count_notices(conn)
                        status.waiting, status.kept = counts.waiting, counts.kept
                        log.warning("the broker is away from notices to devices: %s", error)
                        stop.wait(backoff)
                        backoff = min(2 * backoff, settings.max_backoff_s)
                    finally:
                        publisher.disconnect()
        except DATABASE_GONE as error:
            log.warning("the database is away from notices to devices: %s", error)
            stop.wait(settings.max_backoff_s)


def _find_client_id(settings: ServiceLinkSettings) -> str:
    return f"forewarn-service-{settings.instance or f'{socket.gethostname()}-{os.getpid()}'}"


def _count_only(settings: ServiceLinkSettings, status: NoticeStatus, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            with open_connection(settings.database_url, application="device-notices", autocommit=True) as conn:
                while not stop.is_set():
                    counts = count_notices(conn)
                    status.waiting, status.kept = counts.waiting, counts.kept
                    stop.wait(max(settings.notice_s, 5.0))
        except DATABASE_GONE:
            stop.wait(settings.max_backoff_s)


class Publisher:
    """The work on one database connection and, in turn, several connections to the broker."""

    def __init__(self, conn: Connection, settings: ServiceLinkSettings) -> None:
        self._conn = conn
        self._settings = settings
        self._broker: NoticeBroker | None = None
        self._has_lock = False

    def take_turn(self) -> bool:
        """Whether this process is the one that publishes."""
        self._has_lock = self._has_lock or try_lock_notices(self._conn)
        return self._has_lock

    def connect(self, address: BrokerAddress, client_id: str, *, is_mqtt5: bool) -> None:
        """Connects, and gives the broker all that it is to keep: it may have lost them.

        Raises
        ------
        BrokerAwayError
            It cannot be reached, or goes away.
        """
        self._broker = NoticeBroker(address, client_id, is_mqtt5=is_mqtt5)
        self._publish_all(load_kept_notices)

    def serve(self, status: NoticeStatus, stop: threading.Event) -> None:
        """Publishes what is pending, again and again, until `stop`.

        Raises
        ------
        BrokerAwayError
            The connection is lost.
        """
        while not stop.is_set():
            self._publish_all(load_pending_notices)
            counts = count_notices(self._conn)
            status.broker, status.error = "connected", ""
            status.waiting, status.kept = counts.waiting, counts.kept
            if not stop.is_set():
                wait_for_notice(self._conn, self._settings.notice_s)
            if self._broker is None or not self._broker.is_connected:
                raise BrokerAwayError("the connection was lost")

    def _publish_all(self, load: Callable[..., list[DeviceNotice]]) -> None:
        after = 0
        while notices := load(self._conn, after=after, limit=self._settings.notice_batch):
            self._publish(notices)
            after = notices[-1].device_id

    def _publish(self, notices: Sequence[DeviceNotice]) -> None:
        assert self._broker is not None
        owned = [(notice, message) for notice in notices for message in find_messages(notice)]
        answers = self._broker.publish([message for _, message in owned], ANSWER_S)
        refused: dict[int, str] = {}
        unanswered: set[int] = set()
        for place, (notice, message) in enumerate(owned):
            answer = answers.get(place)
            if answer is None:
                unanswered.add(notice.device_id)
            elif answer:
                refused[notice.device_id] = f"{message.topic}: {answer}"
        done = [n for n in notices if n.device_id not in refused and n.device_id not in unanswered]
        record_published(self._conn, done, datetime.now(UTC))
        for device_id, why in refused.items():
            record_unpublished(self._conn, [device_id], why)
        if unanswered:
            record_unpublished(self._conn, sorted(unanswered), "no answer from the broker")
            raise BrokerAwayError(f"no answer to {say_count(len(unanswered), 'notice')}")

    def disconnect(self) -> None:
        """Ends the connection, if there is one."""
        if self._broker is not None:
            self._broker.close()
            self._broker = None
