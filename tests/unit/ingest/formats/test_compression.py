"""Compressed payloads come out as they went in, never larger than the bound, and damage is a reason."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.reading import RejectionReason
from ingest.decode import Problem
from ingest.formats.compression import unpack

LIMIT = 4_096


def _zstd(payload: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(payload)


def _zstd_unsaid(payload: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(payload)


def _gzip(payload: bytes) -> bytes:
    return gzip.compress(payload, mtime=0)


every_way = pytest.mark.parametrize("pack", [_gzip, _zstd, _zstd_unsaid])


@every_way
@given(payload=st.binary(min_size=1, max_size=LIMIT))
@settings(max_examples=60, deadline=None)
def test_what_goes_in_comes_out(pack: Callable[[bytes], bytes], payload: bytes) -> None:
    assert unpack(pack(payload), "", LIMIT) == payload


@every_way
@pytest.mark.parametrize(("size", "fits"), [(LIMIT, True), (LIMIT + 1, False), (1 << 26, False)])
def test_the_bound_is_exact_and_nothing_is_made_beyond_it(
    pack: Callable[[bytes], bytes], size: int, fits: bool
) -> None:
    packed = pack(bytes(size))
    tracemalloc.start()
    found = unpack(packed, "", LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if fits:
        assert found == bytes(size)
    else:
        assert isinstance(found, Problem)
        assert found.reason is RejectionReason.TOO_LARGE
    assert peak < 1 << 20


@every_way
@given(cut=st.integers(4, 60), tail=st.binary(max_size=3))
@settings(max_examples=60, deadline=None)
def test_half_a_stream_and_more_than_a_stream_are_refused(
    pack: Callable[[bytes], bytes], cut: int, tail: bytes
) -> None:
    payload = bytes(range(256))
    packed = pack(payload)
    for damaged in (packed[: min(cut, len(packed) - 1)], packed + b"x" + tail, packed + packed):
        found = unpack(damaged, "", LIMIT)
        assert isinstance(found, Problem)
        assert found.reason is RejectionReason.BAD_COMPRESSION


@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"]),
    st.sampled_from(["", "gzip", "application/zstd; q=1", "application/json"]),
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_payload_or_a_reason(payload: bytes, magic: bytes, content_type: str) -> None:
    found = unpack(magic + payload, content_type, LIMIT)
    if isinstance(found, Problem):
        assert found.reason in (RejectionReason.BAD_COMPRESSION, RejectionReason.TOO_LARGE)
    else:
        assert len(found) <= max(LIMIT, len(magic + payload))


def test_a_frame_that_asks_for_a_giant_window_is_refused() -> None:
    settings_of_giant = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=settings_of_giant).compressobj()
    found = unpack(stream.compress(b"{}") + stream.flush(), "", LIMIT)
    assert isinstance(found, Problem)
    assert found.reason is RejectionReason.BAD_COMPRESSION


def test_what_compresses_otherwise_is_not_taken_for_it() -> None:
    deflated = zlib.compress(b"{}")
    assert unpack(deflated, "", LIMIT) == deflated
    assert unpack(b"{}", "application/gzip", LIMIT) == b"{}"
    assert isinstance(unpack(deflated, "application/gzip", LIMIT), Problem)


def test_a_bomb_that_says_it_is_empty_is_not_believed() -> None:
    # A header with 4 bytes of content size, which are 0, and a window of 8 MiB; then blocks of one byte 131,072 times.
    header = b"\x28\xb5\x2f\xfd" + b"\x80" + b"\x68" + bytes(4)
    block = ((131_072 << 3) | (1 << 1)).to_bytes(3, "little") + b"x"
    last = ((131_072 << 3) | (1 << 1) | 1).to_bytes(3, "little") + b"x"
    packed = header + block * 1_000 + last
    tracemalloc.start()
    found = unpack(packed, "", LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(found, Problem)
    assert peak < 1 << 20
