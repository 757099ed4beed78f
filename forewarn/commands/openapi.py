"""`forewarn openapi`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from api.app import create_app
from api.settings import ApiSettings

EXAMPLE = "Example: `forewarn openapi --output openapi.json`"
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.", dir_okay=False)]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("openapi", epilog=EXAMPLE)(print_openapi)


def print_openapi(output: Output = None) -> None:
    """Print the OpenAPI 3.1 document of the REST API, as a running one serves it; no database is needed."""
    text = make_openapi()
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")


def make_openapi() -> str:
    """The document as JSON, the same text for the same API."""
    document = create_app(ApiSettings(database_url="")).openapi()
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
