"""Recordings: any CSV with a time column; rows that cannot be read are named and left out."""

import gzip
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from simulators.recording import find_sensor_key, load_recording, parse_instant_us
from simulators.replay import find_shift_us, parse_columns
from simulators.settings import ReplaySettings

SKAB = """\
datetime;Accelerometer1RMS;Current;Volume Flow RateRMS;anomaly;changepoint
2020-03-09 10:14:33;0.0265;1.33;32.0;0.0;0.0
2020-03-09 10:14:34;0.0261;1.35;31.9;1.0;0.0
"""


def write(tmp_path: Path, text: str, name: str = "r.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def settings_of(path: Path, **more: object) -> ReplaySettings:
    return ReplaySettings(mqtt_url="mqtt://localhost", file=path, **more)  # type: ignore[arg-type]


def test_the_test_beds_format_is_understood_without_any_option(tmp_path: Path) -> None:
    recording = load_recording(settings_of(write(tmp_path, SKAB)))
    assert recording.sensors == ("accelerometer1_rms", "current", "volume_flow_rate_rms")
    assert recording.times_us == [1583748873000000, 1583748874000000]
    assert recording.values[1] == {"accelerometer1_rms": 0.0261, "current": 1.35, "volume_flow_rate_rms": 31.9}
    assert (recording.skipped, recording.problems) == (0, [])


def test_a_compressed_file_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(SKAB.encode()))
    assert load_recording(settings_of(path)) == load_recording(settings_of(write(tmp_path, SKAB)))


@pytest.mark.parametrize(
    ("column", "key"),
    [
        ("Accelerometer1RMS", "accelerometer1_rms"),
        ("Volume Flow RateRMS", "volume_flow_rate_rms"),
        ("Pressure", "pressure"),
        ("motor_current", "motor_current"),
        (" T [°C] ", "t_c"),
    ],
)
def test_columns_become_sensor_keys(column: str, key: str) -> None:
    assert find_sensor_key(column) == key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-02T02:40:00Z", 1_770_000_000_000_000),
        ("2026-02-02T03:40:00+01:00", 1_770_000_000_000_000),
        ("2026-02-02 02:40:00.5", 1_770_000_000_500_000),
        ("1770000000", 1_770_000_000_000_000),
        ("1770000000.25", 1_770_000_000_250_000),
        ("1770000000123", 1_770_000_000_123_000),
        ("yesterday", None),
        ("", None),
        ("nan", None),
        ("-5", None),
    ],
)
def test_instants(text: str, expected: int | None) -> None:
    assert parse_instant_us(text) == expected


def test_bad_rows_are_named_by_line_and_column_and_left_out(tmp_path: Path) -> None:
    text = "time,flow,pressure\n2026-01-01T00:00:00Z,1,2\nsoon,1,2\n2026-01-01T00:00:02Z,x,2\n2026-01-01T00:00:03Z,1\n"
    text += "\n2026-01-01T00:00:04Z,inf,2\n2026-01-01T00:00:05Z,,3\n2026-01-01T00:00:06Z,,\n"
    recording = load_recording(settings_of(write(tmp_path, text)))
    assert recording.skipped == 5
    assert [(p.line, p.column) for p in recording.problems] == [
        (3, "time"),
        (4, "flow"),
        (5, "line"),
        (7, "flow"),
        (9, "line"),
    ]
    assert recording.values == [{"flow": 1.0, "pressure": 2.0}, {"pressure": 3.0}]
    assert str(recording.problems[1]) == "line 4, flow: 'x' is no finite number"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    text = "ts,a,b\n1770000000,1,2\n".replace(",", delimiter)
    assert load_recording(settings_of(write(tmp_path, text))).values == [{"a": 1.0, "b": 2.0}]


def test_columns_can_be_chosen_and_renamed(tmp_path: Path) -> None:
    path = write(tmp_path, SKAB)
    columns = parse_columns("Current=motor_current, Volume Flow RateRMS")
    assert load_recording(settings_of(path, columns=columns)).sensors == ("motor_current", "volume_flow_rate_rms")


def test_a_time_column_of_any_name_is_found_by_its_content_or_named(tmp_path: Path) -> None:
    path = write(tmp_path, "x,when\n5,2026-01-01T00:00:00Z\n")
    assert load_recording(settings_of(path)).sensors == ("x",)
    path = write(tmp_path, "x,n\n5,1770000000\n")
    with pytest.raises(ConfigurationError, match="--time"):
        load_recording(settings_of(path))
    assert load_recording(settings_of(path, time="n")).times_us == [1_770_000_000_000_000]


@pytest.mark.parametrize(
    ("text", "more", "reason"),
    [
        ("", {}, "header"),
        ("time,a\n", {}, "no rows"),
        ("a\n1\n", {}, "two different columns"),
        ("time,a,a\n", {}, "two different columns"),
        ("time,a\n2026-01-01,x\n", {}, "No column with numbers"),
        ("time,a\n2026-01-01,1\n", {"time": "t"}, "no column `t`"),
        ("time,a\n2026-01-01,1\n", {"columns": (("b", "b"),)}, "no column b"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(
    tmp_path: Path, text: str, more: dict[str, object], reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        load_recording(settings_of(write(tmp_path, text), **more))


@pytest.mark.parametrize("content", [b"\x1f\x8b not gzip", b"time,a\n2026-01-01,\xff\n"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_recording(settings_of(path))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_recording(settings_of(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    ("start", "speed", "first_us", "last_us"),
    [
        ("now", None, 999_000_000, 1_000_000_000),
        ("now", 1.0, 1_000_000_000, 1_001_000_000),
        ("now", 4.0, 999_250_000, 1_000_250_000),
        ("original", 1.0, 1583748873000000, 1583748874000000),
        ("2026-02-02T02:40:00Z", 1.0, 1_770_000_000_000_000, 1_770_000_001_000_000),
    ],
)
def test_where_the_recording_is_put_in_time(
    tmp_path: Path, start: str, speed: float | None, first_us: int, last_us: int
) -> None:
    settings = settings_of(write(tmp_path, SKAB), start=start, speed=speed)
    recording = load_recording(settings)
    shift = find_shift_us(settings, recording, now_us=1_000_000_000)
    assert [time_us + shift for time_us in recording.times_us] == [first_us, last_us]
