"""Which learning detectors have a fleet prior, and how each is pooled."""

from anomaly.training import priors_adaptive, priors_multivariate
from anomaly.training.contract import Pooling
from domain.profile import MonitorRule

POOLINGS: dict[MonitorRule, Pooling] = {
    MonitorRule.ADAPTIVE: priors_adaptive.POOLING,
    MonitorRule.MULTIVARIATE: priors_multivariate.POOLING,
}
