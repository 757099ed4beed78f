"""The same answers as people get them: requests to the running API and console, one after the other."""

import http.client
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGTERM
from statistics import quantiles
from urllib.parse import urlencode

from api.passwords import hash_password, hash_secret, make_api_token, make_session_token
from api.sign_in import COOKIE
from benchmarks.installation import COMMAND, BenchmarkFailedError, find_free_port, is_listening
from domain.roles import Role
from forewarn.child_process import end, spawn
from store.pool import open_connection
from store.sessions import record_session
from store.tokens import record_token
from store.users import record_user

STARTED_WITHIN_S = 60.0


def find_requests(now: datetime) -> dict[str, str]:
    """Paths by name; those below /api/ are asked with a token, the others with a session's cookie."""
    year = urlencode(
        {"sensor": "flow", "from": (now - timedelta(days=365)).isoformat(), "to": now.isoformat(), "points": 1_000}
    )
    return {
        "http_fleet": "/api/v1/devices?limit=100&total=true",
        "http_year": f"/api/v1/devices/Q-000001/readings?{year}",
        "http_health": "/api/v1/health",
        "page_fleet": "/devices",
        "page_inbox": "/inbox",
        "page_device": "/devices/Q-000001",
    }


def measure_requests(app_url: str, now: datetime, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of every request, from sending it to the last byte of its answer, on one kept connection.

    Raises
    ------
    BenchmarkFailedError
        The API does not start, or an answer is not 200.
    """
    figures: dict[str, dict[str, float]] = {}
    with running_api(app_url) as port:
        headers = _let_in(app_url, now)
        for name, path in find_requests(now).items():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            by = "Authorization" if path.startswith("/api/") else "Cookie"
            first, size = time_request(connection, path, {by: headers[by]})
            later = [time_request(connection, path, {by: headers[by]})[0] for _ in range(rounds)]
            connection.close()
            cuts = quantiles(later, n=20, method="inclusive")
            figures[name] = {
                "first_ms": round(first, 1),
                "p50_ms": round(cuts[9], 1),
                "p95_ms": round(cuts[18], 1),
                "bytes": size,
            }
    return figures


@contextmanager
def running_api(app_url: str) -> Iterator[int]:
    """The port of a running API and console on that database; it ends with the block.

    Raises
    ------
    BenchmarkFailedError
        It does not start.
    """
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as folder:
        port = find_free_port()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FOREWARN_")} | {
            "FOREWARN_VAR": folder,
            "FOREWARN_DATABASE_URL": app_url,
            "FOREWARN_HTTP_PORT": str(port),
        }
        log = Path(folder) / "api.log"
        child = spawn([COMMAND, "api"], log=log, env=environment)
        try:
            deadline = time.monotonic() + STARTED_WITHIN_S
            while not is_listening(port):
                if child.poll() is not None or time.monotonic() > deadline:
                    raise BenchmarkFailedError(f"the API does not answer\n{log.read_text(encoding='utf-8')[-4_000:]}")
                time.sleep(0.1)
            yield port
        finally:
            end(child, with_signal=SIGTERM, timeout_s=20)


def _let_in(app_url: str, now: datetime) -> dict[str, str]:
    """The headers of a service manager who is signed in, and of an auditor's token."""
    token, cookie = make_api_token(), make_session_token()
    with open_connection(app_url, application="benchmark") as conn:
        record_token(conn, name="benchmark", token_hash=hash_secret(token), role=Role.AUDITOR.value)
        user = record_user(
            conn,
            name="benchmark",
            full_name="Benchmark",
            password_hash=hash_password(make_api_token()),
            roles=[Role.SERVICE_MANAGER.value],
            must_change_password=False,
        )
        if user is None:
            raise BenchmarkFailedError("there is a user `benchmark` already")
        record_session(conn, hash_secret(cookie), user, make_session_token(), now + timedelta(hours=8))
    return {"Authorization": f"Bearer {token}", "Cookie": f"{COOKIE}={cookie}"}


def time_request(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> tuple[float, int]:
    """Milliseconds until the last byte, and how many bytes there were.

    Raises
    ------
    BenchmarkFailedError
        The answer is not 200.
    """
    began = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "identity", **headers})
    answer = connection.getresponse()
    body = answer.read()
    took_ms = (time.perf_counter() - began) * 1e3
    if answer.status != 200:
        raise BenchmarkFailedError(f"{path} answered {answer.status}: {body[:300]!r}")
    return took_ms, len(body)
