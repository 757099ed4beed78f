"""`forewarn migrate`."""

import typer

from forewarn.commands.options import Json
from forewarn.connections import find_owner_url
from forewarn.settings import load_settings
from forewarn.terminal import print_json, say
from store.migrate import load_flavour, migrate
from store.pool import open_connection


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("migrate", epilog="Example: `FOREWARN_DATABASE_OWNER_URL=postgresql://… forewarn migrate`")(run_migrate)


def run_migrate(as_json: Json = False) -> None:
    """Bring the database to this version. Safe to repeat; concurrent calls wait for one another."""
    url = find_owner_url(load_settings())
    applied = migrate(url)
    with open_connection(url, application="migrate") as conn:
        flavour = load_flavour(conn)
    if as_json:
        print_json({"applied": applied, "flavour": flavour})
        return
    for name in applied:
        say(f"applied {name}")
    say(f"The database is up to date ({flavour}).")
