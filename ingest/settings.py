"""What can be set about ingest. Every time in seconds, every size in bytes unless the name says otherwise."""

from dataclasses import dataclass, field

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How to reach the broker and how much of its traffic may be in memory."""

    url: str = "mqtt://127.0.0.1:1883"  # or mqtts://; user and password may stand in it
    client_id: str = "forewarn-ingest"  # names the persistent session: stable, and another one for each process
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None  # mqtts: whom to trust; None: what the address says, else the system's list
    cert_file: str | None = None  # mqtts: what to show to a broker that asks for a certificate, with its key
    key_file: str | None = None
    share_group: str | None = None  # several processes: the broker divides the messages among those of one group
    version: str = "auto"  # MQTT 5, or 3.1.1 with a broker that knows no other; or one of the two, forced
    session_expiry_s: int = 30 * 86_400  # MQTT 5: how long the broker keeps for us what arrives while we are away
    keepalive_s: int = 60
    connect_timeout_s: float = 5.0
    max_backoff_s: float = 30.0
    max_unacknowledged_messages: int = 40_000  # beyond either, the broker holds the rest; packet ids end at 65,535
    max_unacknowledged_bytes: int = 64 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class SparkplugSettings:
    """Sparkplug is read by one process at a time, over a connection of its own."""

    enabled: bool = True
    client_id: str = "forewarn-sparkplug"  # names the session, which goes from one process to the next
    host_id: str | None = None  # says online and offline as the host application of that name
    takeover_s: float = 2.0  # a process that does not read it looks this often whether it may


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Settings of `ingest.program`."""

    database_url: str
    mqtt: MqttSettings = field(default_factory=MqttSettings)
    sparkplug: SparkplugSettings = field(default_factory=SparkplugSettings)
    instance: str = ""  # names heartbeat and ledger rows; empty: the MQTT client id
    retention_days: float = 400.0  # older readings are refused as `too_old`
    max_future_s: float = 300.0  # later readings are refused as `from_the_future`
    max_payload: int = MEBIBYTE
    max_values: int = 10_000  # of one message
    batch_messages: int = 6_000
    batch_bytes: int = 8 * MEBIBYTE
    linger_s: float = 0.005  # a batch that is not full waits this long for more
    registry_poll_s: float = 2.0
    heartbeat_s: float = 2.0
    replay_poll_s: float = 1.0  # how often it is looked whether refused messages are to be decoded again
    last_seen_s: float = 5.0  # how often is written when devices and series were heard of, and who went silent
    leave: bool = False  # for good: takes what the broker still has for this client id, ends its session, and ends
    fold_s: float = 10.0  # counts by device are added to their days this often
    max_backoff_s: float = 10.0  # between attempts at a database that is away
