"""SenML payloads to packs: the list of records with the labels of JSON, from JSON and from CBOR alike. Total."""

from decimal import Decimal
from io import BytesIO
from typing import Any

import cbor2

from domain.counting import say_count
from domain.reading import RejectionReason
from ingest.decode import QUICK_ERRORS, Problem, decode_document, describe, is_plain, load_quickly, shorten

# RFC 8428 s.6, table 4: what is extended later has texts for labels, also in CBOR.
_CBOR_LABELS: dict[Any, str] = {
    -1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs",
    0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
}  # fmt: skip
_DEEPEST = 8
_LARGEST_INTEGER = 1 << 64


def load_json_pack(payload: bytes) -> list[Any] | Problem:
    """The records of a pack in JSON, none of them checked, or why there are none."""
    pack = _load_json(payload)
    return pack if isinstance(pack, Problem) else _check_pack(pack)


def _load_json(payload: bytes) -> Any:
    try:
        document = load_quickly(payload)
    except QUICK_ERRORS:
        return decode_document(payload)
    # A label that stands twice is hidden by the quick parser: its strings are fewer than the payload's then.
    if isinstance(document, list) and is_plain(payload, sum(map(_count_strings, document))):
        return document
    return decode_document(payload)


def _count_strings(record: Any) -> int:
    return len(record) + [*map(type, record.values())].count(str) if type(record) is dict else 0


def load_cbor_pack(payload: bytes) -> list[Any] | Problem:
    """The records of a pack in CBOR, none of them checked, or why there are none."""
    if not payload:
        return Problem(RejectionReason.EMPTY, None, "the message is empty")
    stream = BytesIO(payload)
    try:
        pack = cbor2.CBORDecoder(
            stream,
            tag_hook=_refuse_unknown_tag,
            semantic_decoders=_NO_DECODERS,
            max_depth=_DEEPEST,
            allow_duplicate_keys=False,
        ).decode()
    except Exception as error:  # noqa: BLE001 whatever a stranger's bytes make the library raise, they are no CBOR
        return Problem(RejectionReason.NOT_CBOR, None, shorten(str(error) or type(error).__name__, 200))
    if stream.tell() < len(payload):
        detail = f"{say_count(len(payload) - stream.tell(), 'byte follows', 'bytes follow')} the pack"
        return Problem(RejectionReason.NOT_CBOR, None, detail)
    checked = _check_pack(pack)
    if isinstance(checked, Problem):
        return checked
    return [_rename(record) if type(record) is dict else record for record in checked]


def _refuse_tag(decoder: Any) -> Any:
    raise ValueError("no tag that SenML has a use for")


def _refuse_unknown_tag(decoder: Any, tag: Any) -> Any:
    raise ValueError("no tag that SenML has a use for")


# Numbers alone are read (tags 2 to 4). Dates, patterns, sets, shared and cyclic values are not even made.
_NO_DECODERS = dict.fromkeys(
    (0, 1, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000), _refuse_tag
)


def _rename(record: dict[Any, Any]) -> dict[Any, Any]:
    """The record with the labels of JSON. One that CBOR gives a number cannot stand there as a text as well."""
    return {
        _CBOR_LABELS.get(label, f"{label!r} (a text)" if label in _TEXT_LABELS else label): _to_number(value)
        for label, value in record.items()
    }


_TEXT_LABELS = frozenset(_CBOR_LABELS.values())


def _to_number(value: Any) -> Any:
    # Decimal fractions (tag 4) are numbers of SenML; what is too large for a float is infinite, as in JSON.
    if type(value) is Decimal:
        return float(value)
    if type(value) is int and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        return float("inf" if value > 0 else "-inf")
    return value


def _check_pack(pack: Any) -> list[Any] | Problem:
    if not isinstance(pack, list):
        return Problem(RejectionReason.NOT_SENML, None, f"a pack is a list of records, not {describe(pack)}")
    if not pack:
        return Problem(RejectionReason.EMPTY, None, "the pack holds no record")
    return pack
