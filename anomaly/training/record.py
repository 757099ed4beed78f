"""A fleet prior as bytes and JSON, and back: named arrays in an npz file; nothing is executed to load it."""

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from anomaly.bank import REGISTERED_DETECTORS
from anomaly.training.contract import FleetPrior, PriorPart
from domain.profile import MonitorRule

FORMAT = 1


def encode_prior(prior: FleetPrior) -> tuple[bytes, dict[str, Any]]:
    """The arrays of the prior, and what they mean; equal priors give equal bytes."""
    arrays = {f"{i}/{name}": array for i, part in enumerate(prior.parts) for name, array in sorted(part.arrays.items())}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    parts = [{"rule": p.rule.value, "key": p.key, "version": p.version, "devices": p.devices} for p in prior.parts]
    return file.getvalue(), {"format": FORMAT, "parts": parts}


def decode_prior(
    model: str, firmware: str, arrays: bytes, description: Mapping[str, Any], record_id: int = 0
) -> FleetPrior:
    """The prior that `encode_prior` was given.

    Raises
    ------
    ValueError, KeyError
        The bytes are no such arrays, or of another format.
    """
    if description["format"] != FORMAT:
        raise ValueError(f"a fleet prior of format {description['format']}")
    with np.load(io.BytesIO(arrays), allow_pickle=False) as file:
        loaded = dict(file)
    parts = tuple(
        PriorPart(
            MonitorRule(part["rule"]),
            part["key"],
            part["version"],
            part["devices"],
            {name.partition("/")[2]: array for name, array in loaded.items() if name.partition("/")[0] == str(i)},
        )
        for i, part in enumerate(description["parts"])
    )
    return FleetPrior(model, firmware, parts, record_id)


def find_content_sha256(arrays: bytes, description: Mapping[str, Any]) -> str:
    """The hash of what a model is: its arrays, then the canonical JSON of its description."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(arrays + text.encode()).hexdigest()


def find_code_version() -> str:
    """Which detectors run in this code: what a model was made by, and what it is runnable with."""
    return ",".join(f"{d.RULE.value}={d.VERSION}" for d in sorted(REGISTERED_DETECTORS, key=lambda d: d.RULE.value))
