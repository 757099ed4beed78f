"""Schemathesis on the whole OpenAPI document, by callers of every role, on a real database with records to meet.

    python -m tests.conformance.openapi_run                                   # every role; an hour on one core
    python -m tests.conformance.openapi_run --caller auditor --examples 20

Ends with 0 when no answer broke the document's promise. Each one that did is printed with the command that repeats it;
the reports of all callers are kept in the folder named by --reports.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from api import passwords
from domain.roles import Role
from tests.conformance.openapi_hooks import VALUES
from tests.support.api_bodies import find_bodies
from tests.support.api_world import CUSTOMER, ApiWorld, open_api_world
from tests.support.clusters import temporary_folder
from tests.support.databases import Database, embedded_server

EVERYONE, NOBODY = "everyone", "nobody"
CALLERS = (EVERYONE, *(role.value for role in Role), NOBODY)
PHASES = ("examples", "coverage", "fuzzing", "stateful")
# Beside 422: what was refused before anybody looked at it, or for another reason as well.
REFUSALS = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429]
# A body that fits its shape is refused where it names what is not there, and a change where it has not seen the newest
# version: that it must be accepted is no promise.
NO_PROMISES = "positive_data_acceptance"
# Where a field of a body names a record.
BODY_FIELDS = {
    "serial": "devices",
    "model": "model",
    "customer": "customers",
    "order": "work-orders",
    "service_calendar": "service-calendars",
    "sla_policy": "sla-policies",
    "capa": "capas",
    "assignee": "technicians",
    "owner": "technicians",
}
QUERY_FIELDS = BODY_FIELDS | {
    "webhook": "webhooks",
    "device": "devices",
    "monitor": "monitor",
    "plan": "maintenance-plans",
    "site": "sites",
}
ETAGS = [f'"{n}"' for n in range(1, 10)]
SENSORS = ["flow", "pressure", "motor_current", "none"]


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is tried."""

    examples: int
    phases: Sequence[str] = PHASES
    operations: Sequence[str] = ()  # ids; empty: all
    seed: int = 1
    seconds: int = 3600  # for one caller, then it counts as a failure


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one caller's run."""

    caller: str
    exit_code: int
    report: dict[str, Any]
    output: str

    @property
    def has_passed(self) -> bool:
        """No promise was broken, and every address was asked."""
        return self.exit_code == 0 and not self.report["errors"] and not self.report["failures"]

    @property
    def cases(self) -> int:
        """How many requests were judged."""
        return int(self.report["test_cases"]["generated"])


def find_headers(world: ApiWorld, caller: str) -> dict[str, str]:
    """How that caller shows who it is: everyone by a session, a role by a token, nobody not at all."""
    if caller == EVERYONE:
        return world.everyone.writing
    if caller == NOBODY:
        return {}
    role = Role(caller)
    return world.api.token(role, customer=CUSTOMER if role is Role.CUSTOMER else None)


def run_schemathesis(world: ApiWorld, caller: str, depth: Depth, folder: Path) -> Verdict:
    """Lets schemathesis ask everything there is as that caller.

    Raises
    ------
    AssertionError
        It made no report, or the caller was shut out on the way, so the answers say nothing.
    """
    headers = find_headers(world, caller)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "schemathesis.toml").write_text(describe_values(world), "utf-8")
    values = folder / "values.json"
    known = {"parameters": find_examples(world), "bodies": find_bodies(world)}
    asking = {"server": str(world.api.client.base_url), "headers": headers}
    values.write_text(json.dumps(known | asking), "utf-8")
    report = folder / "report.json"
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(folder / "schemathesis.toml")),
        *("run", str(world.api.client.base_url.join("/api/v1/openapi.json")), "--no-color", "--continue-on-failure"),
        *("--phases", ",".join(depth.phases), "--max-examples", str(depth.examples), "--seed", str(depth.seed)),
        *("--generation-deterministic", "--no-shrink"),
        *("--suppress-health-check", "all", "--exclude-checks", NO_PROMISES, "--warnings", "off"),
        *("--request-timeout", "60", "--report-json-path", str(report)),
    ]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    for operation in depth.operations:
        command += ["--include-operation-id", operation]
    environment = os.environ | {"PYTHONPATH": ".", VALUES: str(values)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=depth.seconds, env=environment)
    (folder / "output.txt").write_text(done.stdout + done.stderr, "utf-8")
    assert report.stat().st_size > 0, f"schemathesis made no report:\n{done.stdout}\n{done.stderr}"
    if caller != NOBODY:
        assert world.api.get("/account", headers=headers).status_code == 200, f"{caller} was shut out on the way"
    return Verdict(caller, done.returncode, json.loads(report.read_text("utf-8")), done.stdout + done.stderr)


def find_examples(world: ApiWorld) -> dict[str, dict[str, list[Any]]]:
    """At most three values for each parameter of each path, and the versions of records that were just made."""
    return {
        path: {
            "if-match": ETAGS[:3],
            **{name: world.values[found][:3] for name, found in world.find_sources(path).items()},
        }
        for path in world.api.app.openapi()["paths"]
    }


def describe_values(world: ApiWorld) -> str:
    """Schemathesis' settings: what stands for which parameter most of the time, and what is a refusal."""
    values = {**world.values, "etag": ETAGS, "sensors": SENSORS}
    lines = ['hooks = "tests.conformance.openapi_hooks"', "max-stream-events = 1", "[cache]", "enabled = false"]
    lines += ["[generation]", "with-security-parameters = false"]
    for check in ("negative_data_rejection", "missing_required_header"):
        lines += [f"[checks.{check}]", f"expected-statuses = {REFUSALS}"]
    for name, found in values.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(found)}"]
    lines.append("[parameters]")
    lines.append(_bind("header.if-match", "etag", 0.9))
    lines.append(_bind("query.sensor", "sensors", 0.9))
    lines += [_bind(f"body.{name}", found, 0.5) for name, found in BODY_FIELDS.items()]
    lines += [_bind(f"query.{name}", found, 0.3) for name, found in QUERY_FIELDS.items()]
    for path in world.api.app.openapi()["paths"]:
        sources = world.find_sources(path)
        if sources:
            lines += ["[[operations]]", f"include-path = {json.dumps(path)}", "[operations.parameters]"]
            lines += [_bind(f"path.{name}", found, 0.9) for name, found in sources.items()]
    return "\n".join(lines) + "\n"


def _bind(name: str, dictionary: str, probability: float) -> str:
    return f'"{name}" = {{ dictionary = "{dictionary}", probability = {probability} }}'


@contextmanager
def open_run(database: Database) -> Iterator[ApiWorld]:
    """The world, with passwords that take no time to hash."""
    kept = passwords._HASHER
    passwords._HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="forewarn-files-") as name,
            open_api_world(database, Path(name)) as world,
        ):
            yield world
    finally:
        passwords._HASHER = kept


def main() -> None:
    """Runs it, each caller on a fresh database, and prints a line of counts for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.openapi_run", description=__doc__)
    parser.add_argument("--caller", action="append", choices=CALLERS, help="by default all")
    parser.add_argument("--examples", type=int, default=50, help="of each operation (default: %(default)s)")
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--operation", action="append", default=[], help="an operation's id; by default all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reports", type=Path, default=Path("var/openapi"))
    arguments = parser.parse_args()
    depth = Depth(arguments.examples, arguments.phases.split(","), arguments.operation, arguments.seed)
    verdicts = []
    with temporary_folder("forewarn-openapi-") as folder, embedded_server(folder) as server:
        for caller in arguments.caller or CALLERS:
            with server.fresh_database() as database, open_run(database) as world:
                verdict = run_schemathesis(world, caller, depth, arguments.reports / caller)
            verdicts.append(verdict)
            summary = {name: verdict.report[name] for name in ("operations", "test_cases", "running_time", "failures")}
            if not verdict.has_passed:
                print(verdict.output)  # noqa: T201
            print(json.dumps({"caller": caller, "passed": verdict.has_passed, **summary}), flush=True)  # noqa: T201
    sys.exit(0 if all(verdict.has_passed for verdict in verdicts) else 1)


if __name__ == "__main__":
    main()
