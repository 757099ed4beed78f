"""SenML: what any writer of the RFC's rules put in comes out, resolved or not, in JSON and in CBOR."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.reading import RejectionReason
from domain.unit_conversion import Conversion, find_conversion
from ingest.decode import Problem, TelemetryPart
from ingest.device_table import DeviceTable
from ingest.formats.contract import Part
from ingest.formats.senml import decode_senml_cbor, decode_senml_json
from ingest.formats.senml_units import find_ucum

NOW_US = 1_795_305_600_000_000
NOW_S = NOW_US // 1_000_000
TABLE = DeviceTable([], version=1, shard_count=1)
OWN = TABLE.find_route(b"forewarn/v1/SN-1/senml")
BEHIND_GATEWAY = TABLE.find_route(b"forewarn/v1/gateway/GW-1/senml")
CASES = Path(__file__).parents[3] / "cases"
LABELS = {
    "bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6,
    "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8,
}  # fmt: skip

Reading = tuple[str, str, float | None, bool, Any, str | None]  # serial, sensor, milliseconds, relative, value, unit


def _list_readings(parts: list[Part]) -> list[Reading]:
    readings: list[Reading] = []
    for part in parts:
        assert isinstance(part, TelemetryPart), part
        body = part.body
        readings += [
            (part.serial, key, body.get("ts"), part.counts_from_receipt, value, body.get("units", {}).get(key))
            for key, value in body["values"].items()
        ]
    return readings


def _to_cbor(pack: list[dict[str, Any]]) -> bytes:
    return cbor2.dumps([{LABELS.get(label, label): value for label, value in record.items()} for record in pack])


def _decode(pack: list[dict[str, Any]], route: Any = OWN) -> list[Part]:
    """Both representations; they say the same."""
    from_json = list(decode_senml_json(json.dumps(pack).encode(), route, NOW_US))
    from_cbor = list(decode_senml_cbor(_to_cbor(pack), route, NOW_US))
    strip = [part._replace(name_field=None) if isinstance(part, TelemetryPart) else part for part in from_json]
    assert strip == [part._replace(name_field=None) if isinstance(part, TelemetryPart) else part for part in from_cbor]
    return from_json


def test_the_rfcs_example_says_the_same_resolved_as_unresolved() -> None:
    unresolved = (CASES / "senml_rfc_5_1_3" / "payload").read_bytes()
    resolved = (CASES / "senml_rfc_5_1_4" / "payload").read_bytes()
    readings = _list_readings(list(decode_senml_json(unresolved, OWN, NOW_US)))
    assert readings == _list_readings(list(decode_senml_json(resolved, OWN, NOW_US)))
    first_ms = 1_320_067_464_000
    assert [(ms, value, unit) for _, _, ms, _, value, unit in readings] == [
        (first_ms, 20, "%"),
        (first_ms, 24.30621, "deg"),
        (first_ms, 60.07965, "deg"),
        (first_ms + 60_000, 20.3, "%"),
        (first_ms + 60_000, 24.30622, "deg"),
        (first_ms + 60_000, 60.07965, "deg"),
        (first_ms + 120_000, 20.7, "%"),
        (first_ms + 120_000, 24.30623, "deg"),
        (first_ms + 120_000, 60.07966, "deg"),
        (first_ms + 150_000, 98, "%"),
        (first_ms + 180_000, 21.2, "%"),
        (first_ms + 180_000, 24.30628, "deg"),
        (first_ms + 180_000, 60.07967, "deg"),
    ]


def test_the_rfcs_dump_of_cbor_says_what_its_json_says() -> None:
    dump = (CASES / "senml_rfc_6_cbor" / "payload").read_bytes()
    text = (CASES / "senml_rfc_5_1_2_times" / "payload").read_bytes()
    assert _list_readings(list(decode_senml_cbor(dump, OWN, NOW_US))) == _list_readings(
        list(decode_senml_json(text, OWN, NOW_US))
    )


# A reading as a writer has it: sensor, time in microseconds, value, unit.
written = st.tuples(
    st.sampled_from(["flow", "pressure", "temperature"]),
    st.integers(NOW_US - 10**12, NOW_US),
    st.one_of(st.integers(-1000, 1000), st.floats(-1e6, 1e6), st.booleans(), st.text(max_size=3)),
    st.sampled_from(["", "V", "Cel"]),
)


def _write(readings: list[tuple[str, int, Any, str]], draw: Any) -> list[dict[str, Any]]:
    """A pack of these readings, with base fields that come and go."""
    base_name, base_time, base_unit = "", 0, ""
    pack: list[dict[str, Any]] = []
    for sensor, us, value, unit in readings:
        record: dict[str, Any] = {}
        name = f"urn:dev:ow:SN-1:{sensor}"
        if draw(st.booleans()):
            base_name = record["bn"] = draw(st.sampled_from(["", "urn:dev:", "urn:dev:ow:SN-1:"]))
        if draw(st.booleans()):
            base_time = record["bt"] = draw(st.sampled_from([0, NOW_S, NOW_S - 100, -5]))
        if draw(st.booleans()):
            base_unit = record["bu"] = draw(st.sampled_from(["", "V", "A"]))
        record["n"] = name.removeprefix(base_name)
        seconds = us / 1e6 - base_time
        record["t"] = seconds
        if unit != base_unit:
            record["u"] = unit
        label = "vb" if isinstance(value, bool) else "vs" if isinstance(value, str) else "v"
        record[label] = value
        pack.append(record)
    return pack


@given(readings=st.lists(written, min_size=1, max_size=8), data=st.data())
@settings(max_examples=120, deadline=None)
def test_what_is_written_is_read(readings: list[tuple[str, int, Any, str]], data: Any) -> None:
    found = _list_readings(_decode(_write(readings, data.draw)))
    assert [(serial, key, value) for serial, key, _, _, value, _ in found] == [
        ("SN-1", sensor, value) for sensor, _, value, _ in readings
    ]
    for (_, _, ms, is_relative, value, unit), (_, us, _, written_unit) in zip(found, readings, strict=True):
        assert not is_relative
        assert ms is not None
        assert abs(ms * 1000 - us) <= 2, "two sums of floats at some 1.8e9 seconds, each exact to a quarter microsecond"
        assert unit == (
            written_unit or None if isinstance(value, int | float) and not isinstance(value, bool) else None
        )


@given(st.floats(-1e6, 299), st.sampled_from([0, -3, 1e-3]))
@settings(max_examples=60, deadline=None)
def test_a_time_that_counts_from_now_is_marked(seconds: float, base: float) -> None:
    (found,) = _list_readings(_decode([{"bt": base, "n": "flow", "t": seconds, "v": 1}]))
    if base + seconds == 0:
        assert found[2:4] == (None, False)
    else:
        assert found[3]
        assert found[2] is not None
        assert round(found[2] * 1000) == NOW_US + round((base + seconds) * 1e6)


@pytest.mark.parametrize(
    ("name", "serial", "key"),
    [
        ("SN-7:flow", "SN-7", "flow"),
        ("SN-7/flow", "SN-7", "flow"),
        ("urn:dev:ow:10e2073a0108006:voltage", "10e2073a0108006", "voltage"),
        ("urn:dev:os:32473-123456:pump.flow", "32473-123456", "pump.flow"),
        ("building/4/SN-7:flow_rate", "SN-7", "flow_rate"),
    ],
)
def test_through_a_gateway_the_name_carries_serial_and_sensor(name: str, serial: str, key: str) -> None:
    for at in range(len(name)):
        pack = [{"bn": name[:at], "n": name[at:], "v": 1}]
        assert [reading[:2] for reading in _list_readings(_decode(pack, BEHIND_GATEWAY))] == [(serial, key)]
    (part,) = _decode([{"n": name, "v": 1}])
    assert isinstance(part, TelemetryPart)
    assert (part.serial, part.named_device, list(part.body["values"])) == ("SN-1", serial, [key])


def test_records_of_one_moment_are_one_part_and_a_sensor_twice_is_two() -> None:
    pack = [{"bt": NOW_S, "n": name, "v": i} for i, name in enumerate("abcab")] + [{"n": "c", "t": 1, "v": 9}]
    parts = _decode(pack)
    assert [list(part.body["values"].values()) for part in parts if isinstance(part, TelemetryPart)] == [
        [0, 1, 2],
        [3, 4],
        [9],
    ]
    name_field = parts[1]._replace().name_field if isinstance(parts[1], TelemetryPart) else None
    assert name_field is not None
    assert [name_field(name) for name in ("values.b", "units.b", "ts", "")] == ["[4].v", "[4].u", "[3].t", "[3]"]


def test_decimal_fractions_are_numbers() -> None:
    pack = cbor2.dumps([{0: "flow", 2: Decimal("36.65"), 6: Decimal("-1.5")}])
    ((_, _, ms, is_relative, value, _),) = _list_readings(list(decode_senml_cbor(pack, OWN, NOW_US)))
    assert (ms, is_relative, value) == (NOW_US / 1000 - 1500, True, 36.65)


# Source: RFC 8428 s.12.1, RFC 8798 s.2 and s.3: name, and value and unit of one of it in UCUM where that can be said.
@pytest.mark.parametrize(
    ("name", "amount", "ucum"),
    [
        ("m", 1, "m"), ("kg", 1, "kg"), ("g", 1, "g"), ("s", 1, "s"), ("A", 1, "A"), ("K", 1, "K"), ("cd", 1, "cd"),
        ("mol", 1, "mol"), ("Hz", 1, "Hz"), ("rad", 1, "rad"), ("sr", 1, "sr"), ("N", 1, "N"), ("Pa", 1, "Pa"),
        ("J", 1, "J"), ("W", 1, "W"), ("C", 1, "C"), ("V", 1, "V"), ("F", 1, "F"), ("Ohm", 1, "Ohm"), ("S", 1, "S"),
        ("Wb", 1, "Wb"), ("T", 1, "T"), ("H", 1, "H"), ("Cel", 1, "Cel"), ("lm", 1, "lm"), ("lx", 1, "lx"),
        ("Bq", 1, "Bq"), ("Gy", 1, "Gy"), ("Sv", 1, "Sv"), ("kat", 1, "kat"), ("m2", 1, "m2"), ("m3", 1000, "L"),
        ("l", 1, "L"), ("m/s", 1, "m/s"), ("m/s2", 1, "m/s2"), ("m3/s", 1000, "L/s"), ("l/s", 60, "L/min"),
        ("W/m2", 1, "W/m2"), ("cd/m2", 1, "cd/m2"), ("bit", 1, "bit"), ("bit/s", 1, "bit/s"), ("lat", 1, "deg"),
        ("lon", 1, "deg"), ("pH", 1, "[pH]"), ("dB", 1, "dB"), ("Bspl", 1, "B[SPL]"), ("count", 1, "1"),
        ("/", 100, "%"),
        ("%", 100, "%"), ("%RH", 1, "%"), ("%EL", 1, "%"), ("EL", 1, "s"), ("1/s", 60, "/min"), ("1/min", 1, "/min"),
        ("beat/min", 1, "/min"), ("beats", 1, "1"), ("S/m", 0.01, "S/cm"), ("B", 8, "bit"), ("VA", 1, "V.A"),
        ("VAs", 1, "V.A.s"), ("J/m", 1, "J/m"), ("kg/m3", 1, "g/L"), ("deg", 1, "deg"),
        ("ms", 0.001, "s"), ("min", 60, "s"), ("h", 3600, "s"), ("MHz", 1e6, "Hz"), ("kW", 1000, "W"),
        ("kVA", 1000, "V.A"), ("Ah", 3600, "C"), ("Wh", 3600, "J"), ("kWh", 3.6e6, "J"), ("kVAh", 3.6e6, "V.A.s"),
        ("Wh/km", 3.6, "J/m"), ("KiB", 1024, "By"), ("GB", 1e9, "By"), ("Mbit/s", 1e6, "bit/s"), ("B/s", 8, "bit/s"),
        ("MB/s", 8e6, "bit/s"), ("mV", 0.001, "V"), ("mA", 0.001, "A"), ("ug/m3", 1e-9, "kg/m3"),
        ("mm/h", 1 / 3_600_000, "m/s"), ("m/h", 1 / 3600, "m/s"), ("ppm", 1e-6, "1"), ("/100", 0.01, "1"),
        ("/1000", 0.001, "1"), ("hPa", 100, "Pa"), ("mm", 0.001, "m"), ("cm", 0.01, "m"), ("km", 1000, "m"),
        ("km/h", 1 / 3.6, "m/s"),
    ],
)  # fmt: skip
def test_the_names_of_the_registry_mean_what_it_says(name: str, amount: float, ucum: str) -> None:
    conversion = find_conversion(find_ucum(name), ucum)
    assert isinstance(conversion, Conversion)
    assert conversion.convert(1) == pytest.approx(amount, rel=1e-11)


@pytest.mark.parametrize("name", ["dBW", "dBm", "NTU", "var", "vars", "kvar", "varh", "kvarh"])
def test_what_ucum_cannot_say_is_not_converted(name: str) -> None:
    assert find_conversion(find_ucum(name), "W") == "which is no UCUM unit"


@pytest.mark.parametrize("field", ["bn", "bt", "bu", "bv", "bs", "bver"])
@pytest.mark.parametrize("value", [None, [], {}, True, b"x", "x", 1.5])
def test_a_base_field_is_what_the_rfc_says_or_the_pack_is_refused(field: str, value: Any) -> None:
    parts = list(decode_senml_cbor(_to_cbor([{"n": "a", "v": 1}, {field: value, "n": "b", "v": 2}]), OWN, NOW_US))
    good: dict[str, tuple[type, ...]] = {"bn": (str,), "bu": (str,), "bver": ()}
    if isinstance(value, good.get(field, (float,))):
        assert not isinstance(parts[0], Problem)
    else:
        assert [(p.reason, p.field, p.weight) for p in parts if isinstance(p, Problem)] == [
            (RejectionReason.NOT_SENML, f"[1].{field}", 2)
        ]
