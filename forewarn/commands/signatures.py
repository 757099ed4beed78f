"""Who acts at the command line: it itself, or a person who gave the password just now and so signs."""

from datetime import UTC, datetime

import typer

from domain.audit import Actor, Signature
from domain.roles import Permission, find_permissions, find_role_for
from forewarn.connections import find_database_url
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, say
from store.pool import open_connection, transaction
from store.users import load_user

REQUEST_ID = "cli"  # of what the audit keeps of accounts


def find_signing_actor(user: str, permission: Permission, what: str) -> tuple[Actor, Signature | None]:
    """The command line itself where no user is named; else that person, whose password was right just now, with the
    signature. Wrong passwords count towards the lock of the account, as at the console.

    Raises
    ------
    typer.Exit
        The password is wrong or not the person's own, the account is locked, or it lacks the permission.
    """
    if not user:
        return Actor("cli", "engineer", permission.value), None
    # Imported where it is used: it hashes once when it is imported, and every command would wait for that.
    from api.sign_in import judge_password

    password = typer.prompt(f"Password of {user}", hide_input=True, err=True)
    with open_connection(find_database_url(load_settings()), application="signature", autocommit=True) as conn:
        with transaction(conn):
            refused = judge_password(conn, user, password, at=datetime.now(UTC), request_id=REQUEST_ID)
        account = load_user(conn, user)
    if refused is not None and refused.reason == "locked":
        say(f"{user} is locked after too many wrong passwords; try again in {refused.wait_s:.0f} s.")
        raise typer.Exit(ExitCode.FAILED)
    if refused is not None and refused.reason == "no_password":
        say(f"{user} signs in at the provider and has no password to sign with: it is set on the page of the account.")
        raise typer.Exit(ExitCode.FAILED)
    if refused is not None or account is None:
        say("The name or the password is wrong.")
        raise typer.Exit(ExitCode.FAILED)
    if account.must_change_password:
        say(f"{user} has a password that somebody else set: it signs nothing until it is changed at a sign-in.")
        raise typer.Exit(ExitCode.FAILED)
    if permission not in find_permissions(account.roles, of_one_customer=account.customer_id is not None):
        say(f"{user} lacks {permission}: only an engineer may {what}.")
        raise typer.Exit(ExitCode.FAILED)
    role = find_role_for(account.roles, permission)
    actor = Actor(account.name, role or "", permission.value, user_id=account.id)
    return actor, Signature(account.id, account.full_name, what)
