"""What scoring led to, into the database: transitions, evidence, scores by the minute."""

from collections.abc import Iterator, Sequence

from anomaly.bank import MonitorSlot
from anomaly.evidence import build_evidence, find_windows
from anomaly.shard_output import ShardOutput
from anomaly.shard_scorer import ShardScorer
from domain.breach import BreachTransition, TransitionKind
from domain.firmware import FirmwareChange
from store.breaches import load_raw_windows, record_evidence, record_transitions
from store.firmware import load_firmware_changes, load_main_firmware
from store.pool import Connection
from store.scores import MinuteScore, record_scores


def record_outputs(conn: Connection, scorer: ShardScorer, outputs: Sequence[ShardOutput]) -> None:
    """Writes transitions, the evidence of what was raised, and scores by the minute, in the transaction of `conn`."""
    transitions = [t for out in outputs for t in out.transitions]
    if transitions:
        record_transitions(conn, transitions)
        _freeze_evidence(conn, scorer, [t for t in transitions if t.kind is TransitionKind.RAISED])
    record_scores(
        conn,
        [
            MinuteScore(series, minute, detector, largest, mean, n)
            for out in outputs
            for m in out.minutes
            for series, minute, detector, largest, mean, n in zip(
                m.series_id.tolist(),
                m.minutes.minute_us.tolist(),
                m.detector.tolist(),
                m.minutes.max_score.tolist(),
                m.minutes.mean_score.tolist(),
                m.minutes.n.tolist(),
                strict=True,
            )
        ],
    )


def _freeze_evidence(conn: Connection, scorer: ShardScorer, raised: Sequence[BreachTransition]) -> None:
    known = [(t, slot) for t in raised if (slot := scorer.find_slot(t.device_id, t.series_id, t.monitor))]
    windows = load_raw_windows(conn, [w for t, slot in known for w in find_windows(t, slot)])
    firmware = load_main_firmware(conn, sorted({(t.device_id, t.first_seen) for t in raised}))
    changes = {t.breach_id: _find_changes(conn, t, slot) for t, slot in known}
    record_evidence(
        conn,
        [
            build_evidence(
                t,
                slot,
                scorer.banks.get(slot.monitor.rule),
                firmware[t.device_id, t.first_seen] or slot.device.firmware,
                {i: windows[t.breach_id, i] for i in slot.series_ids},
                changes[t.breach_id],
            )
            for t, slot in known
        ],
    )


def _find_changes(conn: Connection, t: BreachTransition, slot: MonitorSlot) -> list[FirmwareChange]:
    """What is marked in the evidence: changes of firmware within its window."""
    windows = find_windows(t, slot)
    return load_firmware_changes(conn, t.device_id, windows[0].since, windows[0].until) if windows else []


def split_outputs(outputs: Sequence[ShardOutput]) -> Iterator[ShardOutput]:
    """Each transition and each minute's scores as an output of its own, in their order."""
    for out in outputs:
        yield from (ShardOutput(transitions=[t]) for t in out.transitions)
        yield from (ShardOutput(minutes=[m]) for m in out.minutes)
