"""One shard that this process owns: state from the check-point, replay, rounds of scoring, check-points."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from anomaly.bank import WatchedDevice
from anomaly.isolation import DetectorFailedError, UnscoredMonitor
from anomaly.presence import OpenBreach
from anomaly.recording import record_outputs, split_outputs
from anomaly.retired_names import name_retired
from anomaly.shadow import Shadows
from anomaly.shard_output import ShardOutput
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, code_version, scorer_to_bytes
from anomaly.training.live import NO_MODELS, ScoringModels
from anomaly.training.seeding import has_prior_for_renewed, seed_scorer
from domain.breach import BreachKind, Severity
from domain.clock import to_micros
from domain.errors import BlockCorruptError
from domain.profile import Profile
from store.blocks import StoredBlock, decode_block, delete_blocks, load_blocks, record_consumed
from store.breaches import load_active_breaches
from store.checkpoints import Checkpoint, load_checkpoint, record_checkpoint
from store.pool import Connection, transaction
from store.readings import UNSTORABLE
from store.registry import Registry
from store.shadows import load_shadow_checkpoints, record_shadow_checkpoints, record_shadow_counts
from store.unscored import replace_unscored

log = logging.getLogger(__name__)


class OffsetMovedError(Exception):
    """Another process scored this shard meanwhile: the ownership was lost and what is in memory is worthless."""


class OwnedShard:
    """The scorer of one shard and how far it is."""

    def __init__(self, shard: int, registry: Registry, models: ScoringModels = NO_MODELS) -> None:
        self.shard = shard
        self._models = models
        self.position = 0
        self.saved_position = 0
        self.scored = 0
        self.late = 0
        self.corrupt = 0
        self.unstorable = 0
        self.must_save = False
        self._has_shadow_rows = True  # perhaps: from before
        self._recorded_unscored: list[UnscoredMonitor] | None = None
        self._devices, self._profiles = find_watched(registry, shard)
        self._decommissioned = find_decommissioned(registry, shard)
        self.scorer = ShardScorer(self._devices, self._profiles)
        self.shadows = self._set_up_shadows({}, None)

    def resume(self, conn: Connection, consumed: int, blocks_at_once: int, beat: Callable[[], None]) -> None:
        """Brings the state to where the shard was last committed: check-point, then replay without output."""
        try:
            self._rebuild(conn, consumed, blocks_at_once, beat)
        except DetectorFailedError as error:
            self._take_care(error)
            self._rebuild(conn, consumed, blocks_at_once, beat)
        self._adopt_open(conn)
        self._record_unscored(conn)
        if self._models.names != NO_MODELS.names:
            self._seed(conn)
        self.scorer.renewed.clear()

    def _rebuild(self, conn: Connection, consumed: int, blocks_at_once: int, beat: Callable[[], None]) -> None:
        is_careful = self.scorer.is_careful
        saved = load_checkpoint(conn, self.shard)
        self.scorer = ShardScorer(self._devices, self._profiles)
        self.position = 0
        if saved is not None:
            self.position = self.saved_position = saved.position
            self._adopt_checkpoint(saved)
        self.scorer.is_careful = is_careful
        states = load_shadow_checkpoints(conn, self.shard, self.position) if self._models.challengers else {}
        self.shadows = self._set_up_shadows(states, self.scorer)
        while self.position < consumed:
            blocks = load_blocks(conn, self.shard, self.position, consumed, blocks_at_once)
            if not blocks:
                break
            for block in blocks:
                self._score(block)
            self.position = blocks[-1].position
            beat()
        self.position = max(self.position, consumed)
        self.shadows.forget_counts()

    def _set_up_shadows(self, states: Mapping[int, bytes], beside: ShardScorer | None) -> Shadows:
        """What is in shadow now: from its own states, else beside the scorer and from its state."""
        live_state = scorer_to_bytes(beside) if self._models.challengers and beside is not None else None
        models = self._models
        return Shadows(models.challengers, self._devices, self._profiles, models.priors, states, live_state)

    def _take_care(self, error: DetectorFailedError) -> None:
        """From now on until the next check-point, which is due at once, a failing detector is taken apart."""
        log.error("shard %d: a detector failed (%s): scoring again from the check-point, with care", self.shard, error)
        self.scorer.is_careful = True
        self.must_save = True

    def _score_all(self, conn: Connection, blocks: Sequence[StoredBlock]) -> list[ShardOutput]:
        """What these blocks lead to. Where a detector fails, its state is half written: the scorer is built again as it
        was before the first of them, and they are scored with care."""
        try:
            return [self._score(block) for block in blocks]
        except DetectorFailedError as error:
            self._take_care(error)
            position = self.position
            self._rebuild(conn, position, len(blocks), lambda: None)
            # As at a start: what silence and the registry led to is in the database alone.
            self._adopt_open(conn)
            return [self._score(block) for block in blocks]

    def _adopt_checkpoint(self, saved: Checkpoint) -> None:
        """Goes on from a check-point; one of another version costs a new warm-up, never the service."""
        if saved.code_version == code_version(self.scorer):
            try:
                adopt_bytes(self.scorer, saved.state)
            except (KeyError, ValueError):
                log.exception("shard %d: the check-point cannot be read", self.shard)
                self.scorer = ShardScorer(self._devices, self._profiles)
            else:
                return
        log.warning("shard %d: no use of the check-point; detectors warm up anew", self.shard)
        seed_scorer(self.scorer, self._models.priors)

    def follow_registry(self, conn: Connection, registry: Registry, models: ScoringModels = NO_MODELS) -> None:
        """Builds the scorer anew when devices or profiles of the shard changed; equal keys keep their state. What has
        heard nothing yet starts from the prior of its fleet."""
        devices, profiles = find_watched(registry, self.shard)
        known, self._models = self._models, models
        if devices == self._devices and profiles == self._profiles:
            if known.names != models.names:
                self._seed(conn)
            return
        state, is_careful = scorer_to_bytes(self.scorer), self.scorer.is_careful
        self._devices, self._profiles = devices, profiles
        self._decommissioned = find_decommissioned(registry, self.shard)
        self.scorer = ShardScorer(devices, profiles)
        self.scorer.is_careful = is_careful
        adopt_bytes(self.scorer, state)
        self._adopt_open(conn)
        self._record_unscored(conn)
        # A replay has to judge by the registry that judged first: the fewer blocks before the change, the better.
        self.must_save = True
        if known.names != NO_MODELS.names or models.names != NO_MODELS.names:
            self._seed(conn)

    def _seed(self, conn: Connection) -> None:
        """Lets new slots start from the priors and shadows from where they are, and saves at once: whatever is scored
        from them is behind a check-point that holds them, so that a replay needs no model and is none the wiser when
        another one became live."""
        seed_scorer(self.scorer, self._models.priors)
        self.shadows.seed(self._models.priors)
        self.shadows = self._set_up_shadows(self.shadows.states_to_bytes(), self.scorer)
        self.save(conn)

    def run_round(self, conn: Connection, head: int, most: int) -> int:
        """Scores the next blocks and commits what they led to with the offset, in one transaction; how many it were.

        Raises
        ------
        OffsetMovedError
            Nothing was committed; the state must be dropped.
        """
        blocks = load_blocks(conn, self.shard, self.position, head, most)
        if not blocks:
            return 0
        outputs = self._score_all(conn, blocks)
        before, after = self.position, blocks[-1].position
        with transaction(conn):
            self.record_what_can_be(conn, outputs)
            for model_id, counts in self.shadows.take_counts().items():
                record_shadow_counts(conn, model_id, counts)
            if not record_consumed(conn, self.shard, before, after):
                raise OffsetMovedError(f"shard {self.shard} is not at {before}")
        self._record_unscored(conn)
        self.position = after
        self.scored += sum(out.scored for out in outputs)
        self.late += sum(out.late for out in outputs)
        self._start_renewed(conn)
        return len(blocks)

    def _start_renewed(self, conn: Connection) -> None:
        """What began anew with its firmware starts from the prior of that firmware, where there is one."""
        challenging = (c.prior for c in self._models.challengers if c.prior is not None)
        if has_prior_for_renewed(self.scorer, [*self._models.priors, *challenging]):
            self._seed(conn)
        self.scorer.renewed.clear()

    def tick(self, conn: Connection, now: datetime, watching_since: datetime) -> None:
        """Raises and clears what the passing of time alone decides; call it only when no block is waiting."""
        out = self.scorer.tick(to_micros(now), to_micros(watching_since))
        if out.transitions:
            with transaction(conn):
                record_outputs(conn, self.scorer, [out])

    def save(self, conn: Connection) -> None:
        """Writes a check-point at the present position and removes the blocks that it makes superfluous.

        Raises
        ------
        OffsetMovedError
            Another process is further already.
        """
        self.must_save = False
        checkpoint = Checkpoint(self.shard, self.position, code_version(self.scorer), scorer_to_bytes(self.scorer))
        with transaction(conn):
            if not record_checkpoint(conn, checkpoint):
                raise OffsetMovedError(f"shard {self.shard} has a newer check-point than {self.position}")
            if self.shadows or self._has_shadow_rows:
                states = self.shadows.states_to_bytes()
                record_shadow_checkpoints(conn, self.shard, self.position, states)
                self._has_shadow_rows = bool(states)
            delete_blocks(conn, self.shard, self.position)
        self.saved_position = self.position
        self.scorer.is_careful = False

    def _record_unscored(self, conn: Connection) -> None:
        """Says in the database which monitors nobody judges, so that their silence is not taken for health."""
        unscored = self.scorer.unscored
        if unscored != self._recorded_unscored:
            replace_unscored(conn, self.shard, [(u.device_id, u.monitor, u.reason) for u in unscored])
            self._recorded_unscored = unscored

    def _score(self, block: StoredBlock) -> ShardOutput:
        try:
            columns = decode_block(block.payload)
        except BlockCorruptError:
            # The readings themselves are stored; a block that cannot be read must not stop all that come after it.
            log.exception("shard %d: block %d is skipped", self.shard, block.position)
            self.corrupt += 1
            return ShardOutput()
        received_us = to_micros(block.received_at)
        out = self.scorer.score(columns, block.reports, received_us)
        self.shadows.score(columns, block.reports, received_us, out)
        return out

    def record_what_can_be(self, conn: Connection, outputs: Sequence[ShardOutput]) -> None:
        """Records all of it, or, where the database refuses a part for what it is, all but that part, which is named
        in the log and counted. One value that cannot be stored must not stop the scoring of a shard."""
        try:
            with transaction(conn):
                record_outputs(conn, self.scorer, outputs)
        except UNSTORABLE:
            for part in split_outputs(outputs):
                try:
                    with transaction(conn):
                        record_outputs(conn, self.scorer, [part])
                except UNSTORABLE:
                    log.exception("shard %d: the database refuses %r", self.shard, part)
                    self.unstorable += 1

    def _adopt_open(self, conn: Connection) -> None:
        breaches = [
            OpenBreach(
                device_id=b.device_id,
                series_id=b.series_id,
                monitor=b.monitor,
                kind=BreachKind(b.kind),
                profile_version=b.profile_version,
                severity=Severity(b.severity),
                fault_group=b.fault_group,
                first_seen_us=to_micros(b.first_seen),
                last_seen_us=to_micros(b.last_seen),
                count=b.count,
                peak=b.peak,
                params=b.params,
            )
            for b in load_active_breaches(conn, self.shard)
        ]
        out = self.scorer.adopt_open(breaches, self._decommissioned)
        if out.transitions:
            with transaction(conn):
                out.transitions = name_retired(conn, out.transitions)
                record_outputs(conn, self.scorer, [out])


def find_watched(registry: Registry, shard: int) -> tuple[list[WatchedDevice], Mapping[str, Profile]]:
    """The devices of a shard that are scored, by id, and the profiles of their models."""
    devices = sorted(
        (
            WatchedDevice(d.id, d.serial, d.model, d.firmware, dict(d.series))
            for d in registry.devices.values()
            if d.shard == shard and d.lifecycle != "DECOMMISSIONED"
        ),
        key=lambda d: d.id,
    )
    models = {d.model for d in devices}
    return devices, {model: p for model, p in registry.profiles.items() if model in models}


def find_decommissioned(registry: Registry, shard: int) -> Mapping[int, str]:
    """The serials of the devices of a shard that nobody watches any more, by id."""
    return {d.id: d.serial for d in registry.devices.values() if d.shard == shard and d.lifecycle == "DECOMMISSIONED"}
