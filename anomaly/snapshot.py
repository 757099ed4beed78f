"""The state of a shard as bytes: named arrays in an npz file, no pickles, keyed by device, series and monitor.

State is found again by its key, not by its place, so that devices and monitors may come and go between saving and
loading. What has no key in the new registry is left behind, what is new starts from nothing.
"""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.bank import Bank, MonitorSlot
from anomaly.detectors.contract import Ints, SlotArrays
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.shard_scorer import ShardScorer
from domain.profile import MonitorRule

FORMAT = 1

Arrays = dict[str, NDArray[Any]]


def code_version(scorer: ShardScorer) -> str:
    """What has to be equal for a check-point to be used: the format and the version of every detector."""
    detectors = ",".join(f"{rule.value}={bank.detector.VERSION}" for rule, bank in scorer.banks.items())
    return f"{FORMAT};{detectors}"


def scorer_to_bytes(scorer: ShardScorer) -> bytes:
    """All that scoring knows of a shard; `adopt_bytes` of an equal scorer makes it go on bit for bit."""
    arrays: Arrays = {}
    names: dict[str, int] = {}
    for rule, bank in scorer.banks.items():
        prefix = rule.value
        arrays[f"{prefix}/device"] = _to_ids([s.device.id for s in bank.slots])
        arrays[f"{prefix}/series"] = _to_ids([s.series_ids[0] for s in bank.slots])
        arrays[f"{prefix}/name"] = _to_ids([names.setdefault(_name_of(s), len(names)) for s in bank.slots])
        parts = _parts_of(scorer, rule, bank)
        for part, state in parts.items():
            arrays |= {f"{prefix}/{part}/{name}": array for name, array in state.state_to_arrays().items()}
    arrays["series/id"] = scorer.series_ids
    arrays["series/last_received_us"] = scorer.last_received_us
    arrays["series/last_observed_us"] = scorer.last_observed_us
    arrays["series/last_moment"] = scorer.moments.last
    rest = {
        "names": list(names),
        "firmware": scorer.firmware.state_to_json(),
        "presence": scorer.presence.state_to_json(),
        "doubted": [
            [rule.value, s.device.id, s.series_ids[0], _name_of(s)]
            for rule, number in sorted(scorer.doubted)
            for s in (scorer.banks[rule].slots[number],)
        ],
        "work_orders": [[device, code] for device, code in sorted(scorer.work_orders.items())],
        "seeded": [
            [rule.value, s.device.id, s.series_ids[0], _name_of(s), *record]
            for rule, bank in scorer.banks.items()
            for number, record in sorted(bank.seeded.items())
            for s in (bank.slots[number],)
        ],
        "failed": [
            [rule.value, s.device.id, s.series_ids[0], _name_of(s), s.profile.version, reason]
            for rule, bank in scorer.banks.items()
            for number, reason in sorted(bank.failed.items())
            for s in (bank.slots[number],)
        ],
    }
    arrays |= {f"units/{name}": array for name, array in scorer.units.state_to_arrays().items()}
    arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _to_ids(ids: list[int]) -> NDArray[Any]:
    """Ids (0 or more) in as few bytes as they fit into."""
    wide = np.array(ids, dtype=np.int64)
    largest = wide.max(initial=0)
    return next(
        wide.astype(kind) for kind in (np.uint8, np.uint16, np.uint32, np.int64) if largest <= np.iinfo(kind).max
    )


def adopt_bytes(scorer: ShardScorer, payload: bytes) -> None:
    """Puts the saved state into the slots of `scorer` that have the same key.

    Raises
    ------
    KeyError, ValueError
        The payload is of another version, see `code_version`.
    """
    with np.load(io.BytesIO(payload), allow_pickle=False) as file:
        arrays: Arrays = dict(file)
    rest = json.loads(arrays["rest"].tobytes())
    names: list[str] = rest["names"]
    for rule, bank in scorer.banks.items():
        prefix = rule.value
        saved = zip(
            arrays[f"{prefix}/device"].tolist(),
            arrays[f"{prefix}/series"].tolist(),
            arrays[f"{prefix}/name"].tolist(),
            strict=True,
        )
        place = {(device, series, names[name]): n for n, (device, series, name) in enumerate(saved)}
        wanted = [place.get((s.device.id, s.series_ids[0], _name_of(s)), -1) for s in bank.slots]
        source = np.array(wanted, dtype=np.int64)
        target = np.flatnonzero(source >= 0)
        source = source[target]
        if isinstance(bank.detector, MultivariateDetector) and f"{prefix}/prior/row_us" in arrays:
            bank.detector.begin_prior()
        for part, state in _parts_of(scorer, rule, bank).items():
            if part == "baselines" and f"{prefix}/{part}/begins_us" not in arrays:
                continue  # a check-point of before there were any: nothing was put down
            if part == "prior" and f"{prefix}/{part}/row_us" not in arrays:
                continue
            if isinstance(state, MultivariateDetector):
                _adopt_multivariate(state, arrays, f"{prefix}/{part}", source, target)
            else:
                _adopt(state, arrays, f"{prefix}/{part}", source, target)
    scorer.firmware.adopt_json(rest["firmware"])
    scorer.presence.adopt_json(rest["presence"])
    scorer.work_orders = {int(device): code for device, code in rest.get("work_orders", [])}
    doubted = {tuple(key) for key in rest.get("doubted", [])}
    scorer.doubted = {
        (rule, number)
        for rule, bank in (scorer.banks.items() if doubted else ())
        for number, s in enumerate(bank.slots)
        if (rule.value, s.device.id, s.series_ids[0], _name_of(s)) in doubted
    }
    _adopt_failed(scorer, rest.get("failed", []))
    _adopt_seeded(scorer, rest.get("seeded", []))
    scorer.count_open()
    _, own, saved_at = np.intersect1d(scorer.series_ids, arrays["series/id"], return_indices=True)
    scorer.last_received_us[own] = arrays["series/last_received_us"][saved_at]
    if "series/last_observed_us" in arrays:
        scorer.last_observed_us[own] = arrays["series/last_observed_us"][saved_at]
    if "units/last" in arrays:
        _adopt(scorer.units, arrays, "units", saved_at.astype(np.int64), own.astype(np.int64))
    if "series/last_moment" in arrays:
        scorer.moments.last[own] = arrays["series/last_moment"][saved_at]


def _adopt_failed(scorer: ShardScorer, failed: list[list[Any]]) -> None:
    """Monitors that a detector raised on stay unjudged; a new version of the profile gives them another try."""
    why = {tuple(key): reason for *key, reason in failed}
    for rule, bank in scorer.banks.items() if why else ():
        for number, s in enumerate(bank.slots):
            reason = why.get((rule.value, s.device.id, s.series_ids[0], _name_of(s), s.profile.version))
            if reason is not None:
                bank.give_up(number, reason)


def _adopt_seeded(scorer: ShardScorer, seeded: list[list[Any]]) -> None:
    """Which model record a state began with belongs to the state."""
    records = {tuple(key): (int(record_id), str(code)) for *key, record_id, code in seeded}
    for rule, bank in scorer.banks.items():
        found = (
            (n, records.get((rule.value, s.device.id, s.series_ids[0], _name_of(s)))) for n, s in enumerate(bank.slots)
        )
        bank.seeded = {n: record for n, record in found if record is not None} if records else {}


def _parts_of(scorer: ShardScorer, rule: MonitorRule, bank: Bank) -> dict[str, SlotArrays]:
    parts: dict[str, SlotArrays] = {"detector": bank.detector, "rules": bank.rules}
    if bank.detector.LEARNS:
        parts["baselines"] = bank.baselines
    if isinstance(bank.detector, MultivariateDetector) and bank.detector.prior is not None:
        parts["prior"] = bank.detector.prior
    if rule in scorer.rollups:
        parts["rollup"] = scorer.rollups[rule]
    return parts


def _name_of(slot: MonitorSlot) -> str:
    """The monitor's key; of a multivariate one with its sensors, since its state is one of just these."""
    return slot.monitor.key if len(slot.sensors) == 1 else f"{slot.monitor.key}:{','.join(slot.monitor.sensors)}"


def _adopt(state: SlotArrays, arrays: Mapping[str, NDArray[Any]], prefix: str, source: Ints, target: Ints) -> None:
    own = {name.removeprefix(f"{prefix}/"): array for name, array in arrays.items() if name.startswith(f"{prefix}/")}
    state.adopt_arrays(own, source, target)


def _adopt_multivariate(
    state: MultivariateDetector, arrays: Mapping[str, NDArray[Any]], prefix: str, source: Ints, target: Ints
) -> None:
    """Widens or narrows the saved units first: the widest monitor of the shard decides how wide all are."""
    units = arrays[f"{prefix}/row_us"].shape[0]
    width = arrays[f"{prefix}/value"].shape[0] // units if units else state.width
    if width == state.width:
        _adopt(state, arrays, prefix, source, target)
        return
    resized: Arrays = {}
    both = min(width, state.width)
    for field in state.fields:
        if not field.kept:
            continue
        old = arrays[f"{prefix}/{field.name}"]
        if field.width == 1:
            resized[f"{prefix}/{field.name}"] = old
            continue
        square = field.width == state.width * state.width
        shape = (units, state.width, state.width) if square else (units, state.width)
        new: NDArray[Any] = np.full(shape, field.fill, dtype=field.dtype)
        if square:
            new[:, :both, :both] = old.reshape(units, width, width)[:, :both, :both]
        else:
            new[:, :both] = old.reshape(units, width)[:, :both]
        resized[f"{prefix}/{field.name}"] = new.reshape(-1)
    _adopt(state, resized, prefix, source, target)
