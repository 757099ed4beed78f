"""Answers that were given once: a POST repeated with its Idempotency-Key gets the first answer and does nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered to the first request with this key."""

    request_sha256: str
    status: int
    response: dict[str, Any]


# Two requests with one key at once: the second waits here until the first has committed or given up.
LOCK_KEY = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
LOAD_ANSWER = "SELECT request_sha256, status, response FROM idempotency_key WHERE caller = %s AND key = %s"


def load_answer(conn: Connection, caller: str, key: str) -> StoredAnswer | None:
    """The answer kept for this caller's key; until the transaction ends nobody else gets past here with that key."""
    conn.execute(LOCK_KEY, (f"idempotency {caller} {key}",))
    with conn.cursor(row_factory=class_row(StoredAnswer)) as cursor:
        return cursor.execute(LOAD_ANSWER, (caller, key)).fetchone()


RECORD_ANSWER = """
    INSERT INTO idempotency_key (caller, key, request_sha256, status, response) VALUES (%s, %s, %s, %s, %s)
"""


def record_answer(conn: Connection, caller: str, key: str, answer: StoredAnswer) -> None:
    """Keeps the answer in the transaction that did the work: both are there, or neither."""
    conn.execute(RECORD_ANSWER, (caller, key, answer.request_sha256, answer.status, Jsonb(answer.response)))


REMOVE_ANSWERS = "DELETE FROM idempotency_key WHERE created_at < %s"


def remove_answers_before(conn: Connection, before: datetime) -> int:
    """Forgets keys used before that time; says how many."""
    return conn.execute(REMOVE_ANSWERS, (before,)).rowcount
