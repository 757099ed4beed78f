"""docker-compose.yml: every program, nothing reachable from other machines, no password in it, hardened containers."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from forewarn.program_settings import PROGRAMS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_every_program_is_a_service_of_one_image() -> None:
    assert set(SERVICES) == {"timescaledb", "mosquitto", "migrate", *PROGRAMS}
    for name in PROGRAMS:
        assert SERVICES[name]["command"] == ["forewarn", name]
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "forewarn", "doctor", "--program", name]
    assert len({SERVICES[name]["image"] for name in (*PROGRAMS, "migrate")}) == 1


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_containers_are_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if name != "timescaledb":
        assert "cap_add" not in service


def test_only_this_machine_reaches_a_published_port() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert SERVICES["timescaledb"]["networks"] == ["inside"]


def test_every_password_comes_from_the_environment_and_has_no_default() -> None:
    variables = dict(re.findall(r"\$\{(\w+)(:?[?-][^}]*)?\}", TEXT))
    secret = {name: rest for name, rest in variables.items() if "PASSWORD" in name}
    assert len(secret) == 6
    assert all(rest.startswith(":?") for rest in secret.values())
    assert re.findall(r"PASSWORD: (?!\$\{)", TEXT) == []
    assert re.findall(r"//[^:/\s]+:(?!\$\{)[^@\s]+@", TEXT) == []


def test_images_are_pinned_to_a_version() -> None:
    images = {service["image"] for service in SERVICES.values()}
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image in images)
    assert "latest" not in TEXT


def test_the_image_runs_as_an_ordinary_user_with_pinned_packages() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 10001", dockerfile, re.M)
    assert "-c constraints.txt" in dockerfile
    copied = set(re.findall(r"^COPY (\w+) \./\1$", dockerfile, re.M))
    ignored = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.M))
    assert (
        copied
        == ignored
        == {
            "domain",
            "store",
            "accounts",
            "ingest",
            "anomaly",
            "service_link",
            "api",
            "simulators",
            "lab",
            "forewarn",
            "profiles",
        }
    )


def test_every_service_but_the_migration_has_a_health_check() -> None:
    assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == ["migrate"]


def test_dependencies_are_all_pinned() -> None:
    pinned = {
        re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = {
        re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r'^    "([\w.-]+)(?:\[\w+\])?>=', project, re.M)
    }
    assert len(wanted) > 20
    assert wanted - pinned == set()
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")
