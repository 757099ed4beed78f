"""What can be set about the lab. Which faults there are, and how much may be asked for, is in `domain.lab`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabSettings:
    """Settings of `lab.program`."""

    database_url: str
    instance: str = ""  # names the heartbeat; empty: host and process id
    poll_s: float = 1.0  # how often it is looked for runs that wait
    run_silence_s: float = 3600.0  # a run that says nothing for so long has failed, and its worker is ended
    heartbeat_s: float = 2.0
    max_backoff_s: float = 10.0  # between attempts at a database that is away
