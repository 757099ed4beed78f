"""`forewarn devices credentials|accounts|claim-code|assign`: who may publish, and through which gateway."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from accounts.broker import AccountBroker
from accounts.credentials import issue_claim_code, issue_credentials, revoke_credentials
from domain.audit import Actor
from domain.broker_account import AccountKind, BrokerAccount, SignInMethod, find_name_problem
from domain.errors import ConfigurationError
from domain.roles import Permission
from forewarn.commands.options import Json
from forewarn.connections import find_admin_url, find_database_url
from forewarn.settings import Settings, load_settings
from forewarn.terminal import out, print_json, print_table, say
from store.device_accounts import load_account, load_accounts
from store.device_gateways import assign_gateway
from store.pool import open_connection

ACTOR = Actor("cli", "admin", Permission.DEVICE_CREDENTIALS.value)
REGISTRAR = Actor("cli", "admin", Permission.DEVICE_REGISTER.value)

IsGateway = Annotated[bool, typer.Option("--gateway", help="NAME is a gateway's name, not a serial.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to `forewarn devices`."""
    app.command("credentials", epilog="Example: `forewarn devices credentials CAB-1`, then again to rotate")(
        credentials
    )
    app.command("accounts", epilog="Example: `forewarn devices accounts --json`")(list_accounts)
    app.command("claim-code", epilog="Example: `forewarn devices claim-code CAB-1 --hours 72`")(claim_code)
    app.command("assign", epilog="Example: `forewarn devices assign CAB-1 --gateway GW-1`")(assign)


def credentials(
    name: Annotated[str, typer.Argument(help="Serial of a registered device, or a gateway's name.")],
    is_gateway: IsGateway = False,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="No password: it shows a certificate with its name as common name.")
    ] = False,
    thingsboard: Annotated[
        bool | None,
        typer.Option(
            "--thingsboard/--no-thingsboard", help="A gateway that publishes on v1/gateway/…; kept if unsaid."
        ),
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the account and any claim code away.")] = False,
    as_json: Json = False,
) -> None:
    """Make the account of a device or gateway at the broker, or give it a new password; printed this once.

    Whoever uses the account is thrown out, and comes back with the new password alone.
    """
    if thingsboard is not None and not is_gateway:
        raise typer.BadParameter("--thingsboard is for gateways")
    settings = load_settings()
    broker = _require_broker(settings)
    kind = AccountKind.GATEWAY if is_gateway else AccountKind.DEVICE
    account = BrokerAccount(kind, name, bool(thingsboard))
    with open_connection(find_database_url(settings), application="devices") as conn:
        if revoke:
            revoked = revoke_credentials(conn, broker, ACTOR, account)
        else:
            known = load_account(conn, account.username)
            if thingsboard is None and known is not None:
                account = BrokerAccount(kind, name, known.thingsboard)
            method = SignInMethod.CERTIFICATE if certificate else SignInMethod.PASSWORD
            made = issue_credentials(conn, broker, ACTOR, account, method)
    # What was made is told when it is on record, not before.
    if revoke:
        if as_json:
            print_json({"username": account.username, "revoked": revoked})
        else:
            say(f"{account.username}: revoked" if revoked else f"{account.username} had no account")
    elif as_json:
        print_json({"username": made.username, "password": made.password, "rotated": made.rotated})
    elif made.password is None:
        say(f"{made.username} signs in with a certificate that has this common name.")
    else:
        out.print(f"{made.username}: {made.password}", markup=False)
        say(f"This is shown once.{' The password before holds no longer.' if made.rotated else ''}")


def list_accounts(as_json: Json = False) -> None:
    """List the accounts that were made, without their secrets."""
    with open_connection(find_database_url(load_settings()), application="devices") as conn:
        rows = load_accounts(conn)
    if as_json:
        print_json(rows)
        return
    print_table(
        ["account", "signs in by", "state", "since", "by"],
        [(row.username, row.method, row.state, row.revoked_at or row.rotated_at, row.changed_by) for row in rows],
        empty="There is no account yet: `forewarn devices credentials SERIAL`.",
    )


def claim_code(
    serial: Annotated[str, typer.Argument(help="Serial of a registered device.")],
    hours: Annotated[float, typer.Option(min=0.1, max=24 * 366, help="Expires after so many hours.")] = 168.0,
    as_json: Json = False,
) -> None:
    """Print a code by which the device fetches its account itself, once, from POST /api/v1/devices/claim.

    A code made before opens nothing any more.
    """
    settings = load_settings()
    expires_at = datetime.now(UTC) + timedelta(hours=hours)
    with open_connection(find_database_url(settings), application="devices") as conn:
        code = issue_claim_code(conn, ACTOR, serial, expires_at=expires_at)
    if as_json:
        print_json({"serial": serial, "code": code, "expires_at": expires_at})
    else:
        out.print(code, markup=False)
        say(f"Good once, until {expires_at:%Y-%m-%d %H:%M} UTC. This is shown once.")
    if find_admin_url(settings) is None:
        say("FOREWARN_MQTT_ADMIN_URL is not set here; the API needs it to exchange the code.")


def assign(
    serial: Annotated[str, typer.Argument(help="Serial of a registered device.")],
    gateway: Annotated[str, typer.Option("--gateway", help="The gateway that speaks for it; none if empty.")],
    as_json: Json = False,
) -> None:
    """Say which gateway speaks for a device: what comes through another one is rejected. Makes the gateway if new."""
    problem = find_name_problem(BrokerAccount(AccountKind.GATEWAY, gateway)) if gateway else None
    if problem is not None:
        raise typer.BadParameter(f"the gateway's name {problem}")
    with open_connection(find_database_url(load_settings()), application="devices") as conn:
        changed = assign_gateway(conn, REGISTRAR, serial, gateway or None)
    if as_json:
        print_json({"serial": serial, "gateway": gateway or None, "changed": changed})
    else:
        how = f"is spoken for by {gateway}" if gateway else "has no gateway"
        say(f"{serial} {how}{'' if changed else ', as before'}.")


def _require_broker(settings: Settings) -> AccountBroker:
    # Imported here: it brings the MQTT client along, which other commands do without.
    from accounts.opening import find_account_broker

    url = find_admin_url(settings)
    if url is None:
        raise ConfigurationError(
            "FOREWARN_MQTT_ADMIN_URL names no account that may manage accounts at the broker: a Mosquitto with its "
            "dynamic-security plugin, as in docker-compose.yml."
        )
    if settings.mqtt_url is None and settings.mqtt_admin_url is None and settings.broker_gate is None:
        say("FOREWARN_BROKER_GATE is not set: the embedded broker takes whoever is on this machine, and nobody else.")
    return find_account_broker(url)
