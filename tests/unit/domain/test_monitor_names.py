"""A monitor is called by what it watches and how; nobody has to read its key."""

from dataclasses import replace
from pathlib import Path

import pytest

from domain.breach import BreachKind, Severity
from domain.monitor_names import DIRECTIONS, RULES, name_monitor, name_rule, name_sensor
from domain.profile import Direction, Monitor, MonitorRule, Profile, Text
from domain.profile_file import parse_profile
from tests.support.wording import find_chinese_words, find_keys

PROFILES = sorted((Path(__file__).parents[3] / "profiles").glob("*.yaml"))


def test_every_rule_and_side_has_a_name_in_both_languages() -> None:
    assert set(RULES) == set(MonitorRule)
    assert set(DIRECTIONS) == set(Direction)
    for text in (*RULES.values(), *DIRECTIONS.values()):
        assert find_chinese_words(text.zh)
        assert not find_chinese_words(text.en)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_monitors_of_the_shipped_profiles_are_called_by_words_and_each_by_its_own(path: Path) -> None:
    profile = parse_profile(path.read_text("utf-8"), path.stem)
    assert isinstance(profile, Profile)
    names = [name_monitor(profile, monitor) for monitor in profile.monitors]
    assert [found for name in names for text in (name.en, name.zh) for found in find_keys(text)] == []
    assert [name for name in names if not find_chinese_words(name.zh)] == []
    for told in ([name.en for name in names], [name.zh for name in names]):
        assert sorted(told) == sorted(set(told))


def test_an_alarm_of_the_device_is_called_by_its_codes_where_it_has_some() -> None:
    monitor = Monitor("alarm", MonitorRule.DEVICE_CODE, BreachKind.DEVICE_CODE, Severity.MAJOR, "drive")
    profile = parse_profile(PROFILES[0].read_text("utf-8"), PROFILES[0].stem)
    assert isinstance(profile, Profile)
    assert name_monitor(profile, monitor) == Text("Device alarm", "设备报警")
    named = name_monitor(profile, replace(monitor, codes=("E1042", "E2001")))
    assert named == Text("Device alarm E1042, E2001", "设备报警 E1042、E2001")


def test_what_a_profile_or_this_version_does_not_know_is_called_by_its_key() -> None:
    profile = parse_profile(PROFILES[0].read_text("utf-8"), PROFILES[0].stem)
    assert isinstance(profile, Profile)
    assert name_sensor(profile, "tilt_angle") == Text("tilt_angle", "tilt_angle")
    assert name_rule("limit") == Text("limit", "限值")
    assert name_rule("oracle") == Text("oracle", "oracle")
