"""What the API program needs to know. Every field is a FOREWARN_... variable; see `forewarn config`."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Settings of one API process."""

    database_url: str = field(repr=False)  # holds a password
    host: str = "127.0.0.1"
    port: int = 8000
    broker_admin_url: str | None = field(default=None, repr=False)  # None: no account at the broker is made here
    public_url: str = ""  # as people type it; https here makes cookies Secure and sends HSTS
    trusted_proxies: str = ""  # addresses or networks, by commas, that may say for whom they ask (X-Forwarded-For)
    session_hours: float = 12.0  # a session ends after this, whatever happens
    session_idle_minutes: float = 60.0  # and after this without a request
    max_body_bytes: int = 2 * 1024 * 1024
    attachments: Path = Path("var/attachments")  # folder of files of work orders, below their hashes
    max_attachment_bytes: int = 25 * 1024 * 1024  # of one file
    upload_seconds: float = 300.0  # then a file that has not come in whole is given up
    pool_size: int = 16
    stream_clients: int = 500  # open event streams at once
    stream_queue: int = 1000  # changes that wait for one slow client before it is dropped
    stream_heartbeat_s: float = 15.0
    stream_minutes: float = 10.0  # then the client comes back, and shows again that it may
    metrics_on_loopback: bool = True  # /metrics without a token for a scraper on this machine
    change_log_hours: float = 48.0  # how long a stream may have been away and still go on without a gap
    instance: str = ""  # name of this process in health; empty: host and process id

    @property
    def is_https(self) -> bool:
        """People reach this installation by TLS."""
        return self.public_url.startswith("https://")
