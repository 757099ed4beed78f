"""Messages to columns: what is well-formed by a quick path, everything else by the careful one, message by message.

The quick path never refuses anything by itself. A message that has the least thing out of the ordinary is taken back
whole and goes through `ingest.careful`, so there is one author of rejections and one meaning of "good".
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain.reading import Rejection
from ingest.careful import ReceivedReport, Refusal, read_carefully
from ingest.decode import QUICK_ERRORS, is_plain, load_quickly
from ingest.device_table import DeviceTable, TopicKind, WireFormat, is_spoken_for
from ingest.formats.contract import Decoder
from ingest.message import Message
from ingest.validate import LAST_SEQ, NO_SEQ, Judged, TimeWindow

_QUICK_FORMATS = (WireFormat.JSON, WireFormat.THINGSBOARD_TELEMETRY)
_QUICK_KEYS = ({"ts", "values"}, {"ts", "values", "seq"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may hold."""

    max_payload: int
    max_values: int


@dataclass(frozen=True, slots=True)
class Columns:
    """What a run of messages says. The arrays have one length and are in the order of arrival."""

    series_id: NDArray[np.int32]
    observed_us: NDArray[np.int64]
    value: NDArray[np.float64]
    flags: NDArray[np.int16]
    seq: NDArray[np.int64]  # the number that came with each reading, or NO_SEQ
    message_no: NDArray[np.int32]  # which message each reading stood in
    rejections: list[tuple[int, Rejection]]  # with the number of the message
    reports: list[ReceivedReport]
    refusals: list[Refusal]  # one for each problem, with the number of the message


@dataclass(slots=True)
class _Parts:
    """One entry in `times`, `counts`, `numbers` for each set of values that has one time; the values end to end."""

    series: list[int]
    values: list[float]  # as far as anybody knows yet
    times: list[int]
    counts: list[int]
    numbers: list[int]
    seqs: list[int]


def decode_messages(
    messages: Sequence[Message],
    table: DeviceTable,
    window: TimeWindow,
    limits: Limits,
    sparkplug: Decoder | None = None,
) -> Columns:
    """Everything that these messages, all received at the window's time, say and get wrong. Never raises.

    `sparkplug` remembers what edge nodes said before; it gets their messages in order, each once.
    """
    parts, careful = _collect(messages, table, limits)
    quick = _to_arrays(parts, table, window, careful)
    if not careful:
        return Columns(*quick, [], [], [])
    rejections: list[tuple[int, Rejection]] = []
    reports: list[ReceivedReport] = []
    refusals: list[Refusal] = []
    judged = Judged()
    numbers: list[int] = []
    for number in sorted(careful):
        # A microsecond apart: readings that have no time but that of their receipt must not fall on one instant.
        own_window = replace(window, received_us=window.received_us + number)
        found = read_carefully(messages[number], table, own_window, limits.max_payload, limits.max_values, sparkplug)
        rejections += [(number, rejection) for rejection in found.rejections]
        reports += [replace(report, message_no=number) for report in found.reports]
        refusals += [refusal._replace(message_no=number) for refusal in found.refusals]
        judged.extend(found.judged)
        numbers += [number] * len(found.judged.series_id)
    return Columns(*_merge(quick, judged, numbers), rejections, reports, refusals)


def _merge(quick: "_Arrays", judged: Judged, numbers: list[int]) -> "_Arrays":
    """Both in one, in the order of the messages."""
    if not numbers:
        return quick
    series_id, observed_us, value, flags, seq, rows = quick
    all_rows = np.concatenate((rows, np.array(numbers, np.int32)))
    order = np.argsort(all_rows, kind="stable")
    return (
        np.concatenate((series_id, np.array(judged.series_id, np.int32)))[order],
        np.concatenate((observed_us, np.array(judged.observed_us, np.int64)))[order],
        np.concatenate((value, np.array(judged.value, np.float64)))[order],
        np.concatenate((flags, np.array(judged.flags, np.int16)))[order],
        np.concatenate((seq, np.array(judged.seq, np.int64)))[order],
        all_rows[order],
    )


def _collect(messages: Sequence[Message], table: DeviceTable, limits: Limits) -> tuple[_Parts, set[int]]:
    """The parts of all well-formed telemetry, and the numbers of the messages that need care."""
    parts = _Parts([], [], [], [], [], [])
    series, values, times, counts, numbers = parts.series, parts.values, parts.times, parts.counts, parts.numbers
    seqs = parts.seqs
    careful: set[int] = set()
    routes, find_route, find_shape, telemetry = table.routes, table.find_route, table.find_shape, TopicKind.TELEMETRY
    for number, (topic, payload, _, _, size, _) in enumerate(messages):
        route = routes.get(topic) or find_route(topic)
        if route.kind is not telemetry or route.format not in _QUICK_FORMATS or size > limits.max_payload:
            careful.add(number)
            continue
        try:
            document = load_quickly(payload)
        except QUICK_ERRORS:
            careful.add(number)
            continue
        mark = len(times)
        strings = 0
        if route.by_gateway:
            if type(document) is not dict or not document:
                careful.add(number)
                continue
            strings = len(document)
            groups = [(table.devices.get(serial), items) for serial, items in document.items()]
        else:
            groups = [(route.device, document)]
        held = len(values)
        by_gateway, gateway = route.by_gateway, route.gateway
        for device, items in groups:
            # One comparison for each device that is its gateway's own; `is_spoken_for` says what the rest is about.
            if device is None or (
                by_gateway and (device.gateway != gateway or gateway is None) and not is_spoken_for(device, gateway)
            ):
                strings = -1
                break
            if type(items) is dict:
                items = (items,)
            elif type(items) is not list or not items:
                strings = -1
                break
            for item in items:
                # One shape of message is common: it alone is quick, and what it costs here is what a reading costs.
                if type(item) is not dict or item.keys() not in _QUICK_KEYS:
                    strings = -1
                    break
                named = item["values"]
                time = item["ts"]
                seq = item.get("seq", NO_SEQ)
                if type(named) is not dict or type(time) is not int or type(seq) is not int:
                    strings = -1
                    break
                shape = device.shapes.get(tuple(named)) or find_shape(device, tuple(named))
                if not shape:
                    strings = -1
                    break
                series.extend(shape)
                values.extend(named.values())
                times.append(time)
                counts.append(len(shape))
                numbers.append(number)
                seqs.append(seq)
                strings += len(item) + len(shape)
            if strings < 0:
                break
        if strings < 0 or len(values) - held > limits.max_values or not is_plain(payload, strings):
            del series[held:], values[held:], times[mark:], counts[mark:], numbers[mark:], seqs[mark:]
            careful.add(number)
    return parts, careful


_Arrays = tuple[
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.int16],
    NDArray[np.int64],
    NDArray[np.int32],
]


def _to_arrays(parts: _Parts, table: DeviceTable, window: TimeWindow, careful: set[int]) -> _Arrays:
    """The columns of all messages of which every reading is good; the others are added to `careful`."""
    numbers = np.array(parts.numbers, dtype=np.int32)
    counts = np.array(parts.counts, dtype=np.int64)
    rows = np.repeat(numbers, counts)
    series_id = np.array(parts.series, dtype=np.int32)
    value, odd = _to_floats(parts)
    time_ms, late = _to_integers(parts.times, -_LAST_MS, _LAST_MS)
    seq, out = _to_integers(parts.seqs, 0, LAST_SEQ, NO_SEQ)
    good = (value >= table.minimum[series_id]) & (value <= table.maximum[series_id])
    in_time = (time_ms * 1000 >= window.oldest_us) & (time_ms * 1000 <= window.latest_us)
    observed_us = np.repeat(time_ms * 1000, counts)
    seq = np.repeat(seq, counts)
    if odd or late or out or not good.all() or not in_time.all():
        taken_back = {parts.numbers[i] for i in odd | late | out}
        taken_back.update(rows[~good].tolist())
        taken_back.update(numbers[~in_time].tolist())
        careful |= taken_back
        kept = ~np.isin(rows, list(taken_back))
        series_id, observed_us, value, rows = series_id[kept], observed_us[kept], value[kept], rows[kept]
        seq = seq[kept]
    return series_id, observed_us, value, np.zeros(len(series_id), dtype=np.int16), seq, rows


def _to_floats(parts: _Parts) -> tuple[NDArray[np.float64], set[int]]:
    """The values as floats, and which parts hold something that is no number (there the floats are 0)."""
    try:
        # Not numpy: it would read the text "1.5" as a number.
        return np.frombuffer(array("d", parts.values), dtype=np.float64), set()
    except (TypeError, OverflowError):
        floats = array("d")
        odd: set[int] = set()
        at = 0
        for i, count in enumerate(parts.counts):
            try:
                floats.extend(array("d", parts.values[at : at + count]))
            except (TypeError, OverflowError):
                floats.extend(array("d", bytes(8 * count)))
                odd.add(i)
            at += count
        return np.frombuffer(floats, dtype=np.float64), odd


# In milliseconds; beyond it a time would not fit into 64 bits of microseconds.
_LAST_MS = 9_000_000_000_000_000


def _to_integers(numbers: list[int], least: int, most: int, nothing: int = 0) -> tuple[NDArray[np.int64], set[int]]:
    """The numbers in 64 bits each, and which of them are out of bounds (there `nothing` stands, which is in them)."""
    try:
        integers = np.frombuffer(array("q", numbers), dtype=np.int64)
        if (((integers >= least) & (integers <= most)) | (integers == nothing)).all():
            return integers, set()
    except OverflowError:
        pass
    bad = {i for i, number in enumerate(numbers) if not least <= number <= most and number != nothing}
    return np.array([nothing if i in bad else number for i, number in enumerate(numbers)], dtype=np.int64), bad
