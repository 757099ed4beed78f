"""`forewarn simulate fleet|replay|load|sparkplug`: devices that are none, over a real broker."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from domain.counting import say_count
from forewarn.commands.options import Json, MqttUrl
from forewarn.connections import find_mqtt_url
from forewarn.program_process import configure_logging, listen_for_stop
from forewarn.settings import load_settings
from forewarn.terminal import ExitCode, err, print_json, say

app = typer.Typer(help="Simulated fleets, recordings played back, and load.", no_args_is_help=True)


@app.command(
    "fleet", epilog="Example: `forewarn simulate fleet --devices 20`. Runs until Ctrl-C; a second run goes on."
)
def simulate_fleet(
    mqtt_url: MqttUrl = None,
    state_dir: Annotated[Path | None, typer.Option(help="State and ground truth; `fleet` below FOREWARN_VAR.")] = None,
    devices: Annotated[int, typer.Option(min=1, help="How many devices.")] = 40,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fleet and faults.")] = 1,
    history: Annotated[float, typer.Option(min=0, help="Seconds of healthy history sent at the first start.")] = 5400.0,
    install_after: Annotated[
        float, typer.Option(min=-1, help="Seconds until a device installs what it is told to; -1: it does not listen.")
    ] = 20.0,
    as_json: Json = False,
) -> None:
    """Run infusion pumps and ventilators behind gateways, with faults whose true start is written down.

    The devices must be registered: `forewarn demo` does it, or import `installed_base.csv` of the state folder.
    """
    stop = listen_for_stop()
    settings = load_settings(mqtt_url=mqtt_url)
    configure_logging(settings.log_level)
    # Imported here: simulators bring numpy and a client of their own, which other commands do without.
    from simulators.fleet import run_fleet
    from simulators.settings import FleetSettings

    report = run_fleet(
        FleetSettings(
            mqtt_url=find_mqtt_url(settings),
            state_dir=state_dir or settings.var / "fleet",
            devices=devices,
            seed=seed,
            history_s=history,
            install_after_s=install_after if install_after >= 0 else None,
        ),
        stop,
    )
    if as_json:
        print_json(report)
    else:
        say(
            f"{say_count(report.devices, 'device')} sent {say_count(report.values, 'value')} "
            f"in {say_count(report.acknowledged, 'acknowledged message')}."
        )


@app.command(
    "replay", epilog="Example: `forewarn simulate replay valve.csv --serial SKAB-0001 --delimiter ';' --speed 10`"
)
def simulate_replay(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV with a time column.")],
    serial: Annotated[str, typer.Option(help="The registered device that the recording is of.")] = "REPLAY-0001",
    speed: Annotated[float, typer.Option(min=0, help="Times faster than recorded; 0: as fast as possible.")] = 1.0,
    start: Annotated[str, typer.Option(help="`now`, `original`, or an instant (RFC 3339) for the first row.")] = "now",
    time_column: Annotated[str | None, typer.Option(help="The time column; found by its content if not given.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="COLUMN=sensor; several. All numeric ones if none.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A column that is no sensor; several.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Found by content if not given.")] = None,
    mqtt_url: MqttUrl = None,
    as_json: Json = False,
) -> None:
    """Publish a recording as a device, in real or scaled time."""
    pairs = [tuple(item.rpartition("=")[::2]) for item in column or []]
    if any(not name or not sensor for name, sensor in pairs):
        raise typer.BadParameter("--column is COLUMN=sensor")
    stop = listen_for_stop()
    settings = load_settings(mqtt_url=mqtt_url)
    configure_logging(settings.log_level)
    from simulators.replay import run_replay
    from simulators.settings import ReplaySettings

    wanted = ReplaySettings(
        mqtt_url=find_mqtt_url(settings),
        file=file,
        serial=serial,
        time=time_column,
        columns=tuple((name, sensor) for name, sensor in pairs) or None,
        ignore=tuple(ignore) if ignore else ("anomaly", "changepoint"),
        speed=speed or None,
        start=start,
        delimiter=delimiter,
    )
    with Progress(console=err, transient=True) as progress:
        bar = progress.add_task(f"Replaying {file.name}", total=None)
        report = run_replay(wanted, stop, lambda done, total: progress.update(bar, completed=done, total=total))
    if as_json:
        print_json(report.to_json())
    else:
        for problem in report.problems:
            say(str(problem))
        say(
            f"{report.acknowledged} of {say_count(report.rows, 'row')} acknowledged "
            f"({report.skipped} could not be read), "
            f"{say_count(report.values, 'value')} of {', '.join(report.sensors)} in {report.seconds:.1f} s"
        )
    if report.acknowledged < report.rows:
        raise typer.Exit(ExitCode.FAILED)


@app.command("load", epilog="Example: `forewarn simulate load --rate 2000 --seconds 30 --devices 500 --json`")
def simulate_load(
    rate: Annotated[float, typer.Option(min=0, help="Messages a second; 0: as fast as acknowledged.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long.")] = 10.0,
    messages: Annotated[int | None, typer.Option(min=1, help="How many at most.")] = None,
    devices: Annotated[int, typer.Option(min=1, help="LOAD-00001 and on; register them first.")] = 2000,
    gateways: Annotated[bool, typer.Option("--gateways", help="Gateway messages of several devices.")] = False,
    acknowledged: Annotated[Path | None, typer.Option(help="CSV of every acknowledged message.")] = None,
    mqtt_url: MqttUrl = None,
    as_json: Json = False,
) -> None:
    """Publish numbered QoS 1 messages and count what the broker acknowledged. Exit code 1 if any was not."""
    stop = listen_for_stop()
    settings = load_settings(mqtt_url=mqtt_url)
    configure_logging(settings.log_level)
    from simulators.load import run_load
    from simulators.settings import LoadSettings

    report = run_load(
        LoadSettings(
            mqtt_url=find_mqtt_url(settings),
            rate=rate or None,
            messages=messages,
            seconds=seconds,
            devices=devices,
            gateways=gateways,
            acknowledged_file=acknowledged,
        ),
        stop,
    )
    if as_json:
        print_json(report)
    else:
        say(str(report))
    if report.acknowledged < report.messages:
        raise typer.Exit(ExitCode.FAILED)


@app.command(
    "sparkplug",
    epilog="Example: `forewarn simulate sparkplug --edge EDGE-01 --devices 4 --list > edge.csv`, then "
    "`forewarn devices import edge.csv`, then the same without `--list`. Runs until Ctrl-C.",
)
def simulate_sparkplug(
    edge: Annotated[str, typer.Option(help="The edge node's id, which is the gateway's name.")] = "EDGE-01",
    group: Annotated[str, typer.Option(help="The Sparkplug group.")] = "forewarn",
    devices: Annotated[int, typer.Option(min=1, help="Infusion pumps and ventilators in turn.")] = 4,
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds from one reading to the next.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same devices.")] = 1,
    only_list: Annotated[bool, typer.Option("--list", help="Print the devices for the import, and stop.")] = False,
    mqtt_url: MqttUrl = None,
    as_json: Json = False,
) -> None:
    """Run a Sparkplug B edge node: births, data by alias, rebirths when asked, history after an outage.

    Its devices must be registered behind the gateway of the edge's name: `--list` prints what to import.
    """
    stop = listen_for_stop()
    settings = load_settings(mqtt_url=mqtt_url)
    configure_logging(settings.log_level)
    from simulators.settings import SparkplugSettings
    from simulators.sparkplug_edge import find_serials, run_sparkplug_edge

    wanted = SparkplugSettings(find_mqtt_url(settings), group, edge, devices, interval, seed)
    if only_list:
        typer.echo("serial,model,gateway,is_simulated")
        for kind, serials in find_serials(wanted):
            for serial in serials:
                typer.echo(f"{serial},{kind.model},{edge},true")
        return
    report = run_sparkplug_edge(wanted, stop)
    if as_json:
        print_json(report)
    else:
        say(
            f"{say_count(report.devices, 'device')} sent {say_count(report.values, 'value')}, "
            f"all births {say_count(report.births, 'time')}."
        )
