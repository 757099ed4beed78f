"""Readings in buckets against numpy, on every flavour of the store."""

import csv
import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from numpy.typing import NDArray

from domain.roles import Role
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import Api, find_errors, running_api

START = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)  # the window crosses a day's partition
COUNT = 5000
MINUTE, HOUR = 60_000, 3_600_000


def fill(database: Database) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Uneven readings over four hours with a gap, some of them bad: milliseconds after START, values, flags."""
    rng = np.random.default_rng(7)
    at = np.sort(rng.choice(4 * 3600 * 1000, COUNT, replace=False)).astype(np.int64)
    at = at[(at < 5_000_000) | (at > 8_000_000)]
    value = rng.normal(50, 10, at.size)
    flags = 4 * (rng.random(at.size) < 0.05).astype(np.int64) + 8 * (rng.random(at.size) < 0.1).astype(np.int64)
    register(database.url, PROFILE, make_devices(2, customers=2))
    with psycopg.connect(database.url) as conn:
        conn.execute("SELECT ensure_reading_partitions(ARRAY['2026-11-20'::date, '2026-11-21'::date])")
        series = conn.execute(
            "SELECT s.id FROM series s JOIN device d ON d.id = s.device_id "
            "WHERE d.serial = 'T-0000' AND s.sensor = 'level'"
        ).fetchone()
        assert series is not None
        with conn.cursor().copy("COPY reading (series_id, flags, observed_at, value) FROM STDIN") as copy:
            for i in range(at.size):
                when = START + timedelta(milliseconds=int(at[i]))
                copy.write_row((series[0], int(flags[i]), when, float(value[i])))
    return at, value, flags


def ask(api: Api, headers: dict[str, str], points: int, **query: str) -> dict[str, Any]:
    window = {"from": START.isoformat(), "to": (START + timedelta(hours=4)).isoformat()} | query
    params = {"sensor": "level", "points": str(points), **window}
    response = api.get("/devices/T-0000/readings", headers=headers, params=params)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_buckets_are_what_numpy_says(any_database: Database) -> None:
    at, value, flags = fill(any_database)
    with running_api(any_database.url) as api:
        headers = api.token(Role.ENGINEER)
        for points in (1, 7, 333, 2000):
            found = ask(api, headers, points)
            # Whole hours or minutes where buckets are as wide; below a minute the narrowest that are few enough.
            width, level = {1: (4 * HOUR, "1h"), 7: (35 * MINUTE, "1m")}.get(points, (4 * HOUR / points, "raw"))
            assert found["raw"] is False
            assert found["level"] == level
            assert found["bucket_s"] == pytest.approx(width / 1000, abs=1e-6)
            assert len(found["at"]) <= points
            bucket = np.floor(at / width).astype(int)
            wanted = np.unique(bucket).tolist()
            assert len(found["at"]) == len(wanted), "a bucket without readings is left out"
            origin = int(START.timestamp() * 1000)
            for place, b in enumerate(wanted):
                inside = bucket == b
                good = value[inside & (flags & 4 == 0)]
                assert found["at"][place] == pytest.approx(origin + b * width, abs=1)
                assert found["count"][place] == good.size
                assert found["flags"][place] == np.bitwise_or.reduce(flags[inside])
                if good.size:
                    assert found["min"][place] == good.min()
                    assert found["max"][place] == good.max()
                    assert found["mean"][place] == pytest.approx(good.mean())
                else:
                    assert found["mean"][place] is None


def test_raw_readings_where_they_fit(any_database: Database) -> None:
    at, value, flags = fill(any_database)
    with running_api(any_database.url) as api:
        headers = api.token(Role.ENGINEER)
        found = ask(api, headers, at.size)
        assert found["raw"] is True
        assert found["bucket_s"] is None
        assert found["unit"] == "%"
        assert found["at"] == (int(START.timestamp() * 1000) + at).tolist()
        assert found["mean"] == value.tolist()
        assert found["flags"] == flags.tolist()
        assert ask(api, headers, at.size - 1)["raw"] is False
        until = (START + timedelta(milliseconds=int(at[10]))).isoformat()
        assert len(ask(api, headers, 100, to=until)["at"]) == 10, "the end is not included"


def test_csv_is_a_download_that_the_audit_records(any_database: Database) -> None:
    at, value, _ = fill(any_database)
    with running_api(any_database.url) as api:
        params = {
            "sensor": "level",
            "from": START.isoformat(),
            "to": (START + timedelta(hours=4)).isoformat(),
            "points": "10000",
            "format": "csv",
        }
        response = api.get("/devices/T-0000/readings", headers=api.token(Role.ENGINEER), params=params)
        assert response.headers["content-disposition"] == 'attachment; filename="T-0000_level.csv"'
        rows = list(csv.DictReader(io.StringIO(response.text)))
        assert [float(row["mean"]) for row in rows] == value.tolist()
        assert datetime.fromisoformat(rows[0]["observed_at"]) == START + timedelta(milliseconds=int(at[0]))
        event = api.get("/audit?action=export.taken", headers=api.token(Role.AUDITOR)).json()["items"][0]
        assert (event["after"]["filter"]["serial"], event["after"]["rows"]) == ("T-0000", at.size)
        logged = api.get(f"/exports/{event['entity_id']}", headers=api.token(Role.AUDITOR)).json()
        assert logged["sha256"] == hashlib.sha256(response.content).hexdigest()
        assert logged["code"] in response.headers["x-forewarn-watermark"]


def test_bad_windows_are_named(database: Database) -> None:
    register(database.url, PROFILE, make_devices(1))
    with running_api(database.url) as api:
        headers = api.token(Role.ENGINEER)
        for query, field in (
            ("from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z", "from"),
            ("from=2026-11-21T00:00:00", "from"),
            ("from=1990-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
            ("to=0001-01-01T00:00:00Z", "to"),
            ("points=0", "points"),
            ("points=10001", "points"),
            ("format=xml", "format"),
        ):
            response = api.get(f"/devices/T-0000/readings?sensor=level&{query}", headers=headers)
            assert response.status_code == 422, query
            assert set(find_errors(response)) == {field}
        missing = api.get("/devices/T-0000/readings?sensor=nonsense", headers=headers)
        assert missing.status_code == 404
        assert set(find_errors(missing)) == {"sensor"}


def test_scores_by_detector(database: Database) -> None:
    register(database.url, PROFILE, make_devices(1))
    with psycopg.connect(database.url) as conn:
        conn.execute(
            "INSERT INTO score_rollup (series_id, minute, detector, max_score, mean_score, n) "
            "SELECT s.id, '2026-11-20 10:00Z'::timestamptz + i * interval '1 minute', t.name, i + 1, i, t.n "
            "FROM series s, generate_series(0, 9) i, (VALUES ('adaptive', 1 ), ('limit', 3)) AS t (name, n) "
            "WHERE s.sensor = 'level'"
        )
    with running_api(database.url) as api:
        query = "sensor=level&from=2026-11-20T10:00:00Z&to=2026-11-20T10:10:00Z&points=2"
        found = api.get(f"/devices/T-0000/scores?{query}", headers=api.token(Role.ENGINEER)).json()
        assert found["bucket_s"] == 300
        assert [d["detector"] for d in found["detectors"]] == ["adaptive", "limit"]
        assert found["detectors"][1]["max"] == [5, 10]
        assert found["detectors"][1]["mean"] == [2, 7]
        assert found["detectors"][1]["count"] == [15, 15]
