"""What is packed into a ledger block comes out of it again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import BlockCorruptError
from store.ledger_blocks import COUNTED, DELAYS, RUNS, LedgerBlock, Table, decode_ledger_block, encode_ledger_block

_NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-300, 300) | st.just(7)


def _tables(names: tuple[str, ...]) -> st.SearchStrategy[Table]:
    columns = st.lists(st.tuples(*[_NUMBERS] * len(names)), max_size=6)
    return columns.map(lambda found: np.array(found, dtype=np.int64).reshape(len(found), len(names)).T)


@given(st.integers(0, 1 << 60), _tables(COUNTED), _tables(DELAYS), _tables(RUNS))
def test_every_number_comes_back(received_us: int, counts: Table, delays: Table, runs: Table) -> None:
    found = decode_ledger_block(encode_ledger_block(LedgerBlock(received_us, counts, delays, runs)))
    assert found.received_us == received_us
    for before, after in ((counts, found.counts), (delays, found.delays), (runs, found.runs)):
        assert before.tolist() == after.tolist()


def test_a_fleet_that_sends_evenly_takes_a_few_bytes_for_each_device() -> None:
    devices = 2_000
    counts = np.zeros((len(COUNTED), devices), dtype=np.int64)
    counts[0] = np.arange(70_000, 70_000 + devices)
    counts[1:3] = [[3], [15]]
    delays = np.array([counts[0], np.arange(devices) % 250])
    nothing = np.zeros((len(RUNS), 0), dtype=np.int64)
    assert len(encode_ledger_block(LedgerBlock(1, counts, delays, nothing))) < 6 * devices


@pytest.mark.parametrize("at", [0, 4, 9, 25, -1])
def test_one_wrong_byte_is_noticed(at: int) -> None:
    counts = np.ones((len(COUNTED), 3), dtype=np.int64)
    payload = bytearray(encode_ledger_block(LedgerBlock(1, counts, counts[:2], counts[:6])))
    payload[at] ^= 1
    with pytest.raises(BlockCorruptError):
        decode_ledger_block(bytes(payload))


def test_a_block_that_was_cut_off_is_noticed() -> None:
    with pytest.raises(BlockCorruptError):
        decode_ledger_block(b"FWRL\1\0")
