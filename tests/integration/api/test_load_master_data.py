"""The commands of docs/how-to/load-master-data.md, run as they stand there."""

import os
import re
import subprocess
from pathlib import Path

import orjson

from domain.roles import Role
from forewarn.commands.profiles import apply_bundled_profiles
from store.pool import open_connection
from tests.support.http_api import Api

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "load-master-data.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_every_command_does_what_the_page_says(api: Api, tmp_path: Path) -> None:
    with open_connection(api.settings.database_url, application="test") as conn:
        apply_bundled_profiles(conn)
    token = api.token(Role.INTEGRATOR)["Authorization"].removeprefix("Bearer ")
    host = str(api.client.base_url).removeprefix("http://").rstrip("/")

    def run(block: str) -> list[dict[str, object]]:
        script = block.replace("localhost:8000", host)
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "TOKEN": token, "no_proxy": "*"},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        text = done.stdout.decode().replace("}{", "}\n{")
        return [orjson.loads(line) for line in text.splitlines()]

    assert len(BLOCKS) == 4
    one_by_one, tried, loaded, steps = BLOCKS
    assert [answer.get("action") for answer in run(one_by_one)] == ["created", "created", "changed", "created", None]
    assert {answer.get("action") for answer in run(one_by_one)} == {"unchanged", None}
    (report,) = run(tried)
    assert (report["dry_run"], report["changed"], report["created"], report["refused"]) == (True, 1, 1, 1)
    reports = run(loaded)
    assert [(r["created"], r["changed"], r["refused"]) for r in reports] == [(1, 0, 0), (1, 1, 0), (1, 1, 0), (2, 0, 0)]
    assert [(r["unchanged"], r["lines"]) for r in run(loaded)] == [(2, 2)] * 4
    contract, device = run(steps)
    assert (contract["status"], device["lifecycle"]) == ("ACTIVE", "QUARANTINED")
