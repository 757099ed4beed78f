"""`forewarn users add|list|password|remove-factor|certify`."""

from datetime import datetime
from typing import Annotated

import typer

from domain.audit import Actor
from domain.audit_sign_in import second_factor_removed
from domain.audit_user import password_reset, user_created
from domain.errors import NotFoundError
from domain.roles import Permission, Role
from forewarn.commands.options import Json
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, out, print_json, print_table, say
from store.audit import record_audit
from store.certificates import record_certificate
from store.customers import load_customer_id
from store.pool import Connection, open_connection
from store.second_factors import remove_second_factor
from store.sessions import remove_sessions_of
from store.users import load_user, load_users, record_password, record_user

app = typer.Typer(help="People who sign in to the console.", no_args_is_help=True)
ACTOR = Actor("cli", "admin", Permission.USER_MANAGE.value)

Ask = Annotated[bool, typer.Option("--ask", help="Type the password instead of having one made.")]


@app.command("add", epilog="Example: `forewarn users add mwang --role technician --full-name 'Wang Min'`")
def add(
    name: Annotated[str, typer.Argument(help="Name to sign in with.")],
    role: Annotated[list[Role], typer.Option(help="May be given several times.")],
    full_name: Annotated[str, typer.Option(help="As people call them.")] = "",
    customer: Annotated[str | None, typer.Option(help="Code of the customer whose records a `customer` sees.")] = None,
    ask: Ask = False,
    as_json: Json = False,
) -> None:
    """Make an account. Its password is printed once and has to be changed at the first sign-in."""
    password = _find_password(name, ask)
    with open_connection(find_database_url(load_settings()), application="users") as conn:
        if Role.CUSTOMER in role and customer is None:
            raise typer.BadParameter("a customer's account needs --customer")
        made = add_user(conn, name, full_name, password, [item.value for item in role], customer_code=customer)
    if not made:
        say(f"There is an account {name!r} already; nothing was changed.")
        raise typer.Exit(ExitCode.FAILED)
    _print_password(name, password, ask, as_json)


@app.command("list", epilog="Example: `forewarn users list --json`")
def list_users(as_json: Json = False) -> None:
    """List the accounts."""
    with open_connection(find_database_url(load_settings()), application="users") as conn:
        users = load_users(conn)
    if as_json:
        print_json(users)
        return
    print_table(
        ["name", "full name", "roles", "customer", "status"],
        [(user.name, user.full_name, user.roles, user.customer_code, user.status) for user in users],
        empty="There is no account yet: `forewarn users add NAME --role ROLE`.",
    )


@app.command("password", epilog="Example: `forewarn users password mwang`")
def set_password(name: str, ask: Ask = False, as_json: Json = False) -> None:
    """Set a new password, unlock the account and end its sessions. It has to be changed at the next sign-in."""
    from api import passwords

    password = _find_password(name, ask)
    with open_connection(find_database_url(load_settings()), application="users") as conn:
        user = load_user(conn, name)
        if user is None:
            raise NotFoundError(f"(account {name!r})")
        record_password(conn, user.id, passwords.hash_password(password), must_change_password=True)
        remove_sessions_of(conn, user.id)
        record_audit(conn, ACTOR, password_reset(name))
    _print_password(name, password, ask, as_json)


@app.command("remove-factor", epilog="Example: `forewarn users remove-factor mwang --reason 'phone lost'`")
def remove_factor(
    name: str, reason: Annotated[str, typer.Option(help="For the audit: why, and who asked for it.")]
) -> None:
    """Remove the second factor of who has lost the app and the recovery codes. Ends all sessions of the account."""
    if not reason.strip():
        raise typer.BadParameter("say why: it stands in the audit", param_hint="--reason")
    with open_connection(find_database_url(load_settings()), application="users") as conn:
        user = load_user(conn, name)
        if user is None:
            raise NotFoundError(f"(account {name!r})")
        if not remove_second_factor(conn, user.id):
            say(f"{name} has no second factor; nothing was changed.")
            raise typer.Exit(ExitCode.FAILED)
        remove_sessions_of(conn, user.id)
        record_audit(conn, ACTOR, second_factor_removed(name, reason.strip()))
    say(f"{name} signs in by the password alone until a new second factor is set up.")


@app.command("certify", epilog="Example: `forewarn users certify mwang INF-200 --until 2027-12-31`")
def certify(
    name: str,
    model: Annotated[str, typer.Argument(help="Key of the device model, as `forewarn profiles list` shows it.")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day on which it holds.")],
) -> None:
    """Certify a technician for a device model: work on that model is assigned to nobody without."""
    with open_connection(find_database_url(load_settings()), application="users") as conn:
        record_certificate(conn, ACTOR, name, model, until.date())
    say(f"{name} may work on {model} until {until:%Y-%m-%d}.")


def add_user(
    conn: Connection,
    name: str,
    full_name: str,
    password: str,
    roles: list[str],
    *,
    must_change_password: bool = True,
    customer_code: str | None = None,
) -> bool:
    """Makes the account and its audit event; False, and nothing changed, when the name is taken."""
    # Imported where it is used: it hashes once when it is imported, and every command would wait for that.
    from api import passwords

    customer_id = None
    if customer_code is not None:
        customer_id = load_customer_id(conn, customer_code)
        if customer_id is None:
            raise NotFoundError(f"(customer {customer_code!r})")
    made = record_user(
        conn,
        name=name,
        full_name=full_name,
        password_hash=passwords.hash_password(password),
        roles=roles,
        must_change_password=must_change_password,
        customer_id=customer_id,
    )
    if made is None:
        return False
    record_audit(conn, ACTOR, user_created(name, full_name=full_name, roles=roles, customer=customer_code))
    return True


def _find_password(name: str, ask: bool) -> str:
    from api import passwords

    if not ask:
        return passwords.make_password()
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    weakness = passwords.find_password_weakness(password, name=name)
    if weakness is not None:
        say(f"The password {weakness}.")
        raise typer.Exit(ExitCode.FAILED)
    return password


def _print_password(name: str, password: str, asked: bool, as_json: bool) -> None:
    if as_json:
        print_json({"name": name} if asked else {"name": name, "password": password})
    elif asked:
        say(f"{name}: the password is set.")
    else:
        out.print(f"{name}: {password}", markup=False)
        say("This is shown once.")
