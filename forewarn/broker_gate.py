"""The gate before the embedded broker: beyond this machine nobody reaches it without an account, nor beyond its rights.

rumqttd itself knows no rights by topic, keeps passwords in clear in its configuration, and reads that at its start
alone. So it listens on 127.0.0.1, and this listens where devices are: it checks CONNECT, lets a client go on under its
account's name as client id (nobody takes another's session over), looks at the topic of each PUBLISH and SUBSCRIBE, and
hangs up on what is not allowed, as MQTT 3.1.1 has no other answer. An account that changes or goes is hung up on within
a second.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accounts.account_file import KnownAccount, load_known_accounts
from forewarn.mqtt_packets import (
    BAD_ACCOUNT,
    BAD_PROTOCOL,
    CONNECT,
    PUBLISH,
    SUBSCRIBE,
    Connect,
    MalformedPacketError,
    OtherProtocolError,
    PacketCutter,
    encode_connect,
    find_kind,
    parse_connect,
    parse_filters,
    parse_topic,
)

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
GOODBYE_S = 5.0
CONNECT_LIMIT = 1 << 17
READ_BYTES = 1 << 16
REMEMBERED_TOPICS = 64  # of one connection, that it may publish on
MOST_CONNECTIONS = 2_000
MOST_UNKNOWN = 200  # that have not said who they are: of more, the oldest goes
SHOWN = 100  # characters of what a stranger says of himself


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Where the gate listens and what stands behind it. Without certificate and key it is plain MQTT."""

    host: str
    port: int
    broker_port: int  # on 127.0.0.1
    accounts: Path
    packet_limit: int
    cert_file: str | None = None
    key_file: str | None = None
    poll_s: float = 0.5


class RefusedError(Exception):
    """A client that is hung up on, for the reason given; `answer` is sent before."""

    def __init__(self, reason: str, answer: bytes = b"") -> None:
        super().__init__(reason)
        self.answer = answer


class Gate:
    """Serves until cancelled."""

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        self._accounts: Mapping[str, KnownAccount] = load_known_accounts(settings.accounts)
        self._seen = self._find_version()
        self._open: dict[asyncio.Task[None], tuple[str, KnownAccount | None]] = {}

    async def serve(self) -> None:
        """Listens, and follows the file of accounts."""
        settings = self._settings
        tls = _find_tls(settings)
        server = await asyncio.start_server(
            self._receive,
            settings.host,
            settings.port,
            limit=READ_BYTES,
            ssl=tls,
            ssl_handshake_timeout=CONNECT_TIMEOUT_S if tls else None,
            ssl_shutdown_timeout=GOODBYE_S if tls else None,
        )
        async with server:
            await self._follow_accounts()

    async def _follow_accounts(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_s)
            version = self._find_version()
            if version == self._seen:
                continue
            try:
                self._accounts = load_known_accounts(self._settings.accounts)
            except (OSError, ValueError, KeyError) as problem:
                log.error("accounts stay as they were: %s", problem)
                continue
            self._seen = version
            for task, (username, account) in list(self._open.items()):
                if account is not None and self._accounts.get(username) != account:
                    task.cancel()

    def _find_version(self) -> tuple[int, int, int]:
        try:
            found = self._settings.accounts.stat()
        except FileNotFoundError:
            return 0, 0, 0
        return found.st_mtime_ns, found.st_size, found.st_ino

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) >= MOST_CONNECTIONS:
            writer.close()
            return
        self._make_room()
        self._open[task] = ("", None)
        try:
            await self._relay(task, reader, writer)
        except RefusedError as refusal:
            log.warning("%s: %s", writer.get_extra_info("peername"), refusal)
            with contextlib.suppress(OSError):
                writer.write(refusal.answer)
                await writer.drain()
        except MalformedPacketError as problem:
            log.warning("%s: %s", writer.get_extra_info("peername"), problem)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # either side went away
        except asyncio.CancelledError:
            why = "the account was changed or taken away" if self._open[task][1] else "others wait to say who they are"
            log.warning("%s: %s", writer.get_extra_info("peername"), why)
        finally:
            del self._open[task]
            writer.close()

    def _make_room(self) -> None:
        """Whoever says nothing takes no place from those who do."""
        unknown = [task for task, (_, account) in self._open.items() if account is None and not task.cancelling()]
        if len(unknown) >= MOST_UNKNOWN:
            unknown[0].cancel()

    async def _relay(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        cutter = PacketCutter(CONNECT_LIMIT)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            data = await _read(reader)
            if data[0] != CONNECT << 4:
                raise MalformedPacketError("no CONNECT at the beginning")
            while not (packets := cutter.feed(data)):
                data = await _read(reader)
        connect, account = self._admit(packets[0])
        self._open[task] = (connect.username, account)
        cutter.limit = self._settings.packet_limit
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._settings.broker_port)
        try:
            rights = _Rights(connect.username, account)
            # rumqttd takes no `/` in a client id, and no account's name has a `~`.
            broker_writer.write(encode_connect(connect, connect.username.replace("/", "~")))
            broker_writer.write(rights.check(packets[1:]))
            down = asyncio.create_task(_pump(broker_reader, writer))
            up = asyncio.create_task(_pump_checked(reader, broker_writer, cutter, rights))
            try:
                await asyncio.wait((down, up), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for half in (down, up):
                    half.cancel()
                results = await asyncio.gather(down, up, return_exceptions=True)
            for result in results:
                if isinstance(result, RefusedError | MalformedPacketError):
                    raise result
        finally:
            broker_writer.close()

    def _admit(self, packet: bytes) -> tuple[Connect, KnownAccount]:
        try:
            connect = parse_connect(packet)
        except OtherProtocolError as problem:
            raise RefusedError(str(problem), BAD_PROTOCOL) from problem
        account = self._accounts.get(connect.username)
        if account is None or not account.has_password(connect.password):
            raise RefusedError(f"no such account, or another password: {_show(connect.username)}", BAD_ACCOUNT)
        if connect.will_topic is not None and not account.may_publish(connect.will_topic):
            raise RefusedError(f"{connect.username!r} may not leave a will at {_show(connect.will_topic)}", BAD_ACCOUNT)
        return connect, account


class _Rights:
    """What one connection may say, remembered for the topics that it uses again and again."""

    def __init__(self, username: str, account: KnownAccount) -> None:
        self._username = username
        self._account = account
        self._topics: set[str] = set()

    def check(self, packets: list[bytes]) -> bytes:
        """The packets as one, all of which are allowed."""
        for packet in packets:
            kind = find_kind(packet)
            if kind == CONNECT:
                raise RefusedError(f"{self._username!r} says a second time who it is")
            if kind == PUBLISH:
                self._check_topic(parse_topic(packet))
            elif kind == SUBSCRIBE:
                for topic_filter in parse_filters(packet):
                    if not self._account.may_subscribe(topic_filter):
                        raise RefusedError(f"{self._username!r} may not subscribe to {_show(topic_filter)}")
        return b"".join(packets)

    def _check_topic(self, topic: str) -> None:
        if topic in self._topics:
            return
        if not self._account.may_publish(topic):
            raise RefusedError(f"{self._username!r} may not publish on {_show(topic)}")
        if len(self._topics) < REMEMBERED_TOPICS:
            self._topics.add(topic)


def _show(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(await _read(reader))
        await writer.drain()


async def _pump_checked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cutter: PacketCutter, rights: _Rights
) -> None:
    while True:
        allowed = rights.check(cutter.feed(await _read(reader)))
        if allowed:
            writer.write(allowed)
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> bytes:
    data = await reader.read(READ_BYTES)
    if not data:
        raise ConnectionResetError("closed")
    return data


def _find_tls(settings: GateSettings) -> ssl.SSLContext | None:
    if settings.cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
