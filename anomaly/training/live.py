"""What is live and in shadow among the models, as scoring takes it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anomaly.shadow import Challenger
from anomaly.training.contract import FleetPrior
from anomaly.training.record import decode_prior
from domain.errors import ProfileError
from domain.model_record import ModelKind, ModelState
from domain.profile_json import profile_from_json
from store.models import LiveModel, load_scoring_models
from store.pool import Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScoringModels:
    """The live fleet priors and what is in shadow, by id. Profiles that are live are the registry's."""

    priors: tuple[FleetPrior, ...] = ()
    challengers: tuple[Challenger, ...] = ()

    @property
    def names(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What tells two sets of models apart: what a model is never changes."""
        return tuple(p.record_id for p in self.priors), tuple(c.record_id for c in self.challengers)


NO_MODELS = ScoringModels()


def load_models_to_score(conn: Connection) -> ScoringModels:
    """What is live and in shadow; what cannot be read costs new devices a warm-up, never the service."""
    models = load_scoring_models(conn, [ModelState.LIVE, ModelState.SHADOW])
    live = find_priors([m for m in models if m.state == ModelState.LIVE])
    return ScoringModels(live, _find_challengers([m for m in models if m.state == ModelState.SHADOW]))


def find_priors(models: Sequence[LiveModel]) -> tuple[FleetPrior, ...]:
    """The fleet priors among these models, as far as this version can read them."""
    priors = []
    for m in models:
        if m.kind != ModelKind.FLEET_PRIOR:
            continue
        try:
            prior = decode_prior(m.model, m.firmware, m.arrays, m.description, m.id)
            priors.append(replace(prior, code=m.code))
        except (KeyError, ValueError):
            log.exception("model %s cannot be read", m.code)
    return tuple(priors)


def _find_challengers(models: Sequence[LiveModel]) -> tuple[Challenger, ...]:
    challengers = []
    for m in models:
        if m.kind == ModelKind.FLEET_PRIOR:
            challengers += [Challenger(m.id, m.model, m.firmware, prior=prior) for prior in find_priors([m])]
            continue
        try:
            profile = profile_from_json(m.description["profile"])
        except (KeyError, ProfileError):
            log.exception("model %s cannot be read", m.code)
        else:
            challengers.append(Challenger(m.id, m.model, m.firmware, profile=profile))
    return tuple(challengers)
