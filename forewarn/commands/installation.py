"""`forewarn demo` and `forewarn up`: everything on one machine."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from forewarn.commands.options import DatabaseUrl, MqttUrl
from forewarn.connections import find_mqtt_url
from forewarn.plans import find_address
from forewarn.settings import Settings, load_settings, mask_secrets
from forewarn.terminal import out, say

if TYPE_CHECKING:
    from forewarn.sign_ins import SignIn

OWN_SERIAL = "MY-0001"
OWN_MODEL = "INF-200"
OWN_READING = '{"values": {"temperature": 31.5, "pressure": 9.4}}'


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command(
        "demo", epilog="Example: `FOREWARN_HTTP_PORT=8080 forewarn demo`. Ctrl-C stops it; a second start goes on."
    )(run_demo)
    app.command("up", epilog="Example: `forewarn up --mqtt-url mqtts://user:password@broker:8883`. Ctrl-C stops it.")(
        run_up
    )


def run_demo(
    devices: Annotated[int, typer.Option(min=1, max=400, help="Size of the simulated fleet.")] = 40,
) -> None:
    """Show Forewarn at work: embedded database and broker, all programs, and a simulated fleet with faults."""
    # Imported here: the house brings every store module along, and `--help` should come at once.
    from forewarn.installation import run_installation

    settings = load_settings()
    run_installation(settings, fleet_devices=devices, welcome=lambda sign_ins: welcome_to_demo(settings, sign_ins))


def run_up(database_url: DatabaseUrl = None, mqtt_url: MqttUrl = None) -> None:
    """Run Forewarn for real devices: all programs, with embedded database and broker unless others are given."""
    from forewarn.installation import run_installation

    settings = load_settings(database_url=database_url, mqtt_url=mqtt_url)
    run_installation(settings, fleet_devices=None, welcome=lambda sign_ins: welcome_up(settings, sign_ins))


def welcome_to_demo(settings: Settings, sign_ins: list["SignIn"]) -> None:
    """Prints the address, the sign-ins, and how to send a first reading."""
    out.print()
    out.print(f"  Console   [bold]{find_address(settings)}[/bold]")
    out.print(f"  API       {find_address(settings)}/docs")
    out.print()
    if sign_ins:
        out.print(f"  Sign in as [bold]{sign_ins[0].name}[/bold]; the others show what each role may do:")
        for sign_in in sign_ins:
            out.print(f"    {sign_in.name:<12} {sign_in.password}   {sign_in.role.value}", markup=False)
    out.print()
    print_first_reading(settings)
    out.print("  Faults become work orders within a minute of their onset. Ctrl-C stops everything; the data stay.")
    out.file.flush()


def welcome_up(settings: Settings, sign_ins: list["SignIn"]) -> None:
    """Prints the address, the first administrator's sign-in (once), and how to send a first reading."""
    out.print()
    out.print(f"  Console   [bold]{find_address(settings)}[/bold]")
    out.print(f"  Broker    {mask_secrets(find_mqtt_url(settings))}", markup=False)
    if settings.mqtt_url is None and settings.broker_gate is not None:
        out.print(f"            and at {settings.broker_gate} for devices with accounts", markup=False)
    for sign_in in sign_ins:
        out.print(f"  Sign in as {sign_in.name} with {sign_in.password} (shown once)", markup=False)
    out.print()
    print_first_reading(settings)
    out.file.flush()
    if not sign_ins:
        say("Forgot a password? `forewarn users password NAME`.")


def print_first_reading(settings: Settings) -> None:
    """The commands to copy: register a device of one's own, and publish a reading as that device."""
    out.print("  A reading from a device of your own:")
    for line in find_first_reading_commands(settings):
        out.print(f"    {line}", markup=False, no_wrap=True, overflow="ignore", crop=False)
    out.print(f"  Then look at {find_address(settings)}/devices/{OWN_SERIAL}", markup=False)
    out.print()


def find_first_reading_commands(settings: Settings) -> list[str]:
    """The commands as they work from the folder one stands in."""
    command = Path(sys.argv[0])
    name = shlex.quote(str(command)) if command.name.startswith("forewarn") else "forewarn"
    where = "" if settings.var == Path("var") else f"FOREWARN_VAR={shlex.quote(str(settings.var.resolve()))} "
    python = shlex.quote(str(command.parent / "python")) if (command.parent / "python").exists() else "python3"
    publish = (
        "import paho.mqtt.client as m; d = m.Client(m.CallbackAPIVersion.VERSION2); "
        f'd.connect("127.0.0.1", {settings.mqtt_port}); d.loop_start(); '
        f'd.publish("forewarn/v1/{OWN_SERIAL}/telemetry", {OWN_READING!r}, qos=1).wait_for_publish(10); d.disconnect()'
    )
    register = f"printf 'serial,model\\n{OWN_SERIAL},{OWN_MODEL}\\n' | {where}{name} devices import -"
    if settings.mqtt_url is not None:
        body = shlex.quote(OWN_READING)
        broker = urlsplit(settings.mqtt_url)
        if broker.username is None:
            return [
                register,
                f"mosquitto_pub -L {settings.mqtt_url}/forewarn/v1/{OWN_SERIAL}/telemetry -q 1 -m {body}",
            ]
        # The account of ingest may not speak for a device, and a programs' port is none that devices reach.
        return [
            register,
            f"{where}{name} devices credentials {OWN_SERIAL}",
            f"mosquitto_pub -h {broker.hostname} -p PORT -u {OWN_SERIAL} -P PASSWORD "
            f"-t forewarn/v1/{OWN_SERIAL}/telemetry -q 1 -m {body}",
        ]
    return [register, f"{python} -c {shlex.quote(publish)}"]
