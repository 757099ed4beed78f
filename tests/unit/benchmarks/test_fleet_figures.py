"""Figures of runs: to JSON and back, several files as one table."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.fleet import FIXED, FULL, main
from benchmarks.fleet_figures import SeedResult, load_runs, merge_seeds, to_line
from benchmarks.fleet_newcomers import NOTHING, FaultFigures, Newcomers
from lab.truth import Verdict

SETTINGS = {"devices": 5, "days": 2.0, "step_s": 300}


def make_result(leads: list[float], false: int) -> SeedResult:
    verdict = Verdict(device_days=100.0, tickets=len(leads) + false, right=len(leads), false=false)
    verdict.faults["motor_wear"] = verdict.warned["motor_wear"] = len(leads)
    verdict.lead_s["motor_wear"] = leads
    newcomers = Newcomers(7.0, 0, {"unusual": 1}, [0.5], {"worn": FaultFigures(1, 1, 0, 0, 1, 0, [2.0])})
    return SeedResult({FULL: verdict, FIXED: Verdict(device_days=100.0)}, {NOTHING: newcomers}, 1000, 60)


def write(path: Path, settings: Mapping[str, object], **seeds: SeedResult) -> str:
    line = to_line(settings, {int(seed[1:]): result for seed, result in seeds.items()})
    path.write_text(f"seed 1: some words for people\n{line}\n", "utf-8")
    return str(path)


def test_files_of_single_seeds_give_the_table_of_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = make_result([10.0, 30.0], 1), make_result([20.0, 90.0, 40.0], 2)
    files = [write(tmp_path / "b", SETTINGS, s2=second), write(tmp_path / "a", SETTINGS, s1=first)]
    together = to_line(SETTINGS, {1: first, 2: second})
    main(["--json", "--merge", *files])
    assert json.loads(capsys.readouterr().out) == json.loads(together)
    whole = json.loads(together)["all"][FULL]
    assert (whole["lead_median_s"], whole["false_per_1000_device_days"]) == ({"motor_wear": 30}, 15.0)
    assert first.verdicts[FULL].lead_s["motor_wear"] == [10.0, 30.0], "what is merged stays as it is"


def test_a_result_comes_back_from_json_as_it_was() -> None:
    result = make_result([10.0], 1)
    again = SeedResult.of_json(json.loads(json.dumps(result.to_json())))
    assert again == result
    assert merge_seeds([again, result]).verdicts[FULL].tickets == 4


@pytest.mark.parametrize("fault", ["settings", "twice", "words", "empty", "absent"])
def test_what_cannot_be_one_table_is_refused_by_the_name_of_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    files = [write(tmp_path / "one", SETTINGS, s1=make_result([10.0], 0)), str(tmp_path / "other")]
    if fault == "settings":
        write(tmp_path / "other", SETTINGS | {"devices": 6}, s2=make_result([10.0], 0))
    elif fault == "twice":
        write(tmp_path / "other", SETTINGS, s1=make_result([10.0], 0))
    elif fault != "absent":
        (tmp_path / "other").write_text("killed\n" if fault == "words" else "", "utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["--merge", *files])
    assert stopped.value.code == 2
    assert "other" in capsys.readouterr().err
    if fault != "absent":
        with pytest.raises(ValueError, match="other"):
            load_runs(files)
