"""What a backtest found, for people."""

from domain.counting import say_count
from forewarn.terminal import print_table, say
from store.model_jobs import ModelJob


def print_backtest(job: ModelJob) -> None:
    """Both sides beside each other, or how far the job is."""
    if job.result is None:
        say(f"Backtest {job.id}: {job.state} {100 * job.progress:.0f} % {job.error or job.message}")
        return
    result = job.result
    say(
        f"{result['model']}: {say_count(result['devices'], 'device')}, "
        f"{say_count(result['device_days'], 'device-day')} from "
        f"{result['counted_from']} to {result['until']}, level {result['level']}"
    )
    if not result["device_days"]:
        say("Nothing was compared: no readings are left behind the begin that is not counted. It is no backtest.")
        return
    sides = [result["now"], result["proposed"]]
    rows = [
        ("tickets per 1,000 device-days", *(s["per_1000_device_days"] for s in sides)),
        ("tickets", *(s["tickets"] for s in sides)),
        ("of these reopened", *(s["reopened"] for s in sides)),
        ("breaches", *(s["breaches"] for s in sides)),
        ("median lead time before confirmed failures, h", *(s["lead_time_h"]["median"] for s in sides)),
    ]
    outcomes = sorted({outcome for s in sides for outcome in s["by_outcome"]})
    rows += [(f"tickets about {o}", *(s["by_outcome"].get(o, 0) for s in sides)) for o in outcomes]
    print_table(["", "now", "proposed"], rows, empty="")
    for name in ("gained", "lost"):
        by_outcome = ", ".join(f"{n} {o}" for o, n in result[name]["by_outcome"].items())
        say(
            f"{name}: {say_count(result[name]['orders'], 'order')} of history{f' ({by_outcome})' if by_outcome else ''}"
        )
    if result["approximate"]:
        say(f"judged from means, approximately: {', '.join(result['approximate'])}")
    for left in result["uncovered"]:
        say(f"changed, and not judged: {left['monitor']}: {left['reason']}. This is no backtest of the change.")
    for left in result["left_out"]:
        say(f"not judged: {left['monitor']}: {left['reason']}")
    top = [(d["serial"], d["now"], d["proposed"]) for d in result["top_devices"]]
    print_table(["device", "now", "proposed"], top, empty="No device would have a ticket.")
