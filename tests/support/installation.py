"""An installation with breakable connections: programs -> proxy -> broker, programs -> proxy -> database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from domain.installed_base import InstalledDevice
from domain.profile import Profile
from tests.support.databases import Database
from tests.support.fleet import PROFILE, register
from tests.support.pipeline import Pipeline
from tests.support.programs import PIPELINE, running_programs
from tests.support.proxy import CuttingProxy, Upstream, cutting_proxy


@dataclass(frozen=True, slots=True)
class Installation:
    """A running pipeline and the two proxies that can break it."""

    pipeline: Pipeline
    broker_proxy: CuttingProxy
    database_proxy: CuttingProxy


@contextmanager
def running_pipeline(
    folder: Path,
    database: Database,
    mqtt_port: int,
    devices: Sequence[InstalledDevice],
    *,
    profile: Profile = PROFILE,
    names: tuple[str, ...] = PIPELINE,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Pipeline]:
    """The programs, connected directly, with these devices registered."""
    folder.mkdir(parents=True, exist_ok=True)
    register(database.url, profile, devices)
    mqtt_url = f"mqtt://127.0.0.1:{mqtt_port}"
    with running_programs(
        folder, database_url=database.url, mqtt_url=mqtt_url, names=names, settings=settings
    ) as programs:
        yield Pipeline(database.url, mqtt_port, programs)


@contextmanager
def breakable_pipeline(
    folder: Path,
    database: Database,
    mqtt_port: int,
    devices: Sequence[InstalledDevice],
    *,
    profile: Profile = PROFILE,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Installation]:
    """The programs, connected through proxies that cut, with these devices registered."""
    folder.mkdir(parents=True, exist_ok=True)
    register(database.url, profile, devices)
    with (
        cutting_proxy(Upstream(port=mqtt_port)) as broker_proxy,
        cutting_proxy(find_upstream(database.url)) as database_proxy,
        running_programs(
            folder,
            database_url=with_place(database.url, database_proxy.port),
            mqtt_url=f"mqtt://127.0.0.1:{broker_proxy.port}",
            settings=settings,
        ) as programs,
    ):
        yield Installation(Pipeline(database.url, mqtt_port, programs), broker_proxy, database_proxy)


def find_upstream(url: str) -> Upstream:
    """Where the server of a libpq URL listens: a socket in the folder `host`, or a port of this machine."""
    parts = urlsplit(url)
    folder = dict(parse_qsl(parts.query)).get("host") or unquote(parts.hostname or "")
    port = parts.port or 5432
    if folder.startswith("/"):
        return Upstream(socket=Path(folder) / f".s.PGSQL.{port}")
    assert folder in ("127.0.0.1", "localhost"), folder
    return Upstream(port=port)


def with_place(url: str, port: int) -> str:
    """The same account and database, reached on a port of 127.0.0.1, unencrypted so that a proxy can read it."""
    parts = urlsplit(url)
    sign_in = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{sign_in}@127.0.0.1:{port}", query="sslmode=disable"))
