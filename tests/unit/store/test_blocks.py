import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from domain.errors import BlockCorruptError
from store.blocks import decode_block, encode_block


@given(st.data(), st.integers(0, 50))
def test_decodes_to_what_was_encoded(data: st.DataObject, n: int) -> None:
    series = data.draw(hnp.arrays(np.int32, n))
    observed = data.draw(hnp.arrays(np.int64, n))
    value = data.draw(hnp.arrays(np.float64, n))
    flags = data.draw(hnp.arrays(np.int16, n))
    block = decode_block(encode_block(series, observed, value, flags))
    assert len(block) == n
    assert block.series_id.tobytes() == series.tobytes()
    assert block.observed_us.tobytes() == observed.tobytes()
    assert block.value.tobytes() == value.tobytes()
    assert block.flags.tobytes() == flags.tobytes()


def _payload() -> bytes:
    n = 3
    return encode_block(
        np.arange(n, dtype=np.int32), np.arange(n, dtype=np.int64), np.ones(n), np.zeros(n, dtype=np.int16)
    )


@pytest.mark.parametrize("at", [0, 4, 8, 12, 16, 40, -1])
def test_any_changed_byte_is_found(at: int) -> None:
    broken = bytearray(_payload())
    broken[at] ^= 0x41
    with pytest.raises(BlockCorruptError):
        decode_block(bytes(broken))


@pytest.mark.parametrize("length", [0, 15, 16, 60])
def test_a_cut_payload_is_found(length: int) -> None:
    with pytest.raises(BlockCorruptError):
        decode_block(_payload()[:length])


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        encode_block(np.zeros(2, np.int32), np.zeros(1, np.int64), np.zeros(2), np.zeros(2, np.int16))
