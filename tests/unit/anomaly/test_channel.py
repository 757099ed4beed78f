"""The detector of one recorded signal: features, records, incidents."""

import numpy as np
import pytest

from anomaly.detectors.channel import ChannelDetector
from anomaly.detectors.channel_commands import SETTLING as COMMANDS_SETTLING
from anomaly.detectors.channel_commands import SPAN, NewCommands
from anomaly.detectors.channel_features import FEATURES, STAYS, ChannelFeatures
from anomaly.detectors.channel_incident import ChannelIncident
from anomaly.detectors.channel_records import BLOCK, LAG, SETTLING, ChannelRecords
from anomaly.detectors.contract import Floats

PLACE = {feature.name: k for k, feature in enumerate(FEATURES)}


def _walk(rows: int, seed: int = 1) -> Floats:
    chance = np.random.default_rng(seed)
    wave = np.sin(np.arange(rows) / 9.0) + 0.1 * chance.standard_normal(rows)
    return np.asarray(np.where(wave > 0.6, 1.0, wave))


def test_features_are_what_their_names_say() -> None:
    signal = _walk(600)
    features, known = ChannelFeatures(signal).extend(signal)
    z = (signal - signal[0]) / np.max(np.abs(signal - signal[0]))
    for window in (16, 64, 256):
        row = 599
        last = z[row - window + 1 : row + 1]
        assert features[row, PLACE[f"mean_high_{window}"]] == pytest.approx(last.mean())
        assert features[row, PLACE[f"spread_{window}"]] == pytest.approx(last.std())
        steps = np.abs(np.diff(z))[row - window : row]
        assert features[row, PLACE[f"activity_{window}"]] == pytest.approx(steps.mean())
        assert np.isnan(features[window - 2, PLACE[f"spread_{window}"]])
        assert np.isfinite(features[window - 1, PLACE[f"spread_{window}"]])
    assert features[7, PLACE["step"]] == pytest.approx(abs(z[7] - z[6]))
    assert not known[0, PLACE["step"]]


def test_stays_are_counted_by_hand() -> None:
    signal = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    features, known = ChannelFeatures(np.array([0.0, 1.0])).extend(signal)
    assert features[:, PLACE["above_0.5"]].tolist() == [0, 0, 0, 1, 2, 0, 0]
    assert features[:, PLACE["below_0.5"]].tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert features[:, PLACE["flat"]].tolist() == [0, 1, 0, 1, 2, 0, 0]
    assert not known[:, PLACE["above_0.5"]].any()
    _, known = ChannelFeatures(np.array([0.0, 1.0])).extend(np.tile([0.0, 1.0], STAYS))
    assert known[:, PLACE["above_0.5"]].tolist() == [k >= STAYS - 1 for k in range(2 * STAYS)]


def test_a_constant_signal_has_no_spread_and_its_first_departure_gives_the_unit() -> None:
    flat = np.full(400, 0.1)
    of = ChannelFeatures(flat)
    assert not of.extend(flat)[0][256:, PLACE["spread_256"]].any()
    features, _ = of.extend(np.array([0.1, 0.1 + 3e-5, 0.1 - 6e-5]))
    assert features[:, PLACE["high"]] == pytest.approx([0.0, 1.0, -2.0])


@pytest.mark.parametrize("sizes", [[1], [7, 100, 3], [255, 257], [1000]])
def test_any_split_into_blocks_gives_the_same_bits(sizes: list[int]) -> None:
    warmup, stream = _walk(700), np.concatenate((_walk(500, 2), np.full(80, 0.3), _walk(300, 3) + 2.0))
    commands = np.zeros((880, 2))
    commands[[400, 401], [0, 1]] = 1.0

    def score(parts: list[Floats]) -> tuple[Floats, ...]:
        detector = ChannelDetector(warmup, commands=2)
        detector.learn(warmup)
        detector.learn_commands(np.zeros((700, 2)))
        detector.restart()
        told = np.split(commands, np.cumsum([len(part) for part in parts])[:-1])
        found = [detector.score_block(part, of_part) for part, of_part in zip(parts, told, strict=True)]
        return tuple(
            np.concatenate([getattr(f, name) for f in found]) for name in ("evidence", "score", "family", "alarm")
        )

    edges = np.cumsum(np.resize(sizes, stream.shape[0]))
    parts = list(np.split(stream, edges[edges < stream.shape[0]]))
    for whole, pieced in zip(score([stream]), score(parts), strict=True):
        np.testing.assert_array_equal(whole, pieced)


def _records_of_one() -> ChannelRecords:
    """A feature that is 1 at most in every block, 0.5 on average: its unit is 0.15."""
    records = ChannelRecords([FEATURES[PLACE["step"]]])
    records.learn(np.tile([[0.0], [1.0]], (BLOCK, 1)))
    return records


def _judge(records: ChannelRecords, values: list[float]) -> list[float]:
    rows = np.array(values)[:, None]
    return [float(value) for value in records.judge(rows, np.isfinite(rows))[:, 0]]


def test_an_excess_is_counted_in_the_unit_of_the_records() -> None:
    records = _records_of_one()
    assert _judge(records, [1.0] + [0.5] * (SETTLING - 1)) == [-1.0] * SETTLING  # a new beginning is learnt, not judged
    assert _judge(records, [1.15])[0] == pytest.approx(1.0, abs=0.02)
    assert _judge(records, [1.0, float("nan")]) == [0.0, -1.0]


def test_what_goes_beyond_is_learnt_when_it_lasts_or_is_met_again() -> None:
    once = _records_of_one()
    _judge(once, [0.5] * SETTLING + [3.0] + [0.5] * 2 * LAG)
    assert _judge(once, [3.0])[0] > 3.0  # one spike is no habit
    assert _judge(once, [0.5] * 2 * LAG + [3.0])[-1] == 0.0  # the second one made it one
    lasting = _records_of_one()
    assert _judge(lasting, [0.5] * SETTLING + [3.0] * (LAG + 2))[-1] <= 0.0


def test_an_incident_closes_at_half_of_its_peak_and_needs_a_new_rise_to_open_again() -> None:
    evidence = [0.0, 2.4, 3.0, 20.0, 11.0, 9.0, 9.0, 12.0, 4.0, 7.9, 8.1, 1.0, 2.6]
    expected = [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1]
    assert ChannelIncident().follow(np.array(evidence)).astype(int).tolist() == expected


def test_a_burst_of_new_commands_says_something_and_one_of_them_nothing() -> None:
    commands = np.zeros((COMMANDS_SETTLING + 500, 5))
    first, second = COMMANDS_SETTLING + 50, COMMANDS_SETTLING + 300
    commands[10, 0] = 1.0  # still settling
    commands[first, 1] = 1.0  # one is nothing
    commands[[second, second + 3, second + SPAN - 1], [2, 3, 4]] = 1.0
    commands[-1] = 1.0  # all known by now
    novelty = NewCommands(5)
    novelty.learn(np.zeros((300, 5)))
    excess, named = novelty.judge(commands)
    expected = np.zeros(len(commands))
    expected[[*range(second + 3, second + SPAN - 1)]] = 1.0
    expected[second + SPAN - 1] = 2.0
    assert excess[: second + SPAN].tolist() == expected[: second + SPAN].tolist()
    assert not excess[second + 3 + SPAN + SPAN :].any()
    assert named[second + 3] == (2, 3)
    assert named[second + SPAN - 1] == (2, 3, 4)


def test_a_device_that_always_meets_new_commands_has_a_higher_bar() -> None:
    busy = np.zeros((400, 6))
    busy[300, :3] = 1.0
    later = np.zeros((300, 6))
    later[200, 3:] = 1.0
    novelty = NewCommands(6)
    novelty.learn(busy)
    assert not novelty.judge(later)[0].any()
