"""What tests/fuzz asks of the decoders holds for the seeds of every surface, and for seeds with a few wrong bytes."""

import random

import pytest

from tests.fuzz.seeds import make_seeds
from tests.fuzz.surfaces import SURFACES, check_messages, count_sent, make_message, run_bounded

SEEDS = 60
DAMAGED = 4


@pytest.mark.parametrize("name", SURFACES)
def test_seeds_and_what_becomes_of_them_by_a_few_wrong_bytes(name: str) -> None:
    chance = random.Random(name)
    seeds = list(make_seeds(name))
    for seed in seeds if len(seeds) <= SEEDS else chance.sample(seeds, SEEDS):
        run_bounded(SURFACES[name], seed)
        for _ in range(DAMAGED):
            damaged = bytearray(seed or b"\0")
            for _ in range(chance.randrange(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.choice((chance.randrange(256), *map(ord, '{}[],:"')))
            run_bounded(SURFACES[name], bytes(damaged))
    assert len(seeds) >= 5


def test_values_are_counted_from_outside_where_that_is_plain() -> None:
    def count(payload: str, topic: str = "forewarn/v1/SN-1/telemetry") -> int | None:
        return count_sent(make_message(topic.encode(), payload.encode()))

    assert count('{"values": {"flow": 1, "pressure": "x"}}') == 2
    assert count('[{"ts": 0, "values": {"flow": 1}}, {"values": {"none": 1, "such": 2}}]') == 3
    assert count('{"values": {"flow": 1, "flow": 2}}') is None
    assert count('{"values": {}}') is None
    assert count("{") is None
    assert count('{"values": {"flow": 1}}', "forewarn/v1/gateway/GW-1/telemetry") is None


def test_a_lost_value_that_nobody_counted_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    message = make_message(b"forewarn/v1/SN-1/telemetry", b'{"values": {"flow": "x", "pressure": 1}}')
    assert len(check_messages([message]).series_id) == 1
    monkeypatch.setattr("tests.fuzz.surfaces.count_sent", lambda _: 3)
    with pytest.raises(AssertionError, match="3 values"):
        check_messages([message])
