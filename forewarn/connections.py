"""Where this installation's database and broker are: those that are set, else the embedded ones below `var`."""

from domain.errors import ConfigurationError
from forewarn.embedded_postgres import APP, OWNER, Cluster, load_cluster
from forewarn.settings import Settings


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
    """The broker."""
    return settings.mqtt_url or f"mqtt://127.0.0.1:{settings.mqtt_port}"


def _require_cluster(settings: Settings) -> Cluster:
    cluster = load_cluster(settings.var)
    if cluster is None:
        raise ConfigurationError(
            f"There is no embedded database in {settings.var.resolve()}: start `forewarn up` or `forewarn demo` first, "
            "or set FOREWARN_DATABASE_URL (or FOREWARN_VAR, if the embedded one is elsewhere)."
        )
    return cluster
