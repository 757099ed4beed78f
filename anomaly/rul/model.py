"""A fitted model of remaining useful life, how it predicts, and the folder it is kept in: arrays and JSON, no code."""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.rul.factors import Factors
from anomaly.rul.features import find_features
from anomaly.rul.intervals import Offsets
from anomaly.rul.network import Network
from anomaly.rul.regimes import UNKNOWN, Regimes
from anomaly.rul.run_table import RunTable
from anomaly.rul.trees import Trees
from domain.errors import ForewarnError

Floats = NDArray[np.float64]

FORMAT = "forewarn-rul"
VERSION = 1
RECORD_FILE = "model.json"
ARRAYS_FILE = "arrays.npz"
PARTS = {
    "regimes": ("places", "scale", "centres"),
    "factors": ("places", "mean", "scale", "offset", "loading", "precision"),
    "offsets": ("level", "low", "high"),
}


class RulModelError(ForewarnError):
    """The folder holds no usable model of remaining useful life."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One entry per row of the table, in its order: remaining cycles, at most the cap, and the interval about them."""

    rul: Floats
    low: Floats
    high: Floats
    unknown_regime: int  # rows of a way of working that was not trained on; what was known before them speaks


@dataclass(frozen=True, slots=True)
class RulModel:
    """Everything a prediction follows from.

    Attributes
    ----------
    record
        Names, settings, provenance and metrics, as `model.json` has them.
    columns
        The table's columns that are read.
    trees, networks
        One entry a fold; of the networks, several.
    blend
        The share of the trees in the mean of both.
    """

    record: dict[str, Any]
    columns: tuple[str, ...]
    cap: float
    regimes: Regimes
    factors: Factors
    trees: tuple[Trees, ...]
    networks: tuple[tuple[Network, ...], ...]
    blend: float
    offsets: Offsets

    def predict(self, table: RunTable) -> Forecast:
        """Remaining cycles at every row, from that row and those of its unit before it.

        Raises ValueError if the table has other columns than the model.
        """
        if table.columns != self.columns:
            raise ValueError(f"the model reads {self.columns}, not {table.columns}")
        regime = self.regimes.find_regimes(table.values)
        evidence = self.factors.find_evidence(table.values, regime)
        features = find_features(table.cycle, *evidence, table.starts)
        total = np.zeros(table.cycle.shape[0])
        for trees, networks in zip(self.trees, self.networks, strict=True):
            total += predict_fold(features, trees, networks, self.blend)
        rul = np.clip(total / len(self.trees) * self.cap, 0.0, self.cap)
        low, high = self.offsets.find_interval(rul, self.cap)
        return Forecast(rul, low, high, int((regime == UNKNOWN).sum()))


def predict_fold(features: NDArray[np.float32], trees: Trees, networks: tuple[Network, ...], blend: float) -> Floats:
    """What the models of one fold say, in units of the cap, not cut."""
    mean = np.mean([network.predict(features) for network in networks], axis=0)
    return np.asarray(blend * trees.predict(features) + (1.0 - blend) * mean)


def record_model(model: RulModel, folder: Path) -> None:
    """Writes the folder: the arrays first, then the record that names their hash.

    Raises RulModelError if the folder holds something else than a model.
    """
    if folder.exists() and not (folder / RECORD_FILE).exists() and any(folder.iterdir()):
        raise RulModelError(f"{folder} is not empty and holds no model; give a new folder.")
    arrays: dict[str, NDArray[Any]] = {}
    for part, names in PARTS.items():
        arrays |= {f"{part}.{name}": getattr(getattr(model, part), name) for name in names}
    for i, (trees, networks) in enumerate(zip(model.trees, model.networks, strict=True)):
        arrays |= trees.to_arrays(f"fold{i}.trees")
        for j, network in enumerate(networks):
            arrays |= network.to_arrays(f"fold{i}.network{j}")
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / ARRAYS_FILE, packed.getvalue())
    record = model.record | {
        "format": FORMAT,
        "version": VERSION,
        "columns": list(model.columns),
        "cap": model.cap,
        "reach": model.regimes.reach if np.isfinite(model.regimes.reach) else None,
        "blend": model.blend,
        "folds": len(model.trees),
        "networks": len(model.networks[0]),
        "arrays_sha256": hashlib.sha256(packed.getvalue()).hexdigest(),
    }
    _replace(folder / RECORD_FILE, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())


def load_model(folder: Path) -> RulModel:
    """The model that `record_model` wrote. Raises RulModelError for anything else; nothing in it is ever run."""
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        content = (folder / ARRAYS_FILE).read_bytes()
    except (OSError, ValueError) as problem:
        raise RulModelError(f"{folder}: {problem}") from problem
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise RulModelError(f"{folder}: {RECORD_FILE} is no record of such a model.")
    if record.get("version") != VERSION:
        raise RulModelError(f"{folder}: version {record.get('version')} is not {VERSION}; train anew.")
    if hashlib.sha256(content).hexdigest() != record.get("arrays_sha256"):
        raise RulModelError(f"{folder}: {ARRAYS_FILE} is not what {RECORD_FILE} was written with.")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
        parts = {part: [arrays[f"{part}.{name}"] for name in names] for part, names in PARTS.items()}
        reach = record["reach"]
        return RulModel(
            record=record,
            columns=tuple(record["columns"]),
            cap=float(record["cap"]),
            regimes=Regimes(
                parts["regimes"][0],
                parts["regimes"][1],
                parts["regimes"][2],
                np.inf if reach is None else float(reach),
            ),
            factors=Factors(*parts["factors"]),
            trees=tuple(Trees.from_arrays(f"fold{i}.trees", arrays) for i in range(record["folds"])),
            networks=tuple(
                tuple(Network.from_arrays(f"fold{i}.network{j}", arrays) for j in range(record["networks"]))
                for i in range(record["folds"])
            ),
            blend=float(record["blend"]),
            offsets=Offsets(*parts["offsets"]),
        )
    except (KeyError, ValueError, TypeError) as problem:
        raise RulModelError(f"{folder}: {type(problem).__name__}: {problem}") from problem


def _replace(file: Path, content: bytes) -> None:
    """The file is the old one or the new one, never half of it."""
    part = file.with_name(file.name + ".part")
    part.write_bytes(content)
    part.replace(file)
