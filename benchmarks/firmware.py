"""Whether a bad firmware release is found, how soon, and whether good ones are left alone.

    python -m benchmarks.firmware [--good 10] [--seeds 3] [--json]

Simulates 100 pumps a release (`benchmarks.firmware_world`), writes their hours and breaches into an embedded PostgreSQL
and lets the production code look every six hours of simulated time, as `service-link` does. Of every release it prints
when a CAPA was proposed, in hours after the twentieth pump had it, for which fault group, and what was only shown.
"""

import argparse
import io
import json
import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import numpy as np
import psycopg

from benchmarks.databases import Urls, bench_database
from benchmarks.firmware_world import BAD, GOOD, HOURS, PUMPS, START, UPDATES_FROM_H, World, make_worlds
from domain.firmware_release import Verdict
from domain.profile import Profile
from forewarn.commands.profiles import load_bundled_profiles
from service_link.firmware_regression import watch_releases
from simulators.infusion_pump import GOOD_FIRMWARE, InfusionPump
from store.capas import load_capas
from store.pool import Connection, open_connection
from store.profiles import record_profile
from store.release_records import load_judged, load_states_of_version

LOOK_EVERY_H = 6  # roll-ups by hour go forward in steps of six
CUSTOMERS = 6
VERSION = "2.5.0"
NAMES = UUID("0d5cbb4e-6a4c-5b41-9f3a-52a7a5d5f0c1")


def main() -> None:
    """Prints a line for each release and the figures as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=int, default=10, help="good releases")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each kind of bad release")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    profile = next(p for p in load_bundled_profiles() if p.model == InfusionPump.model)
    plan = [(GOOD[n % len(GOOD)], 100 + n) for n in range(arguments.good)]
    plan += [(kind, 200 + seed) for kind in BAD for seed in range(arguments.seeds)]
    began = time.perf_counter()
    found = []
    for first in range(0, len(plan), 8):
        for world in make_worlds(plan[first : first + 8], profile):
            # A database each: what is written once cannot be emptied for the next.
            with bench_database(None) as urls:
                found.append(watch(urls, world, profile))
            if not arguments.json:
                print(_say(found[-1]), flush=True)
    print(json.dumps(summarise(found) | {"seconds": round(time.perf_counter() - began, 1)}))


def summarise(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Per kind of release: how many, how many proposed, and how late."""
    kinds: dict[str, Any] = {}
    for kind in dict.fromkeys(f["kind"] for f in found):
        own = [f for f in found if f["kind"] == kind]
        delays = sorted(f["hours_after_20"] for f in own if f["hours_after_20"] is not None)
        kinds[kind] = {
            "releases": len(own),
            "proposed": len(delays),
            "hours_after_20_devices": delays,
            "within_48_h": sum(delay <= 48.0 for delay in delays),
            "fault_groups": sorted({group for f in own for group in f["fault_groups"]}),
            "shown_as_changed": sorted({subject for f in own for subject in f["changed"]}),
        }
    good = [f for f in found if f["kind"] in {kind.value for kind in GOOD}]
    return {
        "good_releases": len(good),
        "false_proposals": sum(len(f["fault_groups"]) for f in good),
        "looks": sum(f["looks"] for f in found),
        "slowest_look_s": max(f["slowest_look_s"] for f in found),
        "kinds": kinds,
    }


def watch(urls: Urls, world: World, profile: Profile) -> dict[str, Any]:
    """Lets the time of the world pass, six hours at once, and says what was proposed and when."""
    with (
        psycopg.connect(urls.owner, autocommit=True) as owner,
        open_connection(urls.app, application="benchmark", autocommit=True) as conn,
    ):
        series = _register(conn, profile)
        _store_hours(owner, world, series)
        _store_breaches(conn, world)
        proposed_at, slowest = None, 0.0
        updated = np.where(np.isnan(world.updated_at), np.inf, world.updated_at)
        for hour in range(UPDATES_FROM_H, HOURS + 1, LOOK_EVERY_H):
            now = START + timedelta(hours=hour)
            _tell_updates(conn, updated, (hour - LOOK_EVERY_H) * 3600.0, hour * 3600.0)
            owner.execute("UPDATE rollup_state SET hours_to = %s, days_to = %s", (now, START))
            began = time.perf_counter()
            codes = watch_releases(conn, now)
            slowest = max(slowest, time.perf_counter() - began)
            if codes and proposed_at is None:
                proposed_at = now
        (state,) = load_states_of_version(conn, profile.model, VERSION)
        (judged,) = load_judged(conn, model=profile.model, version=VERSION).values()
        capas = load_capas(conn)
    after_20 = None if proposed_at is None else (proposed_at - world.reached_20_at) / timedelta(hours=1)
    return {
        "kind": world.kind.value,
        "seed": world.seed,
        "hours_after_20": None if after_20 is None else round(after_20, 1),
        "fault_groups": sorted(capa.fault_group for capa in capas),
        "changed": sorted(
            f"{j.line.measure} {j.line.subject}" for j in judged if j.verdict in (Verdict.CHANGED, Verdict.IMPROVED)
        ),
        "looks": state.looks,
        "breaches": len(world.breaches),
        "slowest_look_s": round(slowest, 2),
    }


def _register(conn: Connection, profile: Profile) -> np.ndarray[Any, np.dtype[np.int64]]:
    """100 pumps at six hospitals; the series of each sensor and pump, shape (sensors, pumps)."""
    record_profile(conn, profile, "benchmark")
    for n in range(CUSTOMERS):
        conn.execute(
            "INSERT INTO customer (code, name, type) VALUES (%s, %s, 'HOSPITAL') ON CONFLICT DO NOTHING",
            (f"C{n}", f"Hospital {n}"),
        )
        conn.execute(
            "INSERT INTO site (customer_id, code, name) SELECT id, %s, %s FROM customer WHERE code = %s"
            " ON CONFLICT DO NOTHING",
            (f"S{n}", f"Site {n}", f"C{n}"),
        )
    for n in range(PUMPS):
        conn.execute(
            "INSERT INTO device (device_model_id, serial, site_id, firmware, shard, created_at, is_simulated)"
            " SELECT m.id, %s, s.id, %s, 0, %s, true FROM device_model m, site s WHERE m.key = %s AND s.code = %s",
            (f"P-{n:03}", GOOD_FIRMWARE, START, profile.model, f"S{n % CUSTOMERS}"),
        )
    conn.execute(
        "INSERT INTO series (device_id, sensor) SELECT d.id, s FROM device d, unnest(%s::text[]) s",
        (list(InfusionPump.sensors),),
    )
    rows = conn.execute("SELECT s.sensor, d.serial, s.id FROM series s JOIN device d ON d.id = s.device_id").fetchall()
    series = np.zeros((len(InfusionPump.sensors), PUMPS), np.int64)
    for sensor, serial, series_id in rows:
        series[InfusionPump.sensors.index(sensor), int(serial.partition("-")[2])] = series_id
    return series


def _store_hours(owner: "psycopg.Connection[Any]", world: World, series: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    end = START + timedelta(hours=HOURS)
    owner.execute("SELECT ensure_rollup_partitions(%s, %s)", (START, end))
    text = io.StringIO()
    for hour in range(HOURS):
        bucket = (START + timedelta(hours=hour)).isoformat()
        lines = zip(
            series.ravel().tolist(),
            world.least[hour].ravel().tolist(),
            world.most[hour].ravel().tolist(),
            world.sums[hour].ravel().tolist(),
            strict=True,
        )
        text.writelines(
            f"{series_id}\t0\t{bucket}\t{low:.6g}\t{high:.6g}\t{total:.9g}\t{world.per_hour}\n"
            for series_id, low, high, total in lines
        )
    columns = "(series_id, flags, bucket, minimum, maximum, sum, n)"
    with owner.cursor() as cursor, cursor.copy(f"COPY reading_1h {columns} FROM STDIN") as copy:
        copy.write(text.getvalue())
    owner.execute("ANALYZE reading_1h")


def _store_breaches(conn: Connection, world: World) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO breach (id, device_id, monitor, profile_version, kind, severity, fault_group, state,"
            " first_seen, raised_at, last_seen, count, peak, score, reason_code, params, is_simulated)"
            " SELECT %s, d.id, %s, 1, 'LIMIT', 'MAJOR', %s, 'CLEARED', %s, %s, %s, 1, 1, 1, 'limit_high', '{}', true"
            " FROM device d WHERE d.serial = %s",
            [
                (uuid5(NAMES, f"{n}"), b.monitor, b.fault_group, b.raised_at, b.raised_at, b.raised_at,
                    f"P-{b.unit:03}")
                for n, b in enumerate(world.breaches)
            ],
        )  # fmt: skip


def _tell_updates(conn: Connection, updated: np.ndarray[Any, Any], since_s: float, until_s: float) -> None:
    """The history of the pumps that were updated in these seconds."""
    for unit in np.flatnonzero((updated > since_s) & (updated <= until_s)).tolist():
        conn.execute(
            "INSERT INTO device_history (device_id, at, field, before, after, source)"
            " SELECT id, %s, 'firmware:main', %s, %s, 'device' FROM device WHERE serial = %s",
            (START + timedelta(seconds=float(updated[unit])), GOOD_FIRMWARE, VERSION, f"P-{unit:03}"),
        )


def _say(found: dict[str, Any]) -> str:
    late = found["hours_after_20"]
    said = "nothing proposed" if late is None else f"proposed {late:+.1f} h after 20 pumps: {found['fault_groups']}"
    return f"{found['kind']:<17} seed {found['seed']}: {said}; changed: {', '.join(found['changed']) or 'nothing'}"


if __name__ == "__main__":
    main()
