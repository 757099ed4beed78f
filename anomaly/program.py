"""The scoring program: owns shards, scores their blocks in order, commits what follows from a round with its offset.

Several processes share the shards. The ownership is a session lock; when its connection goes, everything in memory is
dropped and built again from the check-point, so that no two processes ever commit for one shard.
"""

import logging
import math
import os
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from anomaly.bank import REGISTERED_DETECTORS
from anomaly.job_runner import JobRunner
from anomaly.owned_shard import OffsetMovedError, OwnedShard
from anomaly.settings import AnomalySettings
from anomaly.training.live import load_models_to_score
from store.blocks import ShardOffset, listen_for_blocks, load_offsets, wait_for_blocks
from store.checkpoints import try_lock_shard, unlock_shard
from store.heartbeats import Heartbeat, load_heartbeats, record_heartbeat, remove_heartbeat
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection
from store.registry import Registry, load_registry, load_registry_version

log = logging.getLogger(__name__)

PROGRAM = "anomaly"
MOST_UNSCORED = 20  # monitors that the heartbeat names


def run(settings: AnomalySettings, stop: threading.Event) -> None:
    """Scores until `stop` is set; a database that goes away is waited for, and nothing is scored twice or left out."""
    instance = settings.instance or f"{socket.gethostname()}-{os.getpid()}"
    started_at = datetime.now(UTC)
    pause = 0.1
    while not stop.is_set():
        began = time.monotonic()
        try:
            with ExitStack() as stack:
                _Session(settings, instance, started_at, stack).serve(stop)
        except (*DATABASE_GONE, *RETRYABLE, OffsetMovedError) as error:
            if time.monotonic() - began > settings.max_backoff_s:
                pause = 0.1
            log.warning("scoring starts again from the check-points in %.1f s: %s", pause, str(error).strip())
            stop.wait(pause)
            pause = min(2.0 * pause, settings.max_backoff_s)


@dataclass(slots=True)
class _Watch:
    """Since when nothing that arrived could have been missed: ingest lives and no block waits."""

    since: datetime | None = None

    def update(self, ingest_lives: bool, now: datetime) -> None:
        if not ingest_lives:
            self.since = None
        elif self.since is None:
            self.since = now


@dataclass(slots=True)
class _Due:
    """When each recurring duty comes next, on the monotonic clock."""

    heartbeat: float = 0.0
    tick: float = 0.0
    checkpoint: dict[int, float] = field(default_factory=dict)


class _Session:
    """All that lives as long as its two connections: one for locks and notices, one for work."""

    def __init__(self, settings: AnomalySettings, instance: str, started_at: datetime, stack: ExitStack) -> None:
        self.settings = settings
        self.instance = instance
        self.started_at = started_at
        url = settings.database_url
        self.locks: Connection = stack.enter_context(
            open_connection(url, application=f"{PROGRAM} locks", autocommit=True)
        )
        self.conn: Connection = stack.enter_context(open_connection(url, application=PROGRAM, autocommit=True))
        listen_for_blocks(self.locks)
        self.registry: Registry = load_registry(self.conn)
        self.models = load_models_to_score(self.conn)
        self.shards: dict[int, OwnedShard] = {}
        self.watch = _Watch()
        self.due = _Due()
        self.target = 0
        self.waiting = 0
        self.jobs = JobRunner(url, settings.jobs_s, silence_s=settings.job_silence_s)
        stack.callback(self.jobs.close)

    def serve(self, stop: threading.Event) -> None:
        """Rounds until `stop`; then check-points, and the locks and the heartbeat are given back."""
        while not stop.is_set():
            offsets = {o.shard: o for o in load_offsets(self.conn)}
            # After the offsets: a block that is seen was written with a registry that is seen, too.
            self._follow_registry()
            self._beat(offsets)
            self._balance(offsets)
            done = self._run_rounds(offsets, stop)
            self._save_due()
            if self.settings.run_jobs:
                self.jobs.look(self.conn)
            if all(owned.position >= offsets[shard].head for shard, owned in self.shards.items()):
                self._tick()
            if not stop.is_set():
                # Also where more is waiting, without a pause: the lock's connection must be known to live.
                wait_for_blocks(self.locks, 0.0 if done else self.settings.poll_s)
        for owned in list(self.shards.values()):
            self._release(owned)
        remove_heartbeat(self.conn, PROGRAM, self.instance)

    def _follow_registry(self) -> None:
        if load_registry_version(self.conn) == self.registry.version:
            return
        self.registry = load_registry(self.conn)
        self.models = load_models_to_score(self.conn)
        for owned in self.shards.values():
            owned.follow_registry(self.conn, self.registry, self.models)

    def _beat(self, offsets: dict[int, ShardOffset]) -> None:
        now = time.monotonic()
        if now < self.due.heartbeat:
            return
        self.due.heartbeat = now + self.settings.heartbeat_s
        self.waiting = sum(o.head - o.consumed for o in offsets.values() if o.shard in self.shards)
        record_heartbeat(self.conn, PROGRAM, self.instance, self.started_at, self._details())
        beats = load_heartbeats(self.conn)
        peers = sum(_is_alive(b, PROGRAM, self.settings.peer_timeout_s) for b in beats)
        self.target = math.ceil(self.registry.shard_count / max(1, peers))
        ingest_lives = any(_is_alive(b, "ingest", self.settings.ingest_timeout_s) for b in beats)
        self.watch.update(ingest_lives, datetime.now(UTC))

    def _details(self) -> dict[str, Any]:
        unscored = [asdict(u) for o in self.shards.values() for u in o.scorer.unscored]
        return {
            "shards": sorted(self.shards),
            "waiting_blocks": self.waiting,
            "scored": sum(o.scored for o in self.shards.values()),
            "late": sum(o.late for o in self.shards.values()),
            "corrupt_blocks": sum(o.corrupt for o in self.shards.values()),
            "unstorable": sum(o.unstorable for o in self.shards.values()),
            "series": sum(int(o.scorer.series_ids.shape[0]) for o in self.shards.values()),
            "detectors": {d.RULE.value: d.VERSION for d in REGISTERED_DETECTORS},
            "unscored": len(unscored),
            "unscored_first": unscored[:MOST_UNSCORED],
        }

    def _balance(self, offsets: dict[int, ShardOffset]) -> None:
        """Takes free shards up to this process's share, and gives back what is more than that."""
        for shard in sorted(self.shards, reverse=True)[: max(0, len(self.shards) - self.target)]:
            self._release(self.shards[shard])
        for shard in sorted(offsets):
            if len(self.shards) >= self.target:
                return
            if shard not in self.shards and try_lock_shard(self.locks, shard):
                self._acquire(shard)

    def _acquire(self, shard: int) -> None:
        # The offset is read again under the lock: the owner before may have moved it since.
        consumed = next(o.consumed for o in load_offsets(self.conn) if o.shard == shard)
        owned = OwnedShard(shard, self.registry, self.models)
        owned.resume(self.conn, consumed, self.settings.blocks_per_round, lambda: self._beat({}))
        self.shards[shard] = owned
        self.due.checkpoint[shard] = time.monotonic() + self.settings.checkpoint_s
        log.info("shard %d: scoring from block %d", shard, owned.position + 1)

    def _release(self, owned: OwnedShard) -> None:
        owned.save(self.conn)
        unlock_shard(self.locks, owned.shard)
        del self.shards[owned.shard]

    def _run_rounds(self, offsets: dict[int, ShardOffset], stop: threading.Event) -> int:
        done = 0
        for shard, owned in self.shards.items():
            if stop.is_set():
                break
            if offsets[shard].head > owned.position:
                done += owned.run_round(self.conn, offsets[shard].head, self.settings.blocks_per_round)
        return done

    def _save_due(self) -> None:
        now = time.monotonic()
        for shard, owned in self.shards.items():
            moved = owned.position > owned.saved_position and now >= self.due.checkpoint[shard]
            if moved or owned.must_save:
                owned.save(self.conn)
                self.due.checkpoint[shard] = now + self.settings.checkpoint_s

    def _tick(self) -> None:
        if time.monotonic() < self.due.tick or self.watch.since is None:
            return
        self.due.tick = time.monotonic() + self.settings.tick_s
        for owned in self.shards.values():
            owned.tick(self.conn, datetime.now(UTC), self.watch.since)


def _is_alive(beat: Heartbeat, program: str, timeout_s: float) -> bool:
    return beat.program == program and beat.age_s <= timeout_s
