"""`forewarn certificates init|server|issue`: a development authority, for trying out TLS and mutual TLS."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.broker_account import AccountKind, BrokerAccount, find_name_problem
from forewarn.commands.options import Json
from forewarn.terminal import print_json, say

if TYPE_CHECKING:
    from forewarn.certificates import Issued

app = typer.Typer(
    help="Certificates of a development authority, for trying out TLS at the broker. Production uses its own PKI.",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Option(help="Where the authority's key and the certificates lie.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="How many days it holds.")]
HERE = Path("certificates")


@app.command("init", epilog="Example: `forewarn certificates init`")
def init(folder: Folder = HERE, as_json: Json = False) -> None:
    """Make the authority: its certificate is what devices and the broker trust."""
    # Imported here and below: it loads a library of ciphers, which other commands do without.
    from forewarn.certificates import make_authority

    _report(make_authority(folder), as_json)


@app.command("server", epilog="Example: `forewarn certificates server broker.example.org 192.0.2.7`")
def server(
    hosts: Annotated[list[str], typer.Argument(help="Names and addresses under which the broker is reached.")],
    folder: Folder = HERE,
    days: Days = 397,
    as_json: Json = False,
) -> None:
    """Issue the broker's certificate."""
    from forewarn.certificates import issue_server_certificate

    _report(issue_server_certificate(folder, hosts, days=days), as_json)


@app.command("issue", epilog="Example: `forewarn certificates issue CAB-1`")
def issue(
    name: Annotated[str, typer.Argument(help="Serial of a device, or a gateway's name.")],
    is_gateway: Annotated[bool, typer.Option("--gateway", help="NAME is a gateway's name.")] = False,
    folder: Folder = HERE,
    days: Days = 730,
    as_json: Json = False,
) -> None:
    """Issue a certificate to sign in with; `forewarn devices credentials --certificate` makes the account for it."""
    account = BrokerAccount(AccountKind.GATEWAY if is_gateway else AccountKind.DEVICE, name)
    problem = find_name_problem(account)
    if problem is not None:
        raise typer.BadParameter(f"{name} {problem}")
    from forewarn.certificates import issue_device_certificate

    _report(issue_device_certificate(folder, account.username, days=days), as_json)


def _report(issued: "Issued", as_json: bool) -> None:
    from forewarn.certificates import load_expiry

    until = load_expiry(issued.certificate)
    if as_json:
        print_json({"certificate": str(issued.certificate), "key": str(issued.key), "expires_at": until})
    else:
        say(f"{issued.certificate} and {issued.key}, good until {until:%Y-%m-%d}.")
