"""Fleet priors: what is pooled from a fleet, and how a new device starts from it."""

from dataclasses import replace

import numpy as np
import pytest

from anomaly.bank import WatchedDevice
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.evidence import build_evidence
from anomaly.shard_output import ShardOutput
from anomaly.shard_scorer import ShardScorer
from anomaly.snapshot import adopt_bytes, scorer_to_bytes
from anomaly.training.contract import FleetPrior
from anomaly.training.pool import StateCollector, pool_fleet
from anomaly.training.seeding import has_prior_for_renewed, seed_scorer
from domain.breach import TransitionKind
from domain.profile import MonitorRule
from domain.report import FirmwareReport, FirmwareState, WorkReport
from store.blocks import BlockColumns
from tests.unit.anomaly.fleet_of_one import PROFILE, SECOND, START

FLEET = 12
NEW = 99


def _make_devices(numbers: range | list[int], firmware: str = "1.0") -> list[WatchedDevice]:
    return [WatchedDevice(n, f"SN-{n:04d}", "M-1", firmware, {"level": 2 * n, "flow": 2 * n + 1}) for n in numbers]


def _make_readings(devices: list[WatchedDevice], seconds: range, seed: int, shift: float = 0.0) -> BlockColumns:
    """Each device around a level and a flow of its own, which are one another's image by a common cause."""
    rows = []
    for d in devices:
        own = np.random.default_rng(1_000 + d.id).normal(0.0, 1.5, 2)
        rng = np.random.default_rng([seed, d.id])
        cause = rng.normal(0.0, 0.4, len(seconds))
        level = 50.0 + own[0] + cause + rng.normal(0.0, 0.3, len(seconds))
        flow = 5.0 + own[1] + cause + rng.normal(0.0, 0.3, len(seconds)) + shift
        for k, second in enumerate(seconds):
            rows += [(second, d.series["level"], level[k]), (second, d.series["flow"], flow[k])]
    rows.sort(key=lambda r: (r[0], r[1]))
    return BlockColumns(
        np.array([r[1] for r in rows], dtype=np.int32),
        np.array([START + r[0] * SECOND for r in rows], dtype=np.int64),
        np.array([r[2] for r in rows], dtype=np.float64),
        np.zeros(len(rows), dtype=np.int16),
    )


def _make_fleet(numbers: range = range(1, FLEET + 1), seconds: int = 150) -> ShardScorer:
    devices = _make_devices(numbers)
    scorer = ShardScorer(devices, {"M-1": PROFILE})
    scorer.score(_make_readings(devices, range(seconds), 1), [], START)
    return scorer


PRIOR = pool_fleet(_make_fleet(), "M-1")


def _start(priors: list[FleetPrior], numbers: list[int] | None = None, firmware: str = "1.0") -> ShardScorer:
    scorer = ShardScorer(_make_devices(numbers or [NEW], firmware), {"M-1": PROFILE})
    seed_scorer(scorer, priors)
    return scorer


def _run(scorer: ShardScorer, seconds: range, seed: int = 2, shift: float = 0.0) -> ShardOutput:
    return scorer.score(_make_readings(list(scorer.devices.values()), seconds, seed, shift), [], START)


def _detectors(scorer: ShardScorer) -> tuple[AdaptiveDetector, MultivariateDetector]:
    adaptive = scorer.banks[MonitorRule.ADAPTIVE].detector
    joint = scorer.banks[MonitorRule.MULTIVARIATE].detector
    assert isinstance(adaptive, AdaptiveDetector)
    assert isinstance(joint, MultivariateDetector)
    return adaptive, joint


def test_a_prior_has_a_part_for_each_learning_monitor_and_is_as_wide_as_the_fleet_varies() -> None:
    parts = {(p.rule, p.key): p for p in PRIOR.parts}
    assert set(parts) == {(MonitorRule.ADAPTIVE, "unusual:flow"), (MonitorRule.MULTIVARIATE, "joint:level,flow")}
    adaptive = parts[MonitorRule.ADAPTIVE, "unusual:flow"]
    assert adaptive.devices == FLEET
    assert adaptive.arrays["learnt"][0].tolist() == [20.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert 3.5 < adaptive.arrays["center"][0, 0] < 6.5
    assert 1.0 < adaptive.arrays["spread"][0, 0] < 3.0
    joint = parts[MonitorRule.MULTIVARIATE, "joint:level,flow"]
    inverse = joint.arrays["matrix"].reshape(2, 2)
    assert inverse[0, 1] == pytest.approx(inverse[1, 0])
    assert inverse[0, 1] < 0.0, "the common cause makes both go up together"


def test_a_new_device_speaks_from_its_first_reading_and_without_a_prior_it_is_silent() -> None:
    first = _run(_start([PRIOR]), range(5), shift=40.0)
    raised = [(t.monitor, t.kind.value) for t in first.transitions]
    assert ("unusual", "RAISED") in raised
    assert ("joint", "RAISED") in raised
    assert _run(_start([]), range(5), shift=40.0).transitions == []


def test_healthy_new_devices_are_not_raised_from_their_first_reading_on() -> None:
    out = _run(_start([PRIOR], list(range(200, 240))), range(400))
    assert out.transitions == []


def test_the_contributions_of_a_device_that_still_warms_up_are_those_of_the_prior() -> None:
    found = next(t for t in _run(_start([PRIOR]), range(5), shift=40.0).transitions if t.monitor == "joint")
    main = found.params["contributions"][0]
    assert main["sensor"] == "flow"
    assert main["expected"] == pytest.approx(5.0, abs=2.0)
    assert main["value"] > 40.0


def test_the_own_baseline_replaces_the_prior_when_the_warm_up_is_over() -> None:
    scorer = _start([PRIOR])
    _, joint = _detectors(scorer)
    head, tail = _split(_make_readings(_make_devices([NEW]), range(62), 2), 120)
    scorer.score(head, [], START)
    assert joint.prior is not None
    assert joint.prior.rows_seen[0] > 0, "the warm-up of 60 rows is not over before the next one"
    scorer.score(tail, [], START)
    assert joint.prior.rows_seen[0] == 0
    unseeded = _start([])
    _run(unseeded, range(62))
    _, alone = _detectors(unseeded)
    for name in ("mean", "spread", "matrix", "reference", "smoothed"):
        assert np.array_equal(getattr(joint, name), getattr(alone, name)), name


def test_a_fault_from_the_first_day_on_does_not_become_the_own_baseline_until_a_day_has_gone() -> None:
    scorer = _start([PRIOR])
    _, joint = _detectors(scorer)
    _run(scorer, range(300), shift=40.0)
    assert joint.rows_seen[0] < 10, "the first rows alone, before the average has got there"
    assert joint.prior is not None
    assert joint.prior.rows_seen[0] > 0
    out = _run(scorer, range(300, 700))
    assert ("joint", "CLEARED") in [(t.monitor, t.kind.value) for t in out.transitions]
    assert joint.prior.rows_seen[0] == 0
    different = _start([PRIOR])
    _, joint = _detectors(different)
    _run(different, range(0, 90_000, 300), shift=40.0)
    assert joint.prior is not None
    assert joint.prior.rows_seen[0] == 0, "it works otherwise than its fleet, and warms up by itself"


def test_the_level_of_the_device_becomes_its_own_within_some_hundred_readings() -> None:
    scorer = _start([PRIOR])
    adaptive, _ = _detectors(scorer)
    before = adaptive.find_expected(0)[1]
    _run(scorer, range(400))
    level, deviation = adaptive.find_expected(0)
    own = 5.0 + np.random.default_rng(1_000 + NEW).normal(0.0, 1.5, 2)[1]
    assert level == pytest.approx(own, abs=0.25)
    assert deviation < 0.6 * before


@pytest.mark.parametrize("cut", [0, 1, 7, 60, 119])
def test_a_seeded_device_is_judged_alike_however_its_readings_are_cut_and_after_a_restart(cut: int) -> None:
    whole = _start([PRIOR])
    block = _make_readings(_make_devices([NEW]), range(120), 3)
    found = whole.score(block, [], START).transitions
    first = _start([PRIOR])
    head, tail = _split(block, 2 * cut)
    early = first.score(head, [], START).transitions
    second = ShardScorer(_make_devices([NEW]), {"M-1": PROFILE})
    adopt_bytes(second, scorer_to_bytes(first))
    assert early + second.score(tail, [], START).transitions == found
    assert scorer_to_bytes(second) == scorer_to_bytes(whole)


def _split(block: BlockColumns, at: int) -> tuple[BlockColumns, BlockColumns]:
    def take(which: slice) -> BlockColumns:
        return BlockColumns(block.series_id[which], block.observed_us[which], block.value[which], block.flags[which])

    return take(slice(0, at)), take(slice(at, None))


def test_what_a_device_has_learnt_itself_is_never_touched() -> None:
    scorer = _start([])
    _run(scorer, range(30))
    before = scorer_to_bytes(scorer)
    assert seed_scorer(scorer, [PRIOR]) == 0
    assert scorer_to_bytes(scorer) == before


def test_seeding_again_changes_nothing_and_another_prior_replaces_what_was_not_used() -> None:
    scorer = _start([PRIOR])
    _run(scorer, range(10))
    before = scorer_to_bytes(scorer)
    seed_scorer(scorer, [PRIOR])
    assert scorer_to_bytes(scorer) == before
    unused = _start([PRIOR])
    assert seed_scorer(unused, []) == 0
    assert _run(unused, range(5), shift=40.0).transitions == []


def test_a_prior_of_the_device_s_firmware_comes_before_that_of_its_model() -> None:
    special = pool_fleet(_make_fleet(), "M-1", firmware="2.0")
    moved = FleetPrior("M-1", "", PRIOR.parts)
    for firmware, reported, expected in (("2.0", None, special), ("1.0", None, moved), ("1.0", "2.0", special)):
        scorer = ShardScorer(_make_devices([NEW], firmware), {"M-1": PROFILE})
        if reported is not None:
            report = FirmwareReport(NEW, START, START, "main", reported, FirmwareState.UPDATED, None, None)
            scorer.score(_make_readings([], range(0), 1), [report], START)
        special.parts[0].arrays["tail"][0] = 3.5
        seed_scorer(scorer, [moved, special])
        adaptive, _ = _detectors(scorer)
        assert adaptive.tail[0] == expected.parts[0].arrays["tail"][0]


def _update(scorer: ShardScorer, seconds: range, version: str, shift: float = 0.0) -> ShardOutput:
    """New firmware with the first of these seconds, and the readings of all of them."""
    at_us = START + seconds[0] * SECOND
    report = FirmwareReport(NEW, at_us, at_us, "main", version, FirmwareState.UPDATED, "1.0")
    block = _make_readings(list(scorer.devices.values()), seconds, 2, shift)
    return scorer.score(block, [report], START)


def test_a_known_device_starts_from_the_prior_of_its_new_firmware_where_the_fleet_has_one() -> None:
    special = replace(pool_fleet(_make_fleet(), "M-1", firmware="2.0"), record_id=8, code="FP-8")
    for priors, speaks in (([PRIOR, special], True), ([PRIOR], False), ([], False)):
        scorer = _start([])
        _run(scorer, range(150))
        _update(scorer, range(150, 153), "2.0")
        assert has_prior_for_renewed(scorer, priors) == speaks
        assert seed_scorer(scorer, priors) == (2 if speaks else 0)
        assert not has_prior_for_renewed(scorer, priors), "a baseline begins with a prior once"
        found = _run(scorer, range(153, 160), shift=40.0).transitions
        assert {t.monitor for t in found} == ({"unusual", "joint"} if speaks else set())
        assert all(t.params["prior"] == {"id": 8, "code": "FP-8"} for t in found)


def test_healthy_devices_are_not_raised_when_they_go_on_from_the_prior_of_their_new_firmware() -> None:
    special = pool_fleet(_make_fleet(), "M-1", firmware="2.0")
    scorer = _start([PRIOR], list(range(200, 220)))
    _run(scorer, range(100))
    at_us = START + 100 * SECOND
    reports = [
        FirmwareReport(number, at_us, at_us, "main", "2.0", FirmwareState.UPDATED, "1.0") for number in scorer.devices
    ]
    scorer.score(_make_readings(list(scorer.devices.values()), range(100, 103), 2), reports, START)
    assert seed_scorer(scorer, [PRIOR, special]) == 40
    assert _run(scorer, range(103, 300)).transitions == []


def test_work_on_a_device_after_its_new_firmware_leaves_it_to_its_own_baseline() -> None:
    special = pool_fleet(_make_fleet(), "M-1", firmware="2.0")
    scorer = _start([])
    _run(scorer, range(150))
    _update(scorer, range(150, 153), "2.0")
    worked = WorkReport(NEW, START + 153 * SECOND, START, "WO-1")
    scorer.score(_make_readings(_make_devices([NEW]), range(154, 156), 3), [worked], START)
    assert seed_scorer(scorer, [special]) == 0


def test_a_prior_that_does_not_fit_costs_a_warm_up_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    broken = [replace(p, arrays={n: a for n, a in p.arrays.items() if n not in ("tail", "mean")}) for p in PRIOR.parts]
    scorer = _start([FleetPrior("M-1", "", tuple(broken))])
    assert caplog.text.count("cannot be used") == 2
    assert _run(scorer, range(5), shift=40.0).transitions == []
    older = [replace(p, version=0) for p in PRIOR.parts]
    assert seed_scorer(_start([]), [FleetPrior("M-1", "", tuple(older))]) == 0


def test_too_few_devices_or_none_that_settled_make_no_prior() -> None:
    assert pool_fleet(_make_fleet(range(1, 3)), "M-1").parts == ()
    assert pool_fleet(_make_fleet(seconds=20), "M-1").parts == ()
    assert pool_fleet(_make_fleet(), "M-1", without=range(1, FLEET - 1)).parts == ()
    assert pool_fleet(_make_fleet(), "OTHER").parts == ()


def test_a_fleet_may_be_collected_part_by_part() -> None:
    collector = StateCollector("M-1")
    for numbers in (range(1, 6), range(6, FLEET + 1)):
        collector.add(_make_fleet(numbers))
    found = collector.pool()
    for part, same in zip(found.parts, PRIOR.parts, strict=True):
        assert part.key == same.key
        for name, array in part.arrays.items():
            np.testing.assert_allclose(array, same.arrays[name], rtol=1e-12)


def test_a_constant_sensor_says_nothing_of_the_fleet() -> None:
    devices = _make_devices(range(1, 6))
    scorer = ShardScorer(devices, {"M-1": PROFILE})
    block = _make_readings(devices, range(150), 1)
    scorer.score(BlockColumns(block.series_id, block.observed_us, np.full(len(block), 3.0), block.flags), [], START)
    assert not any(p.rule is MonitorRule.ADAPTIVE for p in pool_fleet(scorer, "M-1").parts)


def test_a_breach_names_the_model_that_its_baseline_began_with_until_the_baseline_is_its_own() -> None:
    scorer = _start([replace(PRIOR, record_id=7, code="FP-7")])
    restarted = ShardScorer(list(scorer.devices.values()), {"M-1": PROFILE})
    adopt_bytes(restarted, scorer_to_bytes(scorer))
    first = {t.monitor: t for t in _run(restarted, range(5), shift=40.0).transitions}
    assert first["unusual"].params["prior"] == {"id": 7, "code": "FP-7"}
    assert first["joint"].params["prior"] == {"id": 7, "code": "FP-7"}
    bank = scorer.banks[MonitorRule.ADAPTIVE]
    slot = next(s for s in bank.slots if s.monitor.key == "unusual")
    evidence = build_evidence(first["unusual"], slot, bank, "1.0", {})
    assert evidence.body["prior"] == {"id": 7, "code": "FP-7"}

    warm = _start([replace(PRIOR, record_id=7, code="FP-7")])
    assert _run(warm, range(150)).transitions == []
    later = {t.monitor: t for t in _run(warm, range(150, 240), shift=40.0).transitions}
    assert "prior" in later["unusual"].params, "its modes were the fleet's"
    assert "prior" not in later["joint"].params, "a unit that is warm has a baseline of its own"

    worked = _start([replace(PRIOR, record_id=7, code="FP-7")])
    _run(worked, range(10))
    worked.score(
        _make_readings(_make_devices([NEW]), range(11, 12), 3),
        [WorkReport(NEW, START + 10 * SECOND, START, "WO-1")],
        START,
    )
    assert worked.banks[MonitorRule.ADAPTIVE].seeded == {}


def test_a_breach_of_a_device_without_a_prior_names_none() -> None:
    scorer = _start([])
    _run(scorer, range(150))
    raised = [t for t in _run(scorer, range(150, 240), shift=40.0).transitions if t.kind is TransitionKind.RAISED]
    assert raised
    assert not any("prior" in t.params for t in raised)
