"""Whether devices are connected: the facts of `domain.connectivity` as they are kept, and what follows from them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import dict_row

from domain.clock import from_micros, to_micros
from domain.connectivity import (
    NOT_JUDGED,
    PACE,
    SLACK_US,
    ConnectionFacts,
    Connectivity,
    ConnectivityState,
    Sighting,
    Word,
    find_connectivity,
    find_silence_s,
    note_word,
)
from domain.report import ConnectionState
from store.pool import Connection

_MICRO = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DeviceSeen:
    """The newest sign of life of one device: when it was received, and when its newest reading was taken."""

    device_id: int
    received_us: int
    observed_us: int


_FACTS = """
    d.id, d.connectivity, d.connectivity_since, d.device_model_id, c.word, c.word_observed_at, c.word_received_at,
    c.word_is_repeat, c.before_at, c.lag, c.run_received_at, c.run_observed_at, c.last_received_at, c.last_observed_at
"""
ENSURE_FACTS = "INSERT INTO device_connection (device_id) VALUES (%s) ON CONFLICT DO NOTHING"
# With what its profile says of how often each of its sensors reports.
LOCK_FACTS = f"""
    SELECT {_FACTS},
        array(SELECT (sensor ->> 'interval_s')::float8 FROM jsonb_array_elements(p.body -> 'sensors') AS sensor)
            AS intervals
    FROM device d
    JOIN device_connection c ON c.device_id = d.id
    JOIN device_model m ON m.id = d.device_model_id
    JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
    WHERE d.id = %s FOR NO KEY UPDATE OF c
"""  # noqa: S608
RECORD_WORD = """
    UPDATE device_connection SET word = %(word)s, word_observed_at = %(observed)s, word_received_at = %(received)s,
        word_is_repeat = %(is_repeat)s, before_at = %(before)s, lag = %(lag)s, run_received_at = NULL,
        run_observed_at = NULL
    WHERE device_id = %(device_id)s
"""


def record_word(conn: Connection, device_id: int, word: Word) -> None:
    """Keeps what was said of a device and lets its connectivity follow. Silence is not judged here: who writes down
    what a broker kept does not know how long nobody listened."""
    row = _lock_facts(conn, device_id)
    if row is None:
        conn.execute(ENSURE_FACTS, (device_id,))
        row = _lock_facts(conn, device_id)
    assert row is not None
    before = _read_facts(row)
    facts = note_word(before, word)
    if facts is before:
        return
    values = {
        "device_id": device_id,
        "word": word.state.value,
        "observed": from_micros(word.observed_us),
        "received": from_micros(word.received_us),
        "is_repeat": word.is_repeat,
        "before": _instant(facts.before_us),
        "lag": None if facts.lag_us is None else timedelta(microseconds=facts.lag_us),
    }
    conn.execute(RECORD_WORD, values)
    silence_us = round(find_silence_s(row["intervals"]) * 1e6)
    answer = find_connectivity(facts, _read_answer(row), word.received_us, word.received_us, silence_us)
    _record(conn, [(row, answer)])


def _lock_facts(conn: Connection, device_id: int) -> dict[str, Any] | None:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LOCK_FACTS, (device_id,)).fetchone()


# `domain.connectivity.note_readings`, for all of these devices at once.
RECORD_READINGS = """
    INSERT INTO device_connection AS c (device_id, last_received_at, last_observed_at)
    SELECT seen.id, seen.received_at, seen.observed_at
    FROM unnest(%(ids)s::bigint[], %(received)s::timestamptz[], %(observed)s::timestamptz[])
        AS seen (id, received_at, observed_at)
    ORDER BY seen.id
    ON CONFLICT (device_id) DO UPDATE SET
        last_received_at = greatest(c.last_received_at, excluded.last_received_at),
        last_observed_at = greatest(c.last_observed_at, excluded.last_observed_at),
        before_at = CASE WHEN excluded.last_received_at < c.word_received_at
            THEN greatest(c.before_at, excluded.last_received_at) ELSE c.before_at END,
        lag = CASE WHEN excluded.last_received_at < c.word_received_at
                AND (c.before_at IS NULL OR excluded.last_received_at > c.before_at)
            THEN excluded.last_received_at - excluded.last_observed_at ELSE c.lag END,
        (run_received_at, run_observed_at) = (
            SELECT CASE WHEN begins THEN newest.received_at ELSE c.run_received_at END,
                CASE WHEN begins THEN newest.observed_at ELSE c.run_observed_at END
            FROM (
                SELECT greatest(c.last_received_at, excluded.last_received_at) AS received_at,
                    greatest(c.last_observed_at, excluded.last_observed_at) AS observed_at
            ) AS newest, LATERAL (
                SELECT excluded.last_received_at >= c.word_received_at AND (c.run_received_at IS NULL
                    OR newest.observed_at - c.run_observed_at
                        > %(pace)s * (newest.received_at - c.run_received_at) + %(slack)s) AS begins
            ) AS judged
        )
"""
LOAD_SEEN = f"""
    SELECT {_FACTS} FROM device d JOIN device_connection c ON c.device_id = d.id
    WHERE d.id = ANY (%s) AND (d.connectivity <> 'ONLINE' OR c.word = 'offline')
    ORDER BY d.id FOR NO KEY UPDATE OF c
"""  # noqa: S608


def record_readings(conn: Connection, seen: Sequence[DeviceSeen]) -> None:
    """Keeps the newest readings of these devices, each device once; one that was away may be back by them."""
    ids = [s.device_id for s in seen]
    values = {
        "ids": ids,
        "received": [from_micros(s.received_us) for s in seen],
        "observed": [from_micros(s.observed_us) for s in seen],
        "pace": PACE,
        "slack": timedelta(microseconds=SLACK_US),
    }
    conn.execute(RECORD_READINGS, values)
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_SEEN, (ids,)).fetchall()
    received = {s.device_id: s.received_us for s in seen}
    _judge(conn, rows, lambda row: (received[row["id"]], received[row["id"]]))


# Whose answer can have changed since it was given: an online device that was not heard of for its time, one of which an
# "offline" stands, and one that is not online and was heard of, or said to be away, since.
LOAD_CANDIDATES = f"""
    SELECT {_FACTS}
    FROM device d
    JOIN device_connection c ON c.device_id = d.id
    JOIN unnest(%(models)s::integer[], %(silences)s::interval[]) AS silent (model_id, after)
        ON silent.model_id = d.device_model_id
    WHERE d.lifecycle <> 'DECOMMISSIONED' AND CASE d.connectivity
        WHEN 'ONLINE' THEN c.word = 'offline'
            OR greatest(c.last_received_at, c.word_received_at, c.before_at) < %(now)s - silent.after
        ELSE d.connectivity_since IS NULL OR greatest(c.last_received_at, c.word_received_at) > d.connectivity_since
        END
    ORDER BY d.id FOR NO KEY UPDATE OF c
"""  # noqa: S608


def reconcile_connectivity(conn: Connection, now: datetime, listening_since: datetime) -> int:
    """Brings every device's connectivity to what its facts say at `now`, silence included; how many it changed.
    Harmless when several processes do it at once; nothing is written where nothing changed.

    Parameters
    ----------
    listening_since
        Since when nothing that a device sent could have been missed: earlier silence is none.
    """
    with conn.transaction():
        silences = _load_silence(conn)
        values = {
            "models": list(silences),
            "silences": [timedelta(microseconds=us) for us in silences.values()],
            "now": now,
        }
        with conn.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(LOAD_CANDIDATES, values).fetchall()
        return _judge(conn, rows, lambda row: (to_micros(now), to_micros(listening_since)))


LOAD_INTERVALS = """
    SELECT m.id,
        array(SELECT (sensor ->> 'interval_s')::float8 FROM jsonb_array_elements(p.body -> 'sensors') AS sensor)
    FROM device_model m JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
"""


def _load_silence(conn: Connection) -> dict[int, int]:
    """After how many microseconds without a sign of life the devices of each model are stale."""
    return {model: round(find_silence_s(intervals) * 1e6) for model, intervals in conn.execute(LOAD_INTERVALS)}


def _judge(conn: Connection, rows: Sequence[dict[str, Any]], when: Callable[[dict[str, Any]], tuple[int, int]]) -> int:
    if not rows:
        return 0
    silences = _load_silence(conn)
    answers = []
    for row in rows:
        now_us, listening_us = when(row)
        silence_us = silences[row["device_model_id"]]
        answers.append((row, find_connectivity(_read_facts(row), _read_answer(row), now_us, listening_us, silence_us)))
    return _record(conn, answers)


RECORD_ANSWERS = """
    WITH answer AS (
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::text[])
            AS answer (id, connectivity, since, reason)
    ), old AS (
        SELECT d.id, d.connectivity AS before FROM device d JOIN answer USING (id)
        ORDER BY d.id FOR NO KEY UPDATE OF d
    ), updated AS (
        UPDATE device d SET connectivity = answer.connectivity, connectivity_since = answer.since,
            connectivity_reason = answer.reason
        FROM answer JOIN old USING (id) WHERE d.id = answer.id AND old.before <> answer.connectivity
        RETURNING d.id, answer.since, old.before, answer.connectivity
    )
    INSERT INTO device_history (device_id, at, field, before, after, source)
    SELECT id, since, 'connectivity', before, connectivity, 'device' FROM updated
"""


def _record(conn: Connection, answers: Iterable[tuple[dict[str, Any], Connectivity]]) -> int:
    """Writes the answers that differ from what stands, each with its line of history; how many."""
    new = [
        (row["id"], answer.state.value, _instant(answer.since_us), answer.reason.value)
        for row, answer in answers
        if answer.state.value != row["connectivity"] and answer.since_us is not None
    ]
    if not new:
        return 0
    return conn.execute(RECORD_ANSWERS, [list(column) for column in zip(*new, strict=True)]).rowcount


def _read_answer(row: dict[str, Any]) -> Connectivity:
    since = row["connectivity_since"]
    state = ConnectivityState(row["connectivity"])
    return Connectivity(state, None if since is None else to_micros(since), NOT_JUDGED.reason)


def _read_facts(row: dict[str, Any]) -> ConnectionFacts:
    word = None
    if row["word"] is not None:
        word = Word(
            ConnectionState(row["word"]),
            to_micros(row["word_observed_at"]),
            to_micros(row["word_received_at"]),
            row["word_is_repeat"],
        )
    return ConnectionFacts(
        word=word,
        before_us=None if row["before_at"] is None else to_micros(row["before_at"]),
        lag_us=None if row["lag"] is None else row["lag"] // _MICRO,
        run=_read_sighting(row, "run"),
        last=_read_sighting(row, "last"),
    )


def _read_sighting(row: dict[str, Any], name: str) -> Sighting | None:
    received_at = row[f"{name}_received_at"]
    if received_at is None:
        return None
    return Sighting(to_micros(received_at), to_micros(row[f"{name}_observed_at"]))


def _instant(us: int | None) -> datetime | None:
    return None if us is None else from_micros(us)


LOAD_CONNECTION = f"""
    SELECT {_FACTS} FROM device d JOIN device_connection c ON c.device_id = d.id WHERE d.id = %s
"""  # noqa: S608


def load_connection_facts(conn: Connection, device_id: int) -> ConnectionFacts:
    """What is kept of the device."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_CONNECTION, (device_id,)).fetchone()
    return ConnectionFacts() if row is None else _read_facts(row)
