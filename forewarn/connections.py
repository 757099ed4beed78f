"""Where this installation's database and broker are: those that are set, else the embedded ones below `var`."""

from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

from domain.errors import ConfigurationError
from forewarn.embedded_postgres import APP, OWNER, Cluster, load_cluster
from forewarn.secrets_folder import FOLDER
from forewarn.settings import Settings

ACCOUNT_FILE = "broker-accounts.json"


def find_database_url(settings: Settings) -> str:
    """The database as the account of the programs.

    Raises
    ------
    ConfigurationError
        None is set, and no embedded one was ever started here.
    """
    return settings.database_url or _require_cluster(settings).url(APP)


def find_owner_url(settings: Settings) -> str:
    """The same database as the account that may change the schema; without one of its own, the programs' account."""
    if settings.database_url is None:
        return settings.database_owner_url or _require_cluster(settings).url(OWNER)
    return settings.database_owner_url or settings.database_url


def find_mqtt_url(settings: Settings) -> str:
    """The broker, with the certificates that are set."""
    if settings.mqtt_url is None:
        return f"mqtt://127.0.0.1:{settings.mqtt_port}"
    return _with_certificates(settings.mqtt_url, settings)


def find_service_url(settings: Settings) -> str:
    """The broker as the account that tells devices of their updates; without one of its own, the programs' account."""
    if settings.mqtt_service_url is None:
        return find_mqtt_url(settings)
    return _with_certificates(settings.mqtt_service_url, settings)


def find_admin_url(settings: Settings) -> str | None:
    """Where accounts are managed: Mosquitto as the account for that, with the certificates that are set, or the file of
    the embedded broker; None where a broker is set and no account to manage its accounts."""
    if settings.mqtt_admin_url is not None:
        return _with_certificates(settings.mqtt_admin_url, settings)
    return find_account_file(settings).as_uri() if settings.mqtt_url is None else None


def find_account_file(settings: Settings) -> Path:
    """The accounts of the embedded broker, beside the other secrets."""
    return settings.var.resolve() / FOLDER / ACCOUNT_FILE


def _with_certificates(url: str, settings: Settings) -> str:
    parts = urlsplit(url)
    files = {name: getattr(settings, f"mqtt_{name}") for name in ("ca_file", "cert_file", "key_file")}
    given = {name: str(file.resolve()) for name, file in files.items() if file is not None}
    if parts.scheme != "mqtts" or parts.query or not given:
        return url
    return urlunsplit(parts._replace(query=urlencode(given)))


def _require_cluster(settings: Settings) -> Cluster:
    cluster = load_cluster(settings.var)
    if cluster is None:
        raise ConfigurationError(
            f"There is no embedded database in {settings.var.resolve()}: start `forewarn up` or `forewarn demo` first, "
            "or set FOREWARN_DATABASE_URL (or FOREWARN_VAR, if the embedded one is elsewhere)."
        )
    return cluster
