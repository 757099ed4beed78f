"""The figures of the simulated fleet: of one seed, of several as one, from JSON and to it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.fleet_newcomers import FaultFigures, Newcomers
from lab.truth import Verdict, find_summary, merge


@dataclass(slots=True)
class SeedResult:
    """What one fleet gave, by set of rules, and what the new devices of its seed gave, by what they began with."""

    verdicts: dict[str, Verdict]
    newcomers: dict[str, Newcomers]
    readings: int
    seconds: int = 0

    def to_json(self) -> dict[str, Any]:
        """Every count and every lead time, from which `of_json` makes the same again."""
        return {
            "verdicts": {name: _verdict_to_json(verdict) for name, verdict in self.verdicts.items()},
            "newcomers": {name: asdict(newcomers) for name, newcomers in self.newcomers.items()},
            "readings": self.readings,
            "seconds": self.seconds,
        }

    @staticmethod
    def of_json(row: Mapping[str, Any]) -> "SeedResult":
        """The result that `to_json` was given."""
        verdicts = {name: _verdict_of_json(counts) for name, counts in row["verdicts"].items()}
        newcomers = {name: _newcomers_of_json(counts) for name, counts in row["newcomers"].items()}
        return SeedResult(verdicts, newcomers, row["readings"], row["seconds"])

    def find_summaries(self) -> dict[str, dict[str, object]]:
        """The figures by name."""
        found = {name: find_summary(verdict) for name, verdict in self.verdicts.items()}
        return found | {f"new devices, {name}": n.find_summary() for name, n in self.newcomers.items()}


def _verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    counts = {f.name: getattr(verdict, f.name) for f in fields(Verdict)}
    return {name: dict(value) if isinstance(value, dict) else value for name, value in counts.items()}


def _verdict_of_json(row: Mapping[str, Any]) -> Verdict:
    verdict = Verdict()
    for name, value in row.items():
        if isinstance(value, dict):
            getattr(verdict, name).update(value)
        else:
            setattr(verdict, name, value)
    return verdict


def _newcomers_of_json(row: Mapping[str, Any]) -> Newcomers:
    faults = {sort: FaultFigures(**figures) for sort, figures in row["faults"].items()}
    return Newcomers(**{**row, "faults": faults})


def merge_seeds(results: Iterable[SeedResult]) -> SeedResult:
    """All seeds as one."""
    several = list(results)
    names = list(several[0].verdicts) if several else []
    newcomers: dict[str, Newcomers] = {}
    for result in several:
        for name, found in result.newcomers.items():
            newcomers.setdefault(name, Newcomers()).add(found)
    return SeedResult(
        {name: merge(result.verdicts[name] for result in several) for name in names},
        newcomers,
        sum(result.readings for result in several),
        sum(result.seconds for result in several),
    )


def load_runs(paths: Sequence[str]) -> tuple[dict[str, Any], dict[int, SeedResult]]:
    """The settings and the seeds, in their order, of runs of which each file holds the output (its last line counts).

    Raises
    ------
    ValueError
        A file holds no run, the runs differ in their settings, or two of them hold the same seed.
    """
    settings: dict[str, Any] | None = None
    found: dict[int, SeedResult] = {}
    for path in paths:
        lines = Path(path).read_text("utf-8").strip().splitlines()
        try:
            run = json.loads(lines[-1])
            own, seeds = run["settings"], {int(seed): SeedResult.of_json(row) for seed, row in run["counts"].items()}
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: the last line is no result of a run: {error}") from None
        if settings is not None and own != settings:
            raise ValueError(f"{path}: {own} differs from {settings}")
        if twice := sorted(found.keys() & seeds.keys()):
            raise ValueError(f"{path}: seed {twice[0]} is in another file, too")
        settings, found = own, found | seeds
    return settings or {}, dict(sorted(found.items()))


def render(title: str, result: SeedResult) -> str:
    """The figures as lines for people."""
    lines = []
    for name, summary in result.find_summaries().items():
        lines += [f"{title}, {name}", *(f"  {key:40}{value}" for key, value in summary.items())]
    return "\n".join(lines)


def to_line(settings: Mapping[str, Any], seeds: Mapping[int, SeedResult]) -> str:
    """One JSON object: the figures of every seed and of all, and the counts that `load_runs` reads."""
    whole = merge_seeds(seeds.values())
    return json.dumps(
        {
            "settings": dict(settings),
            "seconds": whole.seconds,
            "seeds": {seed: result.find_summaries() for seed, result in seeds.items()},
            "all": whole.find_summaries(),
            "counts": {seed: result.to_json() for seed, result in seeds.items()},
        }
    )
