"""What the API program needs to know. Every field is a FOREWARN_... variable; see `forewarn config`."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from domain.errors import ConfigurationError
from domain.roles import Role

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# What `store.mended_orders` keeps is right as long as every change since is in the log; a change is dated when its
# transaction begins, which may be long before anybody can see it.
LEAST_CHANGE_LOG_HOURS = 1.0
MOST_CHANGE_LOG_HOURS = 8760.0  # a year: nobody comes back to a stream after that


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The OpenID Connect provider that people sign in at; without an issuer there is none."""

    issuer: str = ""  # as its discovery document names itself, to the letter
    client_id: str = ""
    client_secret_file: Path | None = None  # None: a public client, by PKCE alone
    label: str = "OpenID Connect"  # on the button: what people call the provider
    scopes: str = "openid profile"
    name_claim: str = "preferred_username"  # what a new account is called after
    groups_claim: str = "groups"
    roles: str = ""  # group=role by commas, the same group several times if wanted; empty: roles are given here
    new_accounts: bool = True  # the first sign-in makes an account; else only accounts that were tied here come in
    ca_file: Path | None = None  # whom to trust for its TLS, beside the system's authorities

    def find_roles(self) -> list[tuple[str, Role]]:
        """Which group gives which role.

        Raises
        ------
        ConfigurationError
            An entry is no group=role, or names a role that no provider can give.
        """
        found = []
        for entry in filter(None, (part.strip() for part in self.roles.split(","))):
            group, is_given, role = (part.strip() for part in entry.rpartition("="))
            if not group or not is_given or role not in set(Role) or role in (Role.CUSTOMER, Role.INTEGRATOR):
                raise ConfigurationError(
                    f"FOREWARN_API_OIDC_ROLES: {entry!r} is no group=role of a role that a person of the maker can have"
                )
            found.append((group, Role(role)))
        return found


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
    stream_queue: int = 1_000_000  # bytes of events that wait for one slow client before it is dropped
    stream_heartbeat_s: float = 15.0
    stream_minutes: float = 10.0  # then the client comes back, and shows again that it may
    metrics_on_loopback: bool = True  # /metrics without a token for a scraper on this machine
    change_log_hours: float = 48.0  # how long a stream may have been away and still go on without a gap
    instance: str = ""  # name of this process in health; empty: host and process id
    second_factor_required: bool = False  # who has none sets one up before anything else
    sign_in_key_file: Path = Path("var/secrets/sign-in.key")  # seals second factors; made where there is none
    webhook_key_file: Path = Path("var/secrets/webhooks.key")  # seals secrets of webhooks; made where there is none
    webhook_networks: str = ""  # networks, by commas, that webhooks may be sent to beside the public internet
    password_sign_in: bool = True  # false: only break-glass administrators come in by a password
    break_glass: str = "admin"  # names, by commas, of administrators whose password opens even so
    oidc: OidcSettings = field(default_factory=OidcSettings)

    @property
    def is_https(self) -> bool:
        """People reach this installation by TLS."""
        return self.public_url.startswith("https://")

    @property
    def has_provider(self) -> bool:
        """People sign in at an OpenID Connect provider."""
        return bool(self.oidc.issuer)

    @property
    def break_glass_names(self) -> frozenset[str]:
        """The accounts that a password opens whatever else is set, as long as they are administrators."""
        return frozenset(filter(None, (name.strip().lower() for name in self.break_glass.split(","))))

    def verify(self) -> None:
        """Returns when people can come in as these settings say, and what rests on the log of changes can rely on it.

        Raises
        ------
        ConfigurationError
            A setting lacks another one, is out of its range, or would send people or secrets over a plain connection.
        """
        self._verify_change_log()
        self._verify_sign_in()

    def _verify_change_log(self) -> None:
        name, hours = "FOREWARN_API_CHANGE_LOG_HOURS", self.change_log_hours
        if not hours >= LEAST_CHANGE_LOG_HOURS:  # nor is "nan"
            raise ConfigurationError(
                f"{name}={hours:g} is too short, {LEAST_CHANGE_LOG_HOURS:g} is the least: suggestions of technicians "
                "look up there which orders changed since they were counted, and would miss some"
            )
        if hours > MOST_CHANGE_LOG_HOURS:
            raise ConfigurationError(f"{name}={hours:g} is too long, {MOST_CHANGE_LOG_HOURS:g} (a year) is the most")
        # Who heard of nothing comes back with what the stream began with, and perhaps not at once.
        if not hours * 60 >= 2 * self.stream_minutes:
            raise ConfigurationError(
                f"{name}={hours:g} is too short for FOREWARN_API_STREAM_MINUTES={self.stream_minutes:g}, "
                f"{self.stream_minutes / 30:g} is the least: whoever comes back when a stream has ended goes on where "
                "it began, and would have to read everything anew each time"
            )

    def _verify_sign_in(self) -> None:
        if not self.has_provider:
            if not self.password_sign_in:
                raise ConfigurationError("FOREWARN_API_PASSWORD_SIGN_IN=false wants FOREWARN_API_OIDC_ISSUER")
            return
        if not self.oidc.client_id:
            raise ConfigurationError("FOREWARN_API_OIDC_ISSUER wants FOREWARN_API_OIDC_CLIENT_ID")
        if not self.public_url:
            raise ConfigurationError("FOREWARN_API_OIDC_ISSUER wants FOREWARN_API_PUBLIC_URL: the way back to here")
        if "openid" not in self.oidc.scopes.split():
            raise ConfigurationError("FOREWARN_API_OIDC_SCOPES must have openid")
        for name, url in (("FOREWARN_API_OIDC_ISSUER", self.oidc.issuer), ("FOREWARN_API_PUBLIC_URL", self.public_url)):
            parts = urlsplit(url)
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
                raise ConfigurationError(f"{name} must begin with https:// where a provider is used")
        self.oidc.find_roles()
