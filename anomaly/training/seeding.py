"""Fleet priors into the slots of a scorer that have heard nothing yet; pure state, no I/O."""

import logging
from collections.abc import Sequence

import numpy as np

from anomaly.shard_scorer import ShardScorer
from anomaly.training.contract import FleetPrior, PriorPart, find_key
from anomaly.training.poolings import POOLINGS

log = logging.getLogger(__name__)


def seed_scorer(scorer: ShardScorer, priors: Sequence[FleetPrior]) -> int:
    """Every slot that has heard nothing yet starts from the prior of its model and firmware, else of its model, else
    from nothing, and every slot that new firmware let begin anew from the prior of that firmware, if there is one;
    gives back how many have one. What else a slot has learnt itself is never touched, so that it may be called again,
    with other priors, at any time.

    A device's firmware is what its reports said last, else what the registry said.
    """
    scopes = {(p.model, p.firmware): {(part.rule, part.key, part.version): part for part in p.parts} for p in priors}
    records = {id(part): (p.record_id, p.code) for p in priors for part in p.parts}
    seeded = 0
    for rule, pooling in POOLINGS.items():
        bank = scorer.banks[rule]
        by_part: dict[int, list[int]] = {}
        parts: dict[int, PriorPart] = {}
        without: list[int] = []
        new = set(np.flatnonzero(pooling.find_new(bank)).tolist())
        for number in sorted(new.union(n for r, n in scorer.renewed if r is rule)):
            slot = bank.slots[number]
            firmware = scorer.firmware.find_version(slot.device.id) or slot.device.firmware
            key = (rule, find_key(slot), bank.detector.VERSION)
            own, everybody = (scopes.get((slot.device.model, scope), {}) for scope in (firmware, ""))
            part = own.get(key)
            if number not in new and (part is None or not firmware or bank.is_failed[number]):
                continue
            part = part or everybody.get(key)
            bank.seeded.pop(number, None)
            if part is None:
                without.append(number)
            else:
                parts[id(part)] = part
                by_part.setdefault(id(part), []).append(number)
        if without:
            pooling.clear(bank, np.array(without, dtype=np.int64))
        for name, numbers in by_part.items():
            slots = np.array(numbers, dtype=np.int64)
            try:
                pooling.seed(bank, slots, parts[name].arrays)
            except (KeyError, ValueError):
                # A model that does not fit costs these slots a warm-up, never the service.
                log.exception("the fleet prior of %s cannot be used", parts[name].key)
                pooling.clear(bank, slots)
            else:
                seeded += len(numbers)
                bank.seeded |= dict.fromkeys(numbers, records[name])
    scorer.renewed.clear()
    return seeded


def has_prior_for_renewed(scorer: ShardScorer, priors: Sequence[FleetPrior]) -> bool:
    """Whether one of these is a prior of firmware that let a device begin anew since the scorer was seeded last."""
    scopes = {(p.model, p.firmware) for p in priors if p.firmware}
    devices = [scorer.banks[rule].slots[number].device for rule, number in scorer.renewed]
    return any((d.model, scorer.firmware.find_version(d.id)) in scopes for d in devices)
