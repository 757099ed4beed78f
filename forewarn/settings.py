"""What can be set: environment variables FOREWARN_…, or a TOML file; the environment wins.

A setting is about where things are and how they are reached. What is judged, and how, stands in device-model profiles.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from domain.errors import ConfigurationError

PREFIX = "FOREWARN_"
FILE_VARIABLE = "FOREWARN_CONFIG"
DEFAULT_FILE = Path("forewarn.toml")
OTHER_VARIABLES = frozenset({FILE_VARIABLE, "FOREWARN_DATA"})  # known, and no settings
SECTIONS = ("ingest", "anomaly", "service_link", "lab", "api")  # tables of the file, each for one program
MASK = "***"


class Settings(BaseSettings):
    """All settings, checked. Unknown keys in the file are refused."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)
    var: Path = Field(Path("var"), description="Folder of the embedded database and broker, secrets and logs")
    http_host: str = Field("127.0.0.1", description="Address that the console and the API listen on")
    http_port: int = Field(8000, ge=1, le=65535, description="Port of the console and the API")
    mqtt_port: int = Field(1883, ge=1, le=65535, description="Port of the embedded MQTT broker, on 127.0.0.1")
    mqtt_url: str | None = Field(
        None,
        pattern=r"^mqtts?://",
        description="Broker to use instead of the embedded one: mqtt://user:password@host:1883, or mqtts://…:8883",
    )
    mqtt_admin_url: str | None = Field(
        None,
        pattern=r"^mqtts?://",
        description="The same broker as the account that manages accounts; without it none are made from here",
    )
    mqtt_service_url: str | None = Field(
        None,
        pattern=r"^mqtts?://",
        description="The same broker as the account that tells devices of updates; else that of FOREWARN_MQTT_URL",
    )
    mqtt_ca_file: Path | None = Field(
        None, description="Whom to trust for mqtts://; if not set, the system's authorities"
    )
    mqtt_cert_file: Path | None = Field(None, description="Certificate to show to the broker, with its key below")
    mqtt_key_file: Path | None = Field(None, description="Key of that certificate")
    database_url: str | None = Field(
        None,
        pattern=r"^postgres(ql)?://",
        description="Database to use instead of the embedded one, as the account of the programs",
    )
    database_owner_url: str | None = Field(
        None, pattern=r"^postgres(ql)?://", description="The same database as the account that runs migrations"
    )
    database_buffers_mib: int | None = Field(
        None,
        ge=16,
        le=1_048_576,
        description="Memory in which the embedded database keeps pages; if not set, an eighth of this machine's, at "
        "most 2048",
    )
    broker_buffer_mib: int = Field(
        256, ge=16, le=65536, description="What the embedded broker keeps for a stopped ingest, per subscription"
    )
    broker_gate: str | None = Field(
        None,
        pattern=r"^[^:\s]+:\d{1,5}$",
        description="Where the embedded broker takes devices with accounts, as 0.0.0.0:8883; if not set, it listens on "
        "this machine alone, and takes whoever is on it",
    )
    broker_cert_file: Path | None = Field(None, description="Certificate of the embedded broker there; without, no TLS")
    broker_key_file: Path | None = Field(None, description="Key of that certificate")
    attachments: Path | None = Field(
        None, description="Folder of the files of work orders; if not set, `attachments` below FOREWARN_VAR"
    )
    sign_in_key_file: Path | None = Field(
        None, description="Key that seals second factors; if not set, made below FOREWARN_VAR/secrets at the first one"
    )
    webhook_key_file: Path | None = Field(
        None, description="Key that seals secrets of webhooks; if not set, made below FOREWARN_VAR/secrets at the first"
    )
    webhook_networks: str = Field(
        "", description="Networks that webhooks may be sent to beside the public internet, by commas, as 10.1.0.0/16"
    )
    webhook_proxy: str = Field(
        "",
        repr=False,
        description="Proxy through which webhooks reach the public internet, as http://name:password@proxy.example:3128",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much the programs log")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, then environment, then file."""
        own = {name: value for name, value in load_file().items() if name not in SECTIONS}
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=own)

    def environment(self) -> dict[str, str]:
        """This process' environment with every setting spelled out: what a child is started with."""
        own = {
            variable_of(name): str(value.resolve() if isinstance(value, Path) else value)
            for name in type(self).model_fields
            if (value := getattr(self, name)) is not None
        }
        return dict(os.environ) | own


def load_settings(**command_line: Any) -> Settings:
    """The settings of this process; `command_line` values that are not None win over all others.

    Raises
    ------
    ConfigurationError
        A value is wrong or the file cannot be used; every problem is named with its variable.
    """
    given = {name: value for name, value in command_line.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as problem:
        lines = []
        for error in problem.errors():
            name = ".".join(str(part) for part in error["loc"])
            where = variable_of(name) if name in Settings.model_fields else f"{name!r} in {find_file()}"
            lines.append(f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}")
        raise ConfigurationError("; ".join(lines)) from None


def load_file() -> dict[str, Any]:
    """The settings file's content; empty without one.

    Raises
    ------
    ConfigurationError
        It cannot be read or is no TOML.
    """
    file = find_file()
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ConfigurationError(f"{file} cannot be read: {problem}") from problem


def find_file() -> Path | None:
    """The settings file: what FOREWARN_CONFIG names (it must exist), else ./forewarn.toml if there is one.

    Raises
    ------
    ConfigurationError
        FOREWARN_CONFIG names no file.
    """
    named = os.environ.get(FILE_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise ConfigurationError(f"{FILE_VARIABLE} names {named}, which is no file.")
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def find_source(settings: Settings, name: str) -> str:
    """Where the value of a setting comes from, for people."""
    if name not in settings.model_fields_set:
        return "default"
    if os.environ.get(variable_of(name)):
        return f"environment {variable_of(name)}"
    return f"file {find_file()}" if name in load_file() else "command line"


def mask_secrets(value: object) -> str:
    """The value as text without any password: neither one before the `@` of a URL nor one among its parameters."""
    text = str(value)
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        place = parts.netloc.rpartition("@")[2]
        netloc = place
        if "@" in parts.netloc:
            user, colon, _ = parts.netloc.rpartition("@")[0].partition(":")
            netloc = f"{user}:{MASK}@{place}" if colon else f"{user}@{place}"
        query = urlencode(
            [(key, MASK if "pass" in key.lower() else item) for key, item in parse_qsl(parts.query)],
            safe="*/",
            quote_via=quote,
        )
        return urlunsplit(parts._replace(netloc=netloc, query=query))
    except ValueError:
        return MASK


def find_host(url: str) -> tuple[str, int | None]:
    """Host and port of a URL, for messages and connection checks; a socket folder counts as the host."""
    parts = urlsplit(url)
    folder = dict(parse_qsl(parts.query)).get("host")
    return unquote(parts.hostname or folder or "localhost"), parts.port
