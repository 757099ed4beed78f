"""`forewarn score`: what it refuses, and what it says."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.errors import RecordingError
from forewarn.cli import build_app

run = CliRunner()
app = build_app(["score"])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "pump.csv"
    path.write_text("time,pressure\n" + "".join(f"{i},{i * 7 % 13}\n" for i in range(150)))
    return path


def test_a_recording_is_scored_row_by_row(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    found = run.invoke(
        app, ["score", str(recording), "--time", "time", "--values", "pressure", "--out", str(out), "--json"]
    )
    assert found.exit_code == 0
    assert json.loads(found.stdout) == {"rows": 150, "alarms": 0, "alarm_rows": 0, "held": 0}
    lines = out.read_text().splitlines()
    assert len(lines) == 151
    assert lines[0] == "time,score,alarm,state,detector,contributions"
    assert lines[1] == "0,0,0,warming,,"
    assert lines[-1].startswith("149,")


@pytest.mark.parametrize(
    ("values", "out", "said"),
    [
        ("pressure,pressure", "out.csv", "different column names"),
        ("pressure,", "out.csv", "different column names"),
        ("time,pressure", "out.csv", "is the time column"),
        ("pressure", "pump.csv", "must not be the recording"),
    ],
)
def test_a_wrong_command_line_is_refused(recording: Path, tmp_path: Path, values: str, out: str, said: str) -> None:
    arguments = ["score", str(recording), "--time", "time", "--values", values, "--out", str(tmp_path / out)]
    found = run.invoke(app, arguments)
    assert found.exit_code == 2
    assert said in " ".join(found.output.replace("│", " ").split())
    assert recording.read_text().startswith("time,pressure")


def test_numbers_that_no_sensor_gives_are_missing(recording: Path, tmp_path: Path) -> None:
    rows = recording.read_text().splitlines()
    rows[120:123] = ["119,1e308", "120,-1e308", "121,1e101"]
    recording.write_text("\n".join(rows))
    out = tmp_path / "deeper" / "out.csv"
    arguments = ["score", str(recording), "--time", "time", "--values", "pressure", "--out", str(out)]
    assert run.invoke(app, arguments).exit_code == 0
    assert [line.split(",")[3] for line in out.read_text().splitlines()[120:124]] == ["held", "held", "held", "normal"]


def test_a_warmup_as_long_as_the_recording_is_said(recording: Path, tmp_path: Path) -> None:
    arguments = ["score", str(recording), "--time", "time", "--values", "pressure", "--out", str(tmp_path / "out.csv")]
    assert "No row was judged" in run.invoke(app, [*arguments, "--warmup", "150"]).output
    assert "No row was judged" not in run.invoke(app, [*arguments, "--warmup", "149"]).output
    assert run.invoke(app, [*arguments, "--warmup", "9" * 23]).exit_code == 2


def test_a_recording_that_cannot_be_read_writes_nothing(recording: Path, tmp_path: Path) -> None:
    recording.write_text("time,pressure\n0,1\n1,wet\n")
    out = tmp_path / "out.csv"
    found = run.invoke(app, ["score", str(recording), "--time", "time", "--values", "pressure", "--out", str(out)])
    assert isinstance(found.exception, RecordingError)
    assert "pump.csv, line 3, column pressure: 'wet' is no number." in str(found.exception)
    assert not out.exists()
