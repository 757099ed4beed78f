"""Options that several commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
MqttUrl = Annotated[str | None, typer.Option("--mqtt-url", help="Broker instead of the one that is set.")]
DatabaseUrl = Annotated[str | None, typer.Option("--database-url", help="Database instead of the one that is set.")]
