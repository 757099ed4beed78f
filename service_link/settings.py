"""What can be set about triage. Rules are profile data, not settings."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServiceLinkSettings:
    """Settings of `service_link.program`."""

    database_url: str
    instance: str = ""  # names the heartbeat; empty: host and process id
    poll_s: float = 1.0  # transitions announce themselves; this is how often they are looked for anyway
    batch_size: int = 250  # transitions decided and committed together
    late_grace_s: float = 20.0  # a late transition waits so long for the rest of its backlog
    tick_s: float = 5.0  # quiet periods, clocks, shelvings that end
    cohort_s: float = 10.0  # how often the cohort statistic looks, and at once after an order opened
    plan_s: float = 60.0  # maintenance plans, their occurrences, reminders: they count in days
    heartbeat_s: float = 2.0
    max_backoff_s: float = 10.0  # between attempts at a database that is away
    reading_days: int = 400  # readings of standard sensors, scores and rejections are kept so long; 0: for ever
    short_reading_days: int = 30  # readings of sensors whose profile says `retention: short`; 0: for ever
    long_reading_days: int = 3650  # and `retention: long`
    minute_days: int = 1100  # roll-ups by minute; 0: for ever
    hour_days: int = 3660  # roll-ups by hour; those by day stay for ever
    record_days: int = 3650  # devices' own alarms, the ledger; 0: for ever
    simulated_days: int = 30  # events of simulated devices, which never leave the system
    run_days: int = 400  # runs of the lab, trainings and backtests that no decision rests on; 0: for ever
    refresh_s: float = 30.0  # roll-ups where they are tables
    retention_s: float = 600.0
    housekeeping_s: float = 3600.0
    watch_s: float = 300.0  # firmware releases, drift, feedback
    mqtt_url: str = field(default="", repr=False)  # where notices to devices are published; empty: they wait
    field_action_s: float = 5.0  # how often running field actions are brought up to what devices say
    campaign_watch_s: float = 60.0  # how often it is asked whether a campaign must stop
    notice_s: float = 2.0  # notices announce themselves; this is how often they are looked for anyway
    notice_batch: int = 200  # notices published before their acknowledgements are waited for
    webhook_networks: str = ""  # networks, by commas, that webhooks may be sent to beside the public internet
    webhook_proxy: str = field(default="", repr=False)  # the public internet is reached through it; empty: directly
    webhook_key_file: Path = Path("var/secrets/webhooks.key")  # opens the secrets that sign webhooks
    webhook_poll_s: float = 1.0  # how often it is looked for events to deliver
    webhook_timeout_s: float = 15.0  # an attempt takes no longer
    webhook_workers: int = 8  # attempts at once
    webhook_per_endpoint: int = 2  # of them to one endpoint
    webhook_stop_s: float = 3.0  # what is being sent when the program stops may take so long to end
    delivery_days: int = 400  # what was delivered or given up is kept so long, with its attempts; 0: for ever
