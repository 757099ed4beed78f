"""API tokens, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey, change, change_once
from api.passwords import hash_secret, make_api_token
from api.problems import ALREADY_EXISTS, INVALID, ProblemError, declare, not_found
from api.routes.users import find_customer_for
from api.shapes.accounts import NewToken, TokenMade, TokenShape
from api.shapes.pages import Page
from api.state import Database, now
from domain.audit_token import token_created, token_revoked
from domain.roles import Permission
from store.audit import record_audit
from store.pool import Connection
from store.tokens import load_token, load_tokens, record_token, revoke_token

router = APIRouter(prefix="/tokens", tags=["tokens"])
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
    if body.expires_at is not None and body.expires_at <= now():
        raise ProblemError(INVALID, fields={"expires_at": "is in the past"})
    secret = make_api_token()

    def work(conn: Connection) -> tuple[TokenShape, dict[str, str]]:
        made = record_token(
            conn,
            name=body.name,
            token_hash=hash_secret(secret),
            role=body.role,
            customer_id=find_customer_for(conn, [body.role], body.customer),
            expires_at=body.expires_at,
        )
        token = None if made is None else load_token(conn, made)
        if token is None:
            raise ProblemError(ALREADY_EXISTS, fields={"name": "is taken"}, guard="name_taken")
        entry = token_created(body.name, role=token.role, customer=token.customer_code, expires_at=token.expires_at)
        record_audit(conn, caller.actor, entry)
        return TokenShape.model_validate(token), {}

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

    def work(conn: Connection) -> None:
        token = load_token(conn, token_id)
        if token is None:
            raise not_found("token", str(token_id), "token_id")
        if revoke_token(conn, token_id, at=now()):
            record_audit(conn, caller.actor, token_revoked(token.name))

    change(pool, work)
    return Response(status_code=204)
