"""The program `ingest`: from the broker into the store, acknowledged when it is on disk, until told to stop."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from domain.clock import from_micros
from domain.errors import DatabaseNotMigratedError
from domain.reading import Rejection
from domain.sparkplug import find_topic
from ingest.batch import Batch, may_be_repeated, read_batch
from ingest.device_table import DeviceTable
from ingest.folding import make_folding
from ingest.listening import Listening
from ingest.mqtt_source import Chunk, MqttSource
from ingest.rate_limit import MERGE_US, RateLimit
from ingest.recorder import Outcome, Recorder, find_coming_days
from ingest.registry_table import build_table
from ingest.replay import RegistryMovedError, replay_requested
from ingest.settings import IngestSettings
from ingest.side_task import SideTask, find_reason
from ingest.sightings import Sightings
from ingest.sparkplug.edges import Edges
from ingest.sparkplug.machine import FIRST_WAIT_US
from ingest.sparkplug.ownership import SPARKPLUG_FILTERS, Ownership, OwnershipLostError, wait_to_own
from ingest.sparkplug.payload import encode_rebirth
from store.connectivity import reconcile_connectivity
from store.heartbeats import record_heartbeat, remove_heartbeat
from store.ledger import LedgerEntry
from store.migrate import verify_migrated
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection
from store.readings import UNSTORABLE, ensure_partitions
from store.registry import load_registry, load_registry_version, load_silence
from store.rejections import record_rejections

log = logging.getLogger(__name__)

MAKE_DAYS_EVERY_S = 3600.0
MOST_AWAY_S = 86_400.0


def run(settings: IngestSettings, stop: threading.Event) -> None:
    """Stores what arrives until `stop`; then finishes the batch in hand, acknowledges it and leaves the session to the
    broker. A database or a broker that is away is waited for.

    Raises
    ------
    ConfigurationError
        The broker's address cannot be understood.
    DatabaseNotMigratedError
        The database has no schema of this version.
    """
    folding = make_folding(settings.database_url, settings.fold_s, stop)
    folding.start()
    sparkplug = threading.Thread(target=_run_sparkplug, args=(settings, stop), name="sparkplug")
    if settings.sparkplug.enabled and not settings.leave:
        sparkplug.start()
    try:
        _Ingest(settings, stop, beside=(folding,)).run()
    finally:
        stop.set()
        if sparkplug.ident is not None:
            sparkplug.join()
        folding.join()


def _run_sparkplug(settings: IngestSettings, stop: threading.Event) -> None:
    """Reads Sparkplug whenever this process may, until `stop`; no fault in it stops anything else."""
    mqtt = replace(settings.mqtt, client_id=settings.sparkplug.client_id, share_group=None)
    own = replace(settings, mqtt=mqtt, instance=settings.sparkplug.client_id)
    writer = settings.instance or f"{socket.gethostname()}/{settings.mqtt.client_id}"
    while not stop.is_set():
        try:
            ownership = wait_to_own(settings.database_url, writer, settings.sparkplug.takeover_s, stop)
            if ownership is not None:
                _Ingest(own, stop, ownership).run()
        except DatabaseNotMigratedError:
            return  # the main loop says so
        except OwnershipLostError as loss:
            log.warning("sparkplug: %s", loss)
        except Exception:
            log.exception("sparkplug: it begins anew")
        stop.wait(settings.sparkplug.takeover_s)


def _now_us() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class _Taken:
    """What has come, and what it says by this table; `batch` is None where decoding has to wait."""

    chunks: list[Chunk]
    batch: Batch | None
    table: DeviceTable
    must_wait: bool


class _Ingest:
    """The loop and what it holds. One thread, a second one that decodes ahead and a third that writes down how devices
    stand; the source has its own.

    With `ownership` it is Sparkplug that is read, and only as long as no other process may. The heartbeat tells of what
    stands still `beside` it, too.
    """

    def __init__(
        self,
        settings: IngestSettings,
        stop: threading.Event,
        ownership: Ownership | None = None,
        beside: Sequence[SideTask] = (),
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._ownership = ownership
        self._program = "ingest" if ownership is None else "sparkplug"
        self._edges = None if ownership is None else Edges()
        self._source = MqttSource(
            settings.mqtt,
            _now_us,
            settings.max_payload,
            is_leaving=settings.leave,
            filters=None if ownership is None else SPARKPLUG_FILTERS,
            host_id=None if ownership is None else settings.sparkplug.host_id,
        )
        self._instance = settings.instance or f"{socket.gethostname()}/{settings.mqtt.client_id}"
        self._sightings = Sightings()
        self._limit = RateLimit()
        self._unsaid: list[Rejection] = []
        self._recorder = Recorder(settings.mqtt.client_id, self._sightings, self._edges)
        self._conn: Connection | None = None
        self._table: DeviceTable | None = None
        self._generation = 0
        self._started_at = datetime.now(UTC)
        self._listening = Listening()
        self._is_over = threading.Event()
        self._standing = SideTask(
            "signs of life", self._write_standing, settings.database_url, settings.last_seen_s, self._is_over
        )
        self._beside = (self._standing, *beside)
        self._due: dict[str, float] = {}
        self._totals = LedgerEntry()
        self._batches = 0
        self._largest_batch = 0
        self._failures = 0

    def run(self) -> None:
        try:
            if not self._persist(self._prepare):
                return
            self._standing.start()
            self._source.start()
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode") as ahead:
                self._serve(ahead)
        finally:
            self._source.close()
            self._is_over.set()
            self._standing.join()
            self._leave()

    def _serve(self, ahead: Executor) -> None:
        """The next batch is decoded while the database stores this one, wherever it does not depend on it."""
        coming: Future[_Taken] | None = None
        while not self._stop.is_set() and not self._source.is_drained():
            taken = (coming or ahead.submit(self._take)).result()
            coming = None if taken.must_wait else ahead.submit(self._take)
            if not self._store(taken):
                return  # told to stop: what came after it is for the next start as well, in its order
            self._attend()
        if coming is not None:
            self._store(coming.result())

    def _take(self) -> "_Taken":
        """What has come, decoded unless that has to wait until all before it is committed: for the receipts of a new
        connection, and for where the conversations with Sparkplug's edge nodes stand."""
        chunks = self._source.take(
            max_messages=self._settings.batch_messages,
            max_bytes=self._settings.batch_bytes,
            timeout_s=0.25,
            linger_s=self._settings.linger_s,
        )
        table = self._table
        assert table is not None
        if not chunks:
            return _Taken([], None, table, must_wait=False)
        self._limit.credit(sum(chunk.away_us for chunk in chunks) / 1e6)
        is_new = chunks[-1].generation != self._generation
        if is_new or self._edges is not None or (self._recorder.receipts and any(map(may_be_repeated, chunks))):
            return _Taken(chunks, None, table, must_wait=True)
        return _Taken(chunks, self._read(chunks, table), table, must_wait=False)

    def _read(self, chunks: list[Chunk], table: DeviceTable) -> Batch:
        """What they say, within their devices' limits; what names somebody unknown is not held against a limit yet, as
        it may be read once more by a newer table, and is charged for once."""
        batch = self._decode(chunks, table)
        return batch if batch.names_unknown else self._limit.apply(batch, table)

    def _decode(self, chunks: list[Chunk], table: DeviceTable) -> Batch:
        return read_batch(chunks, table, self._settings, self._recorder.receipts, self._edges)

    def _prepare(self, conn: Connection) -> None:
        verify_migrated(conn)
        if self._ownership is not None and self._edges is not None:
            self._edges.resume(self._ownership.begin(conn))
        self._recorder.resume(conn)
        self._limit.credit(min(load_silence(conn), MOST_AWAY_S))
        self._refresh(conn)

    def _persist(self, action: Any) -> bool:
        """Does it, however often the database goes away meanwhile; False when told to stop before it was done."""
        while True:
            try:
                action(self._connect())
            except DatabaseNotMigratedError:
                raise
            except (*DATABASE_GONE, *RETRYABLE, TimeoutError) as problem:
                if not self._back_off(problem):
                    return False
            else:
                self._failures = 0
                return True

    def _connect(self) -> Connection:
        if self._conn is None:
            if self._ownership is not None:
                self._conn = self._ownership.connect()
            else:
                self._conn = open_connection(self._settings.database_url, application="ingest", autocommit=True)
        return self._conn

    def _back_off(self, problem: BaseException) -> bool:
        log.warning("database: %s", find_reason(problem))
        if self._conn is not None and (self._conn.closed or not isinstance(problem, RETRYABLE)):
            with suppress(*DATABASE_GONE):
                self._conn.close()
            self._conn = None
        self._failures += 1
        wait_s = min(self._settings.max_backoff_s, 0.05 * 2 ** min(self._failures, 16))
        return not self._stop.wait(wait_s)

    def _store(self, taken: "_Taken") -> bool:
        """All of it, then the acknowledgements; when told to stop while the database is away, neither, and False."""
        chunks, batch, table = taken.chunks, taken.batch, taken.table
        if not chunks:
            return True
        if chunks[-1].generation != self._generation:
            self._generation = chunks[-1].generation
            self._recorder.forget_used_receipts()
        if batch is None:
            batch = self._read(chunks, table)
        if batch.names_unknown:
            if self._persist(self._refresh_if_moved) and self._table not in (None, table):
                # Somebody has registered something a moment ago.
                assert self._table is not None
                table = self._table
                batch = self._decode(chunks, table)
            batch = self._limit.apply(batch, table)
        if not self._record(batch, table):
            return False
        self._recorder.use_up_receipts(batch.skipped)
        self._source.acknowledge(chunks)
        self._ask_for_births(batch)
        return True

    def _ask_for_births(self, batch: Batch) -> None:
        for wish in batch.edges.wishes if batch.edges is not None else ():
            log.info("edge node %s/%s is asked for its births: %s", wish.group, wish.edge, wish.why)
            # A node that was away for longer is asked anew by what it sends then: no pile of old wishes awaits it.
            topic, body = find_topic(wish.group, "NCMD", wish.edge), encode_rebirth(_now_us() // 1000)
            self._source.publish(topic, body, expires_s=FIRST_WAIT_US // 1_000_000)

    def _record(self, batch: Batch, table: DeviceTable) -> bool:
        done: list[Outcome] = []

        def record(conn: Connection) -> None:
            done.append(self._recorder.settle(conn, batch) or self._recorder.record(conn, batch, table))

        try:
            if not self._persist(record):
                return False
        except UNSTORABLE as problem:
            return self._record_in_parts(batch, table, problem)
        entry = done[-1].entry
        self._totals = LedgerEntry(**{k: v + getattr(entry, k) for k, v in asdict(self._totals).items()})
        self._batches += 1
        self._largest_batch = max(self._largest_batch, len(batch.messages))
        return True

    def _record_in_parts(self, batch: Batch, table: DeviceTable, problem: Exception) -> bool:
        """Halves until what the database will not have is alone: that is kept as a rejection, the rest is stored."""
        if len(batch.messages) <= 1:
            log.error("a message cannot be stored: %s", str(problem).strip())
            return self._record(batch.as_unstorable(type(problem).__name__, table.no_device), table)
        first, second = batch.halve()
        return self._record(first, table) and self._record(second, table)

    def _attend(self) -> None:
        """What is due between batches. None of it may hold up or lose a message: the next time will do."""
        try:
            if self._is_due("registry", self._settings.registry_poll_s):
                self._refresh_if_moved(self._connect())
            if self._is_due("too fast", MERGE_US / 1e6):
                self._say_who_is_too_fast(self._limit.take_said(_now_us()))
            if self._is_due("days", MAKE_DAYS_EVERY_S):
                ensure_partitions(self._connect(), find_coming_days(_now_us()))
            if self._ownership is None and self._is_due("replay", self._settings.replay_poll_s):
                self._replay(self._connect())
            if self._is_due("heartbeat", self._settings.heartbeat_s):
                record_heartbeat(self._connect(), self._program, self._instance, self._started_at, self._describe())
        except (*DATABASE_GONE, *RETRYABLE, TimeoutError) as problem:
            self._back_off(problem)

    def _say_who_is_too_fast(self, said: list[Rejection]) -> None:
        self._unsaid += said
        if self._unsaid:
            record_rejections(self._connect(), self._unsaid)
            self._unsaid = []

    def _write_standing(self, conn: Connection) -> None:
        """Who was heard of; then, who went silent is stale, who is heard of is not: only while nothing can have been
        missed. With many devices it takes longer than a batch, so it has a thread."""
        now_us = _now_us()
        since_us = self._listening.note(self._source.find_state(), now_us)
        self._sightings.write(conn)  # whatever was committed when the state was asked for is among it
        if self._ownership is None and since_us is not None:
            reconcile_connectivity(conn, from_micros(now_us), from_micros(since_us))

    def _replay(self, conn: Connection) -> None:
        """Some of the refused messages that people want to be decoded again; the rest comes after the next batch."""
        assert self._table is not None
        try:
            done = replay_requested(conn, self._table, self._sightings, self._settings, datetime.now(UTC))
        except RegistryMovedError:
            self._refresh(conn)
            done = 1
        if done:
            self._due["replay"] = 0.0

    def _is_due(self, name: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(name, 0.0):
            return False
        self._due[name] = now + every_s
        return True

    def _refresh_if_moved(self, conn: Connection) -> None:
        if self._table is None or load_registry_version(conn) != self._table.version:
            self._refresh(conn)

    def _refresh(self, conn: Connection) -> None:
        registry = load_registry(conn)
        table = build_table(registry)
        self._sightings.adopt(registry, table)
        self._table = table

    def _describe(self) -> dict[str, Any]:
        state = self._source.find_state()
        return {
            **asdict(self._totals),
            "batches": self._batches,
            "largest_batch": self._largest_batch,
            "lag_s": 0.0 if state.oldest_us is None else round((_now_us() - state.oldest_us) / 1e6, 3),
            "waiting_messages": state.waiting_messages,
            "waiting_bytes": state.waiting_bytes,
            "broker_connected": state.connected,
            "broker_connections": state.connections,
            "broker_problem": state.problem,
            "registry_version": 0 if self._table is None else self._table.version,
            "devices": 0 if self._table is None else len(self._table.devices),
            "standstills": [
                {"what": stands.what, "since": stands.since.isoformat(timespec="seconds"), "problem": stands.problem}
                for stands in (task.find_standstill() for task in self._beside)
                if stands is not None
            ],
        }

    def _leave(self) -> None:
        """Writes down what only this process knows. What cannot be written keeps nothing else from being written."""
        conn = self._conn
        if conn is None:
            log.warning("the database is away at the end: when devices were heard of last is what it says")
            return
        last: tuple[tuple[str, Callable[[], None]], ...] = (
            ("who is too fast", lambda: self._say_who_is_too_fast(self._limit.take_rest())),
            ("signs of life", lambda: self._sightings.write(conn)),
            ("heartbeat", lambda: remove_heartbeat(conn, self._program, self._instance)),
        )
        for what, write in last:
            try:
                write()
            except (*DATABASE_GONE, *RETRYABLE) as problem:
                log.warning("%s, at the end: %s", what, find_reason(problem))
            except Exception:  # whoever stops is told; a connection left open would tell nobody
                log.exception("%s: could not be written at the end", what)
        with suppress(*DATABASE_GONE):
            conn.close()
