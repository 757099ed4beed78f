"""What a simulated fleet remembers between two runs, in one JSON file of its own."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from domain.counting import say_count
from domain.errors import ConfigurationError
from simulators.device_kind import State
from simulators.faults import Fault
from simulators.fleet_plan import Rollout

FORMAT = 1
UNCLEAN_SKIP = 60  # state is saved every few seconds: after a crash the sequence jumps ahead instead of going back


@dataclass(slots=True)
class FleetState:
    """Everything that is not a function of the settings."""

    seed: int
    devices: int
    live_us: int = 0  # when the history was sent and the fleet went live; 0: not yet
    t_us: int = 0  # the last step
    next_fault_us: int = 0
    later_faults: int = 0
    clean: bool = False
    faults: list[Fault] = field(default_factory=list)
    rollouts: list[Rollout] = field(default_factory=list)  # still to come
    firmware: dict[str, str] = field(default_factory=dict)
    seq: dict[str, int] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)  # "serial/sensor" of a stuck sensor -> its value
    alarmed: list[str] = field(default_factory=list)  # "serial/code" reported and not yet re-armed
    physics: dict[str, State] = field(default_factory=dict)  # per model


def load_state(path: Path, seed: int, devices: int) -> FleetState:
    """The state of the last run, or a fresh one where there was none.

    Raises
    ------
    ConfigurationError
        The file is of a fleet with other settings, or is no state file.
    """
    if not path.exists():
        return FleetState(seed, devices)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise ValueError("another format")
        state = FleetState(
            **{
                **document,
                "faults": [Fault.from_json(fault) for fault in document["faults"]],
                "rollouts": [Rollout(**rollout) for rollout in document["rollouts"]],
                "physics": {
                    model: {name: np.array(values) for name, values in arrays.items()}
                    for model, arrays in document["physics"].items()
                },
            }
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} is no state of a simulated fleet ({error}); remove it to start anew."
        ) from error
    if (state.seed, state.devices) != (seed, devices):
        raise ConfigurationError(
            f"{path} is of a fleet with seed {state.seed} and {say_count(state.devices, 'device')}, "
            f"not {seed} and {devices}; use another state folder, or remove it to start anew."
        )
    if not state.clean:
        state.seq = {serial: seq + UNCLEAN_SKIP for serial, seq in state.seq.items()}
    return state


def save_state(path: Path, state: FleetState) -> None:
    """Replaces the file in one step: a crash leaves the old state or the new one."""
    document = {
        "format": FORMAT,
        **{name: getattr(state, name) for name in FleetState.__dataclass_fields__},
        "faults": [fault.to_json() for fault in state.faults],
        "rollouts": [asdict(rollout) for rollout in state.rollouts],
        "physics": {
            model: {name: values.tolist() for name, values in arrays.items()} for model, arrays in state.physics.items()
        },
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(document), encoding="utf-8")
    temporary.replace(path)
