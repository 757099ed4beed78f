"""`forewarn tokens create|revoke|list`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from domain.audit import Actor
from domain.audit_token import token_created, token_revoked
from domain.errors import NotFoundError
from domain.roles import Permission, Role
from forewarn.commands.options import Json
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, out, print_json, print_table, say
from store.audit import record_audit
from store.pool import open_connection
from store.tokens import load_tokens, record_token, revoke_token

app = typer.Typer(help="Bearer tokens of the API: one role each, printed once, kept hashed.", no_args_is_help=True)
ACTOR = Actor("cli", "admin", Permission.TOKEN_MANAGE.value)


@app.command("create", epilog="Example: `forewarn tokens create --role integrator --name erp`")
def create(
    role: Annotated[Role, typer.Option(help="What the token may do.")],
    name: Annotated[str, typer.Option(help="What it is for; one token a name.")],
    days: Annotated[int | None, typer.Option(min=1, help="Expires after so many days; never by default.")] = None,
    as_json: Json = False,
) -> None:
    """Make a token. It is printed once, alone on standard output."""
    if role is Role.CUSTOMER:
        raise typer.BadParameter("a customer's token is made by the API, which knows its customer")
    # Imported where it is used: it hashes once when it is imported, and every command would wait for that.
    from api.passwords import hash_secret, make_api_token

    token = make_api_token()
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    with open_connection(find_database_url(load_settings()), application="tokens") as conn:
        made = record_token(conn, name=name, token_hash=hash_secret(token), role=role.value, expires_at=expires_at)
        if made is not None:
            entry = token_created(name, role=role.value, customer=None, expires_at=expires_at)
            record_audit(conn, ACTOR, entry)
    if made is None:
        say(f"There is a token {name!r} already; nothing was changed.")
        raise typer.Exit(ExitCode.FAILED)
    if as_json:
        print_json({"name": name, "role": role.value, "token": token, "expires_at": expires_at})
    else:
        out.print(token, markup=False)


@app.command("revoke", epilog="Example: `forewarn tokens revoke erp`")
def revoke(name: str, as_json: Json = False) -> None:
    """Revoke a token for good; its next use is refused."""
    with open_connection(find_database_url(load_settings()), application="tokens") as conn:
        token = next((token for token in load_tokens(conn) if token.name == name), None)
        if token is None:
            raise NotFoundError(f"(token {name!r})")
        revoked = revoke_token(conn, token.id, at=datetime.now(UTC))
        if revoked:
            record_audit(conn, ACTOR, token_revoked(name))
    if as_json:
        print_json({"name": name, "revoked": revoked})
    else:
        say(f"{name}: revoked" if revoked else f"{name} was revoked before")


@app.command("list", epilog="Example: `forewarn tokens list --json`")
def list_tokens(as_json: Json = False) -> None:
    """List the tokens, without their secrets."""
    with open_connection(find_database_url(load_settings()), application="tokens") as conn:
        tokens = load_tokens(conn)
    if as_json:
        print_json(tokens)
        return
    print_table(
        ["name", "role", "created", "last used", "expires", "revoked"],
        [(t.name, t.role, t.created_at, t.last_used_at, t.expires_at, t.revoked_at) for t in tokens],
        empty="There is no token yet: `forewarn tokens create --role ROLE --name NAME`.",
    )
