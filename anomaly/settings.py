"""What can be set about scoring. Times in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnomalySettings:
    """Settings of `anomaly.program`."""

    database_url: str
    instance: str = ""  # names the heartbeat; empty: host and process id
    poll_s: float = 1.0  # blocks announce themselves; this is how often they are looked for anyway
    blocks_per_round: int = 32  # of one shard, scored and committed together
    checkpoint_s: float = 30.0  # a restart replays at most about this much
    heartbeat_s: float = 2.0
    # A process that was silent for longer no longer counts when shards are divided; its locks decide, not its silence.
    peer_timeout_s: float = 3.5
    ingest_timeout_s: float = 10.0  # while ingest was silent for longer, no silence is held against a device
    tick_s: float = 1.0  # how often silence is looked for
    run_jobs: bool = True  # training and backtests that people asked for, in a process beside this one
    jobs_s: float = 2.0  # how often they are looked for
    job_silence_s: float = 3600.0  # a job that says nothing for so long has failed, and its worker is ended
    max_backoff_s: float = 10.0  # between attempts at a database that is away
