"""How much ingest and scoring take, against a bare loop, in one run; and how long a reading takes to become a ticket.

    python -m benchmarks.ingest [--json] [--seconds 12] [--rounds 3] [--no-latency]

Mosquitto (the embedded broker where it is not installed), an embedded PostgreSQL with fsync on, a load generator in a
process of its own that sends at QoS 1 and keeps at most LEAD messages ahead of what is done. "Done" is committed, for
the bare loop; committed and scored (limits and the adaptive detector on each of 10,000 series), for the product. The
two take turns on the same machine, each time with a fresh database and broker; the ratio is that of the medians.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ingest_latency import measure_latency
from benchmarks.ingest_rig import find_mosquitto, fresh_installation, running_server
from benchmarks.ingest_throughput import Measurement, measure_product, measure_reference
from forewarn.embedded_postgres import Cluster

SHAPES = {"single": False, "gateway": True}


def main() -> int:
    """Prints a table and, as the last line, one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kind; the median counts")
    parser.add_argument("--no-latency", action="store_true", help="leave out the second part")
    arguments = parser.parse_args()

    def say(line: str) -> None:
        if not arguments.json:
            print(line, flush=True)

    say(f"broker: {find_mosquitto() or 'embedded'}")
    result: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="forewarn-bench-")))
        folder.chmod(0o711)  # as root, PostgreSQL runs under another account
        cluster = stack.enter_context(running_server(folder))
        for shape, gateways in SHAPES.items():
            result[shape] = _measure_shape(cluster, folder, shape, gateways, arguments.rounds, arguments.seconds, say)
        if not arguments.no_latency:
            rate = result["single"]["msg_s"] / 2.0
            with fresh_installation(cluster, folder, "latency") as installation:
                latency = measure_latency(installation, rate)
            result |= {"latency_ms": latency.ticket_ms, "commit_ms": latency.commit_ms}
            say(f"at {rate:,.0f} msg/s: publish to commit {latency.commit_ms}, to ticket {latency.ticket_ms}")
    print(json.dumps(result))
    return 0


def _measure_shape(
    cluster: Cluster, folder: Path, shape: str, gateways: bool, rounds: int, seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    taken: dict[str, list[Measurement]] = {"reference": [], "product": []}
    for number in range(rounds):
        for kind, measure in (("reference", measure_reference), ("product", measure_product)):
            with fresh_installation(cluster, folder, f"{shape}_{kind}_{number}") as installation:
                measured = measure(installation, gateways, seconds)
            taken[kind].append(measured)
            say(f"{shape:8}{kind:10}{measured}")
    reference = median(m.msg_s for m in taken["reference"])
    product = sorted(taken["product"], key=lambda m: m.msg_s)[rounds // 2]
    msg_s = median(m.msg_s for m in taken["product"])
    return {
        "msg_s": round(msg_s, 1),
        "values_s": round(msg_s * product.values_per_message, 1),
        "reference_msg_s": round(reference, 1),
        "ratio": round(msg_s / reference, 3),
        "backlog": product.backlog,
    }


if __name__ == "__main__":
    sys.exit(main())
