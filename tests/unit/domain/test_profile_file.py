"""Profile files: what parses, what is refused with which line and field, and the exact round trip through JSON."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from domain.breach import BreachKind, Severity
from domain.errors import ProfileError
from domain.profile import (
    DataQualityPolicy,
    Direction,
    FaultGroup,
    IngestPolicy,
    Monitor,
    MonitorRule,
    Profile,
    Retention,
    Sensor,
    SensorState,
    TicketPolicy,
)
from domain.profile_checks import find_gtin_check_digit
from domain.profile_file import (
    ProfileProblem,
    find_profile_sha256,
    parse_profile,
    profile_from_json,
    profile_to_json,
)
from domain.profile_yaml import MAX_CHARACTERS

PROFILES = sorted((Path(__file__).parents[3] / "profiles").glob("*.yaml"))

GOOD = """\
model: T-1
version: 1
manufacturer: Maker
name: {en: Tester, zh: 测试机}
udi_di: "06970001002003"
safety_critical: false
sensors:
  - key: pressure
    label: {en: Pressure, zh: 压力}
    unit: kPa
    decimals: 2
    physical_min: -10
    physical_max: 200
  - key: current
    label: {en: Current, zh: 电流}
    unit: A
    decimals: 3
    physical_min: 0
    physical_max: 5
fault_groups:
  - key: occlusion
    label: {en: Occlusion, zh: 堵塞}
    suspected_part: {en: Line, zh: 管路}
    action: {en: Look at it, zh: 检查}
    consequence: {en: None, zh: 无}
monitors:
  - key: pressure_high
    rule: limit
    sensors: [pressure]
    severity: MAJOR
    fault_group: occlusion
    raise_at: 60
    clear_at: 50
"""


def parse_good(text: str) -> Profile:
    profile = parse_profile(text, "t.yaml")
    assert isinstance(profile, Profile), "\n".join(map(str, profile))
    return profile


def find_problems(text: str) -> list[ProfileProblem]:
    problems = parse_profile(text, "t.yaml")
    assert isinstance(problems, list)
    assert problems
    return problems


def test_a_profile_is_read_with_its_defaults() -> None:
    profile = parse_good(GOOD)
    monitor = profile.monitors[0]
    assert (profile.model, profile.version, profile.name.zh) == ("T-1", 1, "测试机")
    assert profile.sensors[0].physical_min == -10.0
    assert monitor.rule is MonitorRule.LIMIT
    assert monitor.kind is BreachKind.LIMIT
    assert monitor.severity is Severity.MAJOR
    assert monitor.direction is Direction.HIGH
    assert (monitor.n, monitor.m, monitor.duration_s) == (1, 1, 0.0)
    assert profile.tickets.minor_episodes == 3


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_bundled_profiles_parse_and_survive_json(path: Path) -> None:
    profile = parse_good(path.read_text(encoding="utf-8"))
    document = json.loads(json.dumps(profile_to_json(profile)))
    assert profile_from_json(document) == profile
    assert find_profile_sha256(profile_from_json(document)) == find_profile_sha256(profile)


def test_three_profiles_are_bundled() -> None:
    models = {parse_good(path.read_text(encoding="utf-8")).model for path in PROFILES}
    assert models == {"INF-200", "VEN-500", "SKAB-PUMP"}


# what to replace in GOOD, by what, the line, the field and a part of the reason of the problem that must be found
BROKEN = [
    ("version: 1", "version: one", 2, "version", "whole number"),
    ("version: 1", "version: 0", 2, "version", "1 or more"),
    ("version: 1", "version: 1.5", 2, "version", "whole number"),
    ("version: 1\n", "", 1, "version", "is missing"),
    ("version: 1", "versoin: 1", 2, "versoin", "did you mean `version`"),
    ("model: T-1", "model: T 1/x", 1, "model", "letters, digits"),
    ("model: T-1", "model: 17", 1, "model", "write it in quotes"),
    ("model: T-1", "model: ''", 1, "model", "must not be empty"),
    ("manufacturer: Maker", "manufacturer: Maker\nmanufacturer: Other", 4, "manufacturer", "second time"),
    ("zh: 测试机", "de: Tester", 4, "name.zh", "is missing"),
    ("zh: 测试机", "zh: ''", 4, "name.zh", "must not be empty"),
    ("06970001002003", "06970001002001", 5, "udi_di", "must be 3"),
    ("06970001002003", "123", 5, "udi_di", "14 digits"),
    ('"06970001002003"', "16970001002003", 5, "udi_di", "in quotes"),
    ("safety_critical: false", "safety_critical: maybe", 6, "safety_critical", "true or false"),
    ("key: pressure\n", "key: Pressure!\n", 8, "sensors[0].key", "lower-case"),
    ("key: current\n", "key: pressure\n", 14, "sensors[1].key", "already the key of sensors[0]"),
    ("unit: kPa", "unit: kpa", 10, "sensors[0].unit", "did you mean `kPa`"),
    ("unit: A", "unit: °C", 16, "sensors[1].unit", "did you mean `Cel`"),
    ("decimals: 2", "decimals: 12", 11, "sensors[0].decimals", "0 to 9"),
    ("physical_min: 0", "physical_min: 7", 19, "sensors[1].physical_max", "above physical_min"),
    ("physical_max: 5", "physical_max: .nan", 19, "sensors[1].physical_max", "finite number"),
    ("physical_max: 5", "physical_max: 1e999", 19, "sensors[1].physical_max", "finite number"),
    ("sensors: [pressure]", "sensors: [presure]", 29, "monitors[0].sensors[0]", "did you mean `pressure`"),
    ("sensors: [pressure]", "sensors: [pressure, current]", 29, "monitors[0].sensors", "exactly one"),
    ("sensors: [pressure]", "sensors: pressure", 29, "monitors[0].sensors", "must be a list"),
    ("fault_group: occlusion", "fault_group: oclusion", 31, "monitors[0].fault_group", "did you mean `occlusion`"),
    ("severity: MAJOR", "severity: major", 30, "monitors[0].severity", "one of INFO, MINOR, MAJOR, CRITICAL"),
    ("rule: limit", "rule: limt", 28, "monitors[0].rule", "did you mean `limit`"),
    ("rule: limit", "rule: limit\n    kind: OFFLINE", 29, "monitors[0].kind", "must be LIMIT"),
    ("raise_at: 60", "raise_at: 40", 32, "monitors[0].raise_at", "above clear_at"),
    ("raise_at: 60", "raise_at: 50", 32, "monitors[0].raise_at", "above clear_at"),
    ("raise_at: 60", "raise_at: 60\n    direction: low", 32, "monitors[0].raise_at", "below clear_at"),
    ("raise_at: 60", "raise_at: 600", 32, "monitors[0].raise_at", "outside the physical range"),
    ("raise_at: 60\n", "critical_at: 55\n    raise_at: 60\n", 32, "monitors[0].critical_at", "above raise_at"),
    ("    raise_at: 60\n", "", 27, "monitors[0].raise_at", "needs it"),
    ("raise_at: 60", "raise_at: 60\n    n: 4\n    m: 3", 33, "monitors[0].n", "1 to m"),
    ("raise_at: 60", "raise_at: 60\n    duration_s: -1", 33, "monitors[0].duration_s", "negative"),
    ("raise_at: 60", "raise_at: 60\n    duration_s: .inf", 33, "monitors[0].duration_s", ""),
    ("raise_at: 60", "raise_at: 60\n    duration_s: 1.0e+300", 33, "monitors[0].duration_s", "at most 31,622,400"),
    ("raise_at: 60", "raise_at: 60\n    window_s: 5", 33, "monitors[0].window_s", "no meaning for rule limit"),
    ("raise_at: 60", "raise_at: 60\n    direction: both", 33, "monitors[0].direction", "high or low"),
    ("rule: limit", "rule: adaptive", 27, "monitors[0].warmup", "above 0"),
    ("rule: limit", "rule: offline", 29, "monitors[0].sensors", "takes no sensors"),
    ("rule: limit", "rule: flat_line", 27, "monitors[0].window_s", "needs it"),
    ("monitors:", "tickets: {capa_p_value: 2}\nmonitors:", 26, "tickets.capa_p_value", "below 1"),
    ("monitors:", "tickets: {minor_episodes: 0}\nmonitors:", 26, "tickets.minor_episodes", "above 0"),
    ("monitors:", "tickets: {response_h: [1, 2, 3]}\nmonitors:", 26, "tickets.response_h", "4 entries"),
    ("monitors:", "tickets: {response_h: [9, 2, 3, 4]}\nmonitors:", 26, "tickets.response_h", "P1 to P4"),
    ("name: {en: Tester", "name: &a {en: Tester", 4, "", "anchors"),
    ("manufacturer: Maker", "manufacturer: !!python/name:os.system x", 3, "", "tag"),
    ("manufacturer: Maker", "manufacturer: [", 5, "", "begins in line 3"),
    ("manufacturer: Maker", "manufacturer: a\x07b", 3, "", "character"),
    ("monitors:\n", "---\nmonitors:\n", 26, "", "second document"),
    ("    decimals: 2\n", "    decimals: 2\n    interval_s: 0\n", 12, "sensors[0].interval_s", "to 2,678,400"),
    (
        "    decimals: 2\n",
        "    decimals: 2\n    interval_s: 1e300\n",
        12,
        "sensors[0].interval_s",
        "0.001 to 2,678,400",
    ),
    (
        "    decimals: 2\n",
        "    decimals: 2\n    states: [{text: a, value: 500}]\n",
        12,
        "sensors[0].states[0].value",
        "within",
    ),
    ("fault_groups:", "ingest: {max_messages_s: 0}\nfault_groups:", 20, "ingest.max_messages_s", "above 0"),
    ("fault_groups:", "data_quality: {max_missing: 2}\nfault_groups:", 20, "data_quality.max_missing", "a share"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "reason"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_broken_profile_names_line_field_and_reason(old: str, new: str, line: int, field: str, reason: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    problems = find_problems(text)
    found = [p for p in problems if (p.line, p.field) == (line, field) and reason in p.reason]
    assert found, "\n".join(map(str, problems))
    assert str(found[0]).startswith(f"t.yaml:{line}:")


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = (
        GOOD.replace("version: 1", "version: x")
        .replace("unit: kPa", "unit: bananas")
        .replace("fault_group: occlusion", "fault_group: nope")
        .replace("raise_at: 60", "raise_at: 40")
    )
    problems = find_problems(text)
    assert [p.field for p in problems] == [
        "version",
        "sensors[0].unit",
        "monitors[0].fault_group",
        "monitors[0].raise_at",
    ]
    assert [p.line for p in problems] == sorted(p.line for p in problems)


def test_a_sensor_with_a_fault_of_its_own_still_counts_as_existing() -> None:
    problems = find_problems(GOOD.replace("decimals: 2", "decimals: two"))
    assert [p.field for p in problems] == ["sensors[0].decimals"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "mapping"),
        ("- a\n- b\n", "mapping"),
        ("just text", "mapping"),
        ("x" * (MAX_CHARACTERS + 1), "characters"),
        ("a: " + "[" * 50 + "]" * 50, "deeper"),
        ("a: [" + "1," * 50_000 + "]", "elements"),
        ("a: &x [1]\nb: [*x, *x]\n", "anchors"),
    ],
    ids=["empty", "list", "text", "large", "deep", "many", "aliases"],
)
def test_what_is_no_profile_at_all_is_refused_within_bounds(text: str, reason: str) -> None:
    problems = find_problems(text)
    assert reason in problems[0].reason


def test_a_bomb_of_aliases_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert all("anchors" in problem.reason for problem in find_problems("\n".join(lines)))


@pytest.mark.parametrize("gtin", ["06970001002003", "04006381333931", "00012345678905"])
def test_check_digits_of_known_gtins(gtin: str) -> None:
    assert find_gtin_check_digit(gtin[:-1]) == gtin[-1]


def test_json_differs_where_profiles_differ() -> None:
    profile = parse_good(GOOD)
    other = replace(profile, version=2)
    assert find_profile_sha256(profile) != find_profile_sha256(other)
    assert find_profile_sha256(profile) == find_profile_sha256(parse_good(GOOD + "\n# a comment\n"))


def test_a_document_from_before_a_field_existed_is_still_read() -> None:
    document = profile_to_json(parse_good(GOOD))
    del document["tickets"]["capa_ineffective_days"]
    assert profile_from_json(document) == parse_good(GOOD)


@pytest.mark.parametrize(
    ("path", "value"),
    [("version", "1"), ("version", True), ("sensors", {}), ("name", None), ("bogus", 1), ("monitors", [{"rule": "x"}])],
)
def test_a_document_that_is_no_profile_breaks_a_promise(path: str, value: object) -> None:
    document = profile_to_json(parse_good(GOOD))
    document[path] = value
    with pytest.raises(ProfileError):
        profile_from_json(document)


def test_the_example_in_the_documentation_is_a_profile() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "profile.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    assert parse_good(example).model == "THERM-1"


def test_the_documentation_names_every_field() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "profile.md").read_text(encoding="utf-8")
    for record in (Profile, Sensor, SensorState, FaultGroup, Monitor, TicketPolicy, IngestPolicy, DataQualityPolicy):
        for name in record.__dataclass_fields__:
            assert f"`{name}`" in page, f"{record.__name__}.{name}"


def test_what_devices_may_send_and_which_texts_mean_numbers_is_read() -> None:
    more = GOOD.replace(
        "    decimals: 2\n",
        "    decimals: 2\n    interval_s: 5\n    retention: short\n    states: [{text: closed, value: 0}]\n",
        1,
    )
    profile = parse_good(more + "ingest: {max_messages_s: 5}\ndata_quality: {max_missing: 0.5}\n")
    assert profile.ingest == IngestPolicy(5.0)
    assert profile.data_quality == DataQualityPolicy(max_missing=0.5)
    assert profile.sensors[0].interval_s == 5.0
    assert profile.sensors[0].retention is Retention.SHORT
    assert profile.sensors[0].states == (SensorState("closed", 0.0),)
    assert profile_from_json(profile_to_json(profile)) == profile
