"""What can be set about the lab. Which faults there are, and how much may be asked for, is in `domain.lab`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabSettings:
    """Settings of `lab.program`."""

    database_url: str
    instance: str = ""  # names the heartbeat; empty: host and process id
    poll_s: float = 1.0  # how often it is looked for runs that wait
    heartbeat_s: float = 2.0
    max_backoff_s: float = 10.0  # between attempts at a database that is away
