"""What is live among the models, as scoring takes it."""

import logging

from anomaly.training.contract import FleetPrior
from anomaly.training.record import decode_prior
from domain.model_record import ModelKind, ModelState
from store.models import LiveModel, load_scoring_models
from store.pool import Connection

log = logging.getLogger(__name__)


def load_live_priors(conn: Connection) -> tuple[FleetPrior, ...]:
    """The fleet priors that are live, by id; one that cannot be read costs new devices a warm-up, never the service."""
    return find_priors(load_scoring_models(conn, [ModelState.LIVE]))


def find_priors(models: list[LiveModel]) -> tuple[FleetPrior, ...]:
    """The fleet priors among these models, as far as this version can read them."""
    priors = []
    for m in models:
        if m.kind != ModelKind.FLEET_PRIOR:
            continue
        try:
            priors.append(decode_prior(m.model, m.firmware, m.arrays, m.description, m.id))
        except (KeyError, ValueError):
            log.exception("model %s cannot be read", m.code)
    return tuple(priors)
