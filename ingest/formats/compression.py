"""Compressed payloads: gzip and zstd, unpacked up to a bound and never beyond it. Pure and total."""

import zlib

import zstandard

from domain.counting import say_count
from domain.reading import RejectionReason
from ingest.decode import Problem

# No payload of any format begins so: neither a JSON text nor a SenML pack in CBOR nor a Sparkplug message can.
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_TYPES = frozenset({"gzip", "application/gzip", "application/x-gzip"})
_ZSTD_TYPES = frozenset({"zstd", "application/zstd", "application/x-zstd"})
_GZIP_WRAPPER = 16 + zlib.MAX_WBITS
# What every zstd decoder has to support (RFC 8878, 3.1.1.1.2), and no more: a frame may ask for gigabytes.
_MOST_WINDOW = 8 << 20


def unpack(payload: bytes, content_type: str, limit: int) -> bytes | Problem:
    """The payload as it was before it was compressed, at most `limit` bytes; one that is not compressed, itself.

    The first bytes say whether it is compressed; a content type is not needed, and a wrong one explains what cannot
    be read.
    """
    if payload.startswith(GZIP_MAGIC):
        return _unpack_gzip(payload, limit)
    if payload.startswith(ZSTD_MAGIC):
        return _unpack_zstd(payload, limit)
    # A relay may have unpacked a text and left the property as it was: what can be read is read.
    if content_type and payload.lstrip()[:1] not in (b"{", b"["):
        media_type = content_type.partition(";")[0].strip().lower()
        for name, types in (("gzip", _GZIP_TYPES), ("zstd", _ZSTD_TYPES)):
            if media_type in types:
                return _refuse(f"the content type says {name}, the payload does not begin as {name} does")
    return payload


def _unpack_gzip(payload: bytes, limit: int) -> bytes | Problem:
    stream = zlib.decompressobj(_GZIP_WRAPPER)
    try:
        unpacked = stream.decompress(payload, limit + 1)
    except zlib.error as error:
        return _refuse(f"gzip: {error}")
    if len(unpacked) > limit:
        return _refuse_size(limit)
    if not stream.eof:
        return _refuse("gzip: the stream ends before its end")
    if stream.unused_data:
        return _refuse(f"gzip: {say_count(len(stream.unused_data), 'byte follows', 'bytes follow')} the stream")
    return unpacked


def _unpack_zstd(payload: bytes, limit: int) -> bytes | Problem:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW)
    try:
        # What a frame says of its size spares the work; it may say anything, and nothing at all.
        if zstandard.frame_content_size(payload) > limit:
            return _refuse_size(limit)
        with unpacker.stream_reader(payload, read_across_frames=False) as reader:
            if len(reader.read(limit + 1)) > limit:
                return _refuse_size(limit)
        # Now that it is known to fit, once more with the reader that knows where the frame ends, and has no bound.
        stream = unpacker.decompressobj(read_across_frames=False)
        unpacked = stream.decompress(payload)
    except zstandard.ZstdError as error:
        return _refuse(f"zstd: {error}")
    if not stream.eof:
        return _refuse("zstd: the frame ends before its end")
    if stream.unused_data:
        return _refuse(f"zstd: {say_count(len(stream.unused_data), 'byte follows', 'bytes follow')} the frame")
    return unpacked


def _refuse(detail: str) -> Problem:
    return Problem(RejectionReason.BAD_COMPRESSION, None, detail)


def _refuse_size(limit: int) -> Problem:
    return Problem(
        RejectionReason.TOO_LARGE, None, f"unpacked it is larger than the {say_count(limit, 'byte')} of a message"
    )
