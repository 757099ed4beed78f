"""Changes as one transaction, retried where the database asks for it, and done once for one Idempotency-Key."""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Header, Request
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Caller
from api.problems import INVALID, KEY_REUSED, ProblemError
from store.idempotency import StoredAnswer, load_answer, record_answer
from store.pool import RETRYABLE, Connection, Pool

Result = TypeVar("Result")
Present = Callable[[Any, bool], Any]
TRIES = 4
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=8,
        max_length=128,
        description="A word of your own, new for each intent: repeating the request with it gives the first answer.",
    ),
]


def change(pool: Pool, work: Callable[[Connection], Result]) -> Result:
    """What `work` returns after its transaction was committed; run again when the database had to break a deadlock."""
    for attempt in range(1, TRIES + 1):
        try:
            with pool.connection() as conn:
                return work(conn)
        except RETRYABLE:
            if attempt == TRIES:
                raise
            time.sleep(0.01 * 2**attempt)
    raise AssertionError


def change_once(
    pool: Pool,
    caller: Caller,
    request: Request,
    key: str | None,
    body: BaseModel,
    work: Callable[[Connection], tuple[BaseModel, Mapping[str, str]]],
    *,
    present: Present | None = None,
    status: int | Callable[[Any], int] = 201,
) -> Response:
    """The answer to a POST: `work`'s, or the one that was given to the same request with the same key before.

    `status` is what it is answered with, or says so of the answer.

    `work` returns the answer's body and headers; they are kept in its transaction. `present` makes of the kept body
    what is sent, and is told whether it is sent again: a secret is shown once and never kept.

    Raises
    ------
    ProblemError
        422: the key was used for another request; or the body holds half a character, or a number beyond 64 bits.
    """
    digest = _digest(request, body)

    def run(conn: Connection) -> tuple[StoredAnswer, bool]:
        if key is not None:
            known = load_answer(conn, caller.name, key)
            if known is not None:
                if known.request_sha256 != digest:
                    raise ProblemError(KEY_REUSED, fields={"Idempotency-Key": "was used for another request"})
                return known, True
        shape, headers = work(conn)
        given = status if isinstance(status, int) else status(shape)
        answer = StoredAnswer(digest, given, {"body": shape.model_dump(mode="json"), "headers": dict(headers)})
        if key is not None:
            record_answer(conn, caller.name, key, answer)
        return answer, False

    answer, replayed = change(pool, run)
    headers = dict(answer.response["headers"])
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    content = answer.response["body"] if present is None else present(answer.response["body"], replayed)
    return Response(orjson.dumps(content), answer.status, headers=headers, media_type="application/json")


def _digest(request: Request, body: BaseModel) -> str:
    # Passwords are part of the request but no hash of them is kept.
    content = body.model_dump(mode="json", exclude={"password"})
    what = [request.method, request.url.path, request.headers.get("if-match"), content]
    try:
        return hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except orjson.JSONEncodeError as error:
        raise ProblemError(INVALID, f"A value of the body can be kept nowhere: {error}.") from None
