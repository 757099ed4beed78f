"""Shadow mode: a challenger scored beside the champion on the same blocks. It delivers nowhere and counts.

A shadow starts as a copy of the state of the scorer beside it, with the challenger's profile and fleet priors. From
then on the two go their own ways. Whatever happens in a shadow never touches what is live: one that fails is dropped.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from anomaly.bank import WatchedDevice
from anomaly.shard_output import ShardOutput
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from anomaly.training.contract import FleetPrior
from anomaly.training.seeding import seed_scorer
from domain.breach import BreachTransition, TransitionKind
from domain.profile import Profile
from domain.report import Report
from store.blocks import BlockColumns
from store.shadows import ShadowCount

log = logging.getLogger(__name__)

LIVE, SHADOW = "live", "shadow"
_Place = tuple[date, str, str, TransitionKind]


@dataclass(frozen=True, slots=True)
class Challenger:
    """A model in shadow: another fleet prior, or another profile, for the devices of a model and firmware."""

    record_id: int
    model: str
    firmware: str
    prior: FleetPrior | None = None
    profile: Profile | None = None


@dataclass(slots=True)
class _Run:
    challenger: Challenger
    scorer: ShardScorer
    counts: Counter[_Place] = field(default_factory=Counter)

    def count(self, side: str, transitions: Sequence[BreachTransition]) -> None:
        for t in transitions:
            if t.device_id in self.scorer.devices:
                self.counts[t.at.date(), t.monitor, side, t.kind] += 1


class Shadows:
    """All that is scored in shadow of one shard."""

    def __init__(
        self,
        challengers: Sequence[Challenger],
        devices: Sequence[WatchedDevice],
        profiles: Mapping[str, Profile],
        priors: Sequence[FleetPrior],
        states: Mapping[int, bytes],
        live_state: bytes | None,
    ) -> None:
        """`states` by record id; a challenger without one starts from `live_state`."""
        self._runs: list[_Run] = []
        for challenger in challengers:
            own = [d for d in devices if d.model == challenger.model and challenger.firmware in ("", d.firmware)]
            profile = challenger.profile or profiles.get(challenger.model)
            if not own or profile is None:
                continue
            run = _Run(challenger, ShardScorer(own, {challenger.model: profile}))
            state = states.get(challenger.record_id, live_state)
            try:
                if state is not None:
                    adopt_bytes(run.scorer, state)
                seed_scorer(run.scorer, _find_priors(challenger, priors))
            except (KeyError, ValueError):
                log.exception("the shadow of model %d cannot be set up", challenger.record_id)
                continue
            self._runs.append(run)

    def score(self, columns: BlockColumns, reports: Sequence[Report], received_us: int, live: ShardOutput) -> None:
        """Scores a block that led to `live` on the other side, and counts both."""
        for run in list(self._runs):
            try:
                out = run.scorer.score(columns, reports, received_us)
            except Exception:
                log.exception("the shadow of model %d failed and is dropped", run.challenger.record_id)
                self._runs.remove(run)
                continue
            run.count(LIVE, live.transitions)
            run.count(SHADOW, out.transitions)

    def seed(self, priors: Sequence[FleetPrior]) -> None:
        """Lets what may be seeded start from its prior, `priors` being the live ones."""
        for run in self._runs:
            seed_scorer(run.scorer, _find_priors(run.challenger, priors))

    def forget_counts(self) -> None:
        """What was counted since `take_counts` was counted before, or is counted again."""
        for run in self._runs:
            run.counts.clear()

    def take_counts(self) -> dict[int, list[ShadowCount]]:
        """What was counted since the last call, by record id."""
        taken = {}
        for run in self._runs:
            places = sorted({place[:3] for place in run.counts})
            found = [ShadowCount(*place, *(run.counts[*place, kind] for kind in TransitionKind)) for place in places]
            if found:
                taken[run.challenger.record_id] = found
            run.counts.clear()
        return taken

    def states_to_bytes(self) -> dict[int, bytes]:
        """What a restart needs, by record id."""
        return {run.challenger.record_id: scorer_to_bytes(run.scorer) for run in self._runs}

    def __bool__(self) -> bool:
        return bool(self._runs)


def _find_priors(challenger: Challenger, priors: Sequence[FleetPrior]) -> list[FleetPrior]:
    """The live priors, that of the challenger in place of the one that it challenges."""
    if challenger.prior is None:
        return list(priors)
    scope = (challenger.model, challenger.firmware)
    return [*(p for p in priors if (p.model, p.firmware) != scope), challenger.prior]
