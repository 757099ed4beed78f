"""What people decided about the monitors of a profile, and which of it another profile would undo. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from domain.profile import Monitor, Profile


@dataclass(frozen=True, slots=True)
class ProfileDecision:
    """One decision: an accepted threshold (TP-...) or a profile that was made live (MOD-...), of one monitor."""

    code: str
    monitor: str
    values: Mapping[str, Any]  # fields of the monitor as they were decided


@dataclass(frozen=True, slots=True)
class UndoneDecision:
    """What a profile makes of a decision; `becomes` is empty where the monitor is no longer there."""

    code: str
    monitor: str
    was: Mapping[str, Any]
    becomes: Mapping[str, Any]

    def __str__(self) -> str:
        if not self.becomes:
            return f"{self.code} ({self.monitor} is removed)"
        changes = ", ".join(f"{name} {_say(value)} -> {_say(self.becomes[name])}" for name, value in self.was.items())
        return f"{self.code} ({self.monitor}: {changes})"


def find_decided(code: str, before: Profile, decided: Profile) -> list[ProfileDecision]:
    """What a decision changed: the fields of each monitor of `decided` that were others in `before`."""
    found = []
    for monitor in decided.monitors:
        earlier = before.find_monitor(monitor.key)
        now = {f.name: getattr(monitor, f.name) for f in fields(Monitor)}
        changed = {name: value for name, value in now.items() if earlier is None or getattr(earlier, name) != value}
        if changed:
            found.append(ProfileDecision(code, monitor.key, changed))
    return found


def find_undone(decisions: Iterable[ProfileDecision], current: Profile, proposed: Profile) -> list[UndoneDecision]:
    """The decisions that the current profile holds and the proposed one does not; what was changed since then by
    another decision is none of theirs."""
    undone = []
    for decision in decisions:
        held, then = current.find_monitor(decision.monitor), proposed.find_monitor(decision.monitor)
        if held is None or any(getattr(held, name) != value for name, value in decision.values.items()):
            continue
        lost = {n: v for n, v in decision.values.items() if then is None or getattr(then, n) != v}
        if lost:
            becomes = {} if then is None else {name: getattr(then, name) for name in lost}
            undone.append(UndoneDecision(decision.code, decision.monitor, lost, becomes))
    return undone


def describe_undone(undone: Iterable[UndoneDecision]) -> list[dict[str, Any]]:
    """The same for the audit."""
    return [asdict(one) for one in undone]


def _say(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)
