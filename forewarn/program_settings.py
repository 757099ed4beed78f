"""The settings of each program: what the house knows (addresses, ports), and any other field that somebody sets.

A field `batch_messages` of `ingest.settings.IngestSettings` is FOREWARN_INGEST_BATCH_MESSAGES in the environment and
`batch_messages` below `[ingest]` in the file; one of a nested class such as `mqtt.client_id` is
FOREWARN_INGEST_MQTT_CLIENT_ID, and `client_id` below `[ingest.mqtt]`.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from importlib import import_module
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from domain.errors import ConfigurationError
from forewarn.connections import find_admin_url, find_database_url, find_mqtt_url, find_service_url
from forewarn.secrets_folder import FOLDER
from forewarn.settings import OTHER_VARIABLES, PREFIX, Settings, find_file, load_file, variable_of

T = TypeVar("T")
WEBHOOK_KEY = "webhooks.key"


@dataclass(frozen=True, slots=True)
class Program:
    """One of the programs: where its settings class stands, and what the house fills in."""

    section: str
    settings_class: str
    wire: Callable[[Settings], dict[str, Any]]

    def load_class(self) -> type[Any]:
        """The frozen dataclass of the program's settings."""
        found: type[Any] = getattr(import_module(f"{self.section}.settings"), self.settings_class)
        return found


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of one program."""

    path: tuple[str, ...]  # section first
    default: object
    is_secret: bool

    @property
    def variable(self) -> str:
        return PREFIX + "_".join(self.path).upper()


PROGRAMS = {
    "ingest": Program(
        "ingest",
        "IngestSettings",
        lambda s: {"database_url": find_database_url(s), "mqtt": {"url": find_mqtt_url(s)}},
    ),
    "anomaly": Program("anomaly", "AnomalySettings", lambda s: {"database_url": find_database_url(s)}),
    "service-link": Program(
        "service_link",
        "ServiceLinkSettings",
        lambda s: {
            "database_url": find_database_url(s),
            "mqtt_url": find_service_url(s),
            "webhook_key_file": s.webhook_key_file or s.var / FOLDER / WEBHOOK_KEY,
            "webhook_networks": s.webhook_networks,
            "webhook_proxy": s.webhook_proxy,
        },
    ),
    "lab": Program("lab", "LabSettings", lambda s: {"database_url": find_database_url(s)}),
    "api": Program(
        "api",
        "ApiSettings",
        lambda s: {
            "database_url": find_database_url(s),
            "host": s.http_host,
            "port": s.http_port,
            "broker_admin_url": find_admin_url(s),
            "attachments": s.attachments or s.var / "attachments",
            "sign_in_key_file": s.sign_in_key_file or s.var / FOLDER / "sign-in.key",
            "webhook_key_file": s.webhook_key_file or s.var / FOLDER / WEBHOOK_KEY,
            "webhook_networks": s.webhook_networks,
        },
    ),
}
# Set by Settings, never by a program's own variable.
WIRED = {
    ("database_url",),
    ("mqtt", "url"),
    ("mqtt_url",),
    ("host",),
    ("port",),
    ("broker_admin_url",),
    ("attachments",),
    ("sign_in_key_file",),
    ("webhook_key_file",),
    ("webhook_networks",),
    ("webhook_proxy",),
}


def load_program_settings(program: Program, settings: Settings) -> Any:
    """The program's settings: wired by the house, then environment, then file, then the program's defaults.

    Raises
    ------
    ConfigurationError
        A value is wrong or a key of the file is unknown; each is named.
    """
    return fill(program.load_class(), program.section, load_file().get(program.section, {}), program.wire(settings))


def verify_program_settings(program: Program, settings: Settings) -> None:
    """Returns when the program would start with its settings: each can be used, and they go together.

    Raises
    ------
    ConfigurationError
        They cannot; the setting is named with the reason.
    """
    found = load_program_settings(program, settings)
    if verify := getattr(found, "verify", None):
        verify()


def fill(wanted: type[T], section: str, from_file: Mapping[str, Any], wired: Mapping[str, Any]) -> T:
    """An instance of the dataclass `wanted`, each field checked against its type.

    Raises
    ------
    ConfigurationError
        A value is wrong or a key of `from_file` is no field.
    """
    known = {setting.path[1:]: setting for setting in find_settings(wanted, section)}
    for path in _walk(from_file):
        if path not in known:
            raise ConfigurationError(f"{'.'.join(path)!r} below [{section}] in {find_file()} is no setting.")
    values = _copy(from_file)
    for path, setting in known.items():
        if value := os.environ.get(setting.variable):
            _put(values, path, value)
    for path in _walk(wired):
        _put(values, path, _get(wired, path))
    try:
        return TypeAdapter(wanted).validate_python(values)
    except ValidationError as problem:
        sentences = []
        for error in problem.errors():
            path = tuple(str(part) for part in error["loc"])
            name = known[path].variable if path in known else f"{section}.{'.'.join(path)}"
            sentences.append(f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}")
        raise ConfigurationError("; ".join(sentences)) from None


def find_settings(wanted: type[Any], *path: str) -> Iterator[Setting]:
    """Every field of a settings class that a person may set, those of nested classes too."""
    hints = get_type_hints(wanted)
    for field in fields(wanted):
        here = (*path, field.name)
        if is_dataclass(hints[field.name]):
            yield from find_settings(hints[field.name], *here)
        elif here[1:] not in WIRED:
            yield Setting(here, _find_default(field), is_secret=not field.repr)


def find_unknown_variables() -> list[str]:
    """Variables that look like settings and are none; most often a slip of the pen."""
    known = {variable_of(name) for name in Settings.model_fields} | OTHER_VARIABLES
    for program in PROGRAMS.values():
        known |= {setting.variable for setting in find_settings(program.load_class(), program.section)}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known and "_TEST_" not in name)


def _find_default(field: "Field[Any]") -> object:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else None


def _walk(tree: Mapping[str, Any], *path: str) -> Iterator[tuple[str, ...]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _walk(value, *path, name)
        else:
            yield (*path, name)


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copy(value) if isinstance(value, Mapping) else value for name, value in tree.items()}


def _get(tree: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    return _get(tree[path[0]], path[1:]) if len(path) > 1 else tree[path[0]]


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    if len(path) > 1:
        _put(tree.setdefault(path[0], {}), path[1:], value)
    else:
        tree[path[0]] = value
