"""The benchmarks of scoring on public data: NAB, SKAB, SMAP and MSL, one configuration each for all of its files.

    python -m benchmarks.anomaly --data $FOREWARN_DATA --json [--only nab|skab|smap]

The data is not part of this repository; docs/benchmarks.md says where each set comes from and how it is judged.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

SETS = ("nab", "skab", "smap")


def run_set(name: str, data: Path) -> dict[str, Any]:
    """The figures of one benchmark, from `run` of its own module."""
    found: dict[str, Any] = import_module(f"benchmarks.anomaly_{name}").run(data)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures as one JSON object on the last line; 1 where there is no data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FOREWARN_DATA"), help="the folder of all sets")
    parser.add_argument("--only", choices=SETS, help="one of the benchmarks")
    parser.add_argument("--json", action="store_true", help="only the last line")
    options = parser.parse_args(arguments)
    if options.data is None or not options.data.is_dir():
        sys.stderr.write("There is no data: give its folder with --data or FOREWARN_DATA.\n")
        return 1
    found = {name: run_set(name, options.data) for name in ([options.only] if options.only else SETS)}
    if not options.json:
        for name, figures in found.items():
            print(name)
            for key, value in figures.items():
                print(f"    {key:32}{value}")
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
