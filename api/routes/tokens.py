"""API tokens, for administrators."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.account_changes import make_access_token, revoke_access_token
from api.auth import Caller, require
from api.once import IdempotencyKey, change, change_once
from api.passwords import make_api_token
from api.problems import declare
from api.shapes.accounts import NewToken, TokenMade, TokenShape
from api.shapes.pages import Page
from api.state import Database, now
from api.versioned_router import make_router
from domain.roles import Permission
from store.pool import Connection
from store.tokens import load_tokens

router = make_router("/tokens", tag="tokens")
Admin = Annotated[Caller, require(Permission.TOKEN_MANAGE)]


@router.get("", summary="List tokens")
def list_tokens(caller: Admin, pool: Database) -> Page[TokenShape]:
    """All tokens by name, revoked ones too, without their secrets."""
    with pool.connection() as conn:
        return Page(items=[TokenShape.model_validate(token) for token in load_tokens(conn)])


@router.post("", summary="Make a token", status_code=201, response_model=TokenMade, responses=declare(409))
def make_token(
    caller: Admin, pool: Database, request: Request, body: NewToken, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes a token; its secret is shown this once. A repeated request answers without it."""
    secret = make_api_token()

    def work(conn: Connection) -> tuple[TokenShape, dict[str, str]]:
        return TokenShape.model_validate(make_access_token(conn, caller, body, secret, at=now())), {}

    return change_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        present=lambda shape, replayed: {"token": shape, "secret": "" if replayed else secret},
    )


@router.delete(
    "/{token_id}", summary="Revoke a token", status_code=204, response_class=Response, responses=declare(404)
)
def end_token(token_id: int, caller: Admin, pool: Database) -> Response:
    """Revokes the token for good; doing it again changes nothing."""
    change(pool, lambda conn: revoke_access_token(conn, caller, token_id, at=now()))
    return Response(status_code=204)
