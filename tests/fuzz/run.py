"""Coverage-guided fuzzing of one surface: `python -m tests.fuzz.run json --seconds 150`. Needs the extra `fuzz`.

Ends with 0 when nothing was found. A finding is printed with its trace, its input is written to `crash-…` in the
folder named by --findings, and `--input FILE` runs it again.
"""

import argparse
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("surface")
    parser.add_argument("--seconds", type=int, default=150, help="how long, at most (default: %(default)s)")
    parser.add_argument("--findings", type=Path, default=Path("var/fuzz"), help="where inputs that fail are kept")
    parser.add_argument("--input", type=Path, help="run this input alone")
    arguments = parser.parse_args()

    import atheris

    # What is imported from here on tells the fuzzer which of its lines were reached.
    with atheris.instrument_imports(include=["ingest", "domain"], enable_loader_override=False):
        surfaces = import_module("tests.fuzz.surfaces")
    seeds = import_module("tests.fuzz.seeds")
    surface = surfaces.SURFACES[arguments.surface]
    # The units of measurement are loaded when the first one needs them: half a second that no input has to answer for.
    import_module("domain.unit_conversion").find_conversion("kPa", "bar")
    with tempfile.TemporaryDirectory(prefix="forewarn-fuzz-") as name:
        folder = Path(name)
        for i, seed in enumerate(seeds.make_seeds(arguments.surface)):
            (folder / f"{i:04d}").write_bytes(seed)
        words = folder.with_suffix(".words")
        words.write_text(seeds.make_dictionary(), encoding="utf-8")
        arguments.findings.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_total_time={arguments.seconds}",
            f"-artifact_prefix={arguments.findings}/{arguments.surface}-",
            f"-dict={words}",
            "-max_len=4096",
            "-rss_limit_mb=2048",
            "-timeout=20",
            "-print_final_stats=1",
        ]
        where = [str(arguments.input if arguments.input is not None else folder)]
        atheris.Setup([sys.argv[0], *options, *where], lambda data: surfaces.run_bounded(surface, data))
        atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main()
